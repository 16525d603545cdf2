"""What a database that was a backup has, and the log says has been taken away since: taken away again.

What can be told of a record is done: a key is out of service until somebody enables it, a credential is disabled, a
grant, a token with all that it has made, a SecretId, a membership is gone. Of the rest (policies, roles, settings) the
records do not say what they were: it is told (`Undone.since`), and is as it was in the backup.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from keystead.core.actions import Action
from keystead.core.actions.takings import OF_GRANTS, TAKES_FROM_KEY
from keystead.core.entities import (
    Attachment,
    Credential,
    Cubby,
    Entity,
    Grant,
    Key,
    Kind,
    ManagedPolicy,
    Membership,
    Name,
    Principal,
    SecretId,
    Token,
    WrappedAnswer,
)
from keystead.core.operations import SetSlotMode
from keystead.service.barrier import Barrier, Commit
from keystead.service.bootstrap import record_of_restored
from keystead.service.held import HeldSystem
from keystead.service.restoring import out_of_service
from keystead.service.since import Deed, Since

A = Action
ALL = 1_000_000
INSTALLATION = HeldSystem.id
_ELSEWHERE = frozenset({A.MANAGE_SEAL, A.MANAGE_SLOTS, A.MANAGE_KEYRINGS})
"""What they change is in the seal's file or in the root, which are today's; or is added."""
_KEPT_HERE = frozenset({SetSlotMode.__name__})
"""Of these, what changes the database."""


class Undone(Struct, frozen=True, kw_only=True):
    """`suspended`: ids of keys; `revoked`: "<kind> <id>"; `since`: every act that may have taken something away."""

    suspended: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()
    since: tuple[Deed, ...] = ()


class Change(Struct, frozen=True):
    put: tuple[Entity, ...] = ()
    delete: tuple[Entity, ...] = ()


NOTHING = Change()
Look = Callable[[Barrier, Deed], Change]


def undo(barrier: Barrier, since: Since, now: datetime) -> Undone:
    """Take away what has been taken away since, as far as records tell; each commit with its record. Raises Stale."""
    suspended: list[str] = []
    revoked: list[str] = []
    for id_, deeds in since.deeds.items():
        if any(deed.action in TAKES_FROM_KEY for deed in deeds) and (key := barrier.get(Key, id_)) is not None:
            barrier.commit(Commit(put=(out_of_service(key, now),), record=record_of_restored(barrier, now, (), [id_])))
            suspended.append(id_)
    every = since.every()
    for deed in {(deed.index, deed.action): deed for deed in every}.values():
        look = LOOKS.get(Action(deed.action))
        change = NOTHING if look is None else look(barrier, deed)
        if changed := {(one.kind, one.id): one for one in (*change.put, *change.delete)}:
            ids = [id_ for _, id_ in changed]
            record = record_of_restored(barrier, now, ids, ())
            barrier.commit(Commit(put=change.put, delete=tuple(change.delete), record=record))
            revoked += [f"{kind.value} {id_}" for kind, id_ in changed]
    return Undone(
        suspended=tuple(suspended),
        revoked=tuple(dict.fromkeys(revoked)),
        since=every,
    )


def standing(barrier: Barrier, since: Since) -> tuple[Deed, ...]:
    """Acts since that may have taken something away from what there is, and that `undo` does not take away again:
    policies, roles, settings, secrets as they were then.
    """
    return tuple(deed for deed in since.every() if _stands(barrier, deed))


def _stands(barrier: Barrier, deed: Deed) -> bool:
    """Nothing stands of what is not there: it has come, and was changed, since the backup."""
    if Action(deed.action) in LOOKS or (deed.action in _ELSEWHERE and deed.operation not in _KEPT_HERE):
        return False
    if deed.action in TAKES_FROM_KEY and barrier.get(Key, deed.target) is not None:
        return False
    ids = {deed.target, deed.part} - {""}
    return deed.target == INSTALLATION or any(barrier.revision(kind, id_) for kind in Kind for id_ in ids)


# --- one act each


def _gone(of: type[Entity]) -> Look:
    """The part that the record names has gone."""

    def look(barrier: Barrier, deed: Deed) -> Change:
        found = barrier.get(of, deed.part)
        return NOTHING if found is None else Change(delete=(found,))

    return look


def _credential(barrier: Barrier, deed: Deed) -> Change:
    """Deleted, or disabled; or enabled, which the record does not tell from it."""
    found = barrier.get(Credential, deed.part)
    return NOTHING if found is None else Change(put=(replace(found, enabled=False),))


def _principal(barrier: Barrier, deed: Deed) -> Change:
    found = barrier.get(Principal, deed.target) or barrier.get(Principal, deed.part)
    return NOTHING if found is None else Change(put=(replace(found, enabled=False),))


def _managed(barrier: Barrier, deed: Deed) -> Change:
    return _credential(barrier, deed) if barrier.get(Credential, deed.part) is not None else _principal(barrier, deed)


def _attachment(barrier: Barrier, deed: Deed) -> Change:
    tie = barrier.get(Attachment, deed.part)
    policy = None if tie is None else barrier.get(ManagedPolicy, tie.policy_id)
    if tie is None or policy is None:
        return NOTHING
    return Change(put=(replace(policy, n_attached=policy.n_attached - 1),), delete=(tie,))


def _token(barrier: Barrier, deed: Deed) -> Change:
    """With all that were made with it, and what each keeps."""
    found = [one for one in barrier.linked(Token, deed.part) if deed.part]
    for one in found:
        found += barrier.children(Token, one.id, limit=ALL)
    kept = [cubby for one in found for cubby in barrier.children(Cubby, one.id, limit=ALL)]
    wrapped = [answer for one in found if (answer := barrier.get(WrappedAnswer, one.id)) is not None]
    return Change(delete=(*found, *kept, *wrapped))


def _secret_id(barrier: Barrier, deed: Deed) -> Change:
    return Change(delete=tuple(barrier.linked(SecretId, deed.part) if deed.part else ()))


LOOKS: dict[Action, Look] = {
    **dict.fromkeys(OF_GRANTS, _gone(Grant)),
    A.DELETE_NAME: _gone(Name),
    A.REMOVE_FROM_GROUP: _gone(Membership),
    A.DETACH_USER_POLICY: _attachment,
    A.DETACH_ROLE_POLICY: _attachment,
    A.DETACH_GROUP_POLICY: _attachment,
    A.DELETE_ACCESS_KEY: _credential,
    A.UPDATE_ACCESS_KEY: _credential,
    A.MANAGE_PRINCIPALS: _managed,
    A.DELETE_USER: _principal,
    A.DELETE_ROLE: _principal,
    A.REVOKE_TOKEN: _token,
    A.REVOKE_LEASE: _token,
    A.DESTROY_SECRET_ID: _secret_id,
}
"""What an act has taken away that its record names."""
