"""Where an installation lies: nobody else's directory, nobody else's file (research/security.md §4, row 121)."""

from __future__ import annotations

import os

import pytest

from keystead.app.installation import initialise, prepare, save_credentials
from keystead.app.library import Keystead
from keystead.config import Config
from keystead.core.errors import InvalidArgument
from keystead.seals.file import FileSeal


def make(directory):
    prepare(directory)
    return initialise(directory, Config(), FileSeal.create(directory, os.urandom), regions=("us-east-1",))


def test_row_121_every_file_is_for_its_owner_alone(tmp_path) -> None:
    before = os.umask(0)
    try:
        save_credentials(tmp_path / "data", make(tmp_path / "data"))
        with Keystead(tmp_path / "data"):
            found = [tmp_path / "data", *(tmp_path / "data").rglob("*")]
            open_to_others = [path for path in found if path.stat().st_mode & 0o077]
    finally:
        os.umask(before)
    assert len(found) > 8
    assert not open_to_others


def test_row_121_another_users_directory_is_refused_before_a_secret_is_written_there(tmp_path, monkeypatch) -> None:
    """Made ahead of us in a place that all may write to, it would be open to whoever made it."""
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(InvalidArgument, match="belongs to user"):
        make(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "keystead.db"])
def test_row_121_an_installation_of_another_users_is_not_opened(tmp_path, monkeypatch, name) -> None:
    directory = tmp_path / "data"
    make(directory)
    (directory / name).chmod(0o750)
    with pytest.raises(InvalidArgument, match="open to others"):
        Keystead(directory)
    (directory / name).chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(InvalidArgument, match="belongs to user"):
        Keystead(directory)


def test_a_link_that_lies_where_a_secret_is_to_be_written_is_not_followed(tmp_path) -> None:
    first = make(tmp_path / "data")
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "data" / "credentials.new").symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic link"):
        save_credentials(tmp_path / "data", first)
    assert not elsewhere.exists()
