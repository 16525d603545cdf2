"""Killed at every step of an init, and of a change of the seal (security.md §4, row 112): never anything between."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from keystead.app import installation, resealing
from keystead.app.compose import Core
from keystead.app.installation import build, complete, exists, prepare, read_seal
from keystead.config import Config
from keystead.core.entities import Tenant
from keystead.core.errors import Unauthenticated
from keystead.core.sensitive import Sensitive
from keystead.seals.shamir import ShamirSeal
from keystead.service.bootstrap import record_of_rekey
from keystead.stores.lock import DirectoryLock
from keystead.stores.sqlite import SqliteStore

MOST = 200  # steps: more than there are


def killed_at(n: int, act: Callable[[], None]) -> bool:
    """Do `act` in a process that is gone before its n-th step onto the disk. False: it had no more."""
    child = os.fork()
    if not child:
        left = n

        def step() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os._exit(9)

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def stepping(*args: Any, **named: Any) -> Any:
                step()
                return real(*args, **named)

            return stepping

        for name in ("fsync", "rename", "unlink"):
            setattr(os, name, counted(getattr(os, name)))
        transaction = SqliteStore.transaction

        @contextmanager
        def stepped(self: SqliteStore) -> Iterator[Any]:
            step()
            with transaction(self) as txn:
                yield txn
                step()
            step()

        SqliteStore.transaction = stepped  # type: ignore[method-assign,assignment]  # in this process alone
        try:
            act()
        except BaseException:  # noqa: BLE001 - the parent is told
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, 9}, "the act failed"
    return code == 9


def opens(directory: Path, shares: list[Sensitive]) -> bool:
    """Whether they open it, as a server that starts finds it; and what was there is there."""
    core = Core(directory, Config(), journal="test", worker=0, check=True)
    try:
        core.open(read_seal(directory).open(shares))
        return len(core.barrier.every(Tenant)) == 1
    except Unauthenticated:
        return False
    finally:
        core.close()


def make(directory: Path, told: Path) -> list[Sensitive]:
    """As app.beginning does it. `told`: the answer."""
    created = ShamirSeal.create(2, 3, os.urandom)
    prepare(directory)
    lock = DirectoryLock(directory)
    try:
        _, token = build(directory, Config(), created, by_token=True)
        assert token is not None
        told.write_text("\n".join(created.texts()))
        complete(directory)
    finally:
        lock.close()
    return list(created.show)


def read(told: Path) -> list[Sensitive]:
    return [Sensitive(line.encode()) for line in told.read_text().splitlines()]


def test_row_112_an_installation_is_not_there_or_its_shares_were_told(tmp_path) -> None:
    seen = set()
    for n in range(1, MOST):
        directory, told = tmp_path / f"data-{n}", tmp_path / f"told-{n}"
        was_killed = killed_at(n, lambda at=directory, to=told: make(at, to))  # type: ignore[misc]  # bound now
        seen.add((exists(directory), told.exists()))
        if exists(directory):
            assert opens(directory, read(told)[:2])
        else:
            shares = make(directory, told)  # what was half made is no hindrance
            assert opens(directory, shares[1:])
        if not was_killed:
            break
    assert n > 15
    assert seen == {(False, False), (False, True), (True, True)}


def test_what_is_not_half_made_is_not_taken_away(tmp_path) -> None:
    shares = make(tmp_path / "data", tmp_path / "told")
    (tmp_path / "data" / "seal.json").rename(tmp_path / "seal.json")  # it was lost
    with pytest.raises(installation.Conflict):
        make(tmp_path / "data", tmp_path / "told")
    (tmp_path / "seal.json").rename(tmp_path / "data" / "seal.json")
    assert opens(tmp_path / "data", shares[:2])


def change(directory: Path, old: list[Sensitive], told: Path) -> None:
    """As the supervisor does it. `told`: what the test has to know; the answer comes at the end."""
    core = Core(directory, Config(), journal="test", worker=0, check=True)
    core.open(read_seal(directory).open(old))
    created = ShamirSeal.create(3, 4, os.urandom)
    told.write_text("\n".join(created.texts()))
    resealing.announce(core.layout, created)
    core.barrier.rekey(created.unseal_key, record_of_rekey(core.barrier, core.clock.now()))
    resealing.settle(core.layout, core.store)
    core.close()


def test_row_112_one_of_two_seals_opens_it_and_never_none(tmp_path) -> None:
    seen = set()
    for n in range(1, MOST):
        directory, told = tmp_path / f"data-{n}", tmp_path / f"new-{n}"
        old = make(directory, tmp_path / "told")
        was_killed = killed_at(n, lambda at=directory, by=old, to=told: change(at, by[:2], to))  # type: ignore[misc]  # bound now
        new = read(told) if told.exists() else []
        which = (opens(directory, old[:2]), bool(new) and opens(directory, new[1:]))
        assert which in {(True, False), (False, True)}
        assert not (directory / "seal.next").exists()
        seen.add(which)
        if not was_killed:
            break
    assert n > 10
    assert which == (False, True) and len(seen) == 2
