"""keystead pcrs: other PCRs allowed to a TPM seal after an update of the firmware, by its authority's signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from keystead import config
from keystead.cli.group import Suggesting
from keystead.cli.here import JSON, Here, Output, say, table, with_here
from keystead.core.errors import InvalidArgument
from keystead.core.words import count_of

if TYPE_CHECKING:
    from keystead.seals.tpm import TpmConfiguration
    from keystead.tpm import Approval


@click.group(cls=Suggesting)
def pcrs() -> None:
    """Have a TPM seal that was made with --authority open under other PCRs, as an update of firmware leaves them."""


@pcrs.command()
@with_here
def request(here: Here) -> None:
    """Say what the PCRs of the seal are now, as a request. Send it to whoever has the authority's key; no secret."""
    from keystead.app.hardware import Hardware
    from keystead.seals import approved
    from keystead.tpm import Approval

    blob = _seal(here).blob
    if not blob.authority:
        raise InvalidArgument(approved.NO_AUTHORITY, "seal")
    which = tuple(sorted(blob.pcrs))
    asked = Approval(which, Hardware(config.read(here.directory)).tpm.pcrs(which), blob.reference)
    _show(here.out, asked, approved.spelled(asked))


@pcrs.command()
@click.argument("request")
@click.option("--key", required=True, metavar="REF", help="file:PATH, env:NAME or fd:N of the private key, PEM, P-256.")
@JSON
def approve(request: str, key: str, *, as_json: bool) -> None:
    """Sign REQUEST, where the authority's key is: it needs no server, no TPM and no network.

    Compare the values with what the update's publisher says, or with a machine that had it, before you send it back.
    """
    from keystead.seals import approved

    made = approved.approve(approved.parsed(request, approved.REQUEST), config.secret(key))
    _show(Output(as_json=as_json), made, approved.spelled(made))


@pcrs.command()
@click.argument("approval")
@with_here
def keep(here: Here, approval: str) -> None:
    """Put APPROVAL beside the seal, which opens under its PCRs from now on: by `keystead unseal`, or at a start."""
    from keystead.app.layout import write_durably
    from keystead.seals import approved

    found = approved.parsed(approval, approved.APPROVAL)
    approved.check(found, _seal(here).blob)
    write_durably(here.directory / approved.FILE, approved.added(here.directory, found))
    n = len(approved.kept(here.directory))
    here.out.answer({"kept": n}, f"The seal opens under these PCRs too; kept: {count_of(n, 'approval')}.")


def _seal(here: Here) -> TpmConfiguration:
    """Raises InvalidArgument where there is no TPM seal."""
    from keystead.app.installation import read_seal
    from keystead.seals.tpm import TpmConfiguration

    found = read_seal(here.directory).of_kind("tpm")
    assert isinstance(found, TpmConfiguration)  # noqa: S101 - `of_kind` sees to it
    return found


def _show(out: Output, approval: Approval, text: str) -> None:
    rows = {str(pcr): value.hex() for pcr, value in zip(approval.pcrs, approval.values, strict=True)}
    if not out.as_json:
        say(table(["pcr", "sha256"], [list(row) for row in rows.items()]))
    out.answer({"pcrs": rows, "text": text}, text)
