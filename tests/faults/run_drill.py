"""The restore drill: `make drill`, or `python -m tests.faults.run_drill --seconds 20 --seed 1`.

An installation with a passphrase, two workers and its slot in two places is written to while it is backed up. Then a
key is destroyed and another disabled, and the machine is lost: what is left is what operations.md says to keep
elsewhere (the backup, the copy of the key tree, seal.json, keystead.toml, the audit log and one copy of the slot). On
an empty directory, with these, it is restored and served. Every key that was acknowledged before the backup began
opens what it had encrypted, but for the destroyed one, which does not, and the disabled one, which does once it is
enabled; and the audit log and the proof of destruction hold.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
from base64 import b64encode
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from tests import waiting
from tests.servers import Done, Serving, keystead, serving
from tests.wireclient import WireClient

from keystead.app.library import Keystead
from keystead.core import operations as ops
from keystead.core.entities import Key, KeyVersion
from keystead.core.sensitive import Sensitive
from keystead.core.states import Event
from keystead.service.barrier import Commit

N_WRITERS, REGION = 2, "us-east-1"
N_LEAST = 3  # keys that there have to be when the backup begins


class Made(Struct, frozen=True):
    """Acknowledged: a key, and what it has encrypted."""

    key_id: str
    plaintext: bytes
    ciphertext: str


class Drilled(Struct, frozen=True, kw_only=True):
    n_before: int  # keys acknowledged before the backup began
    n_after: int
    n_opened: int
    restore_took: float  # seconds, from an empty directory to an answer


class Writers:
    """Make keys and use them until they are told to stop."""

    def __init__(self, server: Serving, access_key: tuple[str, str], seed: int) -> None:
        self.made: list[Made] = []
        self._stop = threading.Event()
        self._failed: list[Exception] = []
        address = server.running["listen"]["aws"]
        self._threads = [
            threading.Thread(target=self._write, args=(WireClient(address, *access_key), random.Random(seed + n)))
            for n in range(N_WRITERS)
        ]
        for thread in self._threads:
            thread.start()

    def _write(self, client: WireClient, chance: random.Random) -> None:
        try:
            while not self._stop.is_set():
                key_id = client.call("CreateKey").body["KeyMetadata"]["KeyId"]
                for _ in range(chance.randint(1, 3)):
                    text = chance.randbytes(chance.randint(1, 100))
                    sealed = client.call("Encrypt", KeyId=key_id, Plaintext=text).body["CiphertextBlob"]
                self.made.append(Made(key_id, text, sealed))
        except Exception as error:  # noqa: BLE001 - whatever it was, the drill has failed, and says so
            self._failed.append(error)
        finally:
            client.close()

    def until(self, n: int) -> None:
        """Until so many are made. Raises AssertionError."""
        waiting.until(lambda: len(self.made) >= n or self._failed, lambda: len(self.made), every=0.01)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert not self._failed, self._failed


def well(done: Done) -> Done:
    assert done.status == 0, (done.out, done.err)
    return done


def destroy_and_disable(site: Path, passphrase: Path, key_id: str, other: str) -> None:
    """The first as the scheduler does once an appointment has come."""
    with Keystead(site, (Sensitive(passphrase.read_bytes().strip()),)) as ks:
        barrier = ks._core.barrier
        key, version = barrier.get(Key, key_id), barrier.get(KeyVersion, f"{key_id}/1")
        assert key is not None and version is not None
        gone = key.lifecycle.after(Event.DESTROY, ks._core.clock.now())
        barrier.commit(Commit(put=(replace(key, lifecycle=gone),), destroy=(version,)))
        (address,) = ks.perform(ops.LocateKey(key_id=other)).namespaces
        ks.perform(ops.DisableKey(key=ops.KeyRef(address, id=other)))


def drill(at: Path, *, seconds: float, seed: int) -> Drilled:
    """Raises AssertionError where something does not hold."""
    first, second, vault = at / "first", at / "second", at / "vault"  # the vault is on another machine
    vault.mkdir()
    secret = at / "passphrase"
    secret.write_text("a passphrase for the drill\n")
    by = ("--unseal", f"file:{secret}")
    slots = ("--slot", first / "slot", "--slot", vault / "slot", "--tree-copy", vault / "tree")
    asked = ("init", first, "--region", REGION, "--seal", "passphrase", "--passphrase", f"file:{secret}", *slots)
    access = well(keystead(*asked, "--json")).json
    access_key = access["access_key_id"], access["secret_access_key"]
    with serving("serve", first, "--workers", "2", *by) as server:
        writers = Writers(server, access_key, seed)
        time.sleep(seconds / 2)
        writers.until(N_LEAST)
        before = list(writers.made)
        assert len(before) >= N_LEAST
        well(server("backup", vault / "backup"))
        time.sleep(seconds / 2)
        writers.until(len(before) + 1)
        writers.stop()
        n_after = len(writers.made) - len(before)
    gone, shut = before[seed % len(before)], before[(seed + 1) % len(before)]
    destroy_and_disable(first, secret, gone.key_id, shut.key_id)
    shutil.copytree(first / "audit", vault / "audit")

    began = time.monotonic()
    for directory in (second, second / "slot"):
        directory.mkdir(mode=0o700)
    for name in ("seal.json", "keystead.toml"):
        (second / name).write_bytes((first / name).read_bytes())
    settings = (second / "keystead.toml").read_text().replace(str(first), str(second))
    (second / "keystead.toml").write_text(settings)
    for name in ("seal.json", "keystead.toml"):
        (second / name).chmod(0o600)
    shutil.copytree(vault / "audit", second / "audit")
    first.rename(at / "lost")
    came = well(keystead("restore", vault / "backup", "--tree", vault / "tree", "--data", second, *by, "--json")).json
    assert (came["destroyed"], came["suspended"]) == ([f"{gone.key_id}/1"], [shut.key_id])
    with serving("serve", second, *by) as server:
        client = WireClient(server.running["listen"]["aws"], *access_key)
        opened = [one for one in before if _opens(client, one)]
        took = time.monotonic() - began
        assert {one.key_id for one in opened} == {one.key_id for one in before} - {gone.key_id, shut.key_id}
        assert client.call("Decrypt", CiphertextBlob=gone.ciphertext).error in {
            "NotFoundException",
            "AccessDeniedException",
        }
        assert client.call("Decrypt", CiphertextBlob=shut.ciphertext).error == "DisabledException"
        assert client.call("EnableKey", KeyId=shut.key_id).status == 200
        assert _opens(client, shut)
        opened.append(shut)
        assert client.call("CreateKey").status == 200
        client.close()
    well(keystead("audit", "verify", second))
    proof = well(keystead("prove", "destroyed", vault / "backup", "--data", second, *by, "--json")).json
    assert proof["holds"] and proof["survivors_lost"] == []
    return Drilled(n_before=len(before), n_after=n_after, n_opened=len(opened), restore_took=took)


def _opens(client: WireClient, one: Made) -> bool:
    answer = client.call("Decrypt", CiphertextBlob=one.ciphertext)
    return answer.status == 200 and answer.body["Plaintext"] == b64encode(one.plaintext).decode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="keystead-drill-") as directory:
        done = drill(Path(directory), seconds=given.seconds, seed=given.seed)
    print(
        f"{done.n_before:,} keys before the backup began, {done.n_after:,} made after; one destroyed and one disabled "
        f"since, {done.n_opened:,} opened; from an empty directory to the last answer in {done.restore_took:.1f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
