"""Audit devices (app.devices): what follows the log, whatever becomes of its file."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path

import pytest
from tests import vaultstack
from tests.service.test_damaged_destroyed import spoil
from tests.waiting import ended, until

from keystead import config
from keystead.app import devices
from keystead.app.devices import Devices
from keystead.app.layout import Layout
from keystead.core.entities import Kind, Setting
from keystead.core.errors import InvalidArgument
from keystead.core.places import Places, allowed
from keystead.doors.vault.system import namespaces
from keystead.net import sinks
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
        self.log, self.own, self.now = ListLog(), directory / "devices", 100.0
        self.allow()
        (directory / "elsewhere").mkdir()

    def allow(self, *sockets: str, elsewhere: bool = True) -> None:
        """What the operator does."""
        directories = (str(self.own), *([str(self.own.parent / "elsewhere")] if elsewhere else []))
        self.places = self.vault.stack.service._places = Places(directories, tuple(map(allowed, sockets)))

    def fold(self) -> None:
        """What is new: changes, then uses."""
        known = set(self.log.lines)
        lines = [record.encode() for record in self.vault.stack.records()]
        self.log.lines += [line for line in lines if line not in known]

    def started(self) -> Devices:
        stack = self.vault.stack
        return Devices(stack.barrier, stack.store, self.log, self.places, lambda: self.now)

    def enable(self, name: str = "file", path: str = "vault.log", kind: str = "file", **options: str) -> None:
        options |= {"file_path": path} if kind == "file" else {}
        body = {"type": kind, "options": options}
        assert self.vault.root("PUT", f"sys/audit/{name}", body).status == 204

    def ask(self, n: int = 1) -> list[str]:
        """Request ids."""
        return [self.vault.root("GET", "sys/mounts").json["request_id"] for _ in range(n)]

    def told(self, file: str = "vault.log") -> list[str]:
        """The ids of the requests in a file."""
        return ids((self.own / file).read_bytes())


def ids(text: bytes) -> list[str]:
    """Of the requests that were told."""
    lines = [json.loads(line) for line in text.splitlines()]
    return [line["request"]["id"] for line in lines if line["type"] == "request"]


@pytest.fixture
def here(tmp_path):
    before = os.umask(0)
    yield Installation(tmp_path)
    os.umask(before)


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
    here.allow(elsewhere=False)
    step(here, here.started())
    assert list(elsewhere.iterdir()) == []


def test_a_damaged_setting_keeps_no_device_from_being_told(here) -> None:
    """Nor its own, where the server that began with it still runs; and once it is put back it goes on where it was."""
    here.enable()
    here.enable("other", "other.log")
    running = here.started()
    before = here.ask()
    step(here, running)
    barrier = here.vault.stack.barrier
    (damaged,) = (one.id for one in barrier.every(Setting) if one.name == "other")
    rows = here.vault.stack.store._content.items[Kind.SETTING]
    whole = rows[damaged]
    spoil(here.vault.stack, damaged, kind=Kind.SETTING)
    running._seen_change = -1  # settings are read again
    more = here.ask(2)
    step(here, running)
    assert here.told()[-2:] == here.told("other.log")[-2:] == more
    again = here.started()
    later = here.ask()
    step(here, again)
    assert here.told()[-1:] == later and here.told("other.log")[-2:] == more
    rows[damaged] = whole
    step(here, here.started())
    assert here.told("other.log")[1:] == [*before, *more, *later], "and nothing twice"


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


# --- options of files


def test_a_prefix_stands_before_every_line(here) -> None:
    here.enable(prefix="audit: ")
    here.ask(2)
    step(here, here.started())
    lines = (here.own / "vault.log").read_bytes().splitlines()
    assert len(lines) >= 4 and all(line.startswith(b'audit: {"time":') for line in lines)


@pytest.mark.parametrize(
    ("said", "new", "there"), [("0640", 0o640, 0o640), ("0000", 0o600, 0o604), ("755", 0o644, 0o644)]
)
def test_the_mode_of_a_file(here, said, new, there) -> None:
    """Of one that is made, and of one that was there with another; nobody is let execute it."""
    if said == "755":
        here.enable(mode="0744")
    else:
        here.enable(mode=said)
    here.ask(1)
    step(here, at := here.started())
    file = here.own / "vault.log"
    assert file.stat().st_mode & 0o777 == new
    file.chmod(0o604)
    here.ask(1)
    step(here, at)
    assert file.stat().st_mode & 0o777 == there


# --- sockets


class Listener:
    """Somebody who collects lines at a Unix socket, for as long as `with` lasts."""

    def __init__(self, path: Path, kind: socket.SocketKind = socket.SOCK_STREAM) -> None:
        self.path, self.kind, self.got = path, kind, b""

    def __enter__(self) -> Listener:
        self.path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, self.kind)
        self.socket.bind(str(self.path))
        if self.kind is socket.SOCK_STREAM:
            self.socket.listen()
        self.thread = threading.Thread(target=self._collect)
        self.thread.start()
        return self

    def _collect(self) -> None:
        with suppress(OSError):
            while self.kind is socket.SOCK_STREAM:
                self.line, _ = self.socket.accept()
                with self.line:
                    while more := self.line.recv(65536):
                        self.got += more
            while (more := self.socket.recv(65536)) != b"end":
                self.got += more + b"\n"

    def __exit__(self, *_: object) -> None:
        if self.kind is socket.SOCK_STREAM:
            self.socket.shutdown(socket.SHUT_RDWR)
            until(self._has_ended)
        else:
            with closing(socket.socket(socket.AF_UNIX, self.kind)) as other:
                other.sendto(b"end", str(self.path))
        ended(self.thread)
        self.socket.close()

    def _has_ended(self) -> bool:
        """A line that it has just taken is cut too; what came over it is still read."""
        with suppress(AttributeError, OSError):
            self.line.shutdown(socket.SHUT_RDWR)
        return not self.thread.is_alive()


@pytest.fixture
def where(here, tmp_path) -> Path:
    path = tmp_path / "s"
    here.allow(f"unix:{path}", f"syslog:{tmp_path / 'log'}")
    return path


def enable_socket(here, path: Path, **options: str) -> None:
    options |= {"socket_type": "unix", "address": str(path), "write_timeout": "60s"}  # a listener may be slow
    here.enable("socket", kind="socket", **options)


def test_a_socket_is_told_what_a_file_is_told(here, where) -> None:
    here.enable()
    enable_socket(here, where)
    with Listener(where) as listener:
        step(here, at := here.started())
        wanted = here.ask(3)
        step(here, at)
        at.close()
    assert ids(listener.got)[-3:] == wanted == here.told()[-3:]


def test_one_that_nobody_answers_for_falls_behind_and_holds_up_no_other(here, where, caplog) -> None:
    here.enable()
    enable_socket(here, where)
    step(here, at := here.started())
    wanted = here.ask(3)
    step(here, at)
    assert here.told()[-3:] == wanted and caplog.text.count("falls behind") == 1
    with Listener(where) as listener:
        more = here.ask(2)
        step(here, at)
        assert listener.got == b""  # it is left alone for a while
        here.now += 60
        step(here, at)
        at.close()
    assert ids(listener.got)[-5:] == [*wanted, *more]


def test_the_pause_is_doubled_up_to_a_minute(here, where, monkeypatch) -> None:
    enable_socket(here, where)
    tried = []

    def connect(*_: object) -> socket.socket:
        tried.append(here.now)
        raise ConnectionRefusedError

    monkeypatch.setattr(sinks, "local", connect)
    here.ask(1)
    here.fold()
    at = here.started()
    for here.now in range(100, 400):
        at.step()
    assert [after - before for before, after in pairwise(tried)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_socket_whose_end_went_away_loses_nothing(here, where) -> None:
    enable_socket(here, where)
    at = here.started()
    with Listener(where) as first:
        before = here.ask(2)
        step(here, at)
    after = here.ask(2)
    step(here, at)
    here.now += 60
    with Listener(where) as second:
        step(here, at)
        at.close()
    told = [*ids(first.got), *ids(second.got)]
    assert [one for one in dict.fromkeys(told) if one in {*before, *after}] == [*before, *after]


def test_a_crash_between_sending_and_the_cursor_tells_it_twice(here, where, monkeypatch) -> None:
    enable_socket(here, where)
    wanted = here.ask(2)
    here.fold()

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with Listener(where) as listener:
        monkeypatch.setattr(devices, "write_durably", dies)
        killed = here.started()
        with pytest.raises(KeyboardInterrupt):
            killed.step()
        killed.close()
        monkeypatch.undo()
        step(here, at := here.started())
        at.close()
    assert [one for one in ids(listener.got) if one in wanted] == [*wanted, *wanted]


def test_a_socket_that_the_operator_allows_no_more_is_told_nothing(here, where) -> None:
    enable_socket(here, where)
    here.allow()
    with Listener(where) as listener:
        here.ask(2)
        step(here, here.started())
    assert listener.got == b""


def test_a_connection_stays_while_other_settings_change_and_ends_with_its_device(here, where) -> None:
    enable_socket(here, where)
    at = here.started()
    with Listener(where) as listener:
        here.ask(1)
        step(here, at)
        (one,) = at._following
        here.enable()
        (last,) = here.ask(1)
        step(here, at)
        assert at._following[0] is one or at._following[1] is one
        until(lambda: listener.got.count(last.encode()) == 2 and listener.got.endswith(b"\n"))
        here.vault.root.data("DELETE", "sys/audit/socket")
        told = ids(listener.got)
        here.ask(3)
        step(here, at)
        assert one not in at._following and one.sink._socket is None
    assert ids(listener.got) == told


def test_those_that_are_far_behind_take_turns(here, where, monkeypatch) -> None:
    monkeypatch.setattr(devices, "AT_ONCE", dict.fromkeys(devices.AT_ONCE, 4))
    turns = []
    tell = Devices._tell
    monkeypatch.setattr(Devices, "_tell", lambda self, one: (turns.append(one.name), tell(self, one))[1])
    here.enable("one", "one.log")
    here.enable("two", "two.log")
    wanted = here.ask(10)
    step(here, here.started())
    assert [here.told(f"{name}.log")[-10:] for name in ("one", "two")] == [wanted, wanted]
    first = turns[0]
    assert turns[:6] == [first, turns[1]] * 3 and turns[1] != first


def test_no_more_than_a_page_is_held_whatever_is_behind(here, where, monkeypatch) -> None:
    monkeypatch.setattr(devices, "AT_ONCE", dict.fromkeys(devices.AT_ONCE, 4))
    read, most = ListLog.read, []
    monkeypatch.setattr(ListLog, "read", lambda self, first, n: (most.append(n), read(self, first, n))[1])
    enable_socket(here, where)
    step(here, at := here.started())
    most.clear()
    here.ask(30)
    here.fold()
    for _ in range(50):
        here.now += 60
        at.step()
    assert set(most) == {4} and len(at._following) == 1


def test_syslog(here, where, tmp_path) -> None:
    here.enable("syslog", kind="syslog", facility="local3", tag="keys")
    with Listener(tmp_path / "log", socket.SOCK_DGRAM) as listener:
        wanted = here.ask(2)
        step(here, at := here.started())
        at.close()
    messages = listener.got.splitlines()
    found = [
        re.fullmatch(rb"<158>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} keys\[%d\]: (\{.*\})" % os.getpid(), m)
        for m in messages
    ]
    assert all(found)
    assert ids(b"\n".join(one[1] for one in found))[-2:] == wanted


def test_no_agent_and_one_that_comes_back(here, where, tmp_path) -> None:
    here.enable("syslog", kind="syslog")
    wanted = here.ask(2)
    step(here, at := here.started())
    here.now += 60
    with Listener(tmp_path / "log", socket.SOCK_DGRAM) as listener:
        step(here, at)
        at.close()
    assert listener.got.count(b"<38>") == 2 * len(set(re.findall(rb'"id":"([0-9a-f-]{36})"', listener.got)))
    assert all(one.encode() in listener.got for one in wanted)


def test_the_operator_says_where_in_the_configuration(tmp_path) -> None:
    file = tmp_path / "keystead.toml"
    file.write_text('audit_devices = ["/var/log/k"]\naudit_sockets = ["syslog", "tcp:Logs:514"]\n')
    own = str(tmp_path / "audit" / "devices")
    assert Layout(tmp_path).devices(config.read(tmp_path)) == Places((own, "/var/log/k"), ("syslog", "tcp:logs:514"))
    assert Layout(tmp_path).devices(config.Config()) == Places((own,))
    file.write_text('audit_sockets = ["tcp:logs"]\n')
    with pytest.raises(InvalidArgument):
        config.read(tmp_path)


def test_how_far_each_is_behind(here, where) -> None:
    here.enable()
    enable_socket(here, where)
    step(here, at := here.started())
    here.ask(5)
    here.fold()
    before = at.behind()
    assert before["file"] == 5 < before["socket"]  # nobody listens there
    at.step()
    assert at.behind() == {"file": 0, "socket": before["socket"]}
