"""keystead key limit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
from msgspec.structs import replace

from keystead.cli import places
from keystead.cli.here import Output
from keystead.cli.places import PLACE
from keystead.cli.session import Session, with_session
from keystead.core import operations as ops
from keystead.core.entities import Key
from keystead.core.errors import InvalidArgument
from keystead.core.limits import Allowance, Counts, Limits
from keystead.core.operations import KeyRef

NONE = "none"
SIDES = ("protect", "process")


class Number(click.ParamType[int | str]):
    """A number, or `none`."""

    name = "N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if value == NONE:
            return NONE
        if not str(value).isdecimal():
            self.fail(f"{value!r} is neither a number nor `none`", param, ctx)
        return int(value)


class Moment(click.ParamType[datetime | str]):
    """A date and time of ISO 8601, or `none`. Without a time zone it is UTC, and without a time midnight."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | str:
        if value == NONE:
            return NONE
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a date such as 2027-01-31T12:00 nor `none`", param, ctx)
        return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


@click.command()
@click.argument("key_name", metavar="KEY")
@click.option("--for", "side", type=click.Choice(SIDES), default="protect", show_default=True, help="Which use of it.")
@click.option("--uses", type=Number(), help="At most so many of them.")
@click.option("--bytes", "n_bytes", type=Number(), help="At most so many bytes given to the key.")
@click.option("--not-before", type=Moment(), help="No earlier than that.")
@click.option("--not-after", type=Moment(), help="No later than that.")
@click.option("--loosen", is_flag=True, help="The new limits may allow more than the old ones: a right of its own.")
@PLACE
@with_session
def limit(
    out: Output, session: Session, key_name: str, side: str, *, loosen: bool, place: str | None, **given: Any
) -> None:
    """Limit how often, how much or when a key is used; what is not named stays, `none` takes a limit away.

    To protect is to encrypt, sign or make a MAC; to process is to decrypt or verify. Without any limit named, tell.

    \b
    keystead key limit alias/app --uses 1000000 --not-after 2027-12-31
    """
    ref = places.key(session, key_name, place)
    key = session.perform(ops.DescribeKey(key=ref)).key
    changed = {name: None if value == NONE else value for name, value in given.items() if value is not None}
    if changed:
        old = key.limits or Limits()
        side_changed = replace(getattr(old, side), **changed)
        limits = replace(old, **{side: side_changed})
        if not loosen and limits.allow_more_than(old):
            raise InvalidArgument("these limits allow more than those it has: say --loosen", "loosen")
        session.perform((ops.LoosenLimits if loosen else ops.PutLimits)(key=ref, limits=limits))
    out.answer(told(session, ref))


def told(session: Session, ref: KeyRef) -> dict[str, Any]:
    """Limits and what of them is used; members that have no limit are left out."""
    usage = session.perform(ops.ReadUsage(key=ref))
    found = {}
    for side, at in zip(SIDES, (0, 2), strict=True):
        allowance: Allowance = getattr(usage.limits, side)
        found[side] = {**_shape(allowance), **_used(allowance, usage.used, at)}
    return found


def of(session: Session, key: Key, ref: KeyRef) -> dict[str, Any] | None:
    """The same; None of a key that has no limits."""
    return None if key.limits is None else told(session, ref)


def _shape(allowance: Allowance) -> dict[str, Any]:
    found = {name: getattr(allowance, name) for name in allowance.__struct_fields__}
    return {name.removeprefix("n_"): value for name, value in found.items() if value is not None}


def _used(allowance: Allowance, used: Counts, at: int) -> dict[str, int]:
    counts = {"used": used[at], "bytes_used": used[at + 1]}
    return counts if allowance.uses is not None or allowance.n_bytes is not None or any(counts.values()) else {}
