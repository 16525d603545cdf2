"""What people are shown of what others have written."""

import io
import re
import sys

import pytest

from keystead.cli.here import members, plain, table
from keystead.cli.here import shown as told
from keystead.cli.progress import progress

ESCAPES = ["\x1b[2J", "\x9b2J", "\nstanding  approved", "\r", "\u202e", "\x07", "\u2028"]


@pytest.mark.parametrize("text", ESCAPES)
def test_nothing_that_others_have_written_moves_the_cursor_or_begins_a_line(text: str) -> None:
    for shown in (
        members({"with_description": f"a{text}b"}),
        told([text]),
        told({text: 1}),
        table(["a"], [[told(text)]]),
    ):
        assert all(one.isprintable() for one in shown.replace("A\n", ""))


def test_what_can_be_read_stays_as_it_is() -> None:
    assert plain("Größe: 1, 鍵") == "Größe: 1, 鍵"
    assert members({"a": None, "b": ["c", 1]}) == "a  -\nb  c, 1"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("done", "shown"), [((), ()), ((1000, 234), ("1,234",))])
def test_progress_has_a_number_where_something_is_counted(monkeypatch, done, shown) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with progress("looking") as more:
        for n in done:
            more(n)
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sys.stderr.getvalue())
    assert "looking" in said
    assert set(re.findall(r"looking +([0-9,]+) ", said)) <= {*shown, "1,000"} and all(one in said for one in shown)


def test_where_nobody_watches_nothing_is_shown(capsys) -> None:
    with progress("looking") as more:
        more(5)
    assert capsys.readouterr().err == ""
