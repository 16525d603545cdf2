"""keystead key …"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import click

from keystead.cli import places
from keystead.cli.commands import limits, statements
from keystead.cli.group import Suggesting
from keystead.cli.here import Output, say
from keystead.cli.places import PLACE, TENANT
from keystead.cli.session import Session, with_session
from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS, KeySpec, Purpose
from keystead.core.cutoffs import NEVER, Cutoffs
from keystead.core.entities import Key
from keystead.core.errors import AlreadyExists, InvalidArgument, KeysteadError, NotFound
from keystead.core.family import known_as
from keystead.core.operations import Described, KeyRef, KeyringRef
from keystead.core.policy.arn import resource_arn
from keystead.core.states import KeyState
from keystead.core.words import count_of

KEY = click.argument("key_name", metavar="KEY")
PURPOSES = {purpose.name.lower(): purpose for purpose in Purpose}
PAGE = 1000
HEADS = ("id", "place", "spec", "state", "description")


@click.group(cls=Suggesting)
def key() -> None:
    """Keys: their life, never their use.

    KEY is an id, an ARN, or a name such as alias/app.
    """


@key.command("list")
@click.option("--in", "place", metavar="PLACE", help="Only those of a region, or of an address [default: of all].")
@click.option("--tenant", metavar="TENANT", help="Only its: digits, or a namespace's path [default: those of all].")
@with_session
def list_(out: Output, session: Session, place: str | None, tenant: str | None) -> None:
    """Every key, or those of one place or tenant."""
    if place is not None:
        namespaces = [places.address(session, place, tenant)]
    else:
        whose = None if tenant is None else places.tenant_of(session, tenant)
        bound = [one for one in places.keyrings(session) if whose in {None, one.keyring.tenant}]
        namespaces = [one.namespaces[0] for one in bound if one.namespaces]
    cutoffs = Cutoffs(session.settings.algorithms)
    found = []
    for ref in (ref for namespace in namespaces for ref in _keys(session, namespace)):
        one = _describe(session, ref)
        found.append({**_shape(one, ref.namespace), "protects_until": _last_day(one.key, cutoffs)})
    out.rows((*HEADS, "protects_until") if cutoffs else HEADS, found, none="No keys. Make one: `keystead key create`.")


def _keys(session: Session, namespace: str) -> list[KeyRef]:
    found: list[KeyRef] = []
    after: str | None = ""
    while after is not None:
        page = session.perform(ops.ListKeys(keyring=KeyringRef(namespace), after=after, limit=PAGE))
        found += [KeyRef(namespace, id=id_) for id_ in page.items]
        after = page.after
    return found


def _last_day(one: Key, cutoffs: Cutoffs) -> str | None:
    """Of what it may protect (core.cutoffs), if there is an end to it."""
    if (last := cutoffs.last_day(one.spec, one.purpose)) is None:
        return None
    return "never" if last == NEVER else last.isoformat()


def _describe(session: Session, ref: KeyRef) -> Described:
    return session.perform(ops.DescribeKey(key=ref))


def _shape(described: Described, namespace: str) -> dict[str, Any]:
    """A key, as commands show it."""
    one = described.key
    life, rotation, id_ = one.lifecycle, one.rotation, known_as(one.id)
    return {
        "id": id_,
        "arn": resource_arn(namespace, f"key/{id_}") if namespace.startswith(f"{places.DIALECT}:") else None,
        "tenant": one.tenant,
        "place": namespace.split(":", 2)[2],
        "spec": one.spec_name,
        "purpose": one.purpose.name.lower(),
        "protection": one.protection.value,
        "hsm": one.hsm or None,
        "still_in_hsm": described.n_outstanding or None,
        "state": described.fate or life.state.value,
        "copies": [
            {"place": at.split(":", 2)[2], "primary": copy.key.is_primary}
            for copy in described.copies
            for at in copy.namespaces
        ],
        "restored_at": one.restored_at,
        "destroy_at": life.destroy_at,
        "destroy_in_days": life.destroy_in_days or None,
        "description": one.description,
        "tags": one.tags,
        "created_at": one.created_at,
        "version": one.current,
        "entropy": (described.version.entropy or None) if described.version else None,
        "n_versions": one.n_versions,
        "rotate_every_days": rotation.period_days if rotation else None,
        "rotate_at": rotation.next_at if rotation else None,
    }


@key.command()
@click.option("--spec", default="AES_256", show_default=True, help=f"What kind of key: {', '.join(KEY_SPECS)}.")
@click.option("--purpose", help=f"Where the spec allows several: {', '.join(PURPOSES)} [default: its first].")
@click.option("--description", default="", help="For people.")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="Repeatable.")
@click.option("--name", metavar="alias/NAME", help="A name for it.")
@click.option("--replicable", is_flag=True, help="It may be copied elsewhere: `keystead key replicate`.")
@click.option("--hsm", metavar="NAME", help="The HSM that holds it for life [default: as keystead.toml says].")
@PLACE
@TENANT
@with_session
def create(out: Output, session: Session, spec: str, purpose: str | None, **given: Any) -> None:
    """Make a key: its id is printed.

    \b
    keystead key create --name alias/app
    keystead key create --spec RSA_2048 --purpose signature --tag team=pay
    """
    namespace = places.address(session, given["place"], given["tenant"])
    name = _free_name(session, given["name"], namespace) if given["name"] else None
    made = session.perform(
        ops.CreateKey(
            keyring=KeyringRef(namespace),
            spec=_spec(spec),
            purpose=_purpose(purpose, _spec(spec)),
            description=given["description"],
            tags=_tags(given["tags"]),
            multi_region=given["replicable"],
            hsm=given["hsm"],
        )
    )
    id_ = known_as(made.key.id)
    if name is not None:
        try:
            session.perform(ops.CreateName(key=KeyRef(namespace, id=id_), name=name))
        except KeysteadError:  # somebody was faster
            say(f"The key {id_} was made, and has no name.")
            raise
    out.answer(_shape(made, namespace), id_)


def _free_name(session: Session, text: str, namespace: str) -> str:
    """A name for a key that is not made yet. Raises AlreadyExists, InvalidArgument."""
    name = places.name(text, namespace)
    try:
        taken = _describe(session, KeyRef(namespace, name=name))
    except NotFound:
        return name
    raise AlreadyExists(f"the key {known_as(taken.key.id)} has the name {name} already", "name")


def _spec(said: str) -> KeySpec:
    if (found := KEY_SPECS.get(said.upper())) is not None:
        return found
    near = get_close_matches(said.upper(), KEY_SPECS, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(KEY_SPECS)}"
    raise InvalidArgument(f"no key spec {said!r}; {hint}", "spec")


def _purpose(said: str | None, spec: KeySpec) -> Purpose:
    if said is None:
        return spec.purposes[0]
    if (found := PURPOSES.get(said.lower())) is None:
        raise InvalidArgument(f"no purpose {said!r}; there are {', '.join(PURPOSES)}", "purpose")
    return found


def _tags(given: Sequence[str]) -> dict[str, str]:
    pairs = [tag.partition("=") for tag in given]
    if any(not equals for _, equals, _ in pairs):
        raise InvalidArgument("give a tag as NAME=VALUE", "tag")
    return {name: value for name, _, value in pairs}


@key.command()
@KEY
@PLACE
@with_session
def describe(out: Output, session: Session, key_name: str, place: str | None) -> None:
    """What there is to know of a key, destroyed ones too."""
    _answer(out, session, places.key(session, key_name, place))


def _answer(out: Output, session: Session, ref: KeyRef) -> None:
    """With its names, its last use, which a destroyed key has no more, and its last day, if it has one."""
    described = _describe(session, ref)
    if described.key.lifecycle.state is KeyState.DESTROYED:
        return out.answer(
            {**_shape(described, ref.namespace), "names": [], "last_use": None, "protects_until": None, "limits": None}
        )
    names = session.perform(ops.ListNames(keyring=KeyringRef(ref.namespace), key=ref, limit=PAGE))
    use = session.perform(ops.ReadLastUse(key=ref)).use
    last = {"operation": use.operation, "at": use.at, "index": use.index} if use else None
    return out.answer(
        {
            **_shape(described, ref.namespace),
            "names": [name.name for name in names.items],
            "last_use": last,
            "protects_until": _last_day(described.key, Cutoffs(session.settings.algorithms)),
            "limits": limits.of(session, described.key, ref),
        }
    )


key.add_command(limits.limit)
key.add_command(statements.attest)
key.add_command(statements.certificate)


@key.command()
@KEY
@PLACE
@with_session
def enable(out: Output, session: Session, key_name: str, place: str | None) -> None:
    """Put a disabled key back into service."""
    ref = places.key(session, key_name, place)
    session.perform(ops.EnableKey(key=ref))
    _done(out, session, ref, "Enabled.")


@key.command()
@KEY
@PLACE
@with_session
def disable(out: Output, session: Session, key_name: str, place: str | None) -> None:
    """Take a key out of service: from the answer on, no worker uses it."""
    ref = places.key(session, key_name, place)
    session.perform(ops.DisableKey(key=ref))
    _done(out, session, ref, "Disabled. `keystead key enable` puts it back.")


def _done(out: Output, session: Session, ref: KeyRef, words: str) -> None:
    out.answer(_shape(_describe(session, ref), ref.namespace) if out.as_json else None, words)


@key.command("schedule-deletion")
@KEY
@click.option("--days", type=click.IntRange(7, 30), default=30, show_default=True, help="From now.")
@PLACE
@with_session
def schedule_deletion(out: Output, session: Session, key_name: str, days: int, place: str | None) -> None:
    """Appoint a day on which the key is destroyed; it is out of service at once."""
    ref = places.key(session, key_name, place)
    made = session.perform(ops.ScheduleDestruction(key=ref, after_days=days))
    at = made.key.lifecycle.destroy_at
    when = f"{count_of(days, 'day')} after its last replica" if at is None else f"at {at:%Y-%m-%d %H:%M} UTC"
    words = f"To be destroyed {when}; until then `keystead key cancel-deletion` keeps it."
    out.answer(_shape(made, ref.namespace), words)


@key.command("cancel-deletion")
@KEY
@PLACE
@with_session
def cancel_deletion(out: Output, session: Session, key_name: str, place: str | None) -> None:
    """Keep the key after all; it stays disabled."""
    ref = places.key(session, key_name, place)
    made = session.perform(ops.CancelDestruction(key=ref))
    out.answer(_shape(made, ref.namespace), "Kept, and disabled: `keystead key enable` puts it back into service.")


@key.command()
@KEY
@PLACE
@with_session
def rotate(out: Output, session: Session, key_name: str, place: str | None) -> None:
    """A new version from now on; what older ones made still opens."""
    ref = places.key(session, key_name, place)
    made = session.perform(ops.RotateKey(key=ref))
    out.answer(_shape(made, ref.namespace), f"Version {made.key.current}.")


TO = click.option("--to", "to", metavar="PLACE", required=True, help="The other place: a region, or an address.")


@key.command()
@KEY
@TO
@PLACE
@with_session
def replicate(out: Output, session: Session, key_name: str, to: str, place: str | None) -> None:
    """Copy a key that was made to be: the copy is a key of its own, with the same id, material and rotation."""
    ref = places.key(session, key_name, place)
    there = places.address(session, to, ref.namespace.split(":")[1])
    made = session.perform(ops.ReplicateKey(key=ref, namespace=there))
    out.answer(_shape(made.described, there), f"{known_as(made.described.key.id)} is at {there} too.")


@key.command("hand-over")
@KEY
@TO
@PLACE
@with_session
def hand_over(out: Output, session: Session, key_name: str, to: str, place: str | None) -> None:
    """Make the copy there the primary: the one that is rotated and copied, and that the others follow."""
    ref = places.key(session, key_name, place)
    there = places.address(session, to, ref.namespace.split(":")[1])
    session.perform(ops.ChangePrimary(key=ref, namespace=there))
    _done(out, session, ref, f"The primary is at {there}.")
