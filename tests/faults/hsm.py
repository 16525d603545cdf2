"""Threads that use a token for everything that Keystead asks of one, and a token that is taken away under them.

What must hold: no error while the token is there; nothing but Unavailable while it is away; every key that was
acknowledged is there and works when it is over, and every key whose destruction was is not; no object is left that
nobody knows of, once what could not be told was erased by its name, as the core does it; no session is left open.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from msgspec import Struct
from tests import softhsm
from tests.faults.hsm_faults import Faults
from tests.waiting import until

from keystead.core.algorithms import ALGORITHMS, KEY_SPECS, MessageForm, Purpose
from keystead.core.envelope import typed_aad
from keystead.core.errors import Unavailable
from keystead.core.sensitive import Sensitive
from keystead.cryptoki.module import Module
from keystead.cryptoki.session import Session
from keystead.cryptoki.words import Cka
from keystead.providers.pkcs11 import Pkcs11Provider
from keystead.providers.pkcs11.handle import BESIDE, CBC, LABEL

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
FIRST = ("AES_256", "AES_256", "HMAC_256", "RSA_2048", "EC_P256", "EC_P384", "ED25519")
FRESH = ("AES_256", "EC_P256", "HMAC_256")
SETTLES_IN = 3.0  # seconds after a token that was put back had answered, within which it may still be unavailable
USES, MAKES = 0.97, 0.985  # of the acts, this share are uses, and up to that share new keys; the rest are destructions


class Report(Struct):
    seconds: float
    acts: dict[str, int]
    unavailable: int
    errors: list[str]
    lost: list[str]  # acknowledged keys that are not there or answer wrongly, destroyed ones that are
    left: int  # objects that nobody knows of
    sessions: int  # that are open when all is over
    resident: tuple[int, int]  # KiB after a quarter of the time, and at the end
    removals: int
    n_objects: int  # that were made in the token, keys and agreed secrets

    @property
    def is_well(self) -> bool:
        return not (self.errors or self.lost or self.left or self.sessions)


class Sessions:
    """Counts those that are open, by watching who opens and closes one."""

    def __init__(self) -> None:
        self.n, self._lock = 0, threading.Lock()

    def __enter__(self) -> Sessions:
        self._open, self._close, self._begin = Session.__init__, Session.close, Module._initialize
        opening, closing, beginning = self._open, self._close, self._begin

        def opened(session, *args):
            opening(session, *args)
            with self._lock:
                self.n += 1

        def closed(session):
            with self._lock:
                self.n -= 1
            closing(session)

        def begun(module):
            self.n = 0  # C_Finalize has closed what was open, and nobody is in a call
            beginning(module)

        Session.__init__, Session.close, Module._initialize = opened, closed, begun
        return self

    def __exit__(self, *_: object) -> None:
        Session.__init__, Session.close, Module._initialize = self._open, self._close, self._begin


class Run:
    def __init__(self, seed: int, sessions: int = 8) -> None:
        self.random = random.Random(seed)
        self.token = softhsm.open_token(sessions=sessions, wait_for=10.0)
        self.provider = Pkcs11Provider(self.token, os.urandom)
        self.kept: dict[str, tuple] = {}  # name -> (spec, generated, loaded)
        self.gone: set[str] = set()
        self.untold: set[str] = set()  # whose making or destruction came to no answer
        self.acts: Counter[str] = Counter()
        self.errors: list[str] = []
        self.n_unavailable, self.n_removals, self.n_objects = 0, 0, 0
        self.away_until = 0.0  # a token that is away now: for ever
        self._lock, self._over = threading.Lock(), threading.Event()

    # --- what threads do

    def make(self, spec: str) -> None:
        name = os.urandom(16).hex()
        with self._lock:
            self.untold.add(name)
        made = self.provider.generate(KEY_SPECS[spec], name)
        with self._lock:
            self.n_objects += 2  # a pair has two
        loaded = self.provider.load(KEY_SPECS[spec], made.material, key_id=KEY_ID, version=1)
        with self._lock:
            self.untold.remove(name)
            self.kept[name] = (spec, made, loaded)

    def destroy(self, name: str) -> None:
        with self._lock:
            if self.kept.pop(name, None) is None:
                return
            self.untold.add(name)
        self.provider.destroy(name)
        with self._lock:
            self.untold.remove(name)
            self.gone.add(name)

    def use(self, spec: str, loaded, source: random.Random) -> None:
        row, text = KEY_SPECS[spec], source.randbytes(source.choice((0, 16, 500, 4096, 20_000)))
        purpose = source.choice(row.purposes)
        algorithm = row.default(purpose)
        if purpose is Purpose.CIPHER and row.name.startswith("AES"):
            aad = typed_aad({"n": str(source.random())})
            blob = loaded.encrypt(algorithm, Sensitive(text), aad)
            assert loaded.decrypt(algorithm, blob, aad).reveal() == text, "decrypted to another text"
        elif purpose is Purpose.CIPHER:
            oaep = ALGORITHMS["RSA_OAEP_SHA1"]
            blob = loaded.encrypt(oaep, Sensitive(text[:64]), b"\0")
            assert loaded.decrypt(oaep, blob, b"\0").reveal() == text[:64], "decrypted to another text"
        elif purpose is Purpose.SIGNATURE:
            signature = loaded.sign(algorithm, text, MessageForm.RAW)
            assert loaded.verify(algorithm, text, signature, MessageForm.RAW), "a signature does not verify"
        elif purpose is Purpose.MAC:
            assert loaded.verify_mac(algorithm, text, loaded.mac(algorithm, text)), "a MAC is not the same twice"
        else:
            peer = self.provider_peer(spec)
            with self._lock:
                self.n_objects += 2
            assert loaded.agree(algorithm, peer).reveal() == loaded.agree(algorithm, peer).reveal()

    def provider_peer(self, spec: str) -> bytes:
        with self._lock:
            return next(made.public_key for other, made, _ in self.kept.values() if other == spec)

    def act(self, source: random.Random) -> str:
        chance = source.random()
        if chance < USES:
            with self._lock:
                spec, _, loaded = source.choice(self.lasting)
            self.use(spec, loaded, source)
            return f"use {spec}"
        if chance < MAKES:
            self.make(source.choice(FRESH))
            return "make"
        with self._lock:
            fresh = [name for name in self.kept if name not in self.first]
            name = source.choice(fresh) if fresh else None
        if name:
            self.destroy(name)
        return "destroy"

    def work(self, seed: int) -> None:
        source = random.Random(seed)
        while not self._over.is_set():
            began = time.monotonic()
            try:
                what = self.act(source)
            except Unavailable as error:
                with self._lock:
                    self.n_unavailable += 1
                    if began > self.away_until + SETTLES_IN:
                        self.errors.append(f"unavailable while it was there: {error}")
                self._over.wait(0.01)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
                with self._lock:
                    self.errors.append(f"{type(error).__name__}: {error}")
            else:
                with self._lock:
                    self.acts[what] += 1

    def remove(self, every: float, for_: float) -> None:
        while not self._over.wait(every):
            self.away_until = float("inf")
            with softhsm.Removed():
                self.n_removals += 1
                time.sleep(for_)
            until(lambda: not self.token.trouble or self._over.is_set(), "it does not come back")
            self.away_until = time.monotonic()

    # --- the whole

    def run(
        self,
        seconds: float,
        threads: int = 8,
        *,
        away_every: float = 0.0,
        away_for: float = 0.5,
        faults: Faults | None = None,
        enough: Callable[[Run], bool] = lambda _: True,
    ) -> Report:
        """For so long, and on until there is `enough`."""
        for spec in FIRST:
            self.make(spec)
        self.first, self.lasting = set(self.kept), list(self.kept.values())
        self.token.close()
        with Sessions() as sessions:
            workers = [
                threading.Thread(target=self.work, args=(self.random.randrange(1 << 32),)) for _ in range(threads)
            ]
            if away_every:
                workers.append(threading.Thread(target=self.remove, args=(away_every, away_for)))
            began = time.monotonic()
            with faults or nullcontext():
                self.away_until = float("inf") if faults else self.away_until  # any act may be cut short
                for worker in workers:
                    worker.start()
                time.sleep(seconds / 4)
                early = resident()
                time.sleep(seconds * 3 / 4)
                until(lambda: self.errors or enough(self), lambda: (self.acts, self.errors[:5]))
                self._over.set()
                for worker in workers:
                    worker.join()
            took, late = time.monotonic() - began, resident()
            lost, left = self.looked_after()
            self.token.close()
            return Report(
                took,
                dict(self.acts),
                self.n_unavailable,
                self.errors[:20],
                lost,
                left,
                sessions.n,
                (early, late),
                self.n_removals,
                self.n_objects,
            )

    def looked_after(self) -> tuple[list[str], int]:
        """(acknowledged keys that are lost, objects that nobody knows)"""
        time.sleep(max(0.0, self.token._not_before - time.monotonic()))
        lost = []
        for name in self.untold:
            until(partial(self.is_settled, self.provider.destroy, name), name, every=0.1)
        for name, (spec, made, _) in self.kept.items():
            try:
                loaded = self.provider.load(KEY_SPECS[spec], made.material, key_id=KEY_ID, version=1)
                until(partial(self.is_settled, self.use, spec, loaded, self.random), every=0.1)
            except Exception as error:  # noqa: BLE001 - whatever it is, the key does not work
                lost.append(f"{spec} {name}: {error}")
        labels = (LABEL, CBC, BESIDE)
        there = {one.id.hex() for label in labels for one in self.token.names({Cka.TOKEN: True, Cka.LABEL: label})}
        lost += [f"destroyed and there: {name}" for name in self.gone & there]
        return lost, len(there - set(self.kept))

    @staticmethod
    def is_settled(act: Callable[..., object], *args: object) -> bool:
        """Whether it is done. How often a module is started anew to look is rationed by how long that takes (Views)."""
        try:
            act(*args)
        except Unavailable:
            return False
        return True


def resident() -> int:
    """KiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024
