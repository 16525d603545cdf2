"""Tokens: made, looked up. Vault documentation, "Tokens"; OpenBao, vault/token_store.go for what it leaves open."""

from __future__ import annotations

from base64 import b32encode
from datetime import datetime, timedelta

from keystead.core import operations as ops
from keystead.core.entities import Token
from keystead.core.errors import Denied, InvalidArgument
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.service.credentials.token import PREFIX, token_id
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.service.rights import ROOT_POLICY

DEFAULT_FOR = MAX_FOR = 768 * 3600  # seconds: the installation's default_lease_ttl and max_lease_ttl


def token_text(entropy: Entropy) -> str:
    """160 random bits."""
    return PREFIX + b32encode(entropy(20)).decode()


def root_token(tenant: str, now: datetime, entropy: Entropy) -> ops.MadeToken:
    """A token that may do everything, for ever."""
    text = token_text(entropy)
    token = Token(
        id=token_id(text),
        tenant=tenant,
        accessor=accessor(entropy),
        policies=(ROOT_POLICY,),
        display_name="root",
        path="auth/token/root",
        created_at=now,
    )
    return ops.MadeToken(token, Sensitive(text.encode()))


def accessor(entropy: Entropy) -> str:
    return b32encode(entropy(15)).decode()


def create_token(op: ops.CreateToken, targets: tuple[HeldTenant], act: Act) -> Outcome[ops.MadeToken]:
    (tenant,) = targets
    parent = act.caller.rights.token
    if parent is None:
        raise InvalidArgument("only a token makes a token", "token")
    if parent.n_uses:
        raise InvalidArgument("restricted use token cannot generate child tokens", "num_uses")
    policies = _policies(op, parent)
    text = token_text(act.entropy)
    ttl = _ttl(op, policies)
    token = Token(
        id=token_id(text),
        tenant=tenant.id,
        accessor=accessor(act.entropy),
        creator="" if op.orphan else parent.id,
        policies=policies,
        display_name=f"token-{op.display_name}" if op.display_name else "token",
        meta=dict(op.meta),
        path=op.path,
        created_at=act.now,
        ttl=ttl,
        period=op.period,
        explicit_max_ttl=op.explicit_max_ttl,
        expires_at=act.now + timedelta(seconds=ttl) if ttl else None,
        n_uses=op.n_uses,
        renewable=op.renewable and ttl > 0,
    )
    return Outcome(answer=ops.MadeToken(token, Sensitive(text.encode())), put=(token,), made=token.accessor)


def _policies(op: ops.CreateToken, parent: Token) -> tuple[str, ...]:
    """Raises Denied: root is made by root alone, and nobody without sudo gives more than it has."""
    wanted = set(parent.policies if op.policies is None else op.policies)
    is_root = ROOT_POLICY in parent.policies
    if ROOT_POLICY in wanted:
        if not is_root:
            raise Denied("root tokens may not be created without parent token being root", "policies")
        if len(wanted) > 1:
            raise InvalidArgument("root tokens may not have any other policies", "policies")
        return (ROOT_POLICY,)
    if not is_root and not wanted <= {*parent.policies, "default"}:
        raise Denied("child policies must be subset of parent", "policies")
    if op.with_default and (is_root or op.policies is not None or "default" in parent.policies):
        wanted.add("default")
    return tuple(sorted(wanted))


def _ttl(op: ops.CreateToken, policies: tuple[str, ...]) -> int:
    """Seconds; 0 of a root token that is to last."""
    if op.period:
        return min(op.period, op.explicit_max_ttl or op.period)
    if policies == (ROOT_POLICY,) and not op.ttl and not op.explicit_max_ttl:
        return 0
    return min(op.ttl or DEFAULT_FOR, op.explicit_max_ttl or MAX_FOR, MAX_FOR)


def look_up_self(_op: ops.LookUpSelf, _targets: tuple[HeldTenant], act: Act) -> Outcome[Token]:
    token = act.caller.rights.token
    if token is None:
        raise InvalidArgument("this caller has no token", "token")
    return Outcome(answer=token)


HANDLERS: dict[type, Handler] = {
    ops.CreateToken: create_token,
    ops.LookUpSelf: look_up_self,
}
