"""The disk port, on the real disk and on the simulated one."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from tests.faults.simdisk import SimDisk

from keystead.core.ports import Disk
from keystead.stores import disk as disk_module
from keystead.stores.direct import PAGE, ROOM, DirectWriter
from keystead.stores.disk import LocalDisk, OpenFile


@pytest.fixture(params=["local", "local without RWF_DSYNC", "simulated"])
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Disk:
    if request.param == "simulated":
        return SimDisk(Random(1))
    if request.param != "local":
        monkeypatch.setattr(disk_module, "DSYNC", 0)
    return LocalDisk()


@pytest.fixture
def directory(disk: Disk, tmp_path: Path) -> Path:
    disk.make_directory(tmp_path / "a" / "b")
    disk.make_directory(tmp_path / "a" / "b")
    return tmp_path / "a" / "b"


def test_bytes_come_back(disk: Disk, directory: Path) -> None:
    file = disk.open(directory / "x", create=True)
    file.write(0, (b"one", b"", b"two"))
    file.write(4, (b"O",))
    file.sync()
    assert (file.size(), file.read(0, 100), file.read(3, 2), file.read(6, 1)) == (6, b"onetOo", b"tO", b"")
    file.write(8, (b"!",))
    assert file.read(0, 100) == b"onetOo\0\0!"
    file.truncate(2)
    file.truncate(4)
    assert file.read(0, 100) == b"on\0\0"
    file.close()
    again = disk.open(directory / "x", write=False)
    assert again.read(0, 100) == b"on\0\0"
    again.close()


def test_filled_and_written_durably(disk: Disk, directory: Path) -> None:
    file = disk.open(directory / "x", create=True)
    file.write(0, (b"before",))
    file.fill(8192)
    assert file.read(0, 8192) == bytes(8192)
    file.write_durably(4096, (b"a" * 100, b"b" * 100))
    assert file.read(4090, 210) == bytes(6) + b"a" * 100 + b"b" * 100 + bytes(4)
    assert file.size() == 8192
    file.close()


def test_names(disk: Disk, directory: Path) -> None:
    for name in ("y", "x"):
        disk.open(directory / name, create=True).close()
    file = disk.open(directory / "new", create=True)
    file.write(0, (b"new",))
    disk.rename(directory / "new", directory / "x")
    disk.sync(directory)
    assert disk.names(directory) == ["x", "y"]
    assert file.read(0, 9) == disk.open(directory / "x").read(0, 9) == b"new"
    disk.remove(directory / "x")
    assert disk.names(directory) == ["y"]
    for missing in (lambda: disk.open(directory / "x"), lambda: disk.remove(directory / "x")):
        with pytest.raises(FileNotFoundError):
            missing()


def test_one_holds_a_lock(disk: Disk, directory: Path) -> None:
    first, second = disk.open(directory / "x", create=True), disk.open(directory / "x")
    assert first.lock()
    assert first.lock()
    assert not second.lock()
    disk.rename(directory / "x", directory / "y")
    third = disk.open(directory / "y")
    assert not third.lock()
    first.close()
    assert third.lock()
    second.close()
    third.close()


def test_modes(tmp_path: Path) -> None:  # research/security.md §4, checks 72 and 121
    before = os.umask(0)
    try:
        disk = LocalDisk()
        disk.make_directory(tmp_path / "a" / "b")
        disk.open(tmp_path / "a" / "b" / "x", create=True).close()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / path).stat().st_mode) for path in ("a", "a/b", "a/b/x")]
    assert modes == [0o700, 0o700, 0o600]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(OSError) as caught:
        LocalDisk().open(tmp_path / "link", create=True)
    assert caught.value.errno == errno.ELOOP


def test_a_file_system_that_does_not_know_the_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, flags, syncs = os.pwritev, [], []

    def refusing(fd: int, data: list[bytes], offset: int, flag: int) -> int:
        flags.append(flag)
        if flag:
            raise OSError(errno.EOPNOTSUPP, "no")
        return real(fd, data, offset)

    monkeypatch.setattr(disk_module.os, "pwritev", refusing)
    monkeypatch.setattr(disk_module.os, "fdatasync", syncs.append)
    monkeypatch.setattr(disk_module, "DSYNC", 2)
    file = LocalDisk().open(tmp_path / "x", create=True)
    file.fill(4096)
    file.write_durably(0, (b"a",))
    file.write_durably(1, (b"b",))
    assert (file.read(0, 2), flags, len(syncs)) == (b"ab", [0, 2, 0, 0], 2)
    file.close()


def test_other_errors_are_not_fallen_back_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> int:
        raise OSError(errno.EIO, "no")

    file = LocalDisk().open(tmp_path / "x", create=True)
    monkeypatch.setattr(disk_module.os, "pwritev", failing)
    with pytest.raises(OSError) as caught:
        file.write_durably(0, (b"a",))
    assert caught.value.errno == errno.EIO
    file.close()


def test_a_short_write_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwritev

    def short(fd: int, data: list[bytes], offset: int, flag: int) -> int:
        return real(fd, [b"".join(data)[:3]], offset, flag)

    monkeypatch.setattr(disk_module.os, "pwritev", short)
    file = LocalDisk().open(tmp_path / "x", create=True)
    file.write(0, (b"abcd", b"efgh"))
    file.write_durably(2, (b"12345",))
    assert file.read(0, 100) == b"ab12345h"
    file.close()


# --- whole pages, past the page cache (stores.direct)

A_PAGE = (b"head", b"b" * 4000, bytes(92))


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[OpenFile]:
    file = LocalDisk().open(tmp_path / "x", create=True)
    file.fill(8 * 4096)
    yield file
    file.close()


def test_whole_pages_are_found_by_whoever_has_read_what_was_there_before(filled: OpenFile, tmp_path: Path) -> None:
    other = LocalDisk().open(tmp_path / "x", write=False)
    for at in (0, 4096, 12288):
        assert other.read(0, 8 * 4096)[at : at + 4096] == bytes(4096)
        filled.write_durably(at, A_PAGE)
        assert other.read(at, 4096) == filled.read(at, 4096) == b"".join(A_PAGE)
    filled.write_durably(4, (b"!",))  # no whole page: through the page cache
    filled.write_durably(4096, (b"c" * 8192,))
    assert other.read(0, 6) == b"head!b"
    assert other.read(4096, 12288) == b"c" * 8192 + b"".join(A_PAGE)
    other.close()


def test_only_whole_pages_go_past_the_page_cache() -> None:
    sizes = [(0, 4096), (4096, 65536), (1, 4096), (512, 4096), (0, 4095), (0, ROOM), (0, ROOM + PAGE)]
    assert [DirectWriter.takes(*each) for each in sizes] == [True, True, False, False, False, True, False]


def test_a_longer_one_goes_through_it(tmp_path: Path) -> None:
    file = LocalDisk().open(tmp_path / "y", create=True)
    file.fill(2 * ROOM)
    file.write_durably(0, (b"z" * (ROOM + PAGE),))
    assert file.read(ROOM, 2 * PAGE) == b"z" * PAGE + bytes(PAGE)
    file.close()


@pytest.mark.parametrize("why", [errno.EINVAL, errno.EOPNOTSUPP])
def test_where_there_is_no_way_past_it(filled: OpenFile, monkeypatch: pytest.MonkeyPatch, why: int) -> None:
    def refuses(*_: object) -> int:
        raise OSError(why, "no")

    monkeypatch.setattr(DirectWriter, "write", refuses)
    filled.write_durably(0, A_PAGE)
    monkeypatch.undo()
    monkeypatch.setattr(DirectWriter, "write", lambda *_: pytest.fail("tried again"))
    filled.write_durably(4096, A_PAGE)
    assert filled.read(0, 8192) == b"".join(A_PAGE) * 2


def test_where_it_cannot_be_opened(filled: OpenFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "no /proc here")

    monkeypatch.setattr(DirectWriter, "__init__", refuses)
    filled.write_durably(0, A_PAGE)
    assert filled.read(0, 4096) == b"".join(A_PAGE)


def test_a_short_write_past_it_is_made_again_whole(filled: OpenFile, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwritev
    calls = []

    def short(fd: int, data: list[bytes], offset: int, flag: int) -> int:
        calls.append(len(data))
        return real(fd, [data[0][:4096]] if len(calls) == 1 else data, offset, flag)

    monkeypatch.setattr(disk_module.os, "pwritev", short)
    filled.write_durably(0, (b"s" * 4096, b"t" * 4096))
    assert (filled.read(0, 8192), calls) == (b"s" * 4096 + b"t" * 4096, [1, 2])


def test_a_device_that_fails_is_not_asked_another_way(filled: OpenFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> int:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(DirectWriter, "write", failing)
    with pytest.raises(OSError) as caught:
        filled.write_durably(0, A_PAGE)
    assert caught.value.errno == errno.EIO
    assert filled.read(0, 4096) == bytes(4096)


def test_nothing_stays_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    file = LocalDisk().open(tmp_path / "x", create=True)
    file.fill(4096)
    file.write_durably(0, A_PAGE)
    file.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_passes_through_memory_is_seen_by_no_process_that_comes_of_this_one(tmp_path: Path) -> None:
    def shared() -> list[str]:
        """proc_pid_maps(5): the fourth letter."""
        return [line for line in Path("/proc/self/maps").read_text().splitlines() if line.split()[1][3] == "s"]

    before = shared()
    file = LocalDisk().open(tmp_path / "x", create=True)
    file.fill(4096)
    file.write_durably(0, A_PAGE)
    assert shared() == before
    file.close()


def test_a_file_is_filled_a_little_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal's next segment is made while the last one is written to: a write that waits, waits for little."""
    real, sizes = os.pwritev, []

    def counting(fd: int, data: list[bytes], offset: int, flag: int) -> int:
        sizes.append(sum(len(part) for part in data))
        return real(fd, data, offset, flag)

    monkeypatch.setattr(disk_module.os, "pwritev", counting)
    file = LocalDisk().open(tmp_path / "x", create=True)
    file.write(0, (b"before",))
    file.fill((1 << 20) + 100)
    assert (max(sizes), sum(sizes)) == (64 * 1024, (1 << 20) + 106)
    assert file.read(0, 2 << 20) == bytes((1 << 20) + 100)
    file.close()
