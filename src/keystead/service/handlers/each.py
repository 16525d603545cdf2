"""Many uses of one key in one request (core.operations.each)."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.errors import Internal, InvalidArgument, KeysteadError
from keystead.service.handlers import cipher, schemes
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome

AT_ONCE = 50  # on the event loop: about a millisecond
ONE: dict[type, Handler] = {**cipher.HANDLERS, **schemes.HANDLERS}


def each(op: Any, targets: tuple[HeldKey, ...], act: Act) -> Outcome[tuple[Any, ...]]:
    """Raises InvalidArgument for a use of another key than the one found, or whose context a policy might ask of."""
    if len(op.items) > AT_ONCE:
        targets[0].at_length()
    answers: list[Any] = []
    numbers: set[int] = set()
    for item in op.items:
        if any(demand.target != op.key for demand in item.demands()) or item.context() is not None or item.dry_run:
            raise InvalidArgument("a use of another key", "items")
        try:
            done = ONE[type(item)](item, targets, act)
        except Internal:
            raise
        except KeysteadError as error:
            error.subject, error.about = error.subject or targets[0].id, error.about or targets[0]
            answers.append(error)
        else:
            answers.append(done.answer)
            numbers.update(done.versions)
    n_refused = sum(isinstance(answer, KeysteadError) for answer in answers)
    return Outcome(
        answer=tuple(answers),
        versions=(numbers.pop(),) if len(numbers) == 1 else (),
        why=f"{n_refused} of {len(answers)} refused" if n_refused else "",
    )


HANDLERS: dict[type, Handler] = dict.fromkeys(
    (
        ops.EncryptEach,
        ops.DecryptEach,
        ops.ReEncryptEach,
        ops.SignEach,
        ops.VerifyEach,
        ops.GenerateMacEach,
        ops.VerifyMacEach,
    ),
    each,
)
