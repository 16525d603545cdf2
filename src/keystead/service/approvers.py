"""Whether those who are behind an act are so today: who asked for it, and who approved it (service.quorum, rule 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from keystead.core.entities import Approval, ApprovalRequest, Entity, IdentityEntity, Token
from keystead.core.errors import Denied
from keystead.core.rights import Rights
from keystead.service.barrier import Barrier
from keystead.service.belonging import belonging
from keystead.service.covering import Asking
from keystead.service.persons import persons_of
from keystead.service.rights import of_bearer

if TYPE_CHECKING:
    from keystead.service.pipeline import Authorizer
    from keystead.service.view import View


class Approvers:
    """One per process; safe to use from any thread."""

    def __init__(self, view: View, barrier: Barrier, authorizer: Authorizer) -> None:
        self._view, self._barrier, self._authorizer = view, barrier, authorizer

    def token(self, id_: str) -> Token | None:
        return self._barrier.get(Token, id_)

    def still_behind(self, asking: Asking) -> tuple[Entity, ...]:
        """What it rests on that everybody is there who stands behind a session, or a token and what it was made with.

        Its own rights were asked already, as they are today; these are other people's. Raises Denied.
        """
        rests = list[Entity]()
        people = persons_of(asking.caller, self.token)
        if not all(self._is_there(one, rests, asking) for one in people if not one.startswith("token:")):
            raise Denied("whoever asked for this has been shut out meanwhile")
        return tuple(rests)

    def still_good(self, asking: Asking, request: ApprovalRequest) -> Iterator[tuple[Approval, tuple[Entity, ...]]]:
        """The approvals that count today, each with what that rests on."""
        needs_right = any(one.rule.needs_right for one in asking.covering)
        for approval in request.approvals:
            rests: list[Entity] = []
            people = [self._is_there(one, rests, asking) for one in approval.persons]
            if not all(people):
                continue
            rights = self._rights(approval.by, asking)
            if rights is not None:
                rests += rights.seen
                named = tuple(id_ for id_ in approval.named if self._is_named(id_, rights))
                if not named or (needs_right and not self._may(asking, rights)):
                    continue
                approval = replace(approval, named=named)  # noqa: PLW2901 - the same one, as far as it still holds
            yield approval, tuple(rests)

    def _is_there(self, person: str, rests: list[Entity], asking: Asking) -> bool:
        """Whether that person is there, and not shut out; `rests` gets what that rests on."""
        kind, _, id_ = person.partition(":")
        if kind == "principal":
            rights = self._view.rights(id_)
            if rights is None or not rights.principal.enabled:
                return False
            rests.append(rights.principal)
        elif kind == "entity":
            entity = self._barrier.get(IdentityEntity, id_)
            if entity is None or entity.disabled or entity.merged_into:
                return False
            rests.append(entity)
        elif kind == "token":
            token = self.token(id_)
            return token is not None and not token.is_over(asking.caller.now)
        return True

    def _rights(self, by: str, asking: Asking) -> Rights | None:
        """What whoever has approved may today; None for the holder of a key, whom the rule names by nothing else."""
        kind, _, id_ = by.partition(":")
        if kind == "principal":
            return self._view.rights(id_)
        if kind != "entity":
            return None
        entity = self._barrier.get(IdentityEntity, id_)
        tenant = entity.tenant if entity is not None else asking.covering[0].scope
        bearer = Token(
            id=f"approver:{id_}", tenant=tenant, accessor=f"approver:{id_}", policies=("default",), entity=id_, path="",
            created_at=asking.caller.now, is_batch=True,
        )  # fmt: skip
        rights = of_bearer(self._barrier, bearer)
        return replace(rights, bases=rights.bases | belonging(self._barrier, id_, tenant).bases)

    def _is_named(self, id_: str, rights: Rights) -> bool:
        if id_.startswith("uid:"):
            held = self._view.credential(id_)
            return held is not None and held.credential.enabled and held.principal.id == rights.id
        return id_ == rights.id or id_ in rights.bases

    def _may(self, asking: Asking, rights: Rights) -> bool:
        """Whether they may do it themselves, where and when it is asked for."""
        other = replace(asking.caller, principal=rights.principal, rights=rights, session="", provider="", behind=())
        try:
            for demand, held in zip(asking.demands, asking.found, strict=True):
                self._authorizer.require(other, demand, held, asking.op)
        except Denied:
            return False
        return True
