"""kv version 2: metadata, listings, settings, and paths that are none. HTTP API, "KV secrets engine - version 2"."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from keystead.core import operations as ops
from keystead.core.entities import Secret
from keystead.core.errors import NotFound
from keystead.core.operations import KeyringRef
from keystead.doors.vault.endpoint import Answer, endpoint
from keystead.doors.vault.kv import VERSIONED
from keystead.doors.vault.kv.custom import checked
from keystead.doors.vault.kv.shapes import GONE, At, at, dates
from keystead.doors.vault.refusals import refuse
from keystead.kit import Call
from keystead.wire.vault.fields import coerced
from keystead.wire.vault.kinds import Duration, Int, Kind, Map, SignedDuration
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import duration_text, time_text

UINT32 = 1 << 32
SECOND = 10**9
CAS_MANDATED = Answer(
    warnings=('"cas_required" set to false, but is mandated by backend config. This value will be ignored.',)
)
PAGE = 1000  # names behind `after`, where no limit is given


def listed(call: Call, folder: str, after: str = "", limit: int = 0) -> dict[str, Any]:
    """The names in a folder. Raises NotFound where there are none."""
    n = limit if limit > 0 else PAGE if after else None
    page = call(
        ops.ListSecrets(
            keyring=KeyringRef(call.caller.namespace),
            folder=folder.removesuffix("/"),
            after=after,
            limit=n,
        )
    )
    if not page.items:
        raise NotFound("nothing is listed there", "folder")
    return {"keys": page.items}


class ListRequest(Parameters, frozen=True, kw_only=True):
    """`after` and `limit` are OpenBao's. A page comes in the order of the index (docs/adr/0021)."""

    path: str = CAPTURED
    after: str = ""
    limit: Int = 0


@endpoint(VERSIONED, Verb.LIST, "metadata/{path:path?}")
def list_secrets(req: ListRequest, call: Call) -> dict[str, Any]:
    return listed(call, req.path, req.after, req.limit)


@endpoint(VERSIONED, Verb.READ, "metadata/{path:path?}")
def read(req: At, call: Call) -> dict[str, Any]:
    found = call(ops.ReadSecretMetadata(secret=at(req.path, call)))
    versions = {str(one.number): dates(one) for one in found.versions}
    return {**_told(found.secret), "versions": versions}


def _told(secret: Secret) -> dict[str, Any]:
    return {
        "cas_required": secret.cas_required,
        "created_time": time_text(secret.created_at),
        "current_version": secret.current,
        "custom_metadata": secret.custom or None,
        "delete_version_after": duration_text(secret.delete_after * SECOND),
        "max_versions": secret.max_versions,
        "oldest_version": secret.oldest,
        "updated_time": time_text(secret.updated_at),
    }


class WriteRequest(Parameters, frozen=True, kw_only=True):
    path: str = CAPTURED
    max_versions: Int | None = None
    cas_required: bool | None = None
    delete_version_after: Duration | None = None
    custom_metadata: Map | None = None
    metadata_cas: Int | None = None
    metadata_cas_required: bool | None = None


class PatchRequest(Parameters, frozen=True, kw_only=True):
    """Null puts back to nothing; of a duration it says nothing."""

    path: str = CAPTURED
    max_versions: Int | None = None
    cas_required: bool | None = None
    delete_version_after: Duration | None = None
    custom_metadata: Any = UNSET
    metadata_cas: Int | None = None
    metadata_cas_required: bool | None = None


OPENBAOS = ("metadata_cas", "metadata_cas_required")


@endpoint(VERSIONED, Verb.WRITE, "metadata/{path:path?}", creates=True)
def write(req: WriteRequest, call: Call) -> Answer | None:
    refuse(req, OPENBAOS)
    done = call(
        ops.PutSecretMetadata(
            secret=at(req.path, call),
            max_versions=_wrapped_around(req.max_versions),
            cas_required=req.cas_required,
            delete_after=req.delete_version_after,
            custom=None if req.custom_metadata is None else _texts(req.custom_metadata),
        )
    )
    return _remarked(done, req)


@endpoint(VERSIONED, Verb.PATCH, "metadata/{path:path?}")
def patch(req: PatchRequest, call: Call) -> Answer | None:
    refuse(req, OPENBAOS)
    custom = req.custom_metadata
    given = None if custom is None or custom is UNSET else coerced(Kind.MAP, "custom_metadata", custom)
    change = ops.PutSecretMetadata(
        secret=at(req.path, call),
        max_versions=_wrapped_around(req.max_versions),
        cas_required=req.cas_required,
        delete_after=req.delete_version_after,
        custom={} if custom is None else None,
        custom_changes=checked(given, without_null=False) if given else None,
        must_exist=True,
    )
    try:
        return _remarked(call(change), req)
    except NotFound:
        return GONE


def _remarked(done: ops.MetadataPut, req: WriteRequest | PatchRequest) -> Answer | None:
    return CAS_MANDATED if req.cas_required is False and done.cas_mandated else None


def _texts(given: dict[str, Any]) -> dict[str, str]:
    return {name: text or "" for name, text in checked(given, without_null=True).items()}


def _wrapped_around(number: int | None) -> int | None:
    """The server keeps 32 bits of it."""
    return None if number is None else number % UINT32


@endpoint(VERSIONED, Verb.DELETE, "metadata/{path:path?}")
def delete(req: At, call: Call) -> None:
    call(ops.DeleteSecret(secret=at(req.path, call)))


# --- settings


class Nothing(Parameters, frozen=True, kw_only=True):
    pass


@endpoint(VERSIONED, Verb.READ, "config")
def read_settings(_req: Nothing, call: Call) -> dict[str, Any]:
    found = call(ops.ReadSecretSettings(keyring=KeyringRef(call.caller.namespace)))
    return {
        "cas_required": found.cas_required,
        "delete_version_after": duration_text(found.delete_after * SECOND),
        "max_versions": found.max_versions,
    }


class SettingsRequest(Parameters, frozen=True, kw_only=True):
    max_versions: Int | None = None
    cas_required: bool | None = None
    delete_version_after: SignedDuration | None = None
    metadata_cas_required: bool | None = None


@endpoint(VERSIONED, Verb.WRITE, "config")
def write_settings(req: SettingsRequest, call: Call) -> None:
    refuse(req, ("metadata_cas_required",))
    call(
        ops.PutSecretSettings(
            keyring=KeyringRef(call.caller.namespace),
            max_versions=_wrapped_around(req.max_versions),
            cas_required=req.cas_required,
            delete_after=req.delete_version_after,
        )
    )


OPERATIONS = (list_secrets, read, write, patch, delete, read_settings, write_settings)
