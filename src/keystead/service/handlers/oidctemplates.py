"""What a role's template says of an entity: JSON with {{directives}}. OpenBao, sdk/helper/identitytpl (JSONTemplating).

Every value is written as JSON, so none can be more than a value.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from keystead.core.entities import Alias, IdentityEntity
from keystead.core.errors import InvalidArgument
from keystead.service.belonging import Belonging
from keystead.wire import Malformed
from keystead.wire.json import check
from keystead.wire.vault.scalars import seconds

MAX_TEMPLATE = 16 * 1024  # characters
MAX_FILLED = 64 * 1024  # characters: a map or a list can stand in a template hundreds of times
TOO_LONG = "claims"
"""detail of the InvalidArgument where it comes to more."""
RESERVED = ("iat", "aud", "exp", "iss", "sub", "namespace", "nonce", "auth_time", "at_hash", "c_hash")
_EPOCH = datetime.fromtimestamp(0, UTC)
_ANYBODY = Belonging(entity=IdentityEntity(id="", tenant="", name="", created_at=_EPOCH, updated_at=_EPOCH))
_NO_VALUE = "no value could be found for one of the template directives"


def checked(template: str, now: datetime) -> str:
    """Raises InvalidArgument in Vault's words."""
    if len(template) > MAX_TEMPLATE:
        raise InvalidArgument(f"a template has at most {MAX_TEMPLATE} characters", "template")
    if template:
        try:
            text = _filled(template, _ANYBODY, now)
        except InvalidArgument as error:
            raise InvalidArgument(f"error parsing template: {error}", "template") from None
        for name in _object(text):
            if name in RESERVED:
                listed = ", ".join(RESERVED)
                raise InvalidArgument(f'top level key "{name}" not allowed. Restricted keys: {listed}', "template")
    return template


def names_of(template: str, now: datetime) -> frozenset[str]:
    """What a template that has been checked tells, by name."""
    return frozenset(claims(template, _ANYBODY, now))


def claims(template: str, whose: Belonging, now: datetime) -> dict[str, Any]:
    """What the template adds to a token; names may be values, but none is the issuer's. Raises InvalidArgument."""
    found = _object(_filled(template, whose, now)) if template else {}
    return {name: value for name, value in found.items() if name not in RESERVED}


def _object(text: str) -> dict[str, Any]:
    try:
        check(text.encode(), exact=True)
        found = json.loads(text)
    except (Malformed, ValueError, RecursionError) as error:
        raise InvalidArgument(f"error parsing template JSON: {error}", "template") from None
    if not isinstance(found, dict):
        raise InvalidArgument("error parsing template JSON: not an object", "template")
    return found


def _filled(template: str, whose: Belonging, now: datetime) -> str:
    first, *rest = template.split("{{")
    if "}}" in first:
        raise InvalidArgument("unbalanced templating characters", "template")
    filled = first
    for piece in rest:
        directive, closed, after = piece.partition("}}")
        if not closed or "}}" in after:
            raise InvalidArgument("unbalanced templating characters", "template")
        filled += json.dumps(_value(directive.strip(), whose, now), ensure_ascii=False) + after
        if len(filled) > MAX_FILLED:
            raise InvalidArgument(f"a template comes to at most {MAX_FILLED} characters", TOO_LONG)
    return filled


def _value(directive: str, whose: Belonging, now: datetime) -> Any:
    if directive.startswith("time."):
        return _time(directive.removeprefix("time."), now)
    if directive.startswith("identity.groups."):
        raise InvalidArgument("string contains groups template directives but no groups were provided", "template")
    entity = whose.entity
    if entity is None or not directive.startswith("identity.entity."):
        raise InvalidArgument(_NO_VALUE, "template")
    name = directive.removeprefix("identity.entity.")
    if name.startswith("aliases."):
        accessor, dot, what = name.removeprefix("aliases.").partition(".")
        if not dot:
            raise InvalidArgument("invalid alias selector", "template")
        return _of_alias(next((one for one in whose.aliases if one.accessor == accessor), None), what)
    known: dict[str, Any] = {
        "id": entity.id,
        "name": entity.name,
        "metadata": entity.metadata or {},
        "groups.names": [group.name for group in whose.groups],
        "groups.ids": [group.id for group in whose.groups],
    }
    return _one_of(known, name)


def _of_alias(alias: Alias | None, what: str) -> Any:
    known: dict[str, Any] = {"id": "", "name": "", "metadata": {}, "custom_metadata": {}}
    if alias is not None:
        known = {
            "id": alias.id,
            "name": alias.name,
            "metadata": alias.metadata or {},
            "custom_metadata": alias.custom or {},
        }
    return _one_of(known, what)


def _one_of(known: dict[str, Any], name: str) -> Any:
    """A value by its name, or of a map by that of a member; "" for a member that is not there."""
    if name in known:
        return known[name]
    of, dot, member = name.partition(".")
    values = known.get(of)
    if not dot or not isinstance(values, dict):
        raise InvalidArgument(_NO_VALUE, "template")
    return values.get(member, "")


def _time(what: str, now: datetime) -> int:
    first, *rest = what.split(".", 2)
    if first != "now":
        raise InvalidArgument(f'invalid time selector "{first}"', "template")
    if not rest:
        return int(now.timestamp())
    if len(rest) == 1:
        raise InvalidArgument("missing time operand", "template")
    way, text = rest
    if way not in {"plus", "minus"}:
        raise InvalidArgument(f'invalid time operator "{way}"', "template")
    try:
        n = seconds(text)
    except Malformed as error:
        raise InvalidArgument(f"invalid duration: {error}", "template") from None
    return int(now.timestamp()) + (n if way == "plus" else -n)
