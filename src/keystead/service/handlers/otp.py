"""One-time passwords (core.operations.otp)."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.algorithms import ALGORITHMS, KEY_SPECS
from keystead.core.entities import OtpKey
from keystead.core.errors import Conflict, InvalidArgument, NotFound
from keystead.core.identifiers import new_id
from keystead.core.operations import Nothing, OtpFacts, Page
from keystead.core.sensitive import Sensitive
from keystead.crypto import otp
from keystead.service.handlers.keys import paged, walk
from keystead.service.held import HeldKeyring
from keystead.service.pipeline import Act, Handler, Outcome

MOST_PERIOD = 366 * 24 * 3600  # seconds
_LIKE = KEY_SPECS["HMAC_256"]  # what a profile of dates is asked about, for it names no keys of passwords


def _checked(facts: OtpFacts, n_bytes: int) -> None:
    """Raises InvalidArgument."""
    for name, right in (
        ("digest", facts.digest in otp.DIGESTS),
        ("digits", facts.digits in {6, 8}),
        ("period", 0 < facts.period <= MOST_PERIOD),
        ("skew", facts.skew in {0, 1}),
        ("n_bytes", 0 < n_bytes <= ops.MOST_BYTES),
    ):
        if not right:
            raise InvalidArgument(f"not what a key of passwords has: {name}", name)


def dated(digest: str, act: Act) -> None:
    """Raises Unsupported (Withdrawn)."""
    if act.cutoffs is not None:
        act.cutoffs.require_digest(_LIKE, ALGORITHMS["HMAC_SHA256"], digest, act.now)


def write_otp_key(op: ops.WriteOtpKey, targets: tuple[HeldKeyring], act: Act) -> Outcome[ops.OtpWritten]:
    (ring,) = targets
    facts = op.facts
    _checked(facts, op.n_bytes if op.secret is None else len(op.secret))
    dated(facts.digest, act)
    secret = op.secret if op.secret is not None else Sensitive(act.entropy(op.n_bytes))
    gone = tuple(ring.otp.called(op.name))
    key = OtpKey(
        id=f"{new_id(act.entropy)}/1",
        keyring=ring.id,
        name=op.name,
        named=ring.otp.digest(op.name),
        created_at=act.now,
        digest=facts.digest,
        digits=facts.digits,
        period=facts.period,
        skew=facts.skew,
        issuer=facts.issuer,
        account=facts.account,
    )
    return Outcome(
        answer=ops.OtpWritten(key, secret),
        put=(key,),
        seen=(ring.keyring,),
        delete=gone,
        destroy=gone,
        material={key.id: secret},
        made=key.id,
    )


def _of_name(ring: HeldKeyring, name: str) -> OtpKey:
    if (found := ring.otp.find(name)) is None:
        raise NotFound("no key of passwords of that name", "name")
    return found


def read_otp_key(op: ops.ReadOtpKey, targets: tuple[HeldKeyring], _act: Act) -> Outcome[OtpKey]:
    return Outcome(answer=_of_name(targets[0], op.name))


def list_otp_keys(op: ops.ListOtpKeys, targets: tuple[HeldKeyring], _act: Act) -> Outcome[Page[str]]:
    (ring,) = targets
    page = paged(walk(lambda after, limit: ring.otp.page(after=after, limit=limit), op.after, op.limit), op.limit)
    return Outcome(answer=Page(tuple(one.name for one in page.items), page.after))


def delete_otp_key(op: ops.DeleteOtpKey, targets: tuple[HeldKeyring], _act: Act) -> Outcome[Nothing]:
    (ring,) = targets
    if not (found := tuple(ring.otp.called(op.name))):
        return Outcome(answer=Nothing())
    return Outcome(answer=Nothing(), delete=found, destroy=found, made=found[-1].id)


def generate_otp(op: ops.GenerateOtp, targets: tuple[HeldKeyring], act: Act) -> Outcome[ops.OtpCode]:
    (ring,) = targets
    key = _of_name(ring, op.name)
    dated(key.digest, act)
    step = key.step(act.now)
    code = otp.password(ring.otp.secret(key), step, key.digest, key.digits)
    ends_at = datetime.fromtimestamp((step + 1) * key.period, UTC)
    return Outcome(answer=ops.OtpCode(key, code, act.now, ends_at), made=key.id)


def check_otp(op: ops.CheckOtp, targets: tuple[HeldKeyring], act: Act) -> Outcome[bool]:
    """RFC 6238 §5.2: what has been accepted is not accepted again. The commit rests on the key's revision, so of many
    who bring one password at once, to whichever worker, one gets through."""
    (ring,) = targets
    key = _of_name(ring, op.name)
    now = key.step(act.now)
    steps = range(max(now - key.skew, 0), now + key.skew + 1)
    step = otp.step_of(op.code, ring.otp.secret(key), steps, key.digest, key.digits)
    if step is None:
        return Outcome(answer=False, made=key.id, why="another password")
    if step in key.used:
        raise Conflict("the password has been accepted before", ops.USED)
    used = (*(one for one in key.used if one >= steps.start), step)
    return Outcome(answer=True, put=(replace(key, used=used),), made=key.id)


HANDLERS: dict[type, Handler] = {
    ops.WriteOtpKey: write_otp_key,
    ops.ReadOtpKey: read_otp_key,
    ops.ListOtpKeys: list_otp_keys,
    ops.DeleteOtpKey: delete_otp_key,
    ops.GenerateOtp: generate_otp,
    ops.CheckOtp: check_otp,
}
