"""What is held of the store, and how it stays current (service.view)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

from keystead.core.entities import Kind
from keystead.core.errors import Internal, Sealed, Unavailable
from keystead.core.operations import Ref
from keystead.core.ports import Reader, WouldBlock, WouldWait
from keystead.core.providers import KeyStores, NoKeyStores, Provider
from keystead.core.rights import Rights
from keystead.service.barrier import Barrier
from keystead.service.held import Held
from keystead.service.hsms import Hsms
from keystead.service.meter import Meter
from keystead.service.moving import HERE
from keystead.service.reach import Reach

K = TypeVar("K")
V = TypeVar("V")
Forgets = Mapping[Kind, Callable[[Any, str], None]]
Finds = Mapping[type, Callable[[Any, Any], Held | None]]
MAX_OTHERS = 16384
ATTEMPTS = 10


class Generation(Protocol):
    """The number in shared memory that grows with every acknowledged change (kit.listener, app.coherence)."""

    def current(self) -> int: ...


class Cache:
    """Part of service.view.View, and below every other part. `loop_thread` is the thread that must not block.

    FORGET: what a change of a kind drops. FIND: how what a reference means is read where it is not held. Each part
    adds its own rows.
    """

    FORGET: ClassVar[Forgets] = {}
    FIND: ClassVar[Finds] = {}

    def __init__(
        self,
        barrier: Barrier,
        store: Reader,
        provider: Provider,
        generation: Generation,
        outside: KeyStores | None,
        hsms: Hsms | None,
        meter: Meter | None = None,
    ) -> None:
        self._barrier, self._store, self._current = barrier, store, generation.current
        self.loop_thread: int | None = None
        ways = (self.may_block, self.may_wait)
        self._reach = Reach(barrier, provider, outside or NoKeyStores(), *ways, hsms or Hsms(), meter)
        self._lock = threading.Lock()
        self._seen_generation = -1
        self._seen_change = 0
        self._refs: dict[Ref, Held] = {}
        self._nobodies: dict[str, None] = {}  # ids of no credential
        self._dropped: list[Callable[[], None]] = []

    def on_loop(self) -> bool:
        return threading.get_ident() == self.loop_thread

    def may_block(self, tenant: str = "") -> None:
        if threading.get_ident() == self.loop_thread:
            raise WouldBlock(tenant)

    def may_wait(self, hsm: str = "", tenant: str = "") -> None:
        if threading.get_ident() == self.loop_thread or HERE.may_move:
            raise WouldWait(hsm, tenant)

    def on_drop(self, forget: Callable[[], None]) -> None:
        """Have `forget` called whenever anything held was dropped (decision caches)."""
        self._dropped.append(forget)

    def find(self, ref: Ref) -> Held | None:
        """What `ref` means, or None. Raises WouldBlock."""
        held = self._refs.get(ref)
        if held is None:
            self.may_block()
            held = self.FIND[type(ref)](self, ref)
        return held

    # --- staying current

    def refresh(self) -> None:
        """Drop what has changed. Costs one comparison when nothing has. Raises Sealed."""
        if not self._barrier.is_open:
            raise Sealed("the installation is sealed")
        generation = self._current()
        if generation != self._seen_generation:
            self._drop_changed(generation)

    def moment(self) -> int:
        """A number that is another one as soon as anything held has been dropped for a change. Raises Sealed."""
        self.refresh()
        return self._seen_change

    def catch_up(self) -> None:
        """Drop what the store says has changed, announced or not (after Stale)."""
        self._drop_changed(self._current())

    def _drop_changed(self, generation: int) -> None:
        with self._lock:
            newest, changed = self._store.changes(self._seen_change)
            self._forget_absent()
            if changed is None:
                self._forget_everything()
            else:
                for kind, id_ in changed:
                    self.FORGET[kind](self, id_)
            self._seen_change, self._seen_generation = newest, generation
            for forget in self._dropped:
                forget()

    def forget(self) -> None:
        """Hold nothing any more (sealing)."""
        with self._lock:
            self._forget_everything()
            self._seen_generation = -1
            for forget in self._dropped:
                forget()

    def _forget_everything(self) -> None:
        self._refs.clear()
        self._forget_absent()

    def _forget_absent(self) -> None:
        """What is not there may come to be with any change."""
        self._nobodies.clear()

    # --- reading

    def _keep(self, stamp: int, into: dict[K, V], key: K, value: V) -> None:
        with self._lock:
            if stamp == self._seen_change:
                while len(into) >= MAX_OTHERS:
                    del into[next(iter(into))]
                into[key] = value

    def _steadily(self, gathered: Callable[[], Rights | None]) -> Rights | None:
        """As one commit left them: gathered again where one came between that changed what they rest on.

        Raises Unavailable; Internal where they are not whole although nothing came between.
        """
        for _ in range(ATTEMPTS):
            before, _ = self._store.changes(self._seen_change)
            found, broken = None, None
            try:
                found = gathered()
            except Internal as error:
                broken = error
            _, changed = self._store.changes(before)
            if broken is not None and changed == []:
                raise broken
            if broken is None and changed is not None and not _touched(found, changed):
                return found
        raise Unavailable("too many changes at once")


def _touched(rights: Rights | None, changed: Iterable[tuple[Kind, str]]) -> bool:
    return rights is not None and any(id_ in rights.bases for _, id_ in changed)
