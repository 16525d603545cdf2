"""Answers wrapped in a token that is good once. Vault documentation, "Response wrapping".

An answer is kept sealed under a key of its token's text. Nobody keeps that text, so whoever has the store, a backup
of it and every key of the installation still needs the token, and once that is lost the answer is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from keystead.core import operations as ops
from keystead.core.approvals import Standing, not_approved
from keystead.core.entities import ONLY, ControlGroups, Token, Topic, WrappedAnswer
from keystead.core.errors import DecryptionFailed, Denied, InvalidArgument, NotFound
from keystead.core.keyed import KeyedHash
from keystead.core.operations import WAITS_FOR, MadeToken
from keystead.core.sensitive import Sensitive
from keystead.crypto.aead import open_once, seal_once
from keystead.service.credentials.token import digest
from keystead.service.handlers.aclpolicies import WRAPPING
from keystead.service.handlers.approvals import shown
from keystead.service.handlers.settings import value_of
from keystead.service.handlers.tokenparts import accessor, new_text, suffixed
from keystead.service.handlers.tokens import ended, meant, valid
from keystead.service.held import HeldTenant
from keystead.service.persons import asker
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.service.view.tenants import require_open

_LABEL = b"keystead/wrapped-answer/v1"


def _key(text: Sensitive) -> bytes:
    """32 bytes; the text of a token is random and used for one answer, so the key is, too."""
    return KeyedHash(text.reveal())(_LABEL)


def sealed_for(text: Sensitive, answer: bytes) -> bytes:
    """An answer under the token of that text."""
    return seal_once(_key(text), answer, digest(text).encode())


def _opened(text: Sensitive, wrapped: WrappedAnswer) -> bytes:
    try:
        return open_once(_key(text), wrapped.sealed, wrapped.id.encode())
    except DecryptionFailed as error:
        raise NotFound("no such wrapped answer", "token") from error


def wrap_answer(op: ops.WrapAnswer, targets: tuple[HeldTenant], act: Act) -> Outcome[MadeToken]:
    (tenant,) = targets
    meta = {WAITS_FOR: op.waits_for} if op.waits_for else {}
    ttl = _shorter(op.ttl, tenant) if op.waits_for else op.ttl
    made, wrapped = _made(tenant, act, op.answer.reveal(), ttl, op.path, meta)
    return Outcome(answer=made, put=(made.token, wrapped), made=made.token.accessor)


def _shorter(ttl: int, tenant: HeldTenant) -> int:
    setting = tenant.setting(Topic.CONTROL_GROUP, ONLY)
    most = value_of(setting, ControlGroups).max_ttl if setting is not None else 0
    return min(ttl, most) if most else ttl


def _made(
    tenant: HeldTenant, act: Act, answer: bytes, ttl: int, path: str, meta: Mapping[str, str]
) -> tuple[MadeToken, WrappedAnswer]:
    if ttl <= 0:
        raise InvalidArgument("what is wrapped is wrapped for a while", "ttl")
    text = new_text(tenant, act.entropy)
    token = Token(
        id=digest(text),
        tenant=tenant.id,
        accessor=suffixed(accessor(act.entropy), tenant),
        policies=(WRAPPING,),
        meta=dict(meta),
        path=path,
        created_at=act.now,
        ttl=ttl,
        explicit_max_ttl=ttl,
        expires_at=act.now + timedelta(seconds=ttl),
        n_uses=1,
    )
    return MadeToken(token, text), WrappedAnswer(id=token.id, sealed=sealed_for(text, answer))


def _found(token: Token | None, tenant: HeldTenant) -> tuple[Token, WrappedAnswer]:
    wrapped = tenant.wrapped(token) if token is not None else None
    if token is None or wrapped is None:
        raise NotFound("no such wrapped answer", "token")
    return token, wrapped


def _taken(text: Sensitive, token: Token | None, tenant: HeldTenant, act: Act) -> tuple[Token, bytes]:
    """The token of that text, and the answer in it. Raises NotFound."""
    token, wrapped = _found(valid(token, act.now), tenant)
    return token, _opened(text, wrapped)


def unwrap(op: ops.Unwrap, targets: tuple[HeldTenant], act: Act) -> Outcome[Sensitive]:
    (tenant,) = targets
    token, answer = _taken(op.text, tenant.token_at_or_below(digest(op.text)), tenant, act)
    if WAITS_FOR in token.meta:
        _require_approved(token, tenant, act)
    led = tenant.chain_of(token.tenant)  # it may be of a namespace below, whose lock holds for whoever is above, too
    require_open(led)
    return Outcome(answer=Sensitive(answer), delete=ended(tenant, token), seen=led, made=token.accessor)


def _require_approved(token: Token, tenant: HeldTenant, act: Act) -> None:
    """Raises NotFound where it has been used, or is over; Denied; NotApproved."""
    if (request := tenant.request_of_token(token)) is None:
        raise NotFound("no such wrapped answer", "token")
    if asker(act.caller, tenant.token_of_id) != request.asked_by:
        raise Denied("what was asked for is for whoever asked", "token")
    told = shown(request, tenant, act)
    if told.standing is not Standing.APPROVED:
        raise not_approved(request, told.standing, told.n_approvals, told.n_needed)


def look_up_wrapped(op: ops.LookUpWrapped, targets: tuple[HeldTenant], act: Act) -> Outcome[Token]:
    (tenant,) = targets
    token = meant(op, tenant, act) or valid(tenant.token_waiting(op.accessor), act.now)
    return Outcome(answer=_found(token, tenant)[0])


def rewrap(op: ops.Rewrap, targets: tuple[HeldTenant], act: Act) -> Outcome[MadeToken]:
    (tenant,) = targets  # the new one is of the namespace that the old one was of
    token, answer = _taken(op.text, tenant.token(digest(op.text)), tenant, act)
    ttl = min(token.ttl, op.at_most or token.ttl)
    made, again = _made(tenant, act, answer, ttl, token.path, token.meta)
    gone = ended(tenant, token)
    return Outcome(answer=made, put=(made.token, again), delete=gone, made=made.token.accessor)


HANDLERS: dict[type, Handler] = {
    ops.WrapAnswer: wrap_answer,
    ops.Unwrap: unwrap,
    ops.LookUpWrapped: look_up_wrapped,
    ops.Rewrap: rewrap,
}
