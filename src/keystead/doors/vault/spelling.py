"""Paths that lead to one thing in several spellings: other cases of letters, slashes at the ends of a name.

A policy is asked of a path as it is written, and of what it means: who may not touch "admin" may not touch "Admin"
(core.policy.vault.acl; CVE-2026-89322, HCSEC-2026-43).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import get_type_hints

import msgspec
from msgspec import Struct

from keystead.wire.vault.fields import coerced
from keystead.wire.vault.kinds import Kind, Same
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb

Fold = Callable[[str], str]
FOLDS: Mapping[Same, Fold] = {
    Same.LOWER: lambda text: str(coerced(Kind.LOWER, "", text)),
    Same.CASE: str.lower,
    Same.SLASHES: lambda text: text.strip("/"),
}
_CAPTURE = re.compile(r"\{([a-z_]+)(?::path\??)?\}")
_OPTIONAL = "/?"


class Spelling(Struct, frozen=True):
    """Of one operation. `folds`: of what is captured, by name; `lists`: the slash at the end of its path is its own."""

    template: str
    folds: tuple[tuple[str, Fold], ...]
    lists: bool

    def meant(self, path: str, captures: Mapping[str, str]) -> str:
        """`path` as it is spelled of what it leads to; "" where it is."""
        folded = {name: fold(captures[name]) for name, fold in self.folds}
        written, meant = self._filled(captures), self._filled({**captures, **folded})
        is_free = path[-1:] == "/" and not written.endswith("/")
        before = path.removesuffix("/" if is_free else "").removesuffix(written)
        found = before + meant + ("/" if is_free and self.lists else "")
        return "" if found == path else found

    def _filled(self, captures: Mapping[str, str]) -> str:
        return _CAPTURE.sub(lambda found: captures[found[1]], self.template.removesuffix(_OPTIONAL))


def spelling(message: type[Parameters], verb: Verb, template: str) -> Spelling | None:
    """None where there is one spelling only."""
    folds, lists = _folds(message), verb in {Verb.LIST, Verb.SCAN}
    if not folds and (lists or not template.endswith(_OPTIONAL)):
        return None
    return Spelling(template, folds, lists)


def _folds(message: type[Parameters]) -> tuple[tuple[str, Fold], ...]:
    hints = get_type_hints(message, include_extras=True)
    found: list[tuple[str, Fold]] = []
    for field in msgspec.structs.fields(message):
        marks = getattr(hints[field.name], "__metadata__", ())
        same = next((one for one in marks if isinstance(one, Same)), None)
        if same is not None and field.default is CAPTURED:
            found.append((field.encode_name, FOLDS[same]))
    return tuple(found)
