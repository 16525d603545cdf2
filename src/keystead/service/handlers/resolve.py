"""What a principal's name means today. What is kept is the id, so a name made anew means nothing to old rights."""

from __future__ import annotations

from msgspec import Struct

from keystead.core.entities import PrincipalKind
from keystead.core.errors import InvalidArgument
from keystead.core.policy.arn import PrincipalName, principal_name
from keystead.core.policy.sessions import session_id
from keystead.service.pipeline import Act


class NoPrincipal(Struct, frozen=True):
    """detail of the InvalidArgument for a text that names no principal."""

    text: str


def principal_id(text: str, act: Act) -> str:
    """The id behind a principal as the aws dialect writes it; the tenant's for an account. Raises InvalidArgument."""
    name = principal_name(text)
    found = id_of(name, act) if name is not None else None
    if found is None:
        raise InvalidArgument("no such principal", NoPrincipal(text))
    return found


def id_of(name: PrincipalName, act: Act) -> str | None:
    """The id; None if there is no such principal. A service has no identity here but its name."""
    if name.kind is PrincipalKind.SERVICE:
        return name.text
    if (tenant := act.tenant(name.tenant)) is None:
        return None
    if name.kind is PrincipalKind.ROOT:
        return tenant.id
    found = tenant.find_principal(name.kind, name.name)
    if found is None or name.path not in (None, found.path):
        return None
    return session_id(found.id, name.session) if name.session else found.id
