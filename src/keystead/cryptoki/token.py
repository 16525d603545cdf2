"""A token as Keystead uses it: found by name, one login per process, a bounded pool of sessions, and recovery.

    token.run(lambda desk: desk.session.sign(mechanism, desk.key(name), digest))

What is asked of its objects is here; `run`, and what becomes of it where the token is lost, in cryptoki.recovery.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from keystead.core.errors import InvalidArgument, NotFound, Unavailable
from keystead.cryptoki.connection import Doubtful, Name, told
from keystead.cryptoki.errors import MISPLACED, Failed
from keystead.cryptoki.finding import MechanismInfo
from keystead.cryptoki.recovery import Desk, Spells
from keystead.cryptoki.session import Session
from keystead.cryptoki.templates import Template
from keystead.cryptoki.words import Cka, Ckr


class Token(Spells):
    """See Spells. Objects are found by name, and handles never leave an act."""

    def mechanisms(self) -> dict[int, MechanismInfo]:
        return self.run(lambda desk: desk.connection.mechanisms)

    def random(self, n: int) -> bytes:
        return self.run(lambda desk: desk.session.random(n))

    def has(self, name: Name) -> bool:
        """Whether the token, which is there, has such an object; it is looked for anew. Raises Conflict."""

        def act(desk: Desk) -> bool:
            desk.connection.forget(name)
            desk.key(name)
            return True

        return self._unless_missing(act)

    def destroy(self, name: Name, *pair: Name) -> bool:
        """Every object of that name. False where the token, which is there, has none: it may have been before.

        `pair`: two names of one id, that objects have together where one has either. What is shown of one alone counts
        where the other is believed not to be there. Raises InvalidArgument where a name has neither id nor label: that
        would be everything.
        """
        if not all(one.id or one.label for one in (name, *pair)):
            raise InvalidArgument("an object is destroyed by its name", "name")
        try:
            try:
                return self._unless_missing(lambda desk: self._destroyed(desk, name, pair, None))
            except NotFound as missing:
                if not isinstance(missing.detail, Name):
                    raise
                gone = missing.detail
            return self._unless_missing(lambda desk: self._destroyed(desk, name, pair, gone))
        except Unavailable:
            for one in (name, *pair):
                self.note(one)
            raise

    def _destroyed(self, desk: Desk, name: Name, pair: tuple[Name, ...], gone: Name | None) -> bool:
        """`gone`: the one of the pair that is believed not to be there, as NotFound has told in its detail."""
        found: dict[Name, list[int]] = {}
        for one in (name, *pair):
            desk.connection.forget(one)
            if handles := desk.session.find(one.template()):
                found[one] = handles
        if not found:
            raise Doubtful(name, NotFound("no such object in the token", "object"))
        missing = [one for one in pair if one not in found]
        if len(missing) == 1 and missing[0] != gone:
            if gone is not None:
                raise Unavailable(f"the HSM {self.name} shows now one and now the other of two objects", "view")
            raise Doubtful(missing[0], NotFound("an object that belongs to another is not in the token", missing[0]))
        for one, handles in found.items():
            self._views.doubt(one)  # SoftHSM2 hides one that it did not come to erase
            n_gone = sum([_is_gone(desk.session, handle) for handle in handles])
            desk.connection.forget(one)
            if not n_gone:
                raise Failed("C_DestroyObject", Ckr.OBJECT_HANDLE_INVALID)
        return True

    def expect(self, name: Name) -> None:
        """One is about to be made: that there was none counts no more."""
        self._views.doubt(name)

    def claim(self, name: Name) -> None:
        """Nobody but this process can have made one, and nothing went wrong: where its module shows none, is none."""
        if (connection := self._connection) is not None:
            self._views.believe(name, connection.module.epoch)

    def note(self, name: Name) -> None:
        """Nothing more of that name is made from now on: what a module that is started later shows of it counts."""
        if (connection := self._connection) is not None:
            self._views.believe(name, connection.module.epoch + 1)

    def attributes(self, name: Name, wanted: Sequence[Cka]) -> dict[Cka, bool | int | bytes]:
        """Those that the object has and shows. Raises NotFound."""
        return self.run(lambda desk: desk.session.attributes(desk.key(name), wanted))

    def names(self, template: Template) -> list[Name]:
        """Of the objects that have all of it, MOST_FOUND at most; an empty answer is that of a token that is there."""

        def act(desk: Desk) -> list[Name]:
            session = desk.session
            found = [session.attributes(one, (Cka.CLASS, Cka.ID, Cka.LABEL)) for one in session.find(template)]
            if not found and not desk.connection.shows_all(session):
                raise Failed("C_FindObjects", Ckr.TOKEN_NOT_PRESENT)
            return [told(one, template) for one in found]

        return self.run(act)

    def _unless_missing(self, act: Callable[[Desk], bool]) -> bool:
        try:
            return self.run(act)
        except NotFound as missing:
            if missing.detail != "object":
                raise
            return False


def _is_gone(session: Session, handle: int) -> bool:
    """False where that was no object any more: what is shown twice is gone at the first time. Raises Failed."""
    try:
        session.destroy(handle)
    except Failed as failed:
        if failed.rv not in MISPLACED:
            raise
        return False
    return True
