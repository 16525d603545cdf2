"""Files that commands make."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import pytest

from keystead.cli import files
from keystead.core.errors import AlreadyExists, Unavailable


def test_a_new_file_is_its_owners_alone(tmp_path) -> None:
    files.create(tmp_path / "new", b"secret")
    assert (tmp_path / "new").read_bytes() == b"secret"
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
    with pytest.raises(AlreadyExists):
        files.create(tmp_path / "new", b"other")


def test_what_is_put_in_its_place_meanwhile_is_not_written(tmp_path, monkeypatch) -> None:
    """By whoever else may write into the directory: CWE-367."""
    target, elsewhere = tmp_path / "new", tmp_path / "elsewhere"
    real = os.open

    def overtaken(path, flags, *more, **how):
        found = real(path, flags, *more, **how)
        if Path(path) == target:
            target.unlink()
            target.symlink_to(elsewhere)
        return found

    monkeypatch.setattr(os, "open", overtaken)
    monkeypatch.setattr(Path, "touch", lambda self, **_: os.close(overtaken(self, os.O_CREAT | os.O_WRONLY)))
    files.create(target, b"secret")
    assert not elsewhere.exists()


def test_a_link_is_not_followed(tmp_path) -> None:
    (tmp_path / "new").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AlreadyExists):
        files.create(tmp_path / "new", b"secret")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("act", [files.write, files.create])
def test_nothing_stays_of_a_new_file_that_finds_no_room(tmp_path, act) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, hard))
    try:
        with pytest.raises(Unavailable, match=r"new cannot be written: File too large"):
            act(tmp_path / "new", b"longer than that")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())
