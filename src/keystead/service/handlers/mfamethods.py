"""How second factors are proven. Vault HTTP API, "Login MFA", "TOTP"; OpenBao, identity/mfa.go."""

from __future__ import annotations

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import MfaMethod, MfaRules
from keystead.core.errors import InvalidArgument, LimitExceeded, NotFound
from keystead.core.identifiers import new_id
from keystead.core.operations import SERVERS, MfaMethodFacts, Nothing
from keystead.crypto import otp
from keystead.service.handlers.otp import MOST_PERIOD
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

MOST_METHODS, MOST_NAME, MOST_ISSUER = 64, 128, 512  # of a tenant; characters
MOST_ATTEMPTS, MOST_PIXELS = 100, 2048
_JOINS = frozenset(",:")  # what stands between the parts of X-Vault-MFA
ELSEWHERE = "request namespace does not match method namespace"


def _check(facts: MfaMethodFacts) -> None:
    """Raises InvalidArgument."""
    name = facts.name or ""
    for right, of, words in (
        (facts.digest in otp.DIGESTS, "algorithm", "unrecognized algorithm"),
        (facts.digits in {6, 8}, "digits", "digits can only be 6 or 8"),
        (facts.period > 0, "period", "period must be greater than zero"),
        (facts.period <= MOST_PERIOD, "period", f"period must be at most {MOST_PERIOD} here"),
        (facts.skew in {0, 1}, "skew", "skew must be 0 or 1"),
        (facts.n_bytes > 0, "key_size", "key_size must be greater than zero"),
        (facts.n_bytes <= ops.MOST_BYTES, "key_size", f"key_size must be at most {ops.MOST_BYTES} here"),
        (facts.issuer, "issuer", "issuer must be set"),
        (len(facts.issuer) <= MOST_ISSUER, "issuer", f"issuer has at most {MOST_ISSUER} characters here"),
        (facts.max_attempts > 0, "attempts", "max_validation_attempts must be greater than zero"),
        (facts.max_attempts <= MOST_ATTEMPTS, "attempts", f"max_validation_attempts is at most {MOST_ATTEMPTS} here"),
        (0 <= facts.n_pixels <= MOST_PIXELS, "qr_size", f"qr_size is from 0 to {MOST_PIXELS} here"),
        (len(name) <= MOST_NAME and name.isprintable() and _JOINS.isdisjoint(name), "name", _NAMES),
    ):
        if not right:
            raise InvalidArgument(words, of)


_NAMES = f"a method's name has at most {MOST_NAME} printable characters, without comma and colon"


def write_method(op: ops.WriteMfaMethod, targets: tuple[HeldTenant], act: Act) -> Outcome[MfaMethod]:
    (tenant,) = targets
    rules = tenant.mfa_rules()
    before = _before(op, tenant, rules)
    facts = op.facts
    _check(facts)
    method = MfaMethod(
        id=before.id if before is not None else new_id(act.entropy),
        tenant=tenant.id,
        name=facts.name or (before.name if before is not None else ""),
        issuer=facts.issuer,
        digest=facts.digest,
        digits=facts.digits,
        period=facts.period,
        skew=facts.skew,
        n_bytes=facts.n_bytes,
        n_pixels=facts.n_pixels,
        max_attempts=facts.max_attempts,
    )
    methods = (*(one for one in rules.methods if one.id != method.id), method)
    if len(methods) > MOST_METHODS:
        raise LimitExceeded(f"a namespace has {MOST_METHODS} methods at most", "mfa_methods")
    return Outcome(answer=method, put=(replace(rules, methods=methods),), made=method.id)


def _before(op: ops.WriteMfaMethod, tenant: HeldTenant, rules: MfaRules) -> MfaMethod | None:
    name = op.facts.name
    named = next((one for one in rules.methods if name and one.name == name), None)
    if not op.id:
        return named
    found = find(tenant, op.id)
    if named is not None and named.id != found.id:
        raise InvalidArgument(f"a login MFA method configuration with the method name {name} already exists", SERVERS)
    if found.tenant != tenant.id:
        raise InvalidArgument(ELSEWHERE, "tenant")
    return found


def find(tenant: HeldTenant, id_: str) -> MfaMethod:
    """One that counts here. Raises NotFound."""
    for rules in tenant.mfa_rules_above():
        if (found := rules.method(id_)) is not None:
            return found
    raise NotFound("no such method", "method")


def read_method(op: ops.ReadMfaMethod, targets: tuple[HeldTenant], _act: Act) -> Outcome[MfaMethod]:
    return Outcome(answer=find(targets[0], op.id))


def list_methods(_op: ops.ListMfaMethods, targets: tuple[HeldTenant], _act: Act) -> Outcome[tuple[MfaMethod, ...]]:
    return Outcome(answer=tuple(one for rules in targets[0].mfa_rules_above() for one in rules.methods))


def delete_method(op: ops.DeleteMfaMethod, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    """Whoever comes to name it below, or to be enrolled, puts the roll: so nothing of it is left behind."""
    (tenant,) = targets
    rules, roll = tenant.mfa_rules(), tenant.mfa_roll()
    if (method := rules.method(op.id)) is None:
        if any(one.method(op.id) is not None for one in tenant.mfa_rules_above()):
            raise InvalidArgument(ELSEWHERE, SERVERS)
        return Outcome(answer=Nothing())
    for enforcement in (one for each in (rules, *tenant.mfa_rules_below()) for one in each.enforcements):
        if method.id in enforcement.methods:
            words = f"methodID is still used by an enforcement configuration with ID: {enforcement.id}"
            raise InvalidArgument(words, SERVERS)
    gone = tuple(tenant.mfa_secrets_for(method))
    left = replace(rules, methods=tuple(one for one in rules.methods if one.id != method.id))
    return Outcome(answer=Nothing(), put=(left, roll), delete=gone, destroy=gone, made=method.id)


HANDLERS: dict[type, Handler] = {
    ops.WriteMfaMethod: write_method,
    ops.ReadMfaMethod: read_method,
    ops.ListMfaMethods: list_methods,
    ops.DeleteMfaMethod: delete_method,
}
