"""Pages of lists: `after` and `limit`, and the most that policies let (OpenBao, "pagination_limit").

Lists that grow without end take their page from the index, and read these themselves. Every other one is cut here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from keystead.core import errors as e
from keystead.core.caller import Caller
from keystead.core.policy.paths import CAPABILITIES, acl_of
from keystead.core.policy.vault.rules import LISTS
from keystead.doors.vault.endpoint import Answer
from keystead.wire.vault.fields import coerced
from keystead.wire.vault.kinds import Kind
from keystead.wire.vault.reader import Arguments, Parameters

AFTER: Final = "after"
LIMIT: Final = "limit"


class Page(Struct, frozen=True):
    """`n`: names; 0 or less: all that come after `after`."""

    after: str
    n: int

    def of(self, answer: Any) -> Any:
        """What stands on it of a list's answer. Raises NotFound where that is nothing."""
        if isinstance(answer, Answer):
            return replace(answer, data=self.of(answer.data))
        if not isinstance(answer, Mapping) or not isinstance(names := answer.get("keys"), list | tuple):
            return answer
        found = [name for name in sorted(names) if name > self.after]
        if self.n > 0:
            found = found[: self.n]
        if not found:
            raise e.NotFound("nothing is listed there", AFTER)
        cut = {name: found if value == names else value for name, value in answer.items()}  # sys/policy says it twice
        if isinstance(info := answer.get("key_info"), Mapping):
            cut["key_info"] = {name: info[name] for name in found if name in info}
        return cut


def page_of(given: Arguments, who: Caller, message: type[Parameters]) -> tuple[Arguments, Page | None]:
    """(what the message is read from, the page that its answer is cut to: None for all of it). Raises FieldError."""
    asked = who.asked
    if asked is None or asked.capability not in LISTS or isinstance(given, bytes):
        return given, None
    most = _most(who)
    if LIMIT in message.__struct_encode_fields__:
        return (given if most is None else {**given, LIMIT: str(most)}), None
    if most is None and LIMIT not in given and AFTER not in given:
        return given, None
    after, wanted = given.get(AFTER, ""), given.get(LIMIT, 0) if most is None else most
    page = Page(coerced(Kind.TEXT, AFTER, after), coerced(Kind.INT, LIMIT, wanted))
    return {name: value for name, value in given.items() if name not in {AFTER, LIMIT}}, page


def _most(who: Caller) -> int | None:
    """What the policies want `limit` to be; None: as it came."""
    asked = who.asked
    if asked is None:
        return None
    try:
        acl = acl_of(who.rights.policies, who.now)
    except e.InvalidArgument:  # which the core says then
        return None
    verdict = acl.decide(
        asked.path,
        CAPABILITIES[asked.capability],
        parameters=asked.parameters,
        wrap_ttl=asked.wrap_for,
        sudo=asked.needs_sudo,
        meant=asked.meant,
    )
    return verdict.limit
