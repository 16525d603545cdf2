"""What people are told agrees with itself: one record, two records."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import keystead
from keystead.core.words import count_of

SOURCE = Path(keystead.__file__).parent
READ_BY_PEOPLE = (
    *("cli", "app", "seals", "slots"),
    *("core/approvals.py", "core/audit/verify.py", "service/trusted_time.py"),
)
COUNT = re.compile(r"n|n_\w+|\w*count|days|least|most|of|needed|size|last")
PLURAL = re.compile(r" (?:[a-z]+ )?(?!(?:is|as|was|has|this|less)\b)[a-z]{2,}s\b")


def is_a_count(shown: ast.expr) -> bool:
    if not isinstance(shown, ast.FormattedValue):
        return False
    if shown.format_spec is not None and "," in ast.unparse(shown.format_spec):
        return True
    value = shown.value
    if isinstance(value, ast.BinOp | ast.BoolOp):
        value = value.left if isinstance(value, ast.BinOp) else value.values[0]
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == "len"
    if re.search(r"\b[A-Z_]+\.days$", ast.unparse(value)):  # a constant, of more than one
        return False
    return COUNT.fullmatch(getattr(value, "id", "") or getattr(value, "attr", "")) is not None


def disagreeing(source: str) -> list[str]:
    """Counts that a plural stands behind, whatever they are."""
    return [
        f"{count.lineno}: {ast.unparse(count.value)}{words.value}"
        for text in ast.walk(ast.parse(source))
        if isinstance(text, ast.JoinedStr)
        for count, words in zip(text.values, text.values[1:], strict=False)
        if is_a_count(count) and isinstance(words, ast.Constant) and PLURAL.match(words.value)
    ]


@pytest.mark.parametrize("room", READ_BY_PEOPLE)
def test_a_count_and_its_noun_agree(room) -> None:
    """By core.words.count_of."""
    modules = sorted((SOURCE / room).rglob("*.py")) or [SOURCE / room]
    found = {str(path.relative_to(SOURCE)): disagreeing(path.read_text(encoding="utf-8")) for path in modules}
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def test_what_would_be_found() -> None:
    assert disagreeing('f"{n_places} places"') and disagreeing('f"{len(x):,} key versions are"')
    assert not disagreeing('f"{n} of {name} is, {name} keys, {LEAST} characters"')


@pytest.mark.parametrize(
    ("n", "words"), [(0, "0 records"), (1, "1 record"), (2, "2 records"), (12_345, "12,345 records")]
)
def test_counted(n, words) -> None:
    assert count_of(n, "record") == words
