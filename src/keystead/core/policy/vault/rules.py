"""What one path comes to, once every policy that names it has had its say; and whether a request keeps to it.

Vault documentation, "Policies": parameter constraints, required response wrapping TTLs. OpenBao documentation, the same
page: `pagination_limit`. How stanzas for the same path add up, and what the documentation leaves open, was measured
against OpenBao 2.7 (docs/adr/0018; tests/cross/test_vault_policy_peer.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from keystead.core.policy.vault.document import Capability, Parameters, Stanza
from keystead.core.policy.vault.values import whole

C = Capability


class Verdict(Struct, frozen=True):
    """`rule`: what allowed it, for the audit record. `why_not`: what did not, for people; the caller is told nothing.

    `sudo`: the rule of the path has `sudo`. `limit`: what a list's parameter `limit` is to be; None: as it came.
    """

    rule: str = ""
    why_not: str = ""
    sudo: bool = False
    limit: int | None = None

    @property
    def allowed(self) -> bool:
        return not self.why_not


class Rule(Struct, frozen=True, kw_only=True):
    """Everything said of one path. `granted`: capability -> the verdict of a request that nothing else is asked of."""

    path: str
    capabilities: tuple[str, ...]  # sorted, as sys/capabilities answers; ("deny",) for none
    granted: Mapping[str, Verdict]
    denied: Verdict  # for every other capability
    limits: Limits | None  # None: `granted` is all there is to ask
    denies: bool  # or says no more than that the path is there


class Limits(Struct, frozen=True, kw_only=True):
    """What a request must keep to. Seconds and counts; 0 for none."""

    allowed: Parameters
    forbidden: Parameters
    required: tuple[str, ...]
    min_wrapping_ttl: float
    max_wrapping_ttl: float
    pagination_limit: int


PARAMETERS_COUNT = frozenset({C.CREATE, C.READ, C.UPDATE, C.PATCH})
LISTS = frozenset({C.LIST, C.SCAN})


def _merged(stanzas: list[Stanza], field: str) -> Parameters:
    """Values for the same name add up; a name without values takes any, whoever else has values for it."""
    found: dict[str, list[Any]] = {}
    anything: set[str] = set()
    for stanza in stanzas:
        parameters: Parameters = getattr(stanza, field)
        for name, values in parameters.items():
            found.setdefault(name, []).extend(values)
            if not values:
                anything.add(name)
    return {name: () if name in anything else tuple(values) for name, values in found.items()}


def _least(values: list[Any]) -> Any:
    return min((value for value in values if value > 0), default=0)


def _limits(stanzas: list[Stanza]) -> Limits | None:
    """The lower of two times to live or page sizes, lower bounds included."""
    if not any(stanza.limits for stanza in stanzas):
        return None
    return Limits(
        allowed=_merged(stanzas, "allowed"),
        forbidden=_merged(stanzas, "denied"),
        required=tuple(dict.fromkeys(name for stanza in stanzas for name in stanza.required)),
        min_wrapping_ttl=_least([stanza.min_wrapping_ttl for stanza in stanzas]),
        max_wrapping_ttl=_least([stanza.max_wrapping_ttl for stanza in stanzas]),
        pagination_limit=_least([stanza.pagination_limit for stanza in stanzas]),
    )


MOST_NAMES = 8


def _policies(names: list[str]) -> str:
    """For an audit record, which names no more than MOST_NAMES."""
    different = list(dict.fromkeys(names))
    more = f" and {len(different) - MOST_NAMES} more" if len(different) > MOST_NAMES else ""
    return f"policy {', '.join(different[:MOST_NAMES])}{more}"


def rule_of(path: str, said: list[tuple[str, Stanza]]) -> Rule:
    """`said`: the names of policies, and what each says of `path`. One that denies silences all others."""
    if deniers := [name for name, stanza in said if C.DENY in stanza.capabilities]:
        deny = Verdict(why_not=f"{_policies(deniers)}: {path} is denied")
        return Rule(path=path, capabilities=(C.DENY.value,), granted={}, denied=deny, limits=None, denies=True)
    granting: dict[Capability, list[str]] = {}
    for name, stanza in said:
        for capability in stanza.capabilities:
            granting.setdefault(capability, []).append(name)
    sudo = C.SUDO in granting
    granted = {
        capability.value: Verdict(rule=_policies(names), sudo=sudo)
        for capability, names in granting.items()
        if capability is not C.SUDO
    }
    capabilities = tuple(sorted(capability.value for capability in granting)) or (C.DENY.value,)
    return Rule(
        path=path,
        capabilities=capabilities,
        granted=granted,
        denied=Verdict(
            why_not=f"{_policies([name for name, _ in said])}: {path} is what decides, and does not allow it"
        ),
        limits=_limits([stanza for _, stanza in said]),
        denies=not granting,
    )


# --- a request


def _refused(why: str) -> Verdict:
    return Verdict(why_not=why)


_NOT_WRAPPED = _refused("the response is not wrapped for as long as the policy wants")
_MISSING = _refused("a required parameter is missing")
_DENIED_PARAMETER = _refused("a parameter is denied")
_OTHER_PARAMETER = _refused("a parameter is not among those allowed")
_TOO_MANY = _refused("limit is not one the policy allows")


def matches(wanted: Any, value: Any) -> bool:
    """Texts with * at either end; numbers by value; anything else only if it is of the same type and equal."""
    if isinstance(wanted, str) and isinstance(value, str):
        return _globbed(wanted, value)
    return _same(wanted, value)


def _globbed(wanted: str, value: str) -> bool:
    """A lone * is itself, as in Vault."""
    if len(wanted) < 2 or "*" not in (wanted[0], wanted[-1]):
        return wanted == value
    if wanted[0] != "*":
        return value.startswith(wanted[:-1])
    return wanted[1:-1] in value if wanted[-1] == "*" else value.endswith(wanted[1:])


_NUMBERS = (int, float, Decimal)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, _NUMBERS):
        return isinstance(b, _NUMBERS) and a == b
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and bool(a == b)


def _among(value: Any, wanted: tuple[Any, ...]) -> bool:
    return not wanted or any(matches(one, value) for one in wanted)


OLDER: Final = {"policies": "token_policies", "token_policies": "policies"}
"""Two names of one parameter."""
OF_POLICIES: Final = frozenset({*OLDER, "identity_policies", "allowed_policies", "allowed_policies_glob"})
"""Parameters whose values are names of policies: in any case of letters, in a list or between commas."""


def _each_policy(*values: Any) -> tuple[Any, ...]:
    """That values name, as they are read."""
    every = [one for value in values for one in (value if isinstance(value, list) else (value,))]
    parts = [part for one in every for part in (one.split(",") if isinstance(one, str) else (one,))]
    return tuple(part.strip().lower() if isinstance(part, str) else part for part in parts)


def _is_denied(name: str, value: Any, wanted: tuple[Any, ...]) -> bool:
    """Of policies, where any of them is."""
    if name in OF_POLICIES and any(_among(one, _each_policy(*wanted)) for one in _each_policy(value)):
        return True
    return _among(value, wanted)


def _is_allowed(name: str, value: Any, wanted: tuple[Any, ...]) -> bool:
    """Of policies, where each of them is."""
    if name in OF_POLICIES:
        return all(_among(one, _each_policy(*wanted)) for one in _each_policy(value))
    return _among(value, wanted)


def _said_of(name: str, rules: Mapping[str, tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Of the parameter by that name, and by its other one."""
    return (rules[each] for each in (name, OLDER.get(name, "")) if each in rules)


def _unwrapped(limits: Limits, wrap_ttl: float | None) -> bool:
    """Both bounds want a wrapped response; merged bounds may leave no time that keeps to both."""
    shortest, longest = limits.min_wrapping_ttl, limits.max_wrapping_ttl
    if not shortest and not longest:
        return False
    return wrap_ttl is None or wrap_ttl < shortest or bool(longest and wrap_ttl > longest)


def _parameters(limits: Limits, parameters: Mapping[str, Any]) -> Verdict | None:
    """Why not. A required name is wanted in lower case; the others are compared in it."""
    if any(name.lower() not in parameters for name in limits.required):
        return _MISSING
    if not parameters:
        return None
    named = [(name.lower(), value) for name, value in parameters.items()]
    forbidden, allowed = limits.forbidden, limits.allowed
    if "*" in forbidden or any(
        _is_denied(name, value, wanted) for name, value in named for wanted in _said_of(name, forbidden)
    ):
        return _DENIED_PARAMETER
    others = not allowed or "*" in allowed
    if (others and len(allowed) <= 1) or all(
        others if (wanted := next(_said_of(name, allowed), None)) is None else _is_allowed(name, value, wanted)
        for name, value in named
    ):
        return None
    return _OTHER_PARAMETER


_MAX = "max"
_LIMIT = "limit"


def page_size(most: int, required: tuple[str, ...], parameters: Mapping[str, Any]) -> int | Verdict | None:
    """What `limit` of a list is to be: at most `most` (0: any), None where it stays as it is."""
    given = parameters.get(_LIMIT)
    if not most:
        return 0 if given == _MAX else None
    if _LIMIT not in parameters:
        return _MISSING if any(name.lower() == _LIMIT for name in required) else most
    if given == _MAX:
        return most
    asked = whole(given) if isinstance(given, str) else given
    if not isinstance(asked, int) or isinstance(asked, bool) or not 0 <= asked <= most:
        return _TOO_MANY
    return None if asked else most


def keeps_to(
    limits: Limits, capability: str, granted: Verdict, parameters: Mapping[str, Any], wrap_ttl: float | None
) -> Verdict:
    """`granted`, or why not."""
    if _unwrapped(limits, wrap_ttl):
        return _NOT_WRAPPED
    if capability in PARAMETERS_COUNT:
        return _parameters(limits, parameters) or granted
    return granted
