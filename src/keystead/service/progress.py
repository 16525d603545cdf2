"""How far the sequencer is: the one small file that says what of the audit log counts.

JSON, a line feed, and HMAC-SHA-256 of the JSON in hexadecimal, under the key of the journals' frames: no frame
begins with a brace. Before that was kept (v 1) it was the JSON alone.
"""

from __future__ import annotations

import contextlib
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from keystead.core.audit.chain import Chain
from keystead.core.audit.frame import START, Position
from keystead.core.audit.merkle import Tree
from keystead.core.errors import Conflict
from keystead.core.keyed import KeyedHash
from keystead.core.ports import Disk, File, Reader
from keystead.service.added import Mark, read_whole, replace_whole

STATE, LOCK = "state", "lock"
BATCH = 10_000


class State(Struct, frozen=True, kw_only=True):
    """All that a restart needs to know."""

    v: int = 2
    size: int = 0
    edge: tuple[bytes, ...] = ()
    segment: int = 0  # number of the first record of the file that grows
    n_bytes: int = 0  # of all records, line feeds included
    marks: dict[str, Mark] = {}  # file, relative to the audit directory
    journals: dict[str, Position] = {}
    since: int = 0  # the size before `journals` was taken: no term of a journal that came since is less
    change: int = 0  # number of the newest change record that is in the log
    change_digest: bytes = b""  # its SHA-256
    chain: bytes = START  # the digest of the chain of change records as far as that one (service.changes)


def load_state(disk: Disk, directory: Path, key: KeyedHash, *, of_before: bool) -> State:
    """The state before anything was done, if there is none. `of_before`: it may be one that is under no key.

    Raises Conflict for one that cannot be read, or is not ours.
    """
    data = read_whole(disk, directory / STATE)
    if data is None:
        return State()
    told, is_tagged, tag = data.rpartition(b"\n")
    is_ours = key.matches(told, _unhex(tag)) if is_tagged else of_before
    with contextlib.suppress(msgspec.DecodeError, ValueError):
        state = msgspec.json.decode(told if is_tagged else data, type=State)
        Tree(state.size, state.edge)
        if is_ours:
            return state
    raise Conflict("the state of the audit log cannot be read: it is not as it was written")


def _unhex(tag: bytes) -> bytes:
    try:
        return bytes.fromhex(tag.decode("ascii"))
    except ValueError:
        return b""


def save_state(disk: Disk, directory: Path, key: KeyedHash, state: State) -> None:
    """Durable on return; after a crash it is this one or the one before."""
    told = msgspec.json.encode(msgspec.structs.replace(state, v=2))
    replace_whole(disk, directory / STATE, told + b"\n" + key(told).hex().encode())


def hold(disk: Disk, directory: Path) -> File:
    """The lock of the one writer, held until closed. Raises Conflict."""
    file = disk.open(directory / LOCK, create=True)
    if not file.lock():
        file.close()
        raise Conflict("another sequencer has this audit log")
    return file


def knows(store: Reader, state: State) -> bool:
    """Whether the store has the newest change record that is in the log."""
    if not state.change:
        return True
    newest = store.records(state.change - 1, 1)
    return bool(newest) and newest[0][0] == state.change and sha256(newest[0][1]).digest() == state.change_digest


def newest_of(store: Reader) -> tuple[int, bytes]:
    """The number and the text of its newest change record, which stays there (service.sequencer, Rule 3); (0, b"")."""
    newest = 0, b""
    while batch := store.records(newest[0], BATCH):
        newest = batch[-1]
    return newest


def rebase(
    disk: Disk, directory: Path, store: Reader, key: KeyedHash, newest: tuple[int, bytes], chain: Chain | None
) -> None:
    """After a restore: let the log go on from the change records of the store after `newest`, which it had then.

    `chain`: as its head had it then; None: it is of before there was one.

    Only for an explicit, recorded restore: it lifts the refusal of a store that was rolled back. A store that knows
    all that the log does is left to be folded as ever. Raises Conflict while a sequencer runs.
    """
    lock = hold(disk, directory)
    try:
        state = load_state(disk, directory, key, of_before=chain is None)
        if knows(store, state):
            return
        change, record = newest
        digest = sha256(record).digest() if change else b""
        linked = START if chain is None else chain.digest
        rebased = msgspec.structs.replace(state, change=change, change_digest=digest, chain=linked)
        save_state(disk, directory, key, rebased)
    finally:
        lock.close()
