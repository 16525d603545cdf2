"""Vault policies as text, from what they are to say."""

import json
from datetime import UTC, datetime
from typing import Any

from keystead.core.policy.vault import Acl, NamedPolicy, compile_acl, read_policy

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)

Stanza = tuple[str, dict[str, Any]]


def stanza(path: str, *capabilities: str, **fields: Any) -> Stanza:
    """`path`, and what stands in it."""
    return path, {**({"capabilities": list(capabilities)} if capabilities else {}), **fields}


def _hcl(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + " ".join(f"{json.dumps(name)} = {_hcl(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_hcl, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def as_hcl(stanzas: list[Stanza]) -> str:
    """With a comment of each kind."""
    lines = ["# first", "/* and", "more */"]
    for path, fields in stanzas:
        lines += [f"path {_hcl(path)} {{ // one"]
        lines += [f"  {name} = {_hcl(value)}" for name, value in fields.items()]
        lines += ["}"]
    return "\n".join(lines) + "\n"


def as_json(stanzas: list[Stanza]) -> str:
    return json.dumps({"path": [{path: fields} for path, fields in stanzas]})


def acl(*texts: str, now: datetime = NOW, facts: dict[str, str] | None = None) -> Acl:
    """Of policies p0, p1 …"""
    policies = [NamedPolicy(name=f"p{n}", policy=read_policy(text)) for n, text in enumerate(texts)]
    return compile_acl(policies, now=now, facts=facts or {})
