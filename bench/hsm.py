"""What a token of SoftHSM2 does raw through our own binding, to see which share of it whole requests are.

SoftHSM2 takes its time from the CPU that the server runs on. An HSM has processors of its own, at the other end of a
network: away.c stands between, and answers a millisecond later.

    python -m bench.hsm TOKEN MODULE [--sessions 8] [--seconds 4]      prints what it does, in JSON

Threads call the token in a loop, on what a request of the same name asks of it: first one for each core, then one for
each session. The faster way counts: many that want one interpreter are slower than a few, unless they wait. Neither a
key's life nor a request is around it: no HTTP, no signature, no policy, no audit record.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.peers import NotReady
from bench.procs import pinned
from keystead.core.sensitive import Sensitive
from keystead.cryptoki.finding import Where
from keystead.cryptoki.mechanisms import Mechanism
from keystead.cryptoki.recovery import Desk
from keystead.cryptoki.templates import Template
from keystead.cryptoki.token import Token
from keystead.cryptoki.words import Cka, Ckk, Ckm, Cko

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so")
AWAY_US = 1000  # a call over a network takes 300 to 5,000
PIN = "bench-pin"
SESSIONS = 8
ENCRYPT, ECDSA, RSA = "Encrypt 32 B", "Sign ECDSA P-256", "Sign RSA-2048"
P256 = bytes.fromhex("06082a8648ce3d030107")  # DER of its object identifier
BOUND, TEXT = (
    bytes(55),
    bytes(64),
)  # what ciphertext format v3 gives the token (core.inside): 32 bytes of text behind 32
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")  # of SHA-256; RFC 8017 §9.2, note 1
Act = Callable[[Desk], object]


def module() -> str:
    """Raises NotReady where SoftHSM2 is not installed."""
    found = next((path for path in MODULES if Path(path).exists()), None)
    if found is None or shutil.which("softhsm2-util") is None:
        raise NotReady("softhsm2 is not installed (Debian: apt-get install softhsm2)")
    return found


def away(home: Path) -> str:
    """The path of a module that passes on to SoftHSM2, AWAY_US later. Raises NotReady where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise NotReady("there is no C compiler (Debian: apt-get install gcc libc6-dev)")
    made = home / "away.so"
    source = Path(__file__).with_name("away.c")
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(made), str(source), "-ldl"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise NotReady(f"{source.name} does not compile: {done.stderr.decode()[:200]}")
    os.environ |= {"AWAY_MODULE": module(), "AWAY_US": str(AWAY_US)}
    return str(made)


def prepare(home: Path) -> None:
    """Tokens of its own for this process and its children."""
    (home / "tokens").mkdir(parents=True)
    configuration = home / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {home / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ |= {"SOFTHSM2_CONF": str(configuration), "BENCH_PIN": PIN}


def new_token(label: str) -> None:
    words = ["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "bench-so-pin"]
    subprocess.run(["softhsm2-util", *words], check=True, capture_output=True)


def configured(label: str, path: str) -> str:
    """Lines of keystead.toml: new keys are held in that token of the module at `path`, and nowhere else."""
    hsm = f'module = "{path}", token = "{label}", pin = "env:BENCH_PIN", sessions = {SESSIONS}'
    return f'protect_in = "bench"\nhsms = {{ bench = {{ {hsm} }} }}\n'


class Raw(Struct, frozen=True):
    """Operations a second, which others on the core take from, and µs of CPU for each."""

    rps: float
    cpu_us: float


def raw(label: str, path: str, cores: set[int], seconds: float) -> dict[str, Raw]:
    """By operation, in a process of its own on those cores."""
    words = [label, path, "--seconds", str(seconds)]
    with pinned(cores):
        done = subprocess.run([sys.executable, "-m", "bench.hsm", *words], check=True, capture_output=True)
    return msgspec.json.decode(done.stdout, type=dict[str, Raw])


def _acts(token: Token) -> dict[str, Act]:
    """With keys of this session alone."""
    common: Template = {Cka.TOKEN: True, Cka.PRIVATE: True, Cka.SENSITIVE: True, Cka.EXTRACTABLE: False}

    def pair(maker: Ckm, kind: Ckk, public: Template) -> int:
        whole = {Cka.CLASS: Cko.PUBLIC_KEY, Cka.KEY_TYPE: kind, Cka.TOKEN: True, Cka.VERIFY: True, **public}
        private: Template = {Cka.CLASS: Cko.PRIVATE_KEY, Cka.KEY_TYPE: kind, Cka.SIGN: True, **common}
        return token.run(lambda desk: desk.session.generate_pair(Mechanism(maker), whole, private))[1]

    aes_of: Template = {Cka.CLASS: Cko.SECRET_KEY, Cka.KEY_TYPE: Ckk.AES, Cka.VALUE_LEN: 32, Cka.ENCRYPT: True}
    aes = token.run(lambda desk: desk.session.generate(Mechanism(Ckm.AES_KEY_GEN), {**aes_of, **common}))
    ec = pair(Ckm.EC_KEY_PAIR_GEN, Ckk.EC, {Cka.EC_PARAMS: P256})
    rsa_of: Template = {Cka.MODULUS_BITS: 2048, Cka.PUBLIC_EXPONENT: b"\1\0\1"}
    rsa = pair(Ckm.RSA_PKCS_KEY_PAIR_GEN, Ckk.RSA, rsa_of)
    by_ecdsa, by_rsa = Mechanism(Ckm.ECDSA), Mechanism(Ckm.RSA_PKCS)
    return {
        ENCRYPT: lambda desk: desk.session.encrypt(desk.session.gcm.with_(os.urandom(12), BOUND), aes, TEXT),
        ECDSA: lambda desk: desk.session.sign(by_ecdsa, ec, os.urandom(32)),
        RSA: lambda desk: desk.session.sign(by_rsa, rsa, DIGEST_INFO + hashlib.sha256(os.urandom(32)).digest()),
    }


def _best(token: Token, act: Act, sessions: int, seconds: float) -> Raw:
    numbers = {min(len(os.sched_getaffinity(0)), sessions), sessions}
    return max((_raw(token, act, n, seconds / len(numbers)) for n in numbers), key=lambda one: one.rps)


def _raw(token: Token, act: Act, n_threads: int, seconds: float) -> Raw:
    done = [0] * n_threads
    began, cpu = time.monotonic(), time.process_time()

    def loop(which: int) -> None:
        while time.monotonic() - began < seconds:
            token.run(act)
            done[which] += 1

    threads = [threading.Thread(target=loop, args=(which,)) for which in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, cpu = time.monotonic() - began, time.process_time() - cpu
    return Raw(sum(done) / took, cpu * 1e6 / max(1, sum(done)))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("token")
    parser.add_argument("module")
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    at = Where(label=options.token)
    token = Token("bench", options.module, at, lambda: Sensitive(PIN.encode()), sessions=options.sessions)
    acts = _acts(token)
    found = {name: _best(token, act, options.sessions, options.seconds) for name, act in acts.items()}
    token.close()
    sys.stdout.write(msgspec.json.encode(found).decode())


if __name__ == "__main__":
    main()
