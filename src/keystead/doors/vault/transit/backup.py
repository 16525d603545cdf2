"""backup and restore: a key with its history, readable to whoever holds the backup.

The form is our own: Vault's has the ciphers' keys in it, and its ciphertexts are not ours (docs/adr/0020).
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.algorithms import SPECS, Purpose
from keystead.core.entities import Terms
from keystead.core.operations import Breach, CopiedVersion, KeyCopy
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.transit.names import key_ref, keyring_ref
from keystead.doors.vault.transit.words import SOFT_DELETED, Named, asked_first, said
from keystead.kit import Call
from keystead.wire import Malformed
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import base64_decoded

REFUSED: dict[object, str] = {
    Breach.NOT_EXPORTABLE: "exporting is disallowed on the policy",
    Breach.NOT_COPYABLE: "plaintext backup is disallowed on the policy",
}
NOT_ONE = "not a backup of a key that was made here"


class _Version(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    number: int
    created_at: Annotated[datetime, Meta(tz=True)]
    material: bytes
    is_public: bool = False

    def __repr__(self) -> str:
        return f"_Version({self.number})"


class _Backup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    keystead: Literal[1] = 1
    name: str
    spec: str
    purpose: Purpose
    terms: Terms
    current: int
    sealed_as: str
    versions: list[_Version]
    imported: bool = False


_DECODER = msgspec.json.Decoder(_Backup)


@endpoint("transit", Verb.READ, "backup/{name}")
@asked_first
def back_up(req: Named, call: Call) -> dict[str, Any]:
    try:
        copy = call(ops.CopyKey(key=key_ref(req.name, call)))
    except e.NotFound as error:
        raise said(500, multierror(f'key "{req.name}" not found'), error) from error
    except e.WrongState as error:
        if error.detail is KeyState.SUSPENDED:
            raise said(500, multierror(SOFT_DELETED), error) from error
        if error.detail not in REFUSED:
            raise
        raise said(500, multierror(REFUSED[error.detail]), error) from error
    backup = _Backup(
        name=req.name,
        spec=copy.spec.name,
        purpose=copy.purpose,
        terms=copy.terms,
        current=copy.current,
        sealed_as=copy.sealed_as,
        imported=copy.imported,
        versions=[_Version(one.number, one.created_at, one.material.reveal(), one.is_public) for one in copy.versions],
    )
    return {"backup": b64encode(msgspec.json.encode(backup)).decode()}


class RestoreRequest(Parameters, frozen=True, kw_only=True):
    name: str = ""
    backup: str = ""
    force: bool = False


class RestoreAsRequest(RestoreRequest, frozen=True, kw_only=True):
    name: str = CAPTURED


def _read(text: str) -> _Backup:
    """Raises Said."""
    if not text:
        raise Said(400, "'backup' must be supplied")
    try:
        return _DECODER.decode(base64_decoded(text))
    except Malformed as error:
        raise Said(500, multierror(str(error))) from None
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise Said(500, multierror(NOT_ONE)) from None


def _restore(req: RestoreRequest, call: Call) -> None:
    backup = _read(req.backup)
    name = key_ref(req.name or backup.name, call).name
    if backup.spec not in SPECS:
        raise Said(500, multierror(NOT_ONE))
    copy = KeyCopy(
        spec=SPECS[backup.spec],
        purpose=backup.purpose,
        terms=backup.terms,
        current=backup.current,
        sealed_as=backup.sealed_as,
        versions=tuple(
            CopiedVersion(v.number, v.created_at, Sensitive(v.material), v.is_public) for v in backup.versions
        ),
        imported=backup.imported,
    )
    wanted = ops.RestoreKey(keyring=keyring_ref(call), name=name, copy=copy)
    try:
        try:
            call(wanted)
        except e.AlreadyExists:
            if not req.force:
                raise
            call(replace(wanted, over=key_ref(name, call)))
    except e.AlreadyExists as error:
        raise said(500, multierror(f'key "{name}" already exists'), error) from error
    except e.InvalidArgument as error:
        raise said(500, multierror(NOT_ONE), error) from error


@endpoint("transit", Verb.WRITE, "restore")
def restore(req: RestoreRequest, call: Call) -> None:
    """Under the name that it had."""
    _restore(req, call)


@endpoint("transit", Verb.WRITE, "restore/{name}")
def restore_as(req: RestoreAsRequest, call: Call) -> None:
    _restore(req, call)


OPERATIONS = (back_up, restore, restore_as)
