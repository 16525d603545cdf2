"""auth/token: tokens made of tokens, and looked up."""

from __future__ import annotations

from typing import Any

import msgspec

from keystead.core import operations as ops
from keystead.core.entities import Token
from keystead.core.operations import TenantRef
from keystead.doors.vault.endpoint import Answer, endpoint
from keystead.kit import Call
from keystead.wire.vault.envelope import Auth
from keystead.wire.vault.kinds import CommaStrings, Duration, Int, Pairs
from keystead.wire.vault.reader import Parameters
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import time_text


def auth(made: ops.MadeToken) -> Auth:
    token = made.token
    return Auth(
        client_token=made.text,
        accessor=token.accessor,
        policies=token.policies,
        token_policies=token.policies,
        metadata=token.meta or None,
        lease_duration=token.ttl,
        renewable=token.renewable,
        orphan=not token.creator,
        num_uses=token.n_uses,
    )


class CreateRequest(Parameters, frozen=True, kw_only=True):
    policies: CommaStrings | None = None
    no_default_policy: bool = False
    no_parent: bool = False
    meta: Pairs = msgspec.field(default_factory=dict)
    display_name: str = ""
    ttl: Duration = 0
    period: Duration = 0
    explicit_max_ttl: Duration = 0
    num_uses: Int = 0
    renewable: bool = True


@endpoint("token", Verb.WRITE, "create")
def create(req: CreateRequest, call: Call) -> Answer:
    made = call(
        ops.CreateToken(
            tenant=TenantRef(call.caller.principal.tenant),
            policies=req.policies,
            with_default=not req.no_default_policy,
            orphan=req.no_parent,
            meta=req.meta,
            display_name=req.display_name,
            path="auth/token/create",
            ttl=req.ttl,
            period=req.period,
            explicit_max_ttl=req.explicit_max_ttl,
            n_uses=req.num_uses,
            renewable=req.renewable,
        )
    )
    return Answer(auth=auth(made))


class Nothing(Parameters, frozen=True, kw_only=True):
    pass


@endpoint("token", Verb.READ, "lookup-self")
def look_up_self(_req: Nothing, call: Call) -> dict[str, Any]:
    return told(call(ops.LookUpSelf(tenant=TenantRef(call.caller.principal.tenant))), call)


def told(token: Token, call: Call) -> dict[str, Any]:
    """A token as a look-up shows it; its text is known to nobody but its bearer, who has it."""
    left = 0 if token.expires_at is None else max(0, int((token.expires_at - call.caller.now).total_seconds()))
    return {
        "accessor": token.accessor,
        "creation_time": int(token.created_at.timestamp()),
        "creation_ttl": token.ttl,
        "display_name": token.display_name,
        "entity_id": "",
        "expire_time": None if token.expires_at is None else time_text(token.expires_at),
        "explicit_max_ttl": token.explicit_max_ttl,
        "id": "",
        "issue_time": time_text(token.created_at),
        "meta": token.meta or None,
        "num_uses": token.n_uses,
        "orphan": not token.creator,
        "path": token.path,
        "policies": token.policies,
        "renewable": token.renewable,
        "ttl": left,
        "type": "service",
    }


OPERATIONS = (create, look_up_self)
