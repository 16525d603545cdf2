"""auth/token: tokens made of tokens, looked up, renewed, revoked.

Vault HTTP API, "Token auth method". Held to OpenBao 2.7.2's answers by tests/doors/vault/test_tokens.py.
"""

from __future__ import annotations

from typing import Any

import msgspec

from keystead.core import operations as ops
from keystead.core.entities import Token
from keystead.core.errors import NotFound
from keystead.core.operations import MadeToken, Renewed, ShownToken, TenantRef
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import TIDIED, Answer, Said, endpoint, namespace_path, text_of_caller
from keystead.doors.vault.times import warnings_of
from keystead.kit import Call
from keystead.service.credentials.token import is_batch, token_id
from keystead.service.handlers.tokenparts import ROOT_PATH
from keystead.wire import Malformed
from keystead.wire.vault.envelope import Auth
from keystead.wire.vault.kinds import Duration, Int, Pairs, Strings
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import second_nanoseconds, time_text

KINDS = frozenset({"", "service", "batch"})


def here(call: Call) -> TenantRef:
    return TenantRef(call.caller.principal.tenant)


def auth(token: Token, text: Sensitive | str, ttl: int, identity: tuple[str, ...]) -> Auth:
    """`identity`: policies that it has by the entity it belongs to."""
    return Auth(
        client_token=text,
        accessor=token.accessor,
        policies=sorted({*token.policies, *identity}),
        token_policies=token.policies or msgspec.UNSET,
        identity_policies=identity or msgspec.UNSET,
        entity_id=token.entity,
        metadata=token.meta or None,
        lease_duration=ttl,
        renewable=token.renewable,
        token_type=kind(token),
        orphan=not token.creator,
        num_uses=token.n_uses,
    )


def kind(token: Token) -> str:
    return "batch" if token.is_batch else "service"


def named(text: str) -> dict[str, Any]:
    """The token of that text, for a TokenOperation."""
    return {"batch": Sensitive(text.encode())} if is_batch(text) else {"id": token_id(text)}


# --- making


class CreateRequest(Parameters, frozen=True, kw_only=True):
    id: str = ""
    policies: Strings | None = None
    no_default_policy: bool = False
    no_parent: bool = False
    meta: Pairs = msgspec.field(default_factory=dict)
    display_name: str = ""
    ttl: str = ""
    lease: str = ""
    period: str = ""
    explicit_max_ttl: str = ""
    num_uses: Int = 0
    renewable: bool = True
    type: str = ""
    entity_alias: str = ""


class CreateByRoleRequest(CreateRequest, frozen=True, kw_only=True):
    role_name: str = CAPTURED


def _made(req: CreateRequest, call: Call, path: str, *, role: str = "", orphan: bool = False) -> Answer:
    if req.type not in KINDS:
        raise Said(400, "invalid 'token_type' value")
    times = {name: _seconds(name, getattr(req, name)) for name in ("ttl", "period", "explicit_max_ttl")}
    lease = _seconds("lease", req.lease)
    made = call(
        ops.CreateToken(
            tenant=here(call),
            text=Sensitive(req.id.encode()) if req.id else None,
            role=role,
            policies=req.policies,
            with_default=not req.no_default_policy,
            orphan=orphan or req.no_parent,
            needs_sudo=not orphan,
            meta=req.meta,
            display_name=req.display_name,
            path=path,
            ttl=times["ttl"] or lease,
            period=times["period"],
            explicit_max_ttl=times["explicit_max_ttl"],
            n_uses=req.num_uses,
            renewable=req.renewable,
            made_as=req.type,
            entity_alias=req.entity_alias,
        )
    )
    return Answer(auth=auth(made.token, made.text, made.token.ttl, made.identity_policies), warnings=_warnings(made))


def _seconds(name: str, text: str) -> int:
    """Rounded up: who asks for half a second is not given the default. 0 for nothing."""
    if not text:
        return 0
    try:
        given = second_nanoseconds(text)
    except Malformed as error:
        raise Said(400, str(error)) from None
    if given < 0:
        raise Said(400, f"{name} must be positive")
    return -(-given // 10**9)


def _warnings(made: MadeToken) -> tuple[str, ...]:
    absent = (f'Policy "{name}" does not exist' for name in made.absent)
    return (*warnings_of(made.capped), *absent)


@endpoint("token", Verb.WRITE, "create")
def create(req: CreateRequest, call: Call) -> Answer:
    return _made(req, call, "auth/token/create")


@endpoint("token", Verb.WRITE, "create-orphan")
def create_orphan(req: CreateRequest, call: Call) -> Answer:
    return _made(req, call, "auth/token/create-orphan", orphan=True)


@endpoint("token", Verb.WRITE, "create/{role_name}")
def create_by_role(req: CreateByRoleRequest, call: Call) -> Answer:
    return _made(req, call, f"auth/token/create/{req.role_name}", role=req.role_name)


# --- looking up


class Nothing(Parameters, frozen=True, kw_only=True):
    pass


class TokenRequest(Parameters, frozen=True, kw_only=True):
    token: str = ""


class AccessorRequest(Parameters, frozen=True, kw_only=True):
    accessor: str = ""


def told(shown: ShownToken, call: Call, text: str) -> dict[str, Any]:
    """A token as a look-up shows it; `text` is what the caller knows of it already, or nothing."""
    token = shown.token
    left = 0 if token.expires_at is None else max(0, int((token.expires_at - call.caller.now).total_seconds()))
    facts: dict[str, Any] = {
        "accessor": token.accessor,
        "creation_time": int(token.created_at.timestamp()),
        "creation_ttl": token.ttl,
        "display_name": token.display_name,
        "entity_id": token.entity,
        "expire_time": None if token.expires_at is None else time_text(token.expires_at),
        "explicit_max_ttl": token.explicit_max_ttl,
        "id": text,
        "meta": token.meta or None,
        "num_uses": token.n_uses,
        "orphan": not token.creator,
        "path": token.path,
        "policies": token.policies,
        "ttl": left,
        "type": kind(token),
    }
    if shown.identity_policies:
        facts |= {"identity_policies": shown.identity_policies, "external_namespace_policies": {}}
    if token.expires_at is not None or token.path != ROOT_PATH:
        facts |= {"issue_time": time_text(token.created_at), "renewable": token.renewable}
    if path := namespace_path(call, token.tenant):
        facts["namespace_path"] = path
    if token.period:
        facts["period"] = token.period
    if token.role:
        facts["role"] = token.role
    if token.bound_cidrs:
        facts["bound_cidrs"] = token.bound_cidrs
    if token.renewed_at is not None:
        facts["last_renewal"] = time_text(token.renewed_at)
        facts["last_renewal_time"] = int(token.renewed_at.timestamp())
    return facts


@endpoint("token", Verb.READ, "lookup-self")
def look_up_self(_req: Nothing, call: Call) -> dict[str, Any]:
    return told(call(ops.LookUpSelf(tenant=here(call))), call, text_of_caller(call))


@endpoint("token", Verb.WRITE, "lookup-self")
def post_look_up_self(_req: TokenRequest, call: Call) -> dict[str, Any]:
    return told(call(ops.LookUpSelf(tenant=here(call))), call, text_of_caller(call))


def _look_up(req: TokenRequest, call: Call) -> dict[str, Any]:
    text = req.token or text_of_caller(call)
    try:
        return told(call(ops.LookUpToken(tenant=here(call), **named(text))), call, text)
    except NotFound:
        raise Said(403, "bad token") from None


@endpoint("token", Verb.READ, "lookup")
def look_up(req: TokenRequest, call: Call) -> dict[str, Any]:
    return _look_up(req, call)


@endpoint("token", Verb.WRITE, "lookup")
def post_look_up(req: TokenRequest, call: Call) -> dict[str, Any]:
    return _look_up(req, call)


@endpoint("token", Verb.WRITE, "lookup-accessor")
def look_up_accessor(req: AccessorRequest, call: Call) -> dict[str, Any]:
    _require_accessor(req)
    try:
        return told(call(ops.LookUpToken(tenant=here(call), accessor=req.accessor)), call, "")
    except NotFound:
        raise Said(400, multierror("invalid accessor")) from None


def _require_accessor(req: AccessorRequest) -> None:
    if not req.accessor:
        raise Said(400, multierror("missing accessor"))


@endpoint("token", Verb.LIST, "accessors/?", sudo=True)
def list_accessors(_req: Nothing, call: Call) -> dict[str, Any]:
    return {"keys": [one.accessor for one in call(ops.ListTokens(tenant=here(call)))]}


# --- renewing


class RenewSelfRequest(Parameters, frozen=True, kw_only=True):
    token: str = ""
    increment: Duration = 0


class RenewAccessorRequest(AccessorRequest, frozen=True, kw_only=True):
    increment: Duration = 0


def _renewed(renewed: Renewed, text: str) -> Answer:
    return Answer(
        auth=auth(renewed.token, text, renewed.ttl, renewed.identity_policies), warnings=warnings_of(renewed.capped)
    )


def _renew(call: Call, text: str, increment: int) -> Answer:
    try:
        op = ops.RenewToken(tenant=here(call), **named(text), increment=increment)
        return _renewed(call(op), text)
    except NotFound:
        raise Said(400, "token not found") from None


@endpoint("token", Verb.WRITE, "renew-self")
def renew_self(req: RenewSelfRequest, call: Call) -> Answer:
    return _renew(call, text_of_caller(call), req.increment)


@endpoint("token", Verb.WRITE, "renew")
def renew(req: RenewSelfRequest, call: Call) -> Answer:
    if not req.token:
        raise Said(400, "missing token ID")
    return _renew(call, req.token, req.increment)


@endpoint("token", Verb.WRITE, "renew-accessor")
def renew_accessor(req: RenewAccessorRequest, call: Call) -> Answer:
    _require_accessor(req)
    try:
        op = ops.RenewToken(tenant=here(call), accessor=req.accessor, increment=req.increment)
        return _renewed(call(op), "")
    except NotFound:
        raise Said(400, multierror("invalid accessor")) from None


# --- revoking


@endpoint("token", Verb.WRITE, "revoke-self")
def revoke_self(_req: Nothing, call: Call) -> None:
    call(ops.RevokeToken(tenant=here(call), **named(text_of_caller(call))))


@endpoint("token", Verb.WRITE, "revoke")
def revoke(req: TokenRequest, call: Call) -> None:
    """One that is not there is revoked already."""
    if not req.token:
        raise Said(400, "missing token ID")
    try:
        call(ops.RevokeToken(tenant=here(call), **named(req.token)))
    except NotFound:
        return


@endpoint("token", Verb.WRITE, "revoke-accessor")
def revoke_accessor(req: AccessorRequest, call: Call) -> Answer | None:
    _require_accessor(req)
    try:
        call(ops.RevokeToken(tenant=here(call), accessor=req.accessor))
    except NotFound:
        return Answer(warnings=("No token found with this accessor",))
    return None


@endpoint("token", Verb.WRITE, "revoke-orphan", sudo=True)
def revoke_orphan(req: TokenRequest, call: Call) -> None:
    if not req.token:
        raise Said(400, "missing token ID")
    try:
        call(ops.RevokeToken(tenant=here(call), **named(req.token), orphaning=True))
    except NotFound:
        raise Said(400, "token to revoke not found") from None


@endpoint("token", Verb.WRITE, "tidy")
def tidy(_req: Nothing, call: Call) -> Answer:
    """There is nothing to tidy: what has expired goes by itself, and no index is kept that could go astray."""
    call(ops.ListTokens(tenant=here(call)))
    return TIDIED


OPERATIONS = (
    create,
    create_orphan,
    create_by_role,
    look_up_self,
    post_look_up_self,
    look_up,
    post_look_up,
    look_up_accessor,
    list_accessors,
    renew_self,
    renew,
    renew_accessor,
    revoke_self,
    revoke,
    revoke_accessor,
    revoke_orphan,
    tidy,
)
