"""Who stands behind a caller: what a quorum counts, and what tells two hands of one person from two people's.

    "principal:<id>"  "entity:<id>"  "token:<id>"  "web:<provider>:<subject>"  "key:<public key>"

A session of a role is whoever took the role on; a token is whom it belongs to, and whoever made it, up to the first.
"""

from __future__ import annotations

from collections.abc import Callable

from keystead.core.caller import Caller
from keystead.core.entities import PrincipalKind, Token
from keystead.core.errors import LimitExceeded
from keystead.core.federation import WebIdentity

MAX_CHAIN = 256  # tokens made by one another
Find = Callable[[str], "Token | None"]


def persons_of(caller: Caller, find: Find) -> frozenset[str]:
    """`find`: the token of an id. Raises LimitExceeded (MAX_CHAIN)."""
    principal = caller.principal
    if caller.rights.token is not None:
        return frozenset(persons_of_token(caller.rights.token, find))
    if isinstance(principal, WebIdentity):
        return frozenset({f"web:{principal.provider}:{principal.name}"})
    if principal.principal_kind is PrincipalKind.ROLE and caller.behind:
        return frozenset(caller.behind)
    return frozenset({f"principal:{principal.id}", *caller.behind})


def persons_of_token(token: Token, find: Find) -> tuple[str, ...]:
    """Of a token and of all that it was made with, sorted."""
    found: set[str] = set()
    for one in chain_of(token, find):
        found.add(f"entity:{one.entity}" if one.entity else f"token:{one.id}")
        found.update(one.behind)
    return tuple(sorted(found))


def chain_of(token: Token, find: Find) -> list[Token]:
    """It, what it was made with, and so on; as far as those are still there."""
    chain = [token]
    while chain[-1].creator and (made_with := find(chain[-1].creator)) is not None:
        chain.append(made_with)
        if len(chain) > MAX_CHAIN:
            raise LimitExceeded(f"more than {MAX_CHAIN} tokens made with one another", "token")
    return chain


def asker(caller: Caller, find: Find) -> str:
    """Who alone may use what was approved for this caller: with any credential of its own."""
    principal, token = caller.principal, caller.rights.token
    if token is not None:
        return f"entity:{token.entity}" if token.entity else f"token:{chain_of(token, find)[-1].id}"
    if principal.principal_kind is PrincipalKind.ROLE and caller.behind:
        return "|".join((f"principal:{principal.id}", *sorted(caller.behind)))
    return f"principal:{principal.id}"


def hats_of(caller: Caller) -> frozenset[str]:
    """The ids that a rule may name it by: its own, its groups', its entity's, and its user's of this machine."""
    peer = {caller.credential_id} if caller.credential_id.startswith("uid:") else set()
    return caller.rights.bases | {caller.principal.id} | peer
