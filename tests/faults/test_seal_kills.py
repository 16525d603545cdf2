"""Killed at every step of an init, and of a change of the seal (security.md §4, row 112): never anything between."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.faults.seals import MOST, Holding, killed_at, opens

from keystead.app import installation
from keystead.app.installation import build, complete, exists, prepare
from keystead.config import Config
from keystead.core.sensitive import Sensitive
from keystead.seals.shamir import ShamirSeal
from keystead.stores.lock import DirectoryLock


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
    with Holding(directory, old) as held:
        created = ShamirSeal.create(3, 4, os.urandom)
        told.write_text("\n".join(created.texts()))
        held.changes.rekey(created.unseal_key, created.configuration, "shamir", held.seals)


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
