"""Whoever reads what a command says may have had enough: it ends as other tools do, and says nothing about it."""

from __future__ import annotations

import os
import subprocess

import pytest
from tests.servers import KEYSTEAD

BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}  # as people have it
ENDED = 141  # as a shell says of what SIGPIPE has ended


def unread(*words: object, stderr: bool = False) -> tuple[int, bytes]:
    """A command whose output nobody reads: its status, and what it says beside that."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        streams = {"stdout": subprocess.DEVNULL, "stderr": writer} if stderr else {"stdout": writer}
        streams = {"stderr": subprocess.PIPE} | streams
        done = subprocess.run([KEYSTEAD, *words], **streams, env=BUFFERED, check=False, timeout=60)
    finally:
        os.close(writer)
    return done.returncode, done.stderr or b""


@pytest.mark.parametrize(
    "words",
    [
        ("audit", "tail"),
        ("audit", "tail", "--json"),
        ("audit", "export"),
        ("key", "list"),
        ("key", "list", "--json"),
        ("key", "create", "--json"),
    ],
)
def test_nobody_reads_it(stopped, words) -> None:
    assert unread(*words, "--data", stopped) == (ENDED, b"")


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("audit", "tail", "--help")])
def test_nobody_reads_what_needs_no_installation(words) -> None:
    assert unread(*words) == (ENDED, b"")


def test_nobody_reads_why_it_could_not_be_done(tmp_path) -> None:
    assert unread("status", "--data", tmp_path, stderr=True) == (ENDED, b"")
    assert unread("no-such-command", stderr=True) == (ENDED, b"")


def test_no_room_for_the_last_of_it(stopped) -> None:
    with open("/dev/full", "wb") as full:
        command = [KEYSTEAD, "audit", "export", "--data", stopped]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=BUFFERED, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, b"keystead: No space left on device\n")
