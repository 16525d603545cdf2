"""What the core needs of the outside, as Protocols. Adapters implement; nothing here is imported up.

Five ports reach the world (Clock, Entropy, Store, Slot, Net), each with a fake that a seed can drive
(tests/fakes.py); Seal is what opens the root. What does cryptography with a key is core.providers.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from keystead.core.entities import Kind
from keystead.core.keystores import Trouble
from keystead.core.sensitive import Sensitive

NEAR, FAR = "near", "far"
HSM = "hsm:"


@cache
def place_of(hsm: str) -> str:
    """Where whoever waits for that HSM waits, one of the configuration; "": for anybody else outside."""
    return f"{HSM}{hsm}" if hsm else FAR


class WouldBlock(Exception):  # not an error of the caller's: the listener runs the request again on a thread
    """The act would block, and nothing has been done yet."""

    where = NEAR
    """The threads that it is to wait for: NEAR, FAR, or HSM and a name of the configuration; and in whose turn."""

    def __init__(self, tenant: str = "") -> None:
        self.tenant = tenant


class WouldWait(
    WouldBlock
):  # the same; somebody outside is to be asked, so it gets a thread of those that may be kept waiting
    """The act would wait for another machine. `hsm`: its name in the configuration, where it is an HSM."""

    def __init__(self, hsm: str = "", tenant: str = "") -> None:
        self.tenant, self.where = tenant, place_of(hsm)


class Stale(Exception):
    """Something the decision rested on has changed since it was read. Read again and decide again."""


NOT_ASKED = "not asked"
"""Detail of Unavailable: whoever was to be asked is known to be away, and was asked nothing."""


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
    """One sealed row. The AAD of `sealed` is every other field (service.rows)."""

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

    def nodes(self, *, after: tuple[int, int] = (-1, 0), limit: int = 1000) -> list[tuple[int, int, bytes]]:
        """(level, index, sealed node), by level and index ascending, those behind `after`."""
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
    wears: bool  # it takes only so many writes in its life: destructions share one (service.replacing)
    may_hang: bool  # a call may not come back; one that does when nobody waits for it any more has done no harm

    def generations(self) -> frozenset[str]:
        """What is held. Raises Unavailable where the slot cannot be looked at."""
        ...

    def is_short(self) -> bool:
        """Whether it keeps no room for one generation more: the next destruction may be refused. Raises Unavailable."""
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

    def retire(self, keep: str | None, shown: frozenset[str] | None = None) -> None:
        """Erase every generation but `keep`; None: every one. `shown`: of those alone, as `generations` told them.

        So what is done late, when others have staged meanwhile, erases nothing that is needed. Raises Unavailable, and
        Internal, with nothing erased, where `keep` is not held.
        """
        ...


class Seal(Protocol):
    """Opens the unseal key U. `kind` is its name in the configuration."""

    kind: str

    def open(self, offered: Sequence[Sensitive]) -> Sensitive:
        """U, from what the operator offers (a passphrase, shares, nothing). Raises Unauthenticated."""
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
    plain: bool = False  # it may be asked without TLS, by http://: what it says is signed


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
        coded body is taken, and no connection is shared with requests on other `terms`. http:// is for hosts that may
        be asked so (`terms`). Raises Unreached.
        """
        ...

    def close(self) -> None: ...
