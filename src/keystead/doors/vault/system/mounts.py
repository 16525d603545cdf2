"""sys/mounts, sys/auth, sys/remount: which engine answers where."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from keystead.core import operations as ops
from keystead.core.entities import Mount
from keystead.core.errors import AlreadyExists, NotFound
from keystead.core.mounts import BUILT_IN, address, path_of
from keystead.core.operations import KeyringRef, TenantRef
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.kv import check_version
from keystead.kit import Call
from keystead.service.handlers.tokenparts import DEFAULT_FOR, MAX_FOR
from keystead.wire.vault import FieldError
from keystead.wire.vault.fields import coerced
from keystead.wire.vault.kinds import CommaStrings, Kind, Map, Pairs, Slashless
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb


class Engine(Struct, frozen=True, kw_only=True):
    """What can be mounted. `keeps`: keys or secrets, so that it has a keyring."""

    keeps: bool
    options: Mapping[str, str] = {}
    name: str = ""  # of the engine, where the type is another word for it


SECRETS = {
    "transit": Engine(keeps=True),
    "totp": Engine(keeps=True),
    "kv": Engine(keeps=True),
    "generic": Engine(keeps=True),
    "kv-v2": Engine(keeps=True, name="kv", options={"version": "2"}),
    "kv-v1": Engine(keeps=True, name="kv", options={"version": "1"}),
}
LOGINS = {name: Engine(keeps=False) for name in ("approle", "userpass", "jwt", "oidc", "kubernetes", "cert")}
LOCAL, SEALED, ENTROPY = "local", "seal_wrap", "external_entropy_access"
MARKS = (LOCAL, SEALED, ENTROPY)
"""What is kept of a mount and told, so that whoever has written it finds it; there is one node, and all is sealed."""
VISIBLE = frozenset({"", "hidden", "unauth"})
TOKENS = "token"
DEFAULT_KIND = "default-service"
TOKEN_KINDS = frozenset({DEFAULT_KIND, "default-batch", "service", "batch"})
OWN = frozenset({"audit", "auth", "cubbyhole", "identity", "sys"})
"""What no engine is mounted at or below: auth/ is enabled at sys/auth, which needs sudo."""


def here(call: Call) -> TenantRef:
    return TenantRef(call.caller.principal.tenant)


def told(mount: Mount) -> dict[str, Any]:
    """One mount as sys/mounts shows it."""
    is_login = path_of(mount).startswith("auth/")
    config: dict[str, Any] = {
        "default_lease_ttl": mount.default_lease_for,
        "force_no_cache": False,
        "max_lease_ttl": mount.max_lease_for,
    }
    if mount.listing:
        config["listing_visibility"] = mount.listing
    if is_login:
        config["token_type"] = mount.made_as
    shown: dict[str, Any] = {
        "accessor": mount.accessor,
        "config": config,
        "description": mount.description,
        "external_entropy_access": ENTROPY in mount.marks,
        "local": LOCAL in mount.marks or mount.engine == "cubbyhole",
        "options": None if any(mount.engine == engine for _, _, engine, _ in BUILT_IN) else mount.options,
        "plugin_version": "",
        "running_plugin_version": "",
        "running_sha256": "",
        "seal_wrap": SEALED in mount.marks,
        "type": mount.engine,
        "uuid": mount.uuid,
    }
    return shown


def tuning(mount: Mount) -> dict[str, Any]:
    """The same as its tune shows it: with the installation's times where it has none of its own."""
    shown: dict[str, Any] = {
        "default_lease_ttl": mount.default_lease_for or DEFAULT_FOR,
        "description": mount.description,
        "force_no_cache": False,
        "max_lease_ttl": mount.max_lease_for or MAX_FOR,
    }
    if mount.options:
        shown["options"] = mount.options
    if mount.listing:
        shown["listing_visibility"] = mount.listing
    if path_of(mount).startswith("auth/"):
        shown["token_type"] = mount.made_as
    if ENTROPY in mount.marks:
        shown[ENTROPY] = True
    return shown


class Nothing(Parameters, frozen=True, kw_only=True):
    pass


class PathRequest(Parameters, frozen=True, kw_only=True):
    path: Slashless = CAPTURED


class EnableRequest(Parameters, frozen=True, kw_only=True):
    path: Slashless = CAPTURED
    type: str = ""
    description: str = ""
    config: Map = msgspec.field(default_factory=dict)
    options: Pairs = msgspec.field(default_factory=dict)
    local: bool = False
    seal_wrap: bool = False
    external_entropy_access: bool = False
    plugin_name: str = ""
    plugin_version: str = ""


class TuneRequest(Parameters, frozen=True, kw_only=True):
    path: Slashless = CAPTURED
    default_lease_ttl: str = ""
    max_lease_ttl: str = ""
    description: str | None = None
    listing_visibility: str | None = None
    options: Pairs | None = None
    token_type: str | None = None
    allowed_managed_keys: CommaStrings | None = None


def _seconds(given: Any, what: str) -> int:
    """ "system" and nothing are as the installation has it. Raises Said, `what` before its words."""
    if given in {"", "system", None}:
        return 0
    try:
        return int(coerced(Kind.DURATION, "", given))
    except FieldError as error:
        words = error.text.partition('field "": ')[2] or error.text
        raise Said(400, f"{what}{words}") from None


def _check_config(config: Mapping[str, Any]) -> tuple[int, int]:
    """Its times. Raises Said."""
    default, most = config.get("default_lease_ttl"), config.get("max_lease_ttl")
    return _seconds(default, f"unable to parse default TTL of {default}: "), _seconds(
        most, f"unable to parse max TTL of {most}: "
    )


def _listed(call: Call, *, logins: bool) -> Answer:
    found = {}
    for one in call(ops.ListMounts(tenant=here(call))):
        path = path_of(one)
        if path.startswith("auth/") is logins:
            found[f"{path.removeprefix('auth/')}/"] = told(one)
    return Answer(data=found, doubled=True)


def _enable(req: EnableRequest, call: Call, prefix: str, engines: Mapping[str, Engine]) -> None:
    engine, path = engines.get(req.type), req.path.strip("/")
    if not prefix and path.partition("/")[0] in OWN:
        raise Said(400, f'cannot mount "{path}/"')
    if not req.type:
        raise Said(400, "backend type must be specified as a string")
    if engine is None:
        raise Said(400, f"plugin not found in the catalog: {req.type}")
    check_version(req.type, req.options)
    listing = req.config.get("listing_visibility", "")
    _check_listing(listing)
    kind = _kind_made(req.config.get("token_type") if prefix else None)
    default_for, most_for = _check_config(req.config)
    try:
        call(
            ops.EnableMount(
                tenant=here(call),
                path=prefix + path,
                engine=engine.name or req.type,
                keeps=engine.keeps,
                description=req.description,
                options={**req.options, **engine.options},
                default_lease_for=default_for,
                max_lease_for=most_for,
                listing=listing,
                made_as=kind or DEFAULT_KIND,
                managed_keys=_managed(req.config.get("allowed_managed_keys")),
                marks=tuple(name for name in MARKS if getattr(req, name)),
            )
        )
    except AlreadyExists as error:
        raise Said(400, str(error).replace(f" {prefix}", " ", 1) if prefix else str(error)) from error


def _managed(given: Any) -> tuple[str, ...]:
    """Names of managed keys, as a list or between commas. Raises Said."""
    words = given.split(",") if isinstance(given, str) else given or []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Said(400, "allowed_managed_keys are names")
    return tuple(word.strip() for word in words if word.strip())


def _check_listing(listing: Any) -> None:
    if listing not in VISIBLE:
        raise Said(400, f"invalid listing_visibility {listing}")


def _kind_made(given: Any) -> str | None:
    """Of the tokens got by logging in there; None: not said."""
    if given in {None, ""}:
        return None
    if given not in TOKEN_KINDS:
        raise Said(400, "invalid value for 'token_type'")
    return str(given)


def _tune(req: TuneRequest, call: Call, prefix: str) -> None:
    path = prefix + req.path.strip("/")
    _check_listing(req.listing_visibility or "")
    if req.token_type is not None and not path.startswith("auth/"):
        raise Said(400, "'token_type' can only be modified on auth mounts")
    kind = _kind_made(req.token_type)
    if kind is not None and path == f"auth/{TOKENS}":
        raise Said(400, "'token_type' cannot be set for 'token' or 'ns_token' auth mounts")
    try:
        call(
            ops.TuneMount(
                tenant=here(call),
                path=path,
                description=req.description,
                options=req.options,
                default_lease_for=_seconds(req.default_lease_ttl, "") if req.default_lease_ttl else None,
                max_lease_for=_seconds(req.max_lease_ttl, "") if req.max_lease_ttl else None,
                listing=req.listing_visibility,
                made_as=kind,
                managed_keys=req.allowed_managed_keys,
            )
        )
    except NotFound as error:
        raise Said(400, f'tune of path "{path}/" failed: no mount entry found') from error


def _tuning(req: PathRequest, call: Call, prefix: str) -> Answer:
    path = prefix + req.path.strip("/")
    try:
        mount = call(ops.ReadMount(tenant=here(call), path=path))
    except NotFound as error:
        raise Said(400, f'cannot fetch sysview for path "{path}/"') from error
    return Answer(data=tuning(mount), doubled=True)


def _read(req: PathRequest, call: Call, prefix: str, words: str) -> Answer:
    path = req.path.strip("/")
    try:
        return Answer(data=told(call(ops.ReadMount(tenant=here(call), path=prefix + path))), doubled=True)
    except NotFound as error:
        raise Said(400, words.format(path=path)) from error


def _disable(req: PathRequest, call: Call, prefix: str) -> None:
    """What is kept at paths goes first, some at a time: whoever is stopped in between asks again."""
    path = prefix + req.path.strip("/")
    with suppress(NotFound):
        while call(ops.EmptyKeyring(keyring=KeyringRef(address(here(call).tenant, path)))):
            pass
    call(ops.DisableMount(tenant=here(call), path=path))


# --- secrets


@endpoint("system", Verb.READ, "mounts")
def list_mounts(_req: Nothing, call: Call) -> Answer:
    return _listed(call, logins=False)


@endpoint("system", Verb.READ, "mounts/{path:path}")
def read_mount(req: PathRequest, call: Call) -> Answer:
    return _read(req, call, "", "No secret engine mount at {path}/")


@endpoint("system", Verb.WRITE, "mounts/{path:path}")
def enable_mount(req: EnableRequest, call: Call) -> None:
    _enable(req, call, "", SECRETS)


@endpoint("system", Verb.DELETE, "mounts/{path:path}")
def disable_mount(req: PathRequest, call: Call) -> None:
    _disable(req, call, "")


@endpoint("system", Verb.READ, "mounts/{path:path}/tune")
def read_tuning(req: PathRequest, call: Call) -> Answer:
    return _tuning(req, call, "")


@endpoint("system", Verb.WRITE, "mounts/{path:path}/tune")
def tune_mount(req: TuneRequest, call: Call) -> None:
    _tune(req, call, "")


# --- what logs in


@endpoint("system", Verb.READ, "auth")
def list_logins(_req: Nothing, call: Call) -> Answer:
    return _listed(call, logins=True)


@endpoint("system", Verb.READ, "auth/{path:path}", sudo=True)
def read_login(req: PathRequest, call: Call) -> Answer:
    return _read(req, call, "auth/", "No auth engine at {path}/")


@endpoint("system", Verb.WRITE, "auth/{path:path}", sudo=True)
def enable_login(req: EnableRequest, call: Call) -> None:
    _enable(req, call, "auth/", LOGINS)


@endpoint("system", Verb.DELETE, "auth/{path:path}", sudo=True)
def disable_login(req: PathRequest, call: Call) -> None:
    if req.path.strip("/") == TOKENS:
        raise Said(400, "token credential backend cannot be disabled")
    _disable(req, call, "auth/")


@endpoint("system", Verb.READ, "auth/{path:path}/tune", sudo=True)
def read_login_tuning(req: PathRequest, call: Call) -> Answer:
    return _tuning(req, call, "auth/")


@endpoint("system", Verb.WRITE, "auth/{path:path}/tune", sudo=True)
def tune_login(req: TuneRequest, call: Call) -> None:
    _tune(req, call, "auth/")


# --- moving


class RemountRequest(Parameters, frozen=True, kw_only=True):
    from_: str = msgspec.field(default="", name="from")
    to: str = ""


@endpoint("system", Verb.WRITE, "remount", sudo=True)
def remount(req: RemountRequest, call: Call) -> Answer:
    """Done when it is answered; the id is there for clients that go on asking."""
    source, to = req.from_.strip("/"), req.to.strip("/")
    if not source or not to:
        raise Said(400, "both 'from' and 'to' path must be specified as a string")
    if to.partition("/")[0] in OWN and not (source.startswith("auth/") and to.startswith("auth/")):
        raise Said(400, f"cannot remount to destination {to}/")
    try:
        moved = call(ops.MoveMount(tenant=here(call), path=source, to=to))
    except NotFound as error:
        raise Said(400, f'no matching mount at "{source}/"') from error
    except AlreadyExists as error:
        raise Said(400, f'path already in use at "{to}/"') from error
    words = (
        "Mount move has been queued. Progress will be reported in the server log, tagged with the returned migration_id"
    )
    return Answer(data={"migration_id": moved.uuid}, doubled=True, warnings=(words,))


class StatusRequest(Parameters, frozen=True, kw_only=True):
    migration_id: str = CAPTURED


@endpoint("system", Verb.READ, "remount/status/{migration_id}")
def remount_status(req: StatusRequest, call: Call) -> Answer:
    """A move's id is that of the mount: it is where it is, and nothing is under way."""
    for mount in call(ops.ListMounts(tenant=here(call))):
        if mount.uuid == req.migration_id:
            info = {"source_mount": "", "target_mount": f"{path_of(mount)}/", "status": "success"}
            return Answer(data={"migration_id": mount.uuid, "migration_info": info})
    raise Said(404, "")


OPERATIONS = (
    list_mounts,
    read_mount,
    enable_mount,
    disable_mount,
    read_tuning,
    tune_mount,
    list_logins,
    read_login,
    enable_login,
    disable_login,
    read_login_tuning,
    tune_login,
    remount,
    remount_status,
)
