"""The people of a ceremony, as it sees them: at a terminal, or out of a script.

Rule 1: what one person is given to see is seen on a screen of its own, which is cleared before anybody else is asked:
        the terminal's alternate screen, which has no scroll-back.
Rule 2: who confirms types the own name. Anything else is asked again, and `no` stops the ceremony.
"""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import click

from keystead.cli.exits import NotDone
from keystead.core.audit.transcript import Person
from keystead.core.errors import InvalidArgument
from keystead.core.sensitive import Sensitive

TRIES = 3
NO = "no"
OPENED, CLEARED = "\x1b[?1049h\x1b[2J\x1b[H", "\x1b[2J\x1b[3J\x1b[H\x1b[?1049l"  # xterm, "The Alternate Screen Buffer"


class Stopped(NotDone):
    """The ceremony goes no further."""


class Room(Protocol):
    def tell(self, text: str) -> None:
        """To everybody."""
        ...

    def confirm(self, person: Person, step: str, question: str) -> None:
        """Raises Stopped."""
        ...

    def give(self, person: Person, step: str, secret: Sensitive, sheet: Path | None) -> None:
        """To that person alone: shown, or where it is printed from. Returns when it is kept."""
        ...

    def ask(self, person: Person, step: str, question: str) -> Sensitive:
        """What that person types, seen by nobody else."""
        ...


class Terminal:
    """People at one screen and keyboard."""

    def __init__(self) -> None:
        """Raises InvalidArgument where there is none, or none that can be cleared."""
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise InvalidArgument("a ceremony is held at a terminal; a rehearsal may have --script", "terminal")
        if os.environ.get("TERM", "dumb") == "dumb":
            raise InvalidArgument("this terminal cannot be cleared: what one person sees would stay", "terminal")

    def tell(self, text: str) -> None:
        click.echo(text)

    def confirm(self, person: Person, step: str, question: str) -> None:  # noqa: ARG002 - a script goes by it
        for _ in range(TRIES):
            said = self._line(f"{question}\n{_called(person)}: type your name to confirm, or `no`: ")
            if said == person.name:
                return
            if said.lower() == NO:
                raise Stopped(f"{person.name} has said no")
        raise Stopped(f"{person.name} has not confirmed")

    def give(self, person: Person, step: str, secret: Sensitive, sheet: Path | None) -> None:  # noqa: ARG002 - the same
        if sheet is not None:
            self._line(f"{_called(person)}: print {sheet}, take the page, and press Enter ")
            return
        self._line(f"{_called(person)} alone looks at the screen now. Press Enter ")
        with self._apart():
            self._line(f"{_called(person)}, write this down:\n\n{secret.reveal().decode()}\n\nThen press Enter ")

    def ask(self, person: Person, step: str, question: str) -> Sensitive:  # noqa: ARG002 - the same
        with self._apart():
            return Sensitive(self._line(f"{_called(person)} alone looks at the screen.\n{question}: ").encode())

    @contextmanager
    def _apart(self) -> Iterator[None]:
        sys.stdout.write(OPENED)
        try:
            yield
        finally:
            sys.stdout.write(CLEARED)
            sys.stdout.flush()

    @staticmethod
    def _line(prompt: str) -> str:
        """Raises KeyboardInterrupt where nobody types any more."""
        termios.tcflush(sys.stdin, termios.TCIFLUSH)  # what was typed before it was asked for answers nothing
        sys.stdout.write(prompt)
        sys.stdout.flush()
        typed = sys.stdin.readline()
        if not typed.endswith("\n"):
            raise KeyboardInterrupt
        return typed.strip()


def _called(person: Person) -> str:
    return f"{person.name} ({person.role.value})"


class Scripted:
    """Nobody: everybody confirms, and types what they were given, unless `answers` says otherwise.

    answers: "<step>: <name>" -> what that person says there, first of several times.
    """

    def __init__(self, answers: dict[str, list[str]]) -> None:
        self._answers = {where: list(said) for where, said in answers.items()}
        self._given: dict[str, Sensitive] = {}

    def tell(self, text: str) -> None:
        """Nobody listens."""

    def confirm(self, person: Person, step: str, question: str) -> None:  # noqa: ARG002 - nobody reads it
        if self._said(person, step) == NO:
            raise Stopped(f"{person.name} has said no")

    def give(self, person: Person, step: str, secret: Sensitive, sheet: Path | None) -> None:  # noqa: ARG002 - the same
        self._given[person.name] = secret

    def ask(self, person: Person, step: str, question: str) -> Sensitive:  # noqa: ARG002 - the same
        if (said := self._said(person, step)) is not None:
            return Sensitive(said.encode())
        if (given := self._given.get(person.name)) is None:
            raise InvalidArgument(f"the script does not say what {person.name} types at {step!r}", "script")
        return given

    def _said(self, person: Person, step: str) -> str | None:
        left = self._answers.get(f"{step}: {person.name}")
        return left.pop(0) if left else None
