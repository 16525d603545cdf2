"""A session of a role as a principal of its own, as key policies, trust policies and grants may name one.

IAM User Guide, "AWS JSON policy elements: Principal", role session principals. What is kept is the role's id and the
session's name: "<role id>:<name>", as aws:userid has it. A role made anew has another id, so old rights are not its.
"""

from __future__ import annotations

from keystead.core.caller import Caller
from keystead.core.entities import Principal, PrincipalKind


def session_id(role_id: str, name: str) -> str:
    return f"{role_id}:{name}"


def role_of(id_: str) -> str:
    """The role's id; any other principal's is its own."""
    return id_.partition(":")[0]


def may_mean(id_: str | None, principal: Principal) -> bool:
    """Whether `id_` is this principal's, or that of one of its sessions.

    A right of the account is kept under the tenant's id, or under that of its root.
    """
    root = principal.principal_kind is PrincipalKind.ROOT
    return id_ is not None and (role_of(id_) == principal.id or (root and id_ == principal.tenant))


def means(id_: str | None, caller: Caller) -> bool:
    """The same of who asks: of a session, that one alone."""
    return may_mean(id_, caller.principal) and id_ is not None and id_.partition(":")[2] in ("", caller.session)
