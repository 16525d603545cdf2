"""What people are shown of what others have written."""

import pytest

from keystead.cli.here import members, plain, table
from keystead.cli.here import shown as told

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
