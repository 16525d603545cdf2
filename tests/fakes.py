"""The five ports, driven by a seed (HOUSE §2 rule 8): what a test says happens, happens, and happens again."""

from __future__ import annotations

import hmac
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from operator import add, sub
from typing import Any

from keystead.core.algorithms import KeySpec
from keystead.core.errors import Internal, InvalidArgument, LimitExceeded, NotFound, Unavailable, Unsupported
from keystead.core.keystores import Moment, Trouble, failed
from keystead.core.keytree import generation
from keystead.core.limits import Counts, require_room
from keystead.core.operations import NO_CLUSTER, NOT_ACTIVE
from keystead.core.ports import Store
from keystead.core.providers import ANOTHER_TOKEN, Generated, Loaded
from keystead.core.sensitive import Sensitive
from keystead.providers.software import SoftwareProvider


class SeededEntropy:
    """The same bytes for the same seed. Never outside a test."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def __call__(self, n: int) -> bytes:
        return self._random.randbytes(n)


class FakeClock:
    """Stands still until told."""

    def __init__(self, now: datetime = datetime(2026, 11, 25, 12, tzinfo=UTC)) -> None:
        self._now, self._monotonic = now, 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def forward(self, by: timedelta) -> None:
        self._now += by
        self._monotonic += by.total_seconds()

    def leap(self, by: timedelta) -> None:
        """Somebody sets the time of day; nothing has passed."""
        self._now += by


class MemorySlot:
    """core.ports.Slot in a dict. `mac`: as in an HSM, its secrets do not leave it."""

    def __init__(self, name: str = "file", *, seed: int = 11, mac: bool = False, wears: bool = False) -> None:
        self.held: dict[str, Sensitive] = {}
        self.name, self.wears, self._mac, self._entropy = name, wears, mac, SeededEntropy(seed)
        self.away = False  # it cannot be reached
        self.may_hang = mac

    def generations(self) -> frozenset[str]:
        self._require()
        return frozenset(self.held)

    def is_short(self) -> bool:
        self._require()
        return False

    def give(self, generation: str, challenge: Sensitive) -> Sensitive | None:
        self._require()
        if (secret := self.held.get(generation)) is None or not self._mac:
            return secret
        return Sensitive(hmac.digest(secret.reveal(), challenge.reveal(), "sha256"))

    def stage(self, challenge: Sensitive) -> str:
        self._require()
        return self.hold(Sensitive(self._entropy(32)))

    def hold(self, secret: Sensitive) -> str:
        name = generation(secret.reveal())
        self.held[name] = secret
        return name

    def retire(self, keep: str | None, shown: frozenset[str] | None = None) -> None:
        self._require()
        if keep is not None and keep not in self.held:
            raise Internal("the generation to keep is not in the slot")
        gone = {name for name in self.held if name != keep and (shown is None or name in shown)}
        self.held = {name: secret for name, secret in self.held.items() if name not in gone}

    def copy(self) -> MemorySlot:
        """The slot as it is now: what a thief of the slot has."""
        thief = MemorySlot(self.name, mac=self._mac)
        thief.held = dict(self.held)
        return thief

    def _require(self) -> None:
        if self.away:
            raise Unavailable("it was unplugged")


class MemoryPage:
    """service.meter.Page in a dict: [used, reserved] by id."""

    def __init__(self) -> None:
        self.kept: dict[str, list[Counts]] = {}
        self.is_full = False
        self._turn = threading.Lock()
        self._lock = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        with self._turn:
            yield

    def take(self, id: str, more: Counts, most: Counts) -> bool:
        with self._lock:
            if id not in self.kept:
                return False
            used, reserved = self.kept[id]
            require_room(used, more, most)
            sums = tuple(map(add, used, more))
            if any(m and s > r for m, s, r in zip(more, sums, reserved, strict=True)):
                return False
            self.kept[id][0] = sums
            return True

    def give_back(self, id: str, counts: Counts) -> None:
        with self._lock:
            if id in self.kept:
                self.kept[id][0] = tuple(map(sub, self.kept[id][0], counts))

    def used(self, id: str) -> Counts | None:
        return self.kept[id][0] if id in self.kept else None

    def begin(self, id: str, used: Counts, tenant: str = "", root: str = "") -> None:
        if self.is_full and id not in self.kept:
            raise LimitExceeded("there is no place left", "limits")
        with self._lock:
            self.kept.setdefault(id, [used, used])

    def reserve(self, id: str, upto: Counts) -> None:
        with self._lock:
            self.kept[id][1] = tuple(map(max, self.kept[id][1], upto))

    def withdraw(self, id: str) -> Counts | None:
        with self._lock:
            if id in self.kept:
                self.kept[id][1] = self.kept[id][0]
            return self.used(id)

    def ids(self) -> list[str]:
        return list(self.kept)

    def close(self) -> None:
        self.kept.clear()


class FaultyStore:
    """core.ports.Store that fails at the `fail_at`-th operation from now (1: the next), once or for good.

    Operations are every method of the store and of its transactions, and the beginning and the commit of each.
    `also_lost=False` makes a failing commit one that was in truth kept: the answer was lost, not the change.
    """

    def __init__(self, store: Store) -> None:
        self.store, self.n_operations = store, 0
        self._fail_at: int | None = None
        self._for_good = False
        self._lost = True

    def fail(self, at: int | None, *, for_good: bool = False, also_lost: bool = True) -> None:
        """Count from here; None: never again."""
        self.n_operations, self._fail_at, self._for_good, self._lost = 0, at, for_good, also_lost

    def _failing(self) -> bool:
        self.n_operations += 1
        at = self._fail_at
        return at is not None and (self.n_operations >= at if self._for_good else self.n_operations == at)

    def _step(self) -> None:
        if self._failing():
            raise Unavailable("this operation was made to fail")

    def __getattr__(self, name: str) -> Callable[..., object]:
        return _stepping(getattr(self.store, name), self._step)

    @contextmanager
    def transaction(self) -> Iterator[_FaultyTransaction]:
        self._step()
        kept_but_failed = False
        with self.store.transaction() as begun:
            yield _FaultyTransaction(begun, self._step)
            if self._failing():
                kept_but_failed = not self._lost
                if not kept_but_failed:
                    raise Unavailable("this commit was made to fail")
        if kept_but_failed:
            raise Unavailable("the answer to this commit was lost")


class _FaultyTransaction:
    def __init__(self, begun: object, step: Callable[[], None]) -> None:
        self._begun, self._step = begun, step

    def __getattr__(self, name: str) -> Callable[..., object]:
        return _stepping(getattr(self._begun, name), self._step)


def _stepping(method: Callable[..., object], step: Callable[[], None]) -> Callable[..., object]:
    def stepped(*args: object, **kwargs: object) -> object:
        step()
        return method(*args, **kwargs)

    return stepped


class MemoryToken:
    """core.providers.Provider of a token in memory: its handles are names, and what they name never comes out.

    `plugged = False`: it answers nothing. `lost_answers`: so many of the next objects are made, and nobody hears of it.
    `threads`: those that have asked it for anything.
    """

    def __init__(self, entropy: Callable[[int], bytes], lacks: frozenset[str] = frozenset()) -> None:
        self._software, self._lacks = SoftwareProvider(entropy), lacks
        self.objects: dict[str, Generated] = {}
        self.theirs: dict[str, tuple[KeySpec, Generated]] = {}
        self.plugged, self.lost_answers, self.n_calls, self.serial = True, 0, 0, ""
        self.threads: set[int] = set()

    def ask(self) -> None:
        self.n_calls += 1
        self.threads.add(threading.get_ident())
        if not self.plugged:
            raise Unavailable("the token is not there")

    def offers(self, spec: KeySpec) -> frozenset[str]:
        self.ask()
        return self._software.offers(spec) - self._lacks

    def generate(self, spec: KeySpec, name: str = "") -> Generated:
        self.ask()
        return self._kept(name, self._software.generate(spec))

    def register(self, spec: KeySpec, material: Sensitive, name: str = "") -> Generated:
        self.ask()
        return self._kept(name, self._software.register(spec, material))

    def _kept(self, name: str, made: Generated) -> Generated:
        assert len(bytes.fromhex(name)) == 16 and name not in self.objects
        self.objects[name] = made
        if self.lost_answers:
            self.lost_answers -= 1
            raise Unavailable("the answer was lost")
        return Generated(Sensitive(name.encode()), made.public_key, serial=self.serial)

    def adopt(self, specs: Sequence[KeySpec], label: str, its_id: bytes, *, make: bool) -> tuple[KeySpec, Generated]:
        """Objects of others are in `theirs`, by their labels."""
        self.ask()
        if label not in self.theirs:
            if not make or len(specs) != 1:
                raise NotFound("there is no key of that name in the HSM", "key_label")
            self.theirs[label] = (specs[0], self._software.generate(specs[0]))
        spec, made = self.theirs[label]
        if spec not in specs:
            raise InvalidArgument("the key in the HSM is of another kind or size", "mechanism")
        return spec, Generated(Sensitive(f"theirs:{label}".encode()), made.public_key)

    def destroy(self, name: str, serial: str = "") -> None:
        self.ask()
        if self.objects.pop(name, None) is None and serial not in {"", self.serial}:
            raise Unavailable("it is another token", ANOTHER_TOKEN)

    def facts(self, spec: KeySpec, material: Sensitive) -> Mapping[str, str]:
        self._material(material)
        return {"protection": "hsm", "never_extractable": "true", "local": "true"}

    def export(self, spec: KeySpec, material: Sensitive) -> Sensitive:
        raise Unsupported("it never leaves")

    mac_key = export

    def register_public(self, spec: KeySpec, material: Sensitive) -> Generated:
        return self._software.register_public(spec, material)

    def load_public(self, spec: KeySpec, public_key: bytes) -> Loaded:
        return self._software.load_public(spec, public_key)

    def load(self, spec: KeySpec, material: Sensitive, *, key_id: str, version: int) -> Any:
        loaded = self._software.load(spec, self._material(material), key_id=key_id, version=version)
        return _Asking(loaded, lambda: self._material(material))

    def _material(self, handle: Sensitive) -> Sensitive:
        self.ask()
        kind, _, name = handle.reveal().decode().rpartition(":")
        found = self.theirs[name][1] if kind else self.objects.get(name)
        if found is None:
            raise Unavailable("the token has no such object")
        return found.material


class _Asking:
    """core.providers.Loaded that asks the token first, each time."""

    def __init__(self, loaded: Loaded, ask: Callable[[], object]) -> None:
        self._loaded, self._ask = loaded, ask

    def __getattr__(self, name: str) -> Callable[..., object]:
        return _stepping(getattr(self._loaded, name), self._ask)


class MemoryClusters:
    """core.providers.Clusters: one HSM under one cluster id. `password`: its user's. `locked`: nobody comes in."""

    def __init__(self, id: str, hsm: str, token: MemoryToken, password: str) -> None:
        self.id, self.hsm, self._token, self.password, self.locked = id, hsm, token, password, False

    def find(self, id: str) -> str:
        if not self._token.plugged:
            raise Unavailable("it may be that one", NOT_ACTIVE)
        if id != self.id:
            raise NotFound("no such cluster", NO_CLUSTER)
        return self.hsm

    def check(self, hsm: str, password: Sensitive) -> None:
        for wrong, trouble in (
            (hsm != self.hsm, Trouble.NO_HSM),
            (not self._token.plugged, Trouble.AWAY),
            (self.locked, Trouble.LOCKED),
            (password.reveal() != self.password.encode(), Trouble.UNAUTHENTICATED),
        ):
            if wrong:
                raise failed(trouble, Moment.SET_UP)

    def is_at(self, hsm: str, *, label: str, slot: str) -> bool:
        return hsm == self.hsm and label in {"", "the token"} and slot in {"", "7"}

    def random(self, hsm: str, n: int) -> Sensitive:
        assert hsm == self.hsm
        self._token.ask()
        return Sensitive(bytes(n))
