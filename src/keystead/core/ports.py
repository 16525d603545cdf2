"""What the core needs of the outside, as Protocols. Adapters implement; nothing here is imported up.

Five ports reach the world (Clock, Entropy, Store, Slot, Net), each with a fake that a seed can drive
(tests/fakes.py). Provider and Loaded are what does cryptography; Seal is what opens the root.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from keystead.core.algorithms import Algorithm, KeySpec, MessageForm
from keystead.core.caller import Caller
from keystead.core.detached import Detached
from keystead.core.entities import Key, Kind
from keystead.core.keystores import KeyStore, Moment, Trouble, failed
from keystead.core.operations.schemes import Scheme
from keystead.core.sensitive import Sensitive

NEAR, FAR = "near", "far"
HSM = "hsm:"


class WouldBlock(Exception):  # not an error of the caller's: the listener runs the request again on a thread
    """The act would block, and nothing has been done yet."""

    where, tenant = NEAR, ""
    """The threads that it is to wait for: NEAR, FAR, or HSM and a name of the configuration; and for whom."""


class WouldWait(
    WouldBlock
):  # the same; somebody outside is to be asked, so it gets a thread of those that may be kept waiting
    """The act would wait for another machine. `hsm`: its name in the configuration, where it is an HSM."""

    def __init__(self, hsm: str = "", tenant: str = "") -> None:
        super().__init__()
        self.where, self.tenant = f"{HSM}{hsm}" if hsm else FAR, tenant


class Stale(Exception):
    """Something the decision rested on has changed since it was read. Read again and decide again."""


# --- time, entropy


class Clock(Protocol):
    def now(self) -> datetime:
        """The time of day, UTC, aware. Read once per request or batch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...


class Entropy(Protocol):
    def __call__(self, n: int, /) -> bytes:
        """`n` unpredictable bytes."""
        ...


KERNEL = "kernel"
"""The operating system's generator, as KeyVersion.entropy names it."""


class KeyEntropy(Protocol):
    """What keying material is drawn from."""

    is_required: bool  # no key is made without hardware's part in it

    def draw(self, n: int, /) -> tuple[bytes, str]:
        """`n` bytes, and what they were drawn from (KeyVersion.entropy). May wait: never on the event loop.

        Raises Unavailable where hardware must have a part in it and has none to give.
        """
        ...


class KernelEntropy:
    """KeyEntropy where there is no hardware: the kernel's generator, or whatever stands for it."""

    is_required = False

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy

    def draw(self, n: int, /) -> tuple[bytes, str]:
        return self._entropy(n), KERNEL


# --- store: sealed rows in, sealed rows out


class Row(Struct, frozen=True):
    """One sealed row. The AAD of `sealed` is every other field (service.barrier)."""

    kind: Kind
    id: str
    parent: str
    link: str
    revision: int
    epoch: int
    sealed: bytes


class Reader(Protocol):
    def get(self, kind: Kind, id: str) -> Row | None: ...

    def children(self, kind: Kind, parent: str, *, after: str = "", limit: int = 1000) -> list[Row]:
        """Rows of `kind` whose parent it is, by id ascending, ids greater than `after`."""
        ...

    def linked(self, kind: Kind, link: str, *, after: str = "", limit: int = 1000) -> list[Row]: ...

    def every(self, kind: Kind, *, after: str = "", limit: int = 1000) -> list[Row]: ...

    def node(self, level: int, index: int) -> bytes | None:
        """A sealed node of the key tree."""
        ...

    def count(self, kind: Kind) -> int: ...

    def meta(self, name: str) -> bytes | None: ...

    def changes(self, after: int) -> tuple[int, list[tuple[Kind, str]] | None]:
        """(newest change number, what changed after `after`); None: too long ago, forget everything."""
        ...

    def records(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Audit records of changes with a number greater than `after`, ascending, without gaps."""
        ...


class Transaction(Reader, Protocol):
    """The one writer. What it reads, it reads under the write lock."""

    def attempt(self) -> AbstractContextManager[None]:
        """A part of it: undone if the block raises, and the transaction goes on. Not within another one."""
        ...

    def put(self, row: Row) -> None: ...
    def delete(self, kind: Kind, id: str) -> None: ...
    def put_node(self, level: int, index: int, sealed: bytes) -> None: ...
    def put_meta(self, name: str, value: bytes) -> None: ...
    def record(self, record: bytes) -> int:
        """Append an audit record; its number, one greater than the one before."""
        ...

    def drop_records(self, through: int) -> None:
        """Forget records that the sequencer has made durable in the log."""
        ...


class Store(Reader, Protocol):
    """Safe to use from any thread. Reads see the last commit."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Durable when the block ends; nothing of it happened when the block raises.

        Raises Unavailable if the store cannot take it (disk full, I/O error, locked too long).
        """
        ...

    def backup(self, path: Path) -> None:
        """A consistent copy of everything into one new file, while others write."""
        ...

    def close(self) -> None: ...


# --- store: files that are only ever added to (the audit journal and log)


class File(Protocol):
    """An open file. Every method raises OSError as the system gave it; what it means is the caller's to say."""

    def read(self, offset: int, n: int) -> bytes:
        """Up to `n` bytes; fewer only at the end of the file."""
        ...

    def write(self, offset: int, data: Sequence[bytes]) -> None:
        """All of it, one part after the other; durable after `sync`."""
        ...

    def write_durably(self, offset: int, data: Sequence[bytes]) -> None:
        """All of it, within bytes that exist already; durable on return."""
        ...

    def fill(self, n: int) -> None:
        """Make the file `n` zero bytes, with their space really taken; durable on return."""
        ...

    def truncate(self, size: int) -> None: ...
    def size(self) -> int: ...
    def sync(self) -> None:
        """Contents and size are durable on return; the file's name is after Disk.sync of its directory."""
        ...

    def lock(self) -> bool:
        """Hold the file until it is closed or the process ends, however it ends; False if another holds it."""
        ...

    def close(self) -> None: ...


class Disk(Protocol):
    """Directories and files (mode 0700 and 0600). Raises OSError. Safe to use from any thread."""

    def make_directory(self, path: Path) -> None:
        """The directory and what is above it, durably; no matter if it exists."""
        ...

    def names(self, directory: Path) -> list[str]:
        """What is in the directory, sorted. Raises FileNotFoundError."""
        ...

    def open(self, path: Path, *, create: bool = False, write: bool = True) -> File:
        """Raises FileNotFoundError unless `create`."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Within one directory, replacing what is there."""
        ...

    def remove(self, path: Path) -> None: ...
    def sync(self, directory: Path) -> None:
        """Make names added, replaced and removed durable."""
        ...


# --- slot: the erasable secret outside the database


class Slot(Protocol):
    """A place outside the database that holds one erasable secret, or two while a destruction is under way.

    The slot makes its secrets, and one of an HSM never leaves it. Each is a generation, with a name that no other has.
    Where an installation has several slots, any one of them opens its root (service.slots).
    """

    name: str  # as the configuration and the root have it: "file", "pkcs11:NAME", "tpm"
    wears: bool  # it takes only so many writes in its life: destructions share one (service.barrier)

    def generations(self) -> frozenset[str]:
        """What is held. Raises Unavailable where the slot cannot be looked at."""
        ...

    def give(self, generation: str, challenge: Sensitive) -> Sensitive | None:
        """What of that secret goes into the wrapping key (service.root): 32 bytes that are the same every time.

        `challenge`: 32 bytes derived from U; an HSM answers it with a MAC under its secret. None: it is not held.
        Raises Unavailable.
        """
        ...

    def stage(self, challenge: Sensitive) -> str:
        """Durably hold a new secret beside what is there; its generation. Raises Unavailable."""
        ...

    def retire(self, keep: str | None) -> None:
        """Erase every generation but `keep`; None: every one.

        Raises Unavailable, and Internal, with nothing erased, where `keep` is not held.
        """
        ...


class Seal(Protocol):
    """Opens the unseal key U. `kind` is its name in the configuration."""

    kind: str

    def open(self, offered: Sequence[Sensitive]) -> Sensitive:
        """U, from what the operator offers (a passphrase, shares, nothing). Raises Unauthenticated."""
        ...


# --- providers: cryptography with a key

NOT_ASKED = "not asked"
"""Detail of Unavailable: whoever was to be asked is known to be away, and was asked nothing."""


class Generated(Struct, frozen=True):
    """`material` of an HSM's key is a handle: what opens nothing without the HSM that it is of."""

    material: Sensitive
    public_key: bytes = b""  # DER SubjectPublicKeyInfo
    entropy: str = ""  # what it was drawn from; "": it was not made here


class Loaded(Protocol):
    """One key version, loaded and ready. A method that its key spec lacks raises WrongUsage."""

    def encrypt(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> bytes:
        """AES keys: the ciphertext format v1 (core.envelope), `aad` as typed bytes. RSA: the raw OAEP ciphertext."""
        ...

    def encrypt_convergent(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> bytes:
        """AES keys only: the one ciphertext that this plaintext has under this key and `aad`."""
        ...

    def decrypt(self, algorithm: Algorithm, ciphertext: bytes, aad: bytes) -> Sensitive:
        """Raises DecryptionFailed, for every reason alike."""
        ...

    def encrypt_detached(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> Detached:
        """AES keys only; `aad` as it is, at most 65535 bytes (core.detached)."""
        ...

    def decrypt_detached(self, algorithm: Algorithm, parts: Detached, aad: bytes) -> Sensitive:
        """Raises DecryptionFailed, for every reason alike."""
        ...

    def sign(self, algorithm: Algorithm, message: bytes, form: MessageForm) -> bytes:
        """ECDSA: DER. Raises InvalidArgument (Algorithm.check_form)."""
        ...

    def verify(self, algorithm: Algorithm, message: bytes, signature: bytes, form: MessageForm) -> bool: ...

    def mac(self, algorithm: Algorithm, message: bytes) -> bytes: ...

    def verify_mac(self, algorithm: Algorithm, message: bytes, tag: bytes) -> bool: ...

    def sign_as(self, scheme: Scheme, message: bytes, form: MessageForm) -> bytes:
        """Raises InvalidArgument (detail "form", "salt"), WrongUsage."""
        ...

    def verify_as(self, scheme: Scheme, message: bytes, signature: bytes, form: MessageForm) -> bool: ...

    def mac_as(self, digest: str, message: bytes) -> bytes:
        """HMAC under an HMAC key, or under a key derived from another key for that alone (docs/adr/0020)."""
        ...

    def verify_mac_as(self, digest: str, message: bytes, tag: bytes) -> bool: ...

    def request_certificate(self, template: bytes) -> bytes:
        """DER (RFC 2986), like the template. Raises InvalidArgument (detail ops.BAD_REQUEST), WrongUsage."""
        ...

    def agree(self, algorithm: Algorithm, peer_public_key: bytes) -> Sensitive: ...

    def encapsulate(self, algorithm: Algorithm) -> tuple[Sensitive, bytes]:
        """(shared secret, ciphertext)"""
        ...

    def decapsulate(self, algorithm: Algorithm, ciphertext: bytes) -> Sensitive: ...


class Provider(Protocol):
    """Software, PKCS#11, an external KMS: makes and loads keys.

    `name` (docs/adr/0034): what an HSM is to call the object that it makes, 32 hexadecimal digits (CKA_ID), never used
    twice; so what it has made can be erased although no answer came. Software has no objects, and no use for it. An
    HSM that cannot be reached raises Unavailable, whatever was asked.
    """

    def offers(self, spec: KeySpec) -> frozenset[str]:
        """Names of the algorithms (core.algorithms) that a key of that spec, made or registered here, is used with.

        Empty: no such key. Never called on the event loop.
        """
        ...

    def generate(self, spec: KeySpec, name: str = "") -> Generated:
        """May take a second (RSA): never called on the event loop. Raises Unsupported."""
        ...

    def register(self, spec: KeySpec, material: Sensitive, name: str = "") -> Generated:
        """Somebody else's keying material: examined in full (weak keys refused), written our way.

        An HSM gets it as software writes it, and examines nothing. Raises InvalidArgument, Unsupported. As slow as an
        RSA primality test.
        """
        ...

    def adopt(self, specs: Sequence[KeySpec], label: str, its_id: bytes, *, make: bool) -> tuple[KeySpec, Generated]:
        """A key pair in the HSM that somebody else has named, and which of `specs` it is; it is never erased by us.

        `make`: where there is none of that label, and there is one spec alone. Raises NotFound (detail "key_label"),
        Conflict (several are called so), InvalidArgument (it is none of them), Unsupported in software.
        """
        ...

    def destroy(self, name: str) -> None:
        """Erase every object of that name; returns when none is there any more. Nothing in software."""
        ...

    def facts(self, spec: KeySpec, material: Sensitive) -> Mapping[str, str]:
        """What can be proved of where a version is held, in words for an attestation: asked of the HSM just now."""
        ...

    def register_public(self, spec: KeySpec, material: Sensitive) -> Generated:
        """Somebody else's public key (DER SubjectPublicKeyInfo) as the material of a version without its private half,
        as we write it. Raises InvalidArgument, Unsupported.
        """
        ...

    def export(self, spec: KeySpec, material: Sensitive) -> Sensitive:
        """Material in the form that others read (core.operations.terms.Exported). Raises Unsupported."""
        ...

    def mac_key(self, spec: KeySpec, material: Sensitive) -> Sensitive:
        """What Loaded.mac_as takes."""
        ...

    def load(self, spec: KeySpec, material: Sensitive, *, key_id: str, version: int) -> Loaded: ...

    def load_public(self, spec: KeySpec, public_key: bytes) -> Loaded:
        """What came by register_public. What needs the private half raises WrongState (Breach.NO_PRIVATE_HALF)."""
        ...


class KeyStores(Protocol):
    """Key stores outside, asked over the network: never on the event loop. Safe to use from any thread.

    Every method raises what core.keystores.failed makes, within the time that the protocol allows. `caller`: who
    the request behind it comes from, for the store's own log and decision.
    """

    def check(self, store: KeyStore, caller: Caller) -> None:
        """Return if it is there, knows us, and can serve."""
        ...

    def examine(self, store: KeyStore, name: str, caller: Caller) -> None:
        """Return if the key of that name is there, and fit to be the other half of one of ours."""
        ...

    def load(self, store: KeyStore, key: Key, ours: Loaded, caller: Caller, *, version: int) -> Loaded:
        """`key` for one request: its ciphertexts are made by `ours`, and then by the store (core.doubled)."""
        ...

    def close(self) -> None: ...


class Clusters(Protocol):
    """HSMs that key stores can be: never on the event loop. Safe to use from any thread."""

    def find(self, id: str) -> str:
        """The HSM that this is the cluster id of. Raises NotFound; Unavailable where one that may be it is away."""
        ...

    def check(self, hsm: str, password: Sensitive) -> None:
        """Return if it is there, and that is the password of its user. Raises what core.keystores.failed makes."""
        ...

    def is_at(self, hsm: str, *, label: str, slot: str) -> bool:
        """Whether its token has that label and that slot (a number in decimal); "" is any. Raises Unavailable."""
        ...

    def random(self, hsm: str, n: int) -> Sensitive:
        """`n` bytes of its generator's. Raises Unavailable."""
        ...


class NoKeyStores:
    """KeyStores where there is no way out: no store can be reached."""

    def check(self, store: KeyStore, caller: Caller) -> None:  # noqa: ARG002 - whichever it is
        raise failed(Trouble.UNREACHABLE, Moment.SET_UP)

    def examine(self, store: KeyStore, name: str, caller: Caller) -> None:  # noqa: ARG002 - whichever it is
        raise failed(Trouble.UNREACHABLE, Moment.KEY_MADE)

    def load(
        self,
        store: KeyStore,  # noqa: ARG002 - whichever it is
        key: Key,  # noqa: ARG002 - whichever it is
        ours: Loaded,  # noqa: ARG002 - whichever it is
        caller: Caller,  # noqa: ARG002 - whichever it is
        *,
        version: int,  # noqa: ARG002 - whichever it is
    ) -> Loaded:
        raise failed(Trouble.UNREACHABLE, Moment.USE)

    def close(self) -> None:
        """There is nothing to close."""


class Budget(Protocol):
    """What wears out with use, counted among all workers and never given back: a key's nonces (SP 800-38D §8.3)."""

    def spend(self, id: str, n: int, most: int) -> None:
        """`n` more of `most`, durably before they are spent. `id`: "<key id>/<what>". Never called on the event loop.

        Raises WrongState (core.limits.Limit.USES), Unavailable.
        """
        ...


# --- net

Address = tuple[str, int]
"""IP address and port."""


class Unreached(Exception):  # not an error of the caller's: who asked knows what it means for whom
    """No answer; `trouble` says why: UNREACHABLE, INSECURE, LATE or MALFORMED. `words`: more of it, in ours alone."""

    def __init__(self, trouble: Trouble, words: str = "") -> None:
        super().__init__(f"{trouble.value}: {words}" if words else trouble.value)
        self.trouble = trouble


class Terms(Struct, frozen=True, kw_only=True):
    """What the operator's word grants a host that not every host on the internet is granted."""

    private: bool = False  # it may be at an address that is not public
    certificates: Path | None = None  # a PEM file of who may vouch for it; None: the system's authorities
    authorities: str = ""  # the same as PEM text, instead of both
    at: Address | None = None  # where it really is; no name server is asked then


PUBLIC = Terms()


class Net(Protocol):
    """The one way out; the address policy (SSRF) lives in the adapter. Never called on the event loop."""

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        most: int,
        timeout_for: float,
        terms: Terms = PUBLIC,
        once: bool = False,
    ) -> tuple[int, bytes]:
        """(status, body of at most `most` bytes), within `timeout_for` seconds in all.

        It may be made twice, unless `once`: then on a connection of its own.

        `url` is https:// a host in lower case, a port if need be, and a path in ASCII. No redirect is followed, no
        coded body is taken, and no connection is shared with requests on other `terms`. Raises Unreached.
        """
        ...

    def close(self) -> None: ...
