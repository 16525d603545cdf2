"""Audit devices (app.devices): what follows the log, whatever becomes of its file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tests import vaultstack

from keystead.app import devices
from keystead.app.devices import Devices
from keystead.doors.vault.system import namespaces
from keystead.service.endings import Endings


class ListLog:
    """service.log.Log over a list."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def size(self) -> int:
        return len(self.lines)

    def read(self, first: int, limit: int) -> list[bytes]:
        return self.lines[first : first + limit]


class Installation:
    def __init__(self, directory: Path) -> None:
        self.vault = vaultstack.door()
        self.log, self.own = ListLog(), directory / "devices"
        self.vault.stack.service._directories = (str(self.own), str(directory / "elsewhere"))
        (directory / "elsewhere").mkdir()

    def fold(self) -> None:
        """What is new: changes, then uses."""
        known = set(self.log.lines)
        lines = [record.encode() for record in self.vault.stack.records()]
        self.log.lines += [line for line in lines if line not in known]

    def started(self) -> Devices:
        stack = self.vault.stack
        return Devices(stack.barrier, stack.store, self.log, self.vault.stack.service._directories)

    def enable(self, name: str = "file", path: str = "vault.log") -> None:
        body = {"type": "file", "options": {"file_path": path}}
        assert self.vault.root("PUT", f"sys/audit/{name}", body).status == 204

    def ask(self, n: int = 1) -> list[str]:
        """Request ids."""
        return [self.vault.root("GET", "sys/mounts").json["request_id"] for _ in range(n)]

    def told(self, file: str = "vault.log") -> list[str]:
        """The ids of the requests in a file."""
        lines = [json.loads(line) for line in (self.own / file).read_bytes().splitlines()]
        return [line["request"]["id"] for line in lines if line["type"] == "request"]


@pytest.fixture
def here(tmp_path):
    os.umask(0)
    return Installation(tmp_path)


def step(here, at: Devices) -> None:
    here.fold()
    at.step()


def test_it_is_told_everything_from_when_it_was_enabled(here) -> None:
    before = here.ask(3)
    here.fold()
    here.enable()
    wanted = here.ask(3)
    follower = here.started()
    step(here, follower)
    told = here.told()
    assert told[-3:] == wanted and not set(told) & set(before)
    more = here.ask(2)
    step(here, follower)
    step(here, follower)
    assert here.told() == [*told, *more]
    assert (here.own / "vault.log").stat().st_mode & 0o777 == 0o600


def test_a_crash_loses_nothing(here, monkeypatch) -> None:
    here.enable()
    first = here.ask(2)
    step(here, here.started())
    second = here.ask(2)
    here.fold()

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(devices, "write_durably", dies)
    with pytest.raises(KeyboardInterrupt):  # after the lines, before the cursor
        here.started().step()
    monkeypatch.undo()
    third = here.ask(1)
    step(here, here.started())
    assert [one for one in dict.fromkeys(here.told()) if one in {*first, *second, *third}] == [*first, *second, *third]


def test_a_file_that_was_moved_away_is_made_anew(here) -> None:
    here.enable()
    follower = here.started()
    first = here.ask(1)
    step(here, follower)
    (here.own / "vault.log").rename(here.own / "vault.log.1")
    second = here.ask(1)
    step(here, follower)
    assert here.told("vault.log.1")[-1:] == first and here.told() == second


@pytest.mark.parametrize("kind", ["symlink", "hard link", "fifo", "directory"])
def test_it_writes_through_nothing_that_is_no_plain_file(here, kind, caplog) -> None:
    here.own.mkdir()
    victim, place = here.own.parent / "victim", here.own / "vault.log"
    victim.write_text("mine")
    match kind:
        case "symlink":
            place.symlink_to(victim)
        case "hard link":
            place.hardlink_to(victim)
        case "fifo":
            os.mkfifo(place)
        case _:
            place.mkdir()
    here.enable()
    follower = here.started()
    step(here, follower)
    step(here, follower)
    assert victim.read_text() == "mine" and caplog.text.count("cannot be written") == 1
    place.rmdir() if kind == "directory" else place.unlink()
    asked = here.ask(1)
    step(here, follower)
    assert here.told()[-1:] == asked  # and it has caught up


def test_a_directory_that_is_a_link_is_none(here) -> None:
    elsewhere = here.own.parent / "elsewhere"
    elsewhere.rmdir()
    target = here.own.parent / "target"
    target.mkdir()
    elsewhere.symlink_to(target)
    here.enable(path=f"{elsewhere}/vault.log")
    step(here, here.started())
    assert list(target.iterdir()) == []


def test_what_the_operator_allows_no_more_is_not_written(here) -> None:
    elsewhere = here.own.parent / "elsewhere"
    here.enable(path=f"{elsewhere}/vault.log")
    here.vault.stack.service._directories = (str(here.own),)
    step(here, here.started())
    assert list(elsewhere.iterdir()) == []


def test_one_that_is_disabled_is_told_nothing_more(here) -> None:
    here.enable()
    follower = here.started()
    step(here, follower)
    told = here.told()
    assert here.vault.root("DELETE", "sys/audit/file").status == 204
    here.ask(2)
    step(here, follower)
    assert here.told() == told


def test_a_cursor_behind_the_end_of_a_log_that_was_put_back_is_none(here) -> None:
    here.enable()
    here.ask(3)
    step(here, here.started())
    here.log.lines = here.log.lines[:-2]
    asked = here.ask(4)
    here.log.lines += [record.encode() for record in here.vault.stack.records()[-4:]][:1]
    here.started().step()
    assert here.told()[-1:] == asked[:1]


def test_a_cursor_that_is_no_number_is_none(here) -> None:
    here.enable()
    step(here, here.started())
    (cursor,) = (here.own / "cursors").iterdir()
    cursor.write_text("x")
    asked = here.ask(1)
    step(here, here.started())
    assert here.told()[-1:] == asked


def test_the_cursors_of_those_that_are_gone_go_too(here) -> None:
    here.enable()
    step(here, here.started())
    cursors = here.own / "cursors"
    assert len(list(cursors.iterdir())) == 1
    here.vault.root.data("DELETE", "sys/audit/file")
    step(here, here.started())
    assert list(cursors.iterdir()) == []


def test_another_tenants_records_are_not_told(here) -> None:
    here.enable()
    here.ask(1)
    here.fold()
    here.log.lines = [line.replace(b'"tenant":"', b'"tenant":"9') for line in here.log.lines]
    here.log.lines += [record.encode() for record in here.vault.stack.records()[-1:]]
    here.started().step()
    assert len(here.told()) == 1


def test_namespaces_below_are_told_too(here) -> None:
    """With which it is; of one that has ended since as well."""
    here.enable()
    root, at = here.vault.root, here.started()
    made = root("POST", "sys/namespaces/ns1").json["data"]
    wanted = [root("GET", "sys/mounts", x_vault_namespace="ns1").json["request_id"]]
    step(here, at)
    wanted += [root("GET", "ns1/sys/auth").json["request_id"]]
    assert root("DELETE", "sys/namespaces/ns1").json["data"] == {"status": "completed"}
    step(here, at)
    lines = [json.loads(line)["request"] for line in (here.own / "vault.log").read_bytes().splitlines()]
    told = {one["id"]: one["namespace"] for one in lines}
    assert [told[one] for one in wanted] == [{"id": made["id"], "path": "ns1/"}] * 2
    assert {"id": "root"} in told.values()


@pytest.mark.parametrize("by", ["who asked", "the scheduler"])
def test_what_was_done_in_a_namespace_is_told_however_soon_it_is_gone(here, by, monkeypatch) -> None:
    """Else whoever may make namespaces could do in one what no device is ever told of."""
    here.enable()
    root, at = here.vault.root, here.started()
    step(here, at)
    wanted = []
    for _ in range(2):  # of the same name: two tenants
        root("POST", "sys/namespaces/ns1")
        root("POST", "sys/namespaces/ch", x_vault_namespace="ns1")
        wanted += [root("GET", "sys/mounts", x_vault_namespace=there).json["request_id"] for there in ("ns1", "ns1/ch")]
        for path in ("ns1/sys/namespaces/ch", "sys/namespaces/ns1"):
            if by == "the scheduler":
                monkeypatch.setattr(namespaces, "STEPS_AT_ONCE", 0)
            root("DELETE", path)
            stack = here.vault.stack
            stack.view.loop_thread = None
            endings = Endings(stack.barrier, stack.store, stack.by_system)
            while endings.step():
                pass
    step(here, at)
    step(here, here.started())
    lines = [json.loads(line)["request"] for line in (here.own / "vault.log").read_bytes().splitlines()]
    told = {one["id"]: one["namespace"] for one in lines}
    assert [one for one in dict.fromkeys(here.told()) if one in wanted] == wanted
    assert all(set(told[one]) == {"id"} and len(told[one]["id"]) == 12 for one in wanted)
