"""Answers wrapped in a token that is good once. Vault documentation, "Response wrapping"."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from keystead.core import operations as ops
from keystead.core.entities import Token, WrappedAnswer
from keystead.core.errors import InvalidArgument, NotFound
from keystead.core.operations import MadeToken
from keystead.core.sensitive import Sensitive
from keystead.service.credentials.token import digest
from keystead.service.handlers.aclpolicies import WRAPPING
from keystead.service.handlers.tokens import accessor, ended, meant, new_text, suffixed
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome


def wrap_answer(op: ops.WrapAnswer, targets: tuple[HeldTenant], act: Act) -> Outcome[MadeToken]:
    made, wrapped = _made(targets[0], act, op.answer.reveal(), op.ttl, op.path)
    return Outcome(answer=made, put=(made.token, wrapped), made=made.token.accessor)


def _made(tenant: HeldTenant, act: Act, answer: bytes, ttl: int, path: str) -> tuple[MadeToken, WrappedAnswer]:
    if ttl <= 0:
        raise InvalidArgument("what is wrapped is wrapped for a while", "ttl")
    text = new_text(tenant, act.entropy)
    token = Token(
        id=digest(text),
        tenant=tenant.id,
        accessor=suffixed(accessor(act.entropy), tenant),
        policies=(WRAPPING,),
        path=path,
        created_at=act.now,
        ttl=ttl,
        explicit_max_ttl=ttl,
        expires_at=act.now + timedelta(seconds=ttl),
        n_uses=1,
    )
    return MadeToken(token, text), WrappedAnswer(id=token.id, answer=answer)


def _found(op: ops.TokenOperation[Any], tenant: HeldTenant, act: Act) -> tuple[Token, WrappedAnswer]:
    token = meant(op, tenant, act)
    wrapped = tenant.wrapped(token) if token is not None else None
    if token is None or wrapped is None:
        raise NotFound("no such wrapped answer", "token")
    return token, wrapped


def unwrap(op: ops.Unwrap, targets: tuple[HeldTenant], act: Act) -> Outcome[Sensitive]:
    token, wrapped = _found(op, targets[0], act)
    return Outcome(answer=Sensitive(wrapped.answer), delete=ended(targets[0], token), made=token.accessor)


def look_up_wrapped(op: ops.LookUpWrapped, targets: tuple[HeldTenant], act: Act) -> Outcome[Token]:
    token, _ = _found(op, targets[0], act)
    return Outcome(answer=token)


def rewrap(op: ops.Rewrap, targets: tuple[HeldTenant], act: Act) -> Outcome[MadeToken]:
    token, wrapped = _found(op, targets[0], act)
    made, again = _made(targets[0], act, wrapped.answer, token.ttl, token.path)
    gone = ended(targets[0], token)
    return Outcome(answer=made, put=(made.token, again), delete=gone, made=made.token.accessor)


HANDLERS: dict[type, Handler] = {
    ops.WrapAnswer: wrap_answer,
    ops.Unwrap: unwrap,
    ops.LookUpWrapped: look_up_wrapped,
    ops.Rewrap: rewrap,
}
