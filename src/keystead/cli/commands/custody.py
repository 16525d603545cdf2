"""keystead backup, restore, prove."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keystead.app import hygiene
from keystead.app.layout import Layout
from keystead.cli import secrets
from keystead.cli.exits import NotProven
from keystead.cli.group import Suggesting
from keystead.cli.here import Here, Output, plain, say, shown, with_here
from keystead.cli.progress import progress
from keystead.cli.session import UNSEAL, Session, is_installed, is_running, with_session
from keystead.core.errors import Conflict, InvalidArgument, Unavailable
from keystead.core.words import count_of

if TYPE_CHECKING:
    from keystead.app.recovery import Looking, Recovery
    from keystead.service.proof import Proof
    from keystead.service.since import Deed

UNKNOWN = "unknown"
UNTOLD = "the audit log here does not have the time since the backup, or the backup is not as it was made"
OLD = click.argument("old", metavar="OLD_BACKUP", type=click.Path(path_type=Path))


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@with_session
def backup(out: Output, session: Session, path: Path) -> None:
    """Copy the database into PATH, which must not exist; while the server runs, too.

    It opens with today's slot, so it dies with the next rotation or destruction. Take a new one after it.

    \b
    keystead backup "/mnt/backup/keystead-$(date +%F)"
    """
    target = path.absolute()
    with progress("copying"):
        generation = session.back_up(str(target))
    n_bytes = target.stat().st_size
    out.answer(
        {"path": str(target), "generation": generation, "n_bytes": n_bytes},
        f"{target}: {count_of(n_bytes, 'byte')}. It opens with generation {generation[:12]} of the slot, "
        "which is not in it.",
    )


def _alone(here: Here, what: str) -> None:
    """Raises Unavailable where a server has the installation."""
    hygiene.harden()
    is_installed(here)
    if is_running(here):
        raise Unavailable(f"{what} has the installation to itself: stop the server on {here.directory} first")


@click.command()
@OLD
@click.option(
    "--tree", type=click.Path(path_type=Path), help="The newest copy of the key tree, where the database is lost."
)
@click.option(
    "--take-over", "takes_over", is_flag=True, help="It is the only one from now on, and may renew what an HSM holds."
)
@click.option(
    "--as-it-was",
    "as_it_was",
    is_flag=True,
    help="Though something may have been taken away since: nothing is held back.",
)
@click.option(
    "--accept",
    "accepted",
    metavar="RECORD",
    help="That what stands as it was then was looked at, up to that record of the audit log; or `unknown`.",
)
@UNSEAL
@with_here
def restore(
    here: Here,
    old: Path,
    tree: Path | None,
    unseal: Sequence[str],
    *,
    takes_over: bool,
    as_it_was: bool,
    accepted: str | None,
) -> None:
    """Put back from OLD_BACKUP what is missing or damaged. The server must be stopped.

    Nothing that is there is replaced, no destroyed key comes back, and no access: grants, principals and
    credentials stay as they are today. Where the whole database is lost, the backup becomes the database.

    A key that the audit log has been changed since, or of which nobody knows, is out of service until
    `keystead key enable`.

    A whole database is made of a backup only once somebody has looked at what was done since and is not done again
    (policies, roles, settings): the command lists it, and says what to --accept.
    """
    _alone(here, "a restore")
    if not Layout(here.directory).database.exists():
        from keystead.app.recovery import Recovery

        looked = partial(_looked, accepted)
        wanted = Recovery(old=old, tree=tree, takes_over=takes_over, as_it_was=as_it_was, looked=looked)
        return _recover(here, unseal, wanted)
    if tree is not None:
        raise InvalidArgument("--tree is for a database that is lost, and there is one; move it away first", "tree")
    from keystead.app.library import Keystead

    with Keystead(here.directory, secrets.required(here.directory, unseal)) as keystead, progress("looking") as more:
        done = keystead.restore(old, more, as_it_was=as_it_was)
    words = (
        f"Put back {len(done.restored)}; {done.n_present:,} were there; "
        f"{len(done.destroyed)} taken away since, and stay so; {len(done.damaged)} damaged in the backup."
    )
    here.out.answer(done, words)
    if not done.is_known and (done.restored or done.withheld):
        say(f"Nobody knows what was taken away since: {UNTOLD}.")
    _tell(done.suspended, done.since)
    if done.withheld:
        say(f"Kept away: {count_of(len(done.withheld), 'name')} of keys, which may have been deleted. Make them again.")
    if done.unmended:
        say(f"Damaged, and not in this backup: {_some(done.unmended)}")
    return None


def _looked(accepted: str | None, at: Looking) -> None:
    """Raises Conflict (detail "accept") unless all of it was."""
    if not at.is_known:
        if accepted != UNKNOWN:
            raise Conflict(
                f"nobody knows what was disabled, narrowed or revoked after {shown(at.backed_up_at)}: {UNTOLD}. What "
                "no record here tells of will be as it was then. Put the directory `audit` in its place, or "
                f"take another backup, if one survives; else say --accept {UNKNOWN}. Nothing has been made",
                "accept",
            )
    elif at.standing and accepted != (newest := str(max(deed.index for deed in at.standing))):
        acts = "\n".join(_line(deed) for deed in at.standing)
        raise Conflict(
            f"acts since the backup that may have narrowed something, and are not done again:\n{acts}\n"
            f"What they were done to will be as it was then. Look at each, then say --accept {newest}. "
            "Nothing has been made",
            "accept",
        )


def _recover(here: Here, unseal: Sequence[str], wanted: Recovery) -> None:
    from keystead.app.recovery import recover

    with progress("reading"):
        came = recover(here.directory, secrets.required(here.directory, unseal), wanted)
    here.out.answer(
        came,
        f"The backup is the database. Destroyed since, and for good: {count_of(len(came.destroyed), 'key version')}.",
    )
    if came.not_renewed:
        say(
            "The secret in the slots is still the one of before, which opens every copy of that backup: "
            f"{came.not_renewed}. `keystead slot rotate` once it is back, or `keystead slot remove NAME --lost`."
        )
    if came.is_known:
        say(f"The audit log tells what was done since, up to {shown(came.known_upto)}. What came later, nobody knows.")
    else:
        say(
            f"NOBODY KNOWS what was disabled, narrowed or revoked after {shown(came.backed_up_at)}: {UNTOLD}. What no "
            "record here tells of is as it was then. Where the directory `audit` survives, or another backup, "
            "put it in its place and restore again, before anything is served."
        )
    if came.revoked:
        say(f"Taken away again: {_some(came.revoked)}")
    _tell(came.suspended, came.since)
    if came.access:
        say(
            "Grants, credentials, tokens, memberships, attachments and key stores as they were then, of which some may "
            f"have been revoked since: {len(came.access):,}."
        )


MOST_TOLD = 20


def _line(deed: Deed) -> str:
    what = f"{deed.operation} by {deed.who} on {deed.target}"
    return plain(f"  {shown(deed.at)}  {what} (record {deed.index})")


def _tell(suspended: Sequence[str], since: Sequence[Deed]) -> None:
    """What was done since, and what that has come to."""
    for deed in since[:MOST_TOLD]:
        say(_line(deed))
    if len(since) > MOST_TOLD:
        say(f"  and {count_of(len(since) - MOST_TOLD, 'act')} more: --json has all of them.")
    if suspended:
        say(f"Out of service: {_some(suspended)}\nLook at each (policy, limits, terms), then `keystead key enable`.")


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - MOST_TOLD:,} more" if len(ids) > MOST_TOLD else ""
    return ", ".join(ids[:MOST_TOLD]) + more


@click.group(cls=Suggesting)
def prove() -> None:
    """Show that what was destroyed stays so."""


@prove.command()
@OLD
@UNSEAL
@with_here
def destroyed(here: Here, old: Path, unseal: Sequence[str]) -> None:
    """Try to open every key of OLD_BACKUP with everything there is today. The server must be stopped.

    Today's root, slot and database, the backup's own tree, every path. Exit status 6 where a destroyed key opens,
    or one that was not destroyed does not.
    """
    _alone(here, "a proof")
    from keystead.app.library import Keystead

    with Keystead(here.directory, secrets.required(here.directory, unseal)) as keystead, progress("trying") as more:
        proof = keystead.prove_destroyed(old, more)
    here.out.answer(_shape(proof), _words(proof))
    if not proof.holds:
        raise NotProven("the proof does not hold: an old backup opens what it must not, or has lost what it must keep")


def _shape(proof: Proof) -> dict[str, Any]:
    return {"holds": proof.holds} | {name: getattr(proof, name) for name in proof.__struct_fields__}


def _words(proof: Proof) -> str:
    kept = proof.n_survivors - len(proof.survivors_lost)
    share = 100 * kept / proof.n_survivors if proof.n_survivors else 100
    return "\n".join(
        (
            f"destroyed keys in the backup  {proof.n_destroyed:,}",
            f"of them opened                {len(proof.destroyed_opened)}",
            f"survivors opened              {kept:,} of {proof.n_survivors:,} ({share:.0f} %)",
            f"rows damaged in the backup    {len(proof.damaged)}",
            f"openings tried                {proof.n_tried:,}",
            *((f"not tried: people keep them   {', '.join(proof.awaited)}",) if proof.awaited else ()),
        )
    )
