"""A policy as it is written: HCL or JSON in, stanzas out, everything that is not known refused.

Vault documentation, "Policies" (syntax, capabilities, parameter constraints, required response wrapping TTLs); OpenBao
documentation, the same page, for `scan`, `expiration`, `pagination_limit`. Names and words as OpenBao 2.7 answers them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NoReturn

from msgspec import Struct

from keystead.core.errors import InvalidArgument
from keystead.core.policy.vault.templates import is_templated
from keystead.core.policy.vault.tokens import Scanner
from keystead.core.policy.vault.tree import Item, List, Object, Reader, Value
from keystead.core.policy.vault.values import instant, integer, parameters, quoted, single, text, texts, ttl, type_of
from keystead.wire.vault.multierror import multierror

LARGEST = 1 << 20
"""Bytes. Vault documentation, "Limits and maximums": a policy is one storage entry."""
MOST_PATHS = 10_000
MOST_NAMED = 20
"""Unknown names that one refusal lists."""


class Capability(StrEnum):
    DENY = "deny"
    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    DELETE = "delete"
    LIST = "list"
    SUDO = "sudo"
    PATCH = "patch"
    SCAN = "scan"


C = Capability
WORDS = frozenset(capability.value for capability in C)
_READ = (C.READ, C.LIST)
_WRITE = (C.CREATE, C.READ, C.UPDATE, C.DELETE, C.LIST)
OLD_POLICIES = {"deny": (C.DENY,), "read": _READ, "write": _WRITE, "sudo": (*_WRITE, C.SUDO)}
"""What `policy = "…"` of a path stands for; deny stands alone, the others are added to `capabilities`."""

Parameters = Mapping[str, tuple[Any, ...]]
"""Name in lower case -> the values it is about; none: every value."""


class Stanza(Struct, frozen=True, kw_only=True):
    """`path "…" { … }`. Times to live in seconds, 0 for none; `pagination_limit` 0 for none."""

    path: str
    capabilities: frozenset[Capability] = frozenset()  # {deny}, or without it
    allowed: Parameters = {}
    denied: Parameters = {}
    required: tuple[str, ...] = ()
    min_wrapping_ttl: float = 0
    max_wrapping_ttl: float = 0
    pagination_limit: int = 0
    expires_at: datetime | None = None

    @property
    def limits(self) -> bool:
        """Whether anything is asked of a request beside its capability."""
        parameters = self.allowed or self.denied or self.required
        return bool(parameters or self.min_wrapping_ttl or self.max_wrapping_ttl or self.pagination_limit)


class Policy(Struct, frozen=True):
    stanzas: tuple[Stanza, ...] = ()


def _fault(words: str) -> NoReturn:
    raise InvalidArgument(words, "Policy")


def _nothing(_name: str, _value: Value, _scan: Scanner) -> None:
    """A comment: kept in the text, and read by people."""


_REFUSED = {
    "mfa_methods": "multi-factor authentication per path is not offered",
    "control_group": "control groups are not offered",
    "list_scan_response_keys_filter_path": "filtering the keys of a list is not offered",
}


def _refuse(name: str, _value: Value, _scan: Scanner) -> NoReturn:
    _fault(f"{name}: {_REFUSED[name]}")


FIELDS: dict[str, Callable[[str, Value, Scanner], Any]] = {
    "comment": _nothing,
    "policy": text,
    "capabilities": texts,
    "allowed_parameters": parameters,
    "denied_parameters": parameters,
    "required_parameters": texts,
    "min_wrapping_ttl": ttl,
    "max_wrapping_ttl": ttl,
    "mfa_methods": _refuse,
    "pagination_limit": integer,
    "expiration": text,
    "list_scan_response_keys_filter_path": _refuse,
    "control_group": _refuse,
}
"""What may stand in a path. Lists given twice add up, as do parameters; of anything else the last counts."""

NOT_DOUBLED = {*_REFUSED, "min_wrapping_ttl", "max_wrapping_ttl"}
"""What OpenBao names the path once for; otherwise twice."""

ROOT_FIELDS = ("name", "path")


# --- stanzas


def _check_names(found: Object, valid: Mapping[str, Any] | tuple[str, ...]) -> None:
    unknown = [(item.names[0].value, item.line) for item in found.items if item.names[0].value not in valid]
    if unknown:
        lines = (f"invalid key {quoted(str(key))} on line {line}" for key, line in unknown[:MOST_NAMED])
        _fault(multierror(*lines, n=len(unknown)))


def _fields(path: str, body: Object, scan: Scanner) -> dict[str, Any]:
    _check_names(body, FIELDS)
    found: dict[str, Any] = {}
    for item in body.items:
        name = single(item, scan)
        shown = "Capabilities" if name == "capabilities" else name  # Go's name of it
        try:
            value = FIELDS[name](shown, item.value, scan)
        except InvalidArgument as error:
            _fault(str(error) if name in NOT_DOUBLED else f"path {quoted(path)}: {error}")
        if isinstance(value, list):
            found.setdefault(name, []).extend(value)
        elif isinstance(value, dict):
            before = found.setdefault(name, {})
            for key, values in value.items():
                before.setdefault(key, []).extend(values)
        else:
            found[name] = value
    return found


def _values(fields: Mapping[str, Any], name: str) -> Parameters:
    return {key: tuple(values) for key, values in fields.get(name, {}).items()}


def _capabilities(path: str, old: str, words: list[str]) -> frozenset[Capability]:
    if old and old not in OLD_POLICIES:
        _fault(f"path {quoted(path)}: invalid policy {quoted(old)}")
    if old == "deny":
        return frozenset({C.DENY})
    found = []
    for word in words:
        if word not in WORDS:
            _fault(f"path {quoted(path)}: invalid capability {quoted(word)}")
        found.append(C(word))
        if word == C.DENY:
            return frozenset({C.DENY})
    return frozenset((*found, *OLD_POLICIES.get(old, ())))


def _stanza(path: str, body: Value, scan: Scanner) -> Stanza:
    if not isinstance(body, Object):
        _fault(f"cannot check HCL keys of type {type_of(body)}")
    is_templated(path)
    fields = _fields(path, body, scan)
    if "+*" in path:
        _fault(f"path {quoted(path)}: invalid use of wildcards ('+*' is forbidden)")
    capabilities = _capabilities(path, fields.get("policy", ""), fields.get("capabilities", []))
    shortest, longest = fields.get("min_wrapping_ttl", 0), fields.get("max_wrapping_ttl", 0)
    if shortest and longest and longest < shortest:
        _fault("max_wrapping_ttl cannot be less than min_wrapping_ttl")
    expiration = fields.get("expiration")
    try:
        expires_at = instant(expiration) if expiration else None
    except InvalidArgument as error:
        _fault(f"path {quoted(path)}: invalid expiration time: {error}")
    if C.DENY in capabilities:
        return Stanza(path=path, capabilities=capabilities, expires_at=expires_at)
    return Stanza(
        path=path,
        capabilities=capabilities,
        allowed=_values(fields, "allowed_parameters"),
        denied=_values(fields, "denied_parameters"),
        required=tuple(fields.get("required_parameters", ())),
        min_wrapping_ttl=max(0, shortest),
        max_wrapping_ttl=max(0, longest),
        pagination_limit=max(0, fields.get("pagination_limit", 0)),
        expires_at=expires_at,
    )


def _paths(item: Item, scan: Scanner) -> list[tuple[str, Value]]:
    """HCL: `path "x" { … }`. JSON: {"path": {"x": {…}, "y": {…}}}, or a list of such objects."""
    if not scan.is_json:
        if len(item.names) != 2:
            _fault(f'path "path": {_NOT_A_PATH if isinstance(item.value, Object) else _literal(item.value)}')
        return [(str(item.names[1].value), item.value)]
    maps = item.value.values if isinstance(item.value, List) else (item.value,)
    found: list[tuple[str, Value]] = []
    for one in maps:
        if not isinstance(one, Object):
            _fault(f'path "path": {_literal(one)}')
        found += ((str(entry.names[0].value), entry.value) for entry in one.items)
    return found


_NOT_A_PATH = "a path has one name"


def _literal(value: Value) -> str:
    return f"cannot check HCL keys of type {type_of(value)}"


def read_policy(text: str | bytes) -> Policy:
    """The policy of a text, HCL or (if it begins with a brace) JSON.

    Raises InvalidArgument(detail "Policy") in the words of OpenBao; nothing else, whatever the bytes.
    """
    try:
        return _read(text)
    except InvalidArgument as error:
        raise InvalidArgument(f"failed to parse policy: {error}", "Policy") from None


def _read(raw: str | bytes) -> Policy:
    try:
        data = raw if isinstance(raw, bytes) else raw.encode()
        written = data.decode().replace("\r\n", "\n")
    except UnicodeError:
        _fault("illegal UTF-8 encoding")
    if len(data) > LARGEST:
        _fault(f"larger than {LARGEST} bytes")
    scan = Scanner(written, is_json=written.lstrip().startswith("{"))
    root = Reader(scan).root()
    _check_names(root, ROOT_FIELDS)
    stanzas: list[Stanza] = []
    for item in root.items:
        if item.names[0].value == "name":
            text("name", item.value, scan)  # the name it is stored under counts
            continue
        for path, body in _paths(item, scan):
            if len(stanzas) == MOST_PATHS:
                _fault(f"more than {MOST_PATHS} paths")
            try:
                stanzas.append(_stanza(path, body, scan))
            except InvalidArgument as error:
                _fault(f"path {quoted(path)}: {error}")
    return Policy(tuple(stanzas))
