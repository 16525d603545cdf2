"""The HSMs that keys are held in, from before there is an object of theirs until after it is gone (docs/adr/0034).

    note ── made in the HSM ── commit ── note taken away          a crash leaves a note, or an object and its note
    commit with an erasure ── erased in the HSM ── erasure taken away

Rule 1: an object is on note, durably and outside the database, before the HSM is asked for it: so one that no key came
        to have is found, and a database that was restored elsewhere never takes another's objects for its own.
Rule 2: a note is taken away when the commit that needed it stands, or when its object is gone. Who cannot tell leaves
        it to the chore that looks into the database later.
Rule 3: what is destroyed goes in the database and the slot first, and in the HSM after.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, cast

from msgspec import Struct
from msgspec.structs import replace

from keystead.core.algorithms import KeySpec
from keystead.core.entities import Erasure, InHsm, KeyVersion
from keystead.core.errors import Conflict, KeysteadError, NotFound, Unauthenticated, Unavailable
from keystead.core.keystores import Moment, Trouble, failed
from keystead.core.operations import NO_CLUSTER
from keystead.core.ports import NOT_ASKED, WouldWait
from keystead.core.providers import Clusters, Generated, Provider
from keystead.core.sensitive import Sensitive
from keystead.service.barrier import Barrier
from keystead.service.commit import Commit
from keystead.service.hsmnotes import MemoryNotes, Note, Notes
from keystead.service.moving import HERE

LOG = logging.getLogger("keystead")
SETTLES_AFTER = timedelta(minutes=10)
"""From when a note is seen first on, in time that has passed, whatever the clock says: it may leap while a key is being
made. A request is over by then, whatever came of it."""
OF_THE_HSM: Final = frozenset({"token", "object", "check_value"})
"""details of the Conflict that asking an HSM raises for what nobody who asks has done."""


class Made(Struct, frozen=True):
    """A version's material, as it was made; `in_hsm`: the object that it is a handle of."""

    material: Sensitive
    public_key: bytes = b""
    in_hsm: InHsm | None = None
    entropy: str = ""  # KeyVersion.entropy


class NoClusters:
    """core.providers.Clusters where no HSM is a key store."""

    def find(self, id: str) -> str:  # noqa: ARG002 - whichever it is
        raise NotFound("no such cluster", NO_CLUSTER)

    def check(self, hsm: str, password: Sensitive) -> None:  # noqa: ARG002 - whichever it is
        raise failed(Trouble.NO_HSM, Moment.SET_UP)

    def is_at(self, hsm: str, *, label: str, slot: str) -> bool:  # noqa: ARG002 - whichever it is
        return False

    def random(self, hsm: str, n: int) -> Sensitive:  # noqa: ARG002 - whichever it is
        raise Unavailable(f"the HSM {hsm} is not configured")


def _move(hsm: str = "") -> None:
    """Raises WouldWait where whoever asks may do that among those who wait for it."""
    if HERE.may_move:
        raise WouldWait(hsm)


class _Guarded:
    """An HSM's provider, a key in it, or HSMs as clusters: what is wrong with an HSM is not the doing of who asks.

    That it refuses the operator's own PIN, or is another token than it was, or holds another object than the one that
    is meant.
    """

    def __init__(self, of: Any) -> None:
        self._of = of

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Asked once for each name: what it answers stands among the attributes from then on."""
        of = self._of
        getattr(of, name)  # else there is none of that name here, either

        def asked(*args: Any, **more: Any) -> Any:
            try:
                answer = getattr(of, name)(*args, **more)
            except Unauthenticated as error:
                raise Unavailable(str(error), "pin") from error
            except Conflict as error:
                if error.detail not in OF_THE_HSM:
                    raise
                raise Unavailable(str(error), "hsm") from error
            return _Guarded(answer) if name == "load" else answer

        self.__dict__[name] = asked
        return asked


class _Apart:
    """core.providers.Clusters, which only those ask who wait for HSMs anyway."""

    def __init__(self, of: Clusters) -> None:
        self._of = cast("Clusters", _Guarded(of))

    def find(self, id: str) -> str:
        _move()
        return self._of.find(id)

    def check(self, hsm: str, password: Sensitive) -> None:
        _move(hsm)
        self._of.check(hsm, password)

    def is_at(self, hsm: str, *, label: str, slot: str) -> bool:
        _move(hsm)
        return self._of.is_at(hsm, label=label, slot=slot)

    def random(self, hsm: str, n: int) -> Sensitive:
        _move(hsm)
        return self._of.random(hsm, n)


class Hsms:
    """By the names that the operator gave them. `new_keys_in`: where keys are held of which nobody says where.

    `or_software`: and in software, where that HSM cannot hold one; else it is refused. `clusters`: HSMs as key stores.
    `passed`: seconds of a clock that nobody sets (ports.Clock.monotonic); by one that stands still no note settles.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider] | None = None,
        notes: Notes | None = None,
        *,
        clusters: Clusters | None = None,
        new_keys_in: str = "",
        or_software: bool = False,
        passed: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._providers = {name: cast("Provider", _Guarded(one)) for name, one in (providers or {}).items()}
        self.notes = notes or MemoryNotes()
        self.clusters: Clusters = _Apart(clusters or NoClusters())
        self.new_keys_in, self.or_software = new_keys_in, or_software
        self.passed = passed
        self._seen: dict[str, float] = {}  # note -> when it was seen first

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._providers)

    def at(self, name: str) -> Provider:
        """Raises Unavailable for an HSM that the configuration does not have, or not any more.

        And WouldWait, where whoever is about to ask it may do that among those who wait for it (service.moving).
        """
        found = self._providers.get(name)
        if found is None:
            raise Unavailable(f"the HSM {name} is not configured")
        _move(name)
        return found

    # --- making

    def generate(self, spec: KeySpec, version: str, in_hsm: InHsm, now: datetime) -> Made:
        made = self._made(lambda at: at.generate(spec, in_hsm.name), Note(in_hsm, version, now))
        return replace(made, entropy=f"hsm:{in_hsm.hsm}")  # its own generator's, and nobody else's

    def register(self, spec: KeySpec, material: Sensitive, version: str, in_hsm: InHsm, now: datetime) -> Made:
        return self._made(lambda at: at.register(spec, material, in_hsm.name), Note(in_hsm, version, now))

    def _made(self, make: Make, note: Note) -> Made:
        provider = self.at(note.in_hsm.hsm)
        self.notes.write(note)
        try:
            made = make(provider)
        except BaseException as error:
            if isinstance(error, Unavailable) and error.detail == NOT_ASKED:
                self.notes.drop(note.in_hsm.name)
            else:
                self._undo(note.in_hsm)
            raise
        return Made(made.material, made.public_key, replace(note.in_hsm, serial=made.serial))

    def _undo(self, in_hsm: InHsm) -> None:
        try:
            self.at(in_hsm.hsm).destroy(in_hsm.name)
        except KeysteadError as error:
            LOG.warning("an object that no key needs is left in the HSM %s for now: %s", in_hsm.hsm, error)
        else:
            self.notes.drop(in_hsm.name)

    @contextmanager
    def around(self, commit: Commit, barrier: Barrier) -> Iterator[None]:
        """A commit of keys made in HSMs: what it does not come to keep is erased there at once."""
        fresh = {
            entity.id: entity.in_hsm
            for entity in commit.put
            if isinstance(entity, KeyVersion) and entity.in_hsm is not None and entity.id in commit.material
        }
        try:
            yield
        except BaseException:
            for id_, in_hsm in fresh.items():
                with suppress(KeysteadError):  # nobody can tell now: the chore will
                    if _is_kept(barrier, id_, in_hsm):
                        self.notes.drop(in_hsm.name)
                    else:
                        self._undo(in_hsm)
            raise
        for in_hsm in fresh.values():
            self.notes.drop(in_hsm.name)

    # --- what is left over

    def unsettled(self, barrier: Barrier) -> list[Note]:
        """Notes of long ago whose object no key has come to have; those that are settled are dropped."""
        left: list[Note] = []
        notes, passed = self.notes.every(), self.passed()
        self._seen = {note.in_hsm.name: self._seen.get(note.in_hsm.name, passed) for note in notes}
        for note in notes:
            if passed - self._seen[note.in_hsm.name] < SETTLES_AFTER.total_seconds():
                continue
            if _is_kept(barrier, note.version, note.in_hsm):
                self.notes.drop(note.in_hsm.name)
            else:
                left.append(note)
        return left


class Make(Protocol):
    def __call__(self, at: Provider, /) -> Generated: ...


def _is_kept(barrier: Barrier, version: str, in_hsm: InHsm) -> bool:
    found = barrier.get(KeyVersion, version)
    return found is not None and in_hsm.is_same(found.in_hsm)


def with_erasures(commit: Commit, now: datetime) -> Commit:
    """With a word of each object in an HSM that is to go with a version that is destroyed."""
    gone = tuple(
        Erasure(
            id=one.in_hsm.name,
            hsm=one.in_hsm.hsm,
            key_id=one.key_id,
            number=one.number,
            since=now,
            serial=one.in_hsm.serial,
        )
        for one in commit.destroy
        if isinstance(one, KeyVersion) and one.in_hsm is not None
    )
    return replace(commit, put=(*commit.put, *gone)) if gone else commit
