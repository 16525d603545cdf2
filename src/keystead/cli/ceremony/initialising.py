"""A new installation under dual control: nothing of it is on a disk before every custodian has proved a share.

present → settings → share n, share n typed back … → the shares open the seal → made → on record → access key
"""

from __future__ import annotations

import hmac
from contextlib import ExitStack, closing
from pathlib import Path

from msgspec.structs import replace

from keystead import config
from keystead.app.entropy import drawing
from keystead.app.hsms import Tokens
from keystead.app.installation import MadeWith, exists, initialise, prepare
from keystead.app.library import Keystead
from keystead.app.slots import require_new
from keystead.cli.ceremony import sheet
from keystead.cli.ceremony.holding import Held
from keystead.cli.ceremony.plan import Init
from keystead.cli.ceremony.room import TRIES, Stopped
from keystead.config import Config
from keystead.core import operations as ops
from keystead.core.audit.transcript import Person, Role
from keystead.core.errors import AlreadyExists, Internal, InvalidArgument
from keystead.core.sensitive import Sensitive
from keystead.core.words import count_of
from keystead.crypto.shamir import parse_share
from keystead.doors.control.codec import shown_once
from keystead.seals.base import Created
from keystead.seals.shamir import ShamirConfiguration, ShamirSeal
from keystead.service.bootstrap import First


def hold(held: Held, init: Init, directory: Path) -> First:
    """Raises Stopped, AlreadyExists, InvalidArgument (too few slots, before anybody is asked), and what making an
    installation raises.
    """
    custodians = held.plan.custodians
    ShamirSeal.check(init.threshold, len(custodians))
    settings = _settings(directory, init)
    if exists(directory):
        raise AlreadyExists(f"{directory} holds an installation already", "DIR")
    require_new(directory, settings)
    held.present()
    _settled(held, init, directory, settings)
    with ExitStack() as hardware:
        first, typed = _made(held, init, directory, settings, _made_with(held, settings, hardware))
    held.transcript.add("made", tenant=first.tenant.id, administrator=first.administrator.name)
    _on_record(held, directory, typed[: init.threshold])
    _access_key(held, first)
    return first


def _made(
    held: Held, init: Init, directory: Path, settings: Config, made_with: MadeWith
) -> tuple[First, list[Sensitive]]:
    """And the shares as their custodians have typed them."""
    custodians = held.plan.custodians
    created = ShamirSeal.create(init.threshold, len(custodians), made_with.entropy)
    held.transcript.add("seal made", set=created.configuration.set_id.hex(), threshold=init.threshold)
    with ExitStack() as sheets:
        typed = [
            _given(held, init, created, number, custodian, sheets) for number, custodian in enumerate(custodians, 1)
        ]
    _opens(created, typed)
    held.transcript.add("shares open the seal", n=len(typed))
    held.confirmed("make", held.plan.onlookers, f"Make the installation in {directory} now.")
    prepare(directory)
    first = initialise(
        directory,
        settings,
        created,
        tenant=init.tenant,
        regions=init.regions,
        administrator=init.administrator,
        made_with=made_with,
    )
    return first, typed


def _made_with(held: Held, settings: Config, hardware: ExitStack) -> MadeWith:
    """Drawn from hardware too, where the configuration names any (docs/adr/0040)."""
    tokens = hardware.enter_context(closing(Tokens(settings.hsms)))
    if not settings.entropy.sources:
        return MadeWith(tokens, held.entropy)
    return MadeWith(tokens, hardware.enter_context(drawing(settings, tokens)))


def _settings(directory: Path, init: Init) -> Config:
    there = config.read(directory)
    slots = there.slots if init.slots is None else tuple(str(Path(one).absolute()) for one in init.slots)
    return replace(there, slots=slots, region=init.regions[0])


def _settled(held: Held, init: Init, directory: Path, settings: Config) -> None:
    n = len(held.plan.custodians)
    words = (
        f"{held.plan.title}: a new installation in {directory}, whose seal opens by {init.threshold} of "
        f"{count_of(n, 'share')}; "
        f"regions {', '.join(init.regions)}; administrator {init.administrator}; slots {', '.join(settings.slots)}."
    )
    held.confirmed(
        "settings",
        held.plan.onlookers,
        words,
        directory=str(directory),
        threshold=init.threshold,
        shares=n,
        slots=list(settings.slots),
    )


def _given(
    held: Held, init: Init, created: Created[ShamirConfiguration], number: int, holder: Person, sheets: ExitStack
) -> Sensitive:
    """A share to its holder, and back again: as it was typed. Raises Stopped."""
    share, step = created.show[number - 1], f"share {number}"
    check = sheet.fingerprint(share)
    path = None
    if init.sheets:
        facts = sheet.Facts(
            title=held.plan.title,
            holder=holder.name,
            number=number,
            n_shares=len(created.show),
            threshold=init.threshold,
            set_id=created.configuration.set_id.hex(),
            check=check[:8],
            date=f"{held.clock.now():%Y-%m-%d}",
        )
        path = sheet.write(Path(init.sheets), share, facts)
        sheets.callback(sheet.take_away, path)  # whatever comes
    held.room.give(holder, step, share, path)
    held.transcript.add(step, (holder,), digest=check, printed=path is not None)
    typed = _typed_back(held, step, holder, share)
    if path is not None:
        sheet.take_away(path)
    return typed


def _typed_back(held: Held, step: str, holder: Person, share: Sensitive) -> Sensitive:
    step = f"{step} typed back"
    for n in range(1, TRIES + 1):
        typed = held.room.ask(holder, step, "Type your share from what you keep")
        if _is_share(typed, share):
            held.transcript.add(step, (holder,), tries=n)
            return typed
        held.room.tell("That is not the share.")
    raise Stopped(f"{holder.name} has not typed the share back")


def _is_share(typed: Sensitive, share: Sensitive) -> bool:
    try:
        read = parse_share(typed.reveal().decode(errors="replace"))
    except InvalidArgument:
        return False
    mine = parse_share(share.reveal().decode())
    is_same = hmac.compare_digest(read.value, mine.value)
    return is_same and (read.set_id, read.threshold, read.index) == (mine.set_id, mine.threshold, mine.index)


def _opens(created: Created[ShamirConfiguration], typed: list[Sensitive]) -> None:
    """That what the custodians keep opens what is about to be made. Raises Internal."""
    found = ShamirSeal(created.configuration).open(typed)
    if not hmac.compare_digest(found.reveal(), created.unseal_key.reveal()):
        raise Internal("the shares open another seal")


def _on_record(held: Held, directory: Path, offered: list[Sensitive]) -> None:
    with Keystead(directory, offered) as keystead:
        keystead.perform(ops.NoteCeremony(key=held.transcript.key, head=held.transcript.head))
    held.transcript.add("on record")


def _access_key(held: Held, first: First) -> None:
    """To the operator, as everybody else's secrets: seen once, and alone."""
    if first.access_key is None:
        raise Internal("the administrator has no access key")
    (operator, *_), key = held.plan.of(Role.OPERATOR), shown_once(first.access_key)
    text = f"AWS_ACCESS_KEY_ID={key.access_key_id}\nAWS_SECRET_ACCESS_KEY={key.secret_access_key}"
    held.room.give(operator, "access key", Sensitive(text.encode()), None)
    held.transcript.add("access key", (operator,), id=key.access_key_id)
