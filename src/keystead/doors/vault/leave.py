"""Nobody hears anything without leave: also not what an operation answers of itself, before it has asked the core.

Rule 1: what is wrong with a request is for whoever may ask it to know; anybody else is refused (OpenBao asks its
        policies first, too).
Rule 2: an operation that finds nothing to do has still to be allowed, and is on record: then the front asks the core.
"""

from __future__ import annotations

from keystead.core import errors as e
from keystead.core.caller import Asked, Caller
from keystead.core.policy.paths import CAPABILITIES, DIALECT, acl_of
from keystead.core.policy.vault.document import Capability
from keystead.doors.vault.endpoint import Said
from keystead.wire import Malformed, Misfit
from keystead.wire.vault import Refused


def to_tell(error: Exception, who: Caller | None) -> Exception:
    """The error itself, or Denied in its place. What the core has refused is on record, with its own reason."""
    if who is None or who.asked is None or not _is_the_doors(error) or _may_ask(who, who.asked):
        return error
    return e.Denied("what is wrong with it is not for whoever may not ask")


def _is_the_doors(error: Exception) -> bool:
    """Whether nothing but the door has found fault with it, and not that whoever asks may not."""
    if isinstance(error, Said):
        return error.status != 403 and not error.recorded and not error.kind.recorded
    return isinstance(error, Misfit | Malformed | Refused)


def _may_ask(who: Caller, asked: Asked) -> bool:
    """Whether the paths of its policies let it, or a policy in other words might."""
    policies = who.rights.policies
    if any(one.dialect != DIALECT for one in policies):
        return True
    acl = acl_of(policies, who.now)
    wanted = [CAPABILITIES[asked.capability], *([Capability.CREATE] if asked.creates else ())]
    return any(
        acl.decide(
            asked.path,
            one,
            parameters=asked.parameters,
            wrap_ttl=asked.wrap_for,
            sudo=asked.needs_sudo,
            meant=asked.meant,
        ).allowed
        for one in wanted
    )
