"""Rules with + for a segment, and the order among all rules that match without being the path itself.

Vault documentation, "Policies", "Priority matching".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct

from keystead.core.policy.vault.prefixes import Prefixes
from keystead.core.policy.vault.rules import Rule

Rank: TypeAlias = tuple[int, bool, int, int, str]
"""What comes first decides: the first wildcard is later; no * at the end; fewer +; longer; later in the alphabet."""

PLUS, STAR = "+", "*"


class Ranked(Struct, frozen=True):
    rank: Rank
    rule: Rule


def _size(text: str) -> int:
    """Lengths and places are in bytes."""
    return len(text.encode("utf-8", "surrogatepass"))


def prefix_rank(prefix: str) -> Rank:
    """Of "prefix*"."""
    size = _size(prefix)
    return size, False, 0, size, prefix


def wildcard_rank(path: str) -> Rank:
    bare = path.removesuffix(STAR)
    first = _size(path[: path.index(PLUS)])
    return first, bare == path, -bare.split("/").count(PLUS), _size(bare), bare


class _Node:
    """Where a number of segments has led. `whole`: the rule that ends here. `tails`: those with a * after the next."""

    __slots__ = ("after", "tails", "whole")

    def __init__(self) -> None:
        self.after: dict[str, _Node] = {}
        self.whole: Ranked | None = None
        self.tails: Prefixes[Ranked] | None = None

    def follow(self, parts: Sequence[str]) -> _Node:
        node = self
        for part in parts:
            node = node.after.setdefault(part, _Node())
        return node


def _parts(path: str) -> list[str]:
    return path.removesuffix(STAR).split("/")


class Segments:
    """A tree by segments: a path is compared with the rules that agree with it so far, not with all there are."""

    __slots__ = ("_root", "_rules")

    def __init__(self, rules: Sequence[Ranked]) -> None:
        self._rules, self._root = tuple(rules), _Node()
        tails: dict[_Node, dict[str, Ranked]] = {}
        for ranked in rules:
            *parents, last = parts = _parts(ranked.rule.path)
            if ranked.rule.path.endswith(STAR):
                tails.setdefault(self._root.follow(parents), {})[last] = ranked
            else:
                self._root.follow(parts).whole = ranked
        for node, texts in tails.items():
            node.tails = Prefixes(texts)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def best(self, path: str) -> Ranked | None:
        """Of all that match. Beside one another in the tree, the longest tail is the best of them."""
        if self._nothing_begins(path):
            return None
        found: list[Ranked] = []
        nodes = [self._root]
        for part in path.split("/"):
            further: list[_Node] = []
            for node in nodes:
                if node.tails is not None and (tail := node.tails.longest(part)) is not None:
                    found.append(tail)
                if (after := node.after.get(part)) is not None:
                    further.append(after)
                if part != PLUS and (after := node.after.get(PLUS)) is not None:
                    further.append(after)
            nodes = further
            if not nodes:
                break
        found += [node.whole for node in nodes if node.whole is not None]
        return max(found, key=_by_rank, default=None)

    def _nothing_begins(self, path: str) -> bool:
        """As most rules name their first segment, most paths end here."""
        root = self._root
        return PLUS not in root.after and path.partition("/")[0] not in root.after

    def below(self, mount: str) -> list[Ranked]:
        """All that could match something under `mount`."""
        wanted = mount.removesuffix("/").split("/")
        return [ranked for ranked in self._rules if _agree(ranked.rule.path, wanted)]


def _by_rank(ranked: Ranked) -> Rank:
    return ranked.rank


def _agree(path: str, wanted: list[str]) -> bool:
    parts = _parts(path)
    if len(parts) < len(wanted):
        return False
    if path.endswith(STAR) and len(parts) == len(wanted) and not wanted[-1].startswith(parts[-1]):
        return False
    n = len(wanted) - (path.endswith(STAR) and len(parts) == len(wanted))
    return all(part in {PLUS, have} for part, have in zip(parts[:n], wanted, strict=False))
