"""Gathering the rights of a principal: its own policies, and those of the groups it is in.

IAM User Guide, "IAM user groups": a group is no principal; what its policies say counts for its members.
"""

from __future__ import annotations

from keystead.core.entities import Membership, Principal
from keystead.core.rights import Rights
from keystead.service.barrier import Barrier


def gather(barrier: Barrier, id_: str) -> Rights | None:
    """The rights of that principal as the store has them now; None if there is none, or it is one that cannot act.

    Several reads: whoever keeps the answer makes sure that nothing was committed between them (service.view).
    """
    principal = barrier.get(Principal, id_)
    if principal is None or principal.is_group:
        return None
    joined = [barrier.get(Principal, one.group_id) for one in barrier.linked(Membership, id_)]
    groups = tuple(group for group in joined if group is not None)
    policies = tuple(policy for holder in (principal, *groups) for policy in holder.policies)
    return Rights(principal=principal, policies=policies, rests_on=groups)
