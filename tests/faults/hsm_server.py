"""A real server whose keys are in a token, clients at its AWS door, and the token taken away and put back under them.

What must hold: an answer to every request; while the token is there, that of a server that is well; while it is away,
DependencyTimeoutException and no other error; and every key whose making was acknowledged works when it is over.
"""

from __future__ import annotations

import random
import threading
import time
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct
from tests import softhsm
from tests.servers import serving
from tests.waiting import PATIENCE, until
from tests.wireclient import WireClient

AWAY = {"DependencyTimeoutException"}
SETTLES_IN = 3.0  # seconds after a token was put back, within which it may still be unavailable
PAUSED_FOR = 2.5  # times as long as it was away: who was refused again and again asks later each time (PAUSES)
SPECS = (
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    ("ECC_NIST_P256", "SIGN_VERIFY"),
    ("RSA_2048", "SIGN_VERIFY"),
    ("HMAC_256", "GENERATE_VERIFY_MAC"),
)


class Report(Struct):
    acts: dict[str, int]
    away: int  # answers that it is unavailable
    errors: list[str]
    lost: list[str]
    n_made: int
    removals: int

    @property
    def is_well(self) -> bool:
        return not (self.errors or self.lost)


class Away(Exception):
    """The answer was that it is unavailable, or an error that is on record."""


class Load:
    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self.keys: list[tuple[str, str]] = []  # (usage, id) of every key that was acknowledged
        self.acts: Counter[str] = Counter()
        self.errors: list[str] = []
        self.n_away, self.away_until, self.n_removals = 0, 0.0, 0
        self.over, self._lock = threading.Event(), threading.Lock()

    def make(self, wire: WireClient, spec: str, usage: str) -> None:
        answer = wire.call("CreateKey", KeySpec=spec, KeyUsage=usage)
        if self.well(answer, time.monotonic()):
            with self._lock:
                self.keys.append((usage, answer.body["KeyMetadata"]["KeyId"]))

    def well(self, answer, began: float) -> bool:
        if answer.status == 200:
            return True
        with self._lock:
            if answer.error in AWAY and began <= self.away_until + SETTLES_IN:
                self.n_away += 1
            else:
                self.errors.append(f"{answer.status} {answer.body}")
        return False

    def use(self, wire: WireClient, usage: str, key: str, text: bytes) -> bool:
        """Whether the key answered, and rightly."""
        try:
            return self.right(self.answers(wire, usage, key, text))
        except Away:
            return False

    def answers(self, wire: WireClient, usage: str, key: str, text: bytes) -> bool:
        data = b64encode(text).decode()

        def ask(operation: str, **members: str) -> dict[str, Any]:
            began = time.monotonic()
            answer = wire.call(operation, KeyId=key, **members)
            if not self.well(answer, began):
                raise Away
            return answer.body

        if usage == "ENCRYPT_DECRYPT":
            blob = ask("Encrypt", Plaintext=data)["CiphertextBlob"]
            return b64decode(ask("Decrypt", CiphertextBlob=blob)["Plaintext"]) == text
        if usage == "SIGN_VERIFY":
            algorithm = ask("GetPublicKey")["SigningAlgorithms"][0]
            signature = ask("Sign", Message=data, SigningAlgorithm=algorithm)["Signature"]
            return ask("Verify", Message=data, Signature=signature, SigningAlgorithm=algorithm)["SignatureValid"]
        tag = ask("GenerateMac", Message=data, MacAlgorithm="HMAC_SHA_256")["Mac"]
        return ask("VerifyMac", Message=data, Mac=tag, MacAlgorithm="HMAC_SHA_256")["MacValid"]

    def right(self, is_right: bool) -> bool:
        if not is_right:
            with self._lock:
                self.errors.append("a wrong answer")
        return is_right

    def work(self, seed: int) -> None:
        source, wire = random.Random(seed), WireClient.administrator(self._environment)
        while not self.over.is_set():
            try:
                if source.random() < 0.03:
                    self.make(wire, *source.choice(SPECS))
                    what = "CreateKey"
                else:
                    with self._lock:
                        usage, key = source.choice(self.keys)
                    self.use(wire, usage, key, source.randbytes(source.choice((1, 32, 4000))))
                    what = usage
                with self._lock:
                    self.acts[what] += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, no request may end without an answer
                with self._lock:
                    self.errors.append(f"{type(error).__name__}: {error}")
                wire.close()
                wire = WireClient.administrator(self._environment)
        wire.close()

    def lost(self, wire: WireClient) -> list[str]:
        """Keys that do not work, though their token has come back."""
        self.away_until = time.monotonic() + PATIENCE  # on a busy machine it settles late
        found = []
        for usage, key in self.keys:
            try:
                until(partial(self.use, wire, usage, key, b"after"), every=0.1)
            except AssertionError:
                found.append(key)
        return found

    def remove(self, every: float, for_: float) -> int:
        n = 0
        while not self.over.wait(every):
            self.away_until, n = float("inf"), n + 1
            self.n_removals = n
            began = time.monotonic()
            with softhsm.Removed():
                time.sleep(for_)
            self.away_until = time.monotonic() + PAUSED_FOR * (time.monotonic() - began)
        return n


def run(
    directory: Path,
    seconds: float,
    *,
    seed: int = 1,
    clients: int = 8,
    away_every: float = 2.0,
    enough: Callable[[Load], bool] = lambda _: True,
) -> Report:
    """For so long, and on until there is `enough`."""
    label = softhsm.new_token()
    with serving("dev", directory):
        pass
    (directory / "pin").write_text(softhsm.PIN)
    text = (directory / "keystead.toml").read_text()
    hsm = f'module = "{softhsm.module()}", token = "{label}", pin = "file:{directory}/pin"'
    (directory / "keystead.toml").write_text(f'protect_in = "token"\nhsms = {{ token = {{ {hsm} }} }}\n{text}')
    with serving("dev", directory, "--workers", "2") as server:
        load = Load(server("env", "aws", "--json").json)
        first = WireClient.administrator(load._environment)
        for spec in SPECS:
            load.make(first, *spec)
        threads = [threading.Thread(target=load.work, args=(seed + n,)) for n in range(clients)]
        threads.append(threading.Thread(target=load.remove, args=(away_every, 0.5)))
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        until(lambda: load.errors or enough(load), lambda: (load.acts, load.errors[:5]))
        load.over.set()
        for thread in threads:
            thread.join()
        time.sleep(SETTLES_IN)
        after = WireClient.administrator(load._environment)
        lost = load.lost(after)
        for wire in (first, after):
            wire.close()
        return Report(dict(load.acts), load.n_away, load.errors[:20], lost, len(load.keys), load.n_removals)
