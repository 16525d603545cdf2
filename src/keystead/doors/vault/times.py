"""Durations in the words of warnings: Go's, without the zeros at the end."""

from __future__ import annotations

import re

from keystead.core.operations import Capped
from keystead.wire.vault.scalars import duration_text

_ZEROS = re.compile(r"(?<=[hm])0[ms](?:0s)?$")


def short(seconds: int) -> str:
    """ "768h", "1h30m", "767h59m59s", "0s"."""
    return _ZEROS.sub("", duration_text(seconds * 10**9))


def warnings_of(capped: Capped | None) -> tuple[str, ...]:
    if capped is None:
        return ()
    name = "TTL" if capped.what == "TTL" else "period"
    return (
        f'{name} of "{short(capped.asked)}" exceeded the effective max_ttl of "{short(capped.most)}"; '
        f"{name} value is capped accordingly",
    )
