"""sys/mounts, sys/auth: which engine answers where."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from keystead.core import operations as ops
from keystead.core.errors import AlreadyExists, NotFound
from keystead.core.mounts import address, path_of
from keystead.core.operations import KeyringRef
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.kv import check_version
from keystead.doors.vault.system.engines import (
    DEFAULT_KIND,
    LISTS,
    LOCKOUT,
    LOGINS,
    MARKS,
    OWN,
    SECRETS,
    TOKENS,
    Engine,
    check_listing,
    check_lockout,
    kind_made,
    lists,
    managed_keys,
    seconds,
    times,
    uncached,
)
from keystead.doors.vault.system.mountshapes import told, tuning
from keystead.doors.vault.system.versions import check_mounted, check_tuned, engine_of
from keystead.doors.vault.tokens import here
from keystead.kit import Call
from keystead.wire.vault.kinds import CommaStrings, Map, Pairs, Slashless
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb


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
    allowed_response_headers: CommaStrings | None = None
    audit_non_hmac_request_keys: CommaStrings | None = None
    audit_non_hmac_response_keys: CommaStrings | None = None
    passthrough_request_headers: CommaStrings | None = None
    plugin_version: str | None = None
    user_lockout_config: Map | None = None


def _listed(call: Call, *, logins: bool) -> Answer:
    found = {}
    for one in call(ops.ListMounts(tenant=here(call))):
        path = path_of(one)
        if path.startswith("auth/") is logins:
            found[f"{path.removeprefix('auth/')}/"] = told(one)
    return Answer(data=found, doubled=True)


def _enable(req: EnableRequest, call: Call, prefix: str, engines: Mapping[str, Engine]) -> None:
    kind, path = engine_of(req.type, req.config, req.plugin_name), req.path.strip("/")
    engine = engines.get(kind)
    if not prefix and path.partition("/")[0] in OWN:
        raise Said(400, f'cannot mount "{path}/"')
    if not kind:
        raise Said(400, "backend type must be specified as a string")
    if engine is None:
        raise Said(400, f"plugin not found in the catalog: {kind}")
    word = "auth" if prefix else "mount"
    check_mounted(req.config.get("plugin_version", req.plugin_version), word, kind)
    check_version(kind, req.options, is_login=bool(prefix))
    listing = req.config.get("listing_visibility", "")
    check_listing(listing)
    check_lockout(req.config.get(LOCKOUT))
    made_as = kind_made(req.config.get("token_type") if prefix else None)
    default_for, most_for = times(req.config)
    try:
        call(
            ops.EnableMount(
                tenant=here(call),
                path=prefix + path,
                engine=engine.name or kind,
                keeps=engine.keeps,
                description=req.description,
                options={**req.options, **engine.options},
                default_lease_for=default_for,
                max_lease_for=most_for,
                listing=listing,
                made_as=made_as or DEFAULT_KIND,
                managed_keys=managed_keys(req.config.get("allowed_managed_keys")),
                marks=(*(name for name in MARKS if getattr(req, name)), *uncached(req.config, word)),
                lists=lists(req.config, word),
            )
        )
    except AlreadyExists as error:
        raise Said(400, str(error).replace(f" {prefix}", " ", 1) if prefix else str(error)) from error


def _tune(req: TuneRequest, call: Call, prefix: str) -> None:
    path = prefix + req.path.strip("/")
    check_listing(req.listing_visibility or "")
    check_lockout(req.user_lockout_config)
    if req.token_type is not None and not path.startswith("auth/"):
        raise Said(400, "'token_type' can only be modified on auth mounts")
    kind = kind_made(req.token_type)
    if kind is not None and path == f"auth/{TOKENS}":
        raise Said(400, "'token_type' cannot be set for 'token' or 'ns_token' auth mounts")
    try:
        if req.plugin_version is not None:
            check_tuned(req.plugin_version, call(ops.ReadMount(tenant=here(call), path=path)).engine)
        call(
            ops.TuneMount(
                tenant=here(call),
                path=path,
                description=req.description,
                options=req.options,
                default_lease_for=seconds(req.default_lease_ttl, "") if req.default_lease_ttl else None,
                max_lease_for=seconds(req.max_lease_ttl, "") if req.max_lease_ttl else None,
                listing=req.listing_visibility,
                made_as=kind,
                managed_keys=req.allowed_managed_keys,
                lists={name: given for name in LISTS if (given := getattr(req, name)) is not None},
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
)
