"""All policies of one token as one thing that says yes or no: Acl.

Vault documentation, "Policies", "Priority matching": of all rules that match a path the most specific decides, alone.
A deny wins within its path, never across paths; capabilities of different paths do not add up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from keystead.core.errors import InvalidArgument
from keystead.core.policy.vault.document import Capability, Policy, Stanza
from keystead.core.policy.vault.prefixes import Prefixes
from keystead.core.policy.vault.rules import LISTS, Rule, Verdict, keeps_to, page_size, rule_of
from keystead.core.policy.vault.segments import Ranked, Segments, prefix_rank, wildcard_rank
from keystead.core.policy.vault.templates import SLASH, WILDCARDS, Facts, fill, is_templated
from keystead.core.policy.vault.values import quoted

ROOT = "root"


class NamedPolicy(Struct, frozen=True, kw_only=True):
    """A policy under its name. `allow_*`: what a template's value may contain (OpenBao, sys/policies/acl)."""

    name: str
    policy: Policy = Policy()
    expires_at: datetime | None = None
    allow_wildcards: bool = False
    allow_slashes: bool = False


_ROOT = Verdict(rule="policy root", sudo=True)
_NO_RULE = Verdict(why_not="no policy has a rule for this path")
_NO_SUDO = Verdict(why_not="the path needs sudo")
_NONE: Mapping[str, Any] = {}
_DENIED = (Capability.DENY.value,)


class Acl:
    """Compiled policies. Raises nothing; the same answer to the same question, until `until`.

    `until`: the first moment at which something in it expires, and it must be compiled anew; None for never.
    """

    __slots__ = ("_exact", "_globs", "_prefixes", "_segments", "is_root", "until")

    def __init__(self, rules: Sequence[Rule], *, is_root: bool = False, until: datetime | None = None) -> None:
        self.is_root, self.until = is_root, until
        wild = {rule.path: rule for rule in rules if has_wildcard_segment(rule.path)}
        prefixes = {r.path[:-1]: r for r in rules if r.path not in wild and r.path.endswith("*")}
        self._exact = {r.path: r for r in rules if r.path not in wild and not r.path.endswith("*")}
        self._globs = {**prefixes, **wild}
        self._prefixes = Prefixes({path: Ranked(prefix_rank(path), rule) for path, rule in prefixes.items()})
        self._segments = Segments([Ranked(wildcard_rank(path), rule) for path, rule in wild.items()])

    def capabilities(self, path: str, meant: Collection[str] = ()) -> tuple[str, ...]:
        """Sorted words, as sys/capabilities answers: ("root",), ("deny",), ("list", "read") …

        `meant`: the same path in other spellings of what it leads to, which take away what `decide` goes by.
        """
        if self.is_root:
            return (ROOT,)
        path = path.lstrip("/")
        rule = self._rule(path, listing=True)
        words = _DENIED if rule is None else rule.capabilities
        for other in meant:
            if self._is_spoken_of(path, other) and (rule := self._rule(other.lstrip("/"), listing=True)) is not None:
                words = tuple(word for word in words if word in rule.capabilities) or _DENIED
        return words

    def printed(self) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
        """Capabilities of whole paths, and of beginnings of paths and of those with a "+"."""
        whole, begun = ({path: rule.capabilities for path, rule in of.items()} for of in (self._exact, self._globs))
        return whole, begun

    def decide(
        self,
        path: str,
        capability: Capability,
        *,
        parameters: Mapping[str, Any] | None = None,
        wrap_ttl: float | None = None,
        sudo: bool = False,
        meant: str = "",
    ) -> Verdict:
        """Whether a request may be answered.

        `path` below /v1/, without a namespace, one trailing slash where it is a list's. `capability`: what the request
        needs; create and update are told apart by whoever knows if the thing exists. `parameters`: of body or query.
        `wrap_ttl`: seconds that the response is to be wrapped for. `sudo`: the path is one of those that need it.
        `meant`: the same path in the spelling of what it leads to. Where a rule is for that one, it has to let the
        request through, too, unless the path stands in a policy as it is written and that one does not: what may not be
        done to "admin" may not be done to "Admin" (CVE-2026-89322).
        """
        if self.is_root:
            return _ROOT
        path = path.lstrip("/")
        if meant and self._is_spoken_of(path, meant):
            verdict = self.decide(meant, capability, parameters=parameters, wrap_ttl=wrap_ttl, sudo=sudo)
            if not verdict.allowed and verdict is not _NO_RULE:
                return verdict
        rule = self._exact.get(path) or self._rule(path, listing=capability in LISTS)
        if rule is None:
            return _NO_RULE
        found = rule.granted.get(capability)
        if found is None:
            return rule.denied
        verdict = found
        if sudo and not verdict.sudo:
            return _NO_SUDO
        limits = rule.limits
        if limits is not None:
            verdict = keeps_to(limits, capability, verdict, parameters or _NONE, wrap_ttl)
        if capability in LISTS and verdict.allowed and (limits is not None or parameters):
            most, required = (limits.pagination_limit, limits.required) if limits is not None else (0, ())
            verdict = _paged(verdict, page_size(most, required, parameters or _NONE))
        return verdict

    def _is_spoken_of(self, path: str, meant: str) -> bool:
        """Whether rules for `meant` count: there is no rule for just `path`, or one for just `meant`, too."""
        return path not in self._exact or meant.lstrip("/") in self._exact

    def has_denied(self, path: str, meant: str = "") -> bool:
        """Whether the rule for the path says `deny`, or no more than that it is there. `meant`: as `decide` has it."""
        if self.is_root:
            return False
        path = path.lstrip("/")
        if meant and self._is_spoken_of(path, meant) and self.has_denied(meant):
            return True
        rule = self._exact.get(path) or self._rule(path, listing=path.endswith("/"))
        return rule is not None and rule.denies

    def goes_by_path(self, path: str, capability: Capability) -> bool:
        """Whether `decide` and `has_denied` come to the same for all requests of that path and capability, for ever."""
        if self.is_root:
            return True
        if self.until is not None or capability in LISTS or path[-1:] == "/":
            return False
        rule = self._rule(path.lstrip("/"), listing=False)
        return rule is None or rule.limits is None

    def reaches(self, mount: str) -> bool:
        """Whether anything under `mount` ("secret/") is allowed: then sys/internal/ui/mounts tells that it is there."""
        if self.is_root or self.capabilities(mount) != _DENIED:
            return True
        rules = [rule for path, rule in self._exact.items() if path.startswith(mount)]
        rules += [ranked.rule for ranked in self._prefixes.beginning(mount)]
        rules += [ranked.rule for ranked in self._segments.below(mount)]
        return any(not rule.denies for rule in rules)

    def _rule(self, path: str, *, listing: bool) -> Rule | None:
        """The most specific. A list's path counts without its slash as well, but after."""
        if not listing or path[-1:] != "/":
            return self._exact.get(path) or self._longest(path)
        bare = path[:-1]
        return self._exact.get(path) or self._exact.get(bare) or self._longest(path) or self._longest(bare)

    def _longest(self, path: str) -> Rule | None:
        prefix = self._prefixes.longest(path)
        best = self._segments.best(path) if self._segments else None
        if prefix is None or (best is not None and best.rank > prefix.rank):
            return None if best is None else best.rule
        return prefix.rule


def _paged(verdict: Verdict, limit: int | Verdict | None) -> Verdict:
    if limit is None:
        return verdict
    if isinstance(limit, Verdict):
        return limit
    return Verdict(rule=verdict.rule, sudo=verdict.sudo, limit=limit)


def has_wildcard_segment(path: str) -> bool:
    """OpenBao takes /+x for one as well, though only a whole + matches more than itself."""
    return path == "+" or "/+" in path or path.startswith("+/")


def _path(named: NamedPolicy, stanza: Stanza, facts: Facts) -> str | None:
    """None: its template has no value here, and OpenBao drops it. Raises InvalidArgument."""
    path: str | None = stanza.path
    if is_templated(stanza.path):
        forbidden = ("" if named.allow_slashes else SLASH) + ("" if named.allow_wildcards else WILDCARDS)
        try:
            path = fill(stanza.path, facts, forbidden)
        except InvalidArgument as error:
            raise _unfit(named, f"path {quoted(stanza.path)}: {error}") from None
        if path is not None and "+*" in path:
            raise _unfit(named, f"path {quoted(path)}: invalid use of wildcards ('+*' is forbidden)")
    return None if path is None else path.removeprefix("/")


def _unfit(named: NamedPolicy, words: str) -> InvalidArgument:
    return InvalidArgument(
        f"error parsing templated policy {quoted(named.name)}: failed to parse policy: {words}", "Policy"
    )


def compile_acl(policies: Sequence[NamedPolicy], *, now: datetime, facts: Facts = _NONE) -> Acl:
    """The Acl of a token. `facts`: of its identity, for templates. What has expired by `now` is left out.

    Raises InvalidArgument: the policy `root` beside others; a template whose value may not stand in a path. Then
    whoever has these policies is denied everything.
    """
    if any(named.name == ROOT for named in policies):
        if len(policies) > 1:
            raise InvalidArgument("other policies present along with root", "Policy")
        return Acl((), is_root=True)
    ends: list[datetime] = []
    said: dict[str, list[tuple[str, Stanza]]] = {}
    own: set[str] = set()  # paths that are of this identity
    for named in policies:
        for stanza in named.policy.stanzas:
            dates = [date for date in (named.expires_at, stanza.expires_at) if date is not None]
            if any(date <= now for date in dates):
                continue
            ends += dates
            if (path := _path(named, stanza, facts)) is not None:
                said.setdefault(path, []).append((named.name, stanza))
                if "{{" in stanza.path:
                    own.add(path)
    rules = [rule_of(path, each) if path in own else _shared(path, each) for path, each in said.items()]
    return Acl(rules, until=min(ends, default=None))


MAX_SHARED = 8192
_SHARED: dict[tuple[str, tuple[tuple[str, int], ...]], tuple[Rule, list[tuple[str, Stanza]]]] = {}


def _shared(path: str, said: list[tuple[str, Stanza]]) -> Rule:
    """The rule that everybody has whose policies say the same of a path: most of what `default` says is.

    Stanzas are known by which object they are; what is kept keeps them, so none of these ids is another's.
    """
    key = (path, tuple((name, id(stanza)) for name, stanza in said))
    if (found := _SHARED.get(key)) is None:
        if len(_SHARED) >= MAX_SHARED:
            _SHARED.clear()
        found = _SHARED[key] = (rule_of(path, said), said)
    return found[0]
