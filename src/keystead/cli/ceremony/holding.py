"""One ceremony being held: its plan, its people and its transcript, and how a step is confirmed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from keystead.cli.ceremony.plan import Plan
from keystead.cli.ceremony.record import Transcript
from keystead.cli.ceremony.room import Room, Scripted
from keystead.cli.exits import NotDone
from keystead.core.audit.transcript import Beginning, Person
from keystead.core.errors import KeysteadError
from keystead.core.ports import Clock, Entropy
from keystead.version import VERSION


class Held(Struct, frozen=True, kw_only=True):
    plan: Plan
    room: Room
    transcript: Transcript
    clock: Clock
    entropy: Entropy

    def confirmed(self, step: str, people: Sequence[Person], question: str, **facts: Any) -> None:
        """By each of them, one after the other. Raises Stopped."""
        for person in people:
            self.room.confirm(person, step, question)
        self.transcript.add(step, people, **facts)

    def present(self) -> None:
        """Everybody says that they are there."""
        self.confirmed("present", self.plan.people, "You are here, and take part.")


@contextmanager
def holding(
    kind: str, plan: Plan, plan_digest: str, room: Room, path: Path, clock: Clock, entropy: Entropy, *, rehearsal: bool
) -> Iterator[Held]:
    """Whatever ends it, the transcript says so, and is signed."""
    transcript = Transcript(path, clock, entropy)
    try:
        transcript.begin(
            Beginning(
                kind=kind,
                title=plan.title,
                key=transcript.key,
                people=plan.people,
                plan=plan_digest,
                version=VERSION,
                rehearsal=rehearsal,
                scripted=isinstance(room, Scripted),
            )
        )
        try:
            yield Held(plan=plan, room=room, transcript=transcript, clock=clock, entropy=entropy)
        except BaseException as error:
            transcript.stop(_why(error))
            raise
        transcript.end()
    finally:
        transcript.close()


def _why(error: BaseException) -> str:
    """In words that hold no secret: those of an error of ours, or its kind."""
    if isinstance(error, (KeysteadError, NotDone)):
        return str(error)
    return "interrupted" if isinstance(error, KeyboardInterrupt) else type(error).__name__
