"""Who is enrolled in a method, and whether the passwords that they show hold. OpenBao, vault/login_mfa.go; RFC 6238."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.caller import Factor
from keystead.core.entities import IdentityEntity, MfaMethod, MfaSecret
from keystead.core.errors import InvalidArgument, NotFound
from keystead.core.identifiers import new_id
from keystead.core.operations import MfaEnrolment, Nothing
from keystead.core.sensitive import Sensitive
from keystead.crypto import otp
from keystead.service.handlers.mfamethods import find
from keystead.service.handlers.otp import dated
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

BAD = "MFA credentials not supplied or incorrect"


def _method(tenant: HeldTenant, id_: str) -> MfaMethod:
    """Raises InvalidArgument."""
    if not id_:
        raise InvalidArgument("missing method ID", "method")
    try:
        return find(tenant, id_)
    except NotFound:
        raise InvalidArgument(f'configuration for method ID "{id_}" does not exist', "method") from None


def _entity(tenant: HeldTenant, id_: str) -> IdentityEntity:
    """Raises InvalidArgument."""
    if (found := tenant.entity(id_)) is None:
        raise InvalidArgument("invalid entity ID", "entity")
    return found


def generate_secret(op: ops.GenerateMfaSecret, targets: tuple[HeldTenant], act: Act) -> Outcome[MfaEnrolment]:
    (tenant,) = targets
    token = act.caller.rights.token
    whose = tenant.belonging(token.entity, tenant.id).entity if token is not None and token.entity else None
    return _enrolled(tenant, op.method, "" if whose is None else whose.id, act)


def enrol_entity(op: ops.EnrolEntity, targets: tuple[HeldTenant], act: Act) -> Outcome[MfaEnrolment]:
    return _enrolled(targets[0], op.method, op.entity, act)


def _enrolled(tenant: HeldTenant, method_id: str, entity_id: str, act: Act) -> Outcome[MfaEnrolment]:
    """Puts the entity, so that of two who enrol it at once one comes second; and the roll of the method."""
    if not method_id:
        raise InvalidArgument("missing method ID", "method")
    if not entity_id:
        raise InvalidArgument("missing entityID", "entity")
    method, entity = _method(tenant, method_id), _entity(tenant, entity_id)
    if tenant.mfa_secret_of(entity.id, method.id) is not None:
        return Outcome(answer=MfaEnrolment(method, entity.id, None), why="enrolled already")
    dated(method.digest, act)
    shared = Sensitive(act.entropy(method.n_bytes))
    made = MfaSecret(
        id=f"{new_id(act.entropy)}/1",
        entity=entity.id,
        method=method.id,
        created_at=act.now,
        issuer=method.issuer,
        digest=method.digest,
        digits=method.digits,
        period=method.period,
        skew=method.skew,
    )
    return Outcome(
        answer=MfaEnrolment(method, entity.id, shared),
        put=(made, entity, tenant.mfa_roll(method.tenant)),
        seen=(tenant.mfa_rules(method.tenant),),
        material={made.id: shared},
        made=made.id,
    )


def destroy_secret(op: ops.DestroyMfaSecret, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    if not op.method:
        raise InvalidArgument("missing method ID", "method")
    if not op.entity:
        raise InvalidArgument("missing entity ID", "entity")
    entity, method = _entity(tenant, op.entity), _method(tenant, op.method)
    if (found := tenant.mfa_secret_of(entity.id, method.id)) is None:
        return Outcome(answer=Nothing())
    return Outcome(answer=Nothing(), put=(entity,), delete=(found,), destroy=(found,), made=found.id)


# --- what is shown


class Checked(Struct, frozen=True):
    """What a password came to. `put`: what is to be kept of it, whatever else the login comes to."""

    words: str = ""  # why it does not hold, for whoever has shown the first factor; "": it does
    why: str = ""  # the same, for the record
    put: MfaSecret | None = None


def check(tenant: HeldTenant, entity: str, method: MfaMethod, shown: Factor, act: Act) -> Checked:
    """Within as many tries as the method has in a period; what has held once does not again.

    The commit rests on the row of the secret: of many who bring one password, or one try too many, at once, to
    whichever worker, one gets through.
    """
    if shown.wrong:
        return Checked(f"failed to parse MFA factor, {shown.wrong}", "not shown as one is")
    code = shown.code
    secret = tenant.mfa_secret_of(entity, method.id)
    if secret is None:
        words = f'MFA secret for method name "{method.name}" not present in entity "{entity}"'
        return Checked(words, "not enrolled")
    if code is None or len(code) != secret.digits:
        return Checked(BAD, "no password")
    if (n_tried := secret.tries(act.now)) >= method.max_attempts:
        counts = f"{n_tried + 1} exceeded the allowed attempts {method.max_attempts}"
        words = f"maximum TOTP validation attempts {counts}. Please try again in {secret.period}s seconds"
        return Checked(words, "too many tries")
    now = secret.step(act.now)
    steps = range(max(now - secret.skew, 0), now + secret.skew + 1)
    step = otp.step_of(code, tenant.shared_secret(secret), steps, secret.digest, secret.digits)
    if step is None or step in secret.used:
        until = secret.tried_until if n_tried else act.now + timedelta(seconds=secret.period)
        return Checked(BAD, "another password", replace(secret, n_tried=n_tried + 1, tried_until=until))
    used = (*(one for one in secret.used if one >= steps.start), step)
    return Checked(put=replace(secret, used=used, n_tried=0, tried_until=None))


HANDLERS: dict[type, Handler] = {
    ops.GenerateMfaSecret: generate_secret,
    ops.EnrolEntity: enrol_entity,
    ops.DestroyMfaSecret: destroy_secret,
}
