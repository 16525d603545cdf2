"""keystead approval …: rules of M-of-N approval, and the requests that wait under them."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from keystead.cli import files, overaws, places
from keystead.cli.durations import seconds
from keystead.cli.group import Suggesting
from keystead.cli.here import JSON, Output, members, plain, say
from keystead.cli.places import TENANT
from keystead.cli.session import Session, with_session
from keystead.core import operations as ops
from keystead.core.approvals import GROUPS, HEAD
from keystead.core.entities import ApprovalRule
from keystead.core.errors import InvalidArgument
from keystead.core.operations import ApproverSaid, ShownRequest
from keystead.core.sensitive import Sensitive
from keystead.core.words import count_of
from keystead.crypto.notes import NotEd25519, public_of_pem, sign_with_pem

F = TypeVar("F", bound=Callable[..., Any])


@click.group(cls=Suggesting)
def approval() -> None:
    """What others have to approve before it is done."""


@approval.group(cls=Suggesting)
def rule() -> None:
    """Which acts wait for whom. Changing a rule waits for those whom it names."""


def _placed(run: F) -> F:
    """Where: a tenant's, or the installation's own."""
    everywhere = click.option("--installation", is_flag=True, help="About the installation: its seal, its backups.")
    return TENANT(everywhere(run))


def _scope(session: Session, tenant: str | None, *, installation: bool) -> str:
    """Raises InvalidArgument."""
    if installation and tenant is not None:
        raise InvalidArgument("--tenant or --installation, not both", "tenant")
    return "" if installation else places.tenant_of(session, tenant)


def _approver(text: str) -> ApproverSaid:
    """ "user:ann", or "key:ann=ann.pub" with a public key in PEM. Raises InvalidArgument."""
    who, equals, path = text.partition("=")
    if not equals:
        return ApproverSaid(who=who)
    try:
        return ApproverSaid(who=who, public_key=public_of_pem(files.read(Path(path), "approver")))
    except NotEd25519:
        raise InvalidArgument(f"{path} is no public key of Ed25519 in PEM", "approver") from None


# --- rules


@rule.command()
@click.argument("name")
@click.option(
    "--action",
    "actions",
    multiple=True,
    required=True,
    metavar="WORD",
    help=f"What waits: {', '.join(GROUPS)}, or an action (key:disable). Repeatable.",
)
@click.option("--approvals", type=click.IntRange(1), required=True, metavar="N", help="How many have to approve.")
@click.option(
    "--approver",
    "approvers",
    multiple=True,
    required=True,
    metavar="WHO",
    help="user:, role:, root:, group:, entity:, identity-group:, uid: or key: and a name; "
    "WHO=FILE with an Ed25519 public key that their approval is signed with. Repeatable.",
)
@click.option("--key", "keys", multiple=True, metavar="ID", help="Of this key alone. Repeatable.")
@click.option("--keyring", "keyrings", multiple=True, metavar="ID", help="Of what is in this keyring. Repeatable.")
@click.option("--own", is_flag=True, help="Whoever asks may be one of those who approve.")
@click.option("--needs-right", is_flag=True, help="Who approves must be allowed to do it, too.")
@click.option("--waits", default="24h", show_default=True, metavar="TIME", help="How long a request waits.")
@click.option("--good-for", default="24h", show_default=True, metavar="TIME", help="How long an approved one is good.")
@_placed
@with_session
def put(  # noqa: PLR0913 - one parameter an option
    out: Output,
    session: Session,
    name: str,
    *,
    actions: tuple[str, ...],
    approvals: int,
    approvers: tuple[str, ...],
    keys: tuple[str, ...],
    keyrings: tuple[str, ...],
    waits: str,
    good_for: str,
    tenant: str | None,
    own: bool,
    needs_right: bool,
    installation: bool,
) -> None:
    """A new rule, or another one under the name of one there is.

    \b
    keystead approval rule put destroy --action destroy --approvals 2 --approver user:ann --approver user:bob
    """
    op = ops.PutApprovalRule(
        scope=_scope(session, tenant, installation=installation),
        name=name,
        actions=actions,
        n_approvals=approvals,
        approvers=tuple(_approver(text) for text in approvers),
        keys=keys,
        keyrings=keyrings,
        own=own,
        needs_right=needs_right,
        waits_for=seconds(waits, "waits"),
        good_for=seconds(good_for, "good-for"),
    )
    made = session.perform(op)
    out.answer(_rule(made), f"{name}: {', '.join(actions)} waits for {approvals} of those it names.")


def _rule(one: ApprovalRule) -> dict[str, Any]:
    return {
        "name": one.name,
        "actions": one.actions,
        "approvals": one.n_approvals,
        "approvers": [f"{each.name}{' (signs)' if each.public_key else ''}" for each in one.approvers],
        "keys": one.keys,
        "keyrings": one.keyrings,
        "own": one.own,
        "needs_right": one.needs_right,
        "waits_for": one.waits_for,
        "good_for": one.good_for,
    }


@rule.command("list")
@_placed
@with_session
def list_rules(out: Output, session: Session, tenant: str | None, *, installation: bool) -> None:
    """The rules there are."""
    scope = _scope(session, tenant, installation=installation)
    found = session.perform(ops.ListApprovalRules(scope=scope))
    out.rows(("name", "actions", "approvals", "approvers"), [_rule(one) for one in found], none="No rules.")


@rule.command()
@click.argument("name")
@_placed
@with_session
def delete(out: Output, session: Session, name: str, tenant: str | None, *, installation: bool) -> None:
    """Take a rule away, once those whom it names have approved that."""
    session.perform(ops.DeleteApprovalRule(scope=_scope(session, tenant, installation=installation), name=name))
    out.answer({"name": name, "deleted": True}, f"{name} is gone.")


# --- requests


def _request(one: ShownRequest) -> dict[str, Any]:
    request = one.request
    return {
        "id": request.id,
        "standing": one.standing.value,
        "approvals": f"{one.n_approvals} of {one.n_needed}",
        "operation": request.operation,
        "asked_by": request.asked_name,
        "asked_at": request.asked_at,
        "ends_at": request.ends_at,
        "targets": request.targets,
        "door": request.door,
        "rules": [name for _, name, _ in request.rules],
        "approved_by": [each.name for each in request.approvals],
        "denied_by": request.denied_name,
        **{f"with_{name}": value for name, value in request.summary},
    }


@approval.command("list")
@_placed
@with_session
def list_(out: Output, session: Session, tenant: str | None, *, installation: bool) -> None:
    """What waits, and what is approved and not done yet."""
    found = session.perform(ops.ListApprovals(scope=_scope(session, tenant, installation=installation)))
    heads = ("id", "standing", "approvals", "operation", "asked_by", "ends_at")
    out.rows(heads, [_request(one) for one in found], none="Nothing waits.")


@approval.command()
@click.argument("id_", metavar="ID")
@click.option(
    "--to-sign", type=click.Path(path_type=Path), metavar="FILE", help="Write what an approver signs to FILE."
)
@_placed
@with_session
def show(
    out: Output, session: Session, id_: str, to_sign: Path | None, tenant: str | None, *, installation: bool
) -> None:
    """All that there is to say about a request, but for secrets."""
    found = session.perform(ops.ShowApproval(scope=_scope(session, tenant, installation=installation), id=id_))
    if to_sign is not None:
        files.write(to_sign, found.to_sign)
    out.answer(_request(found))


@approval.command()
@click.argument("id_", metavar="ID")
@click.option("--signature", metavar="BASE64", help="Of an approver that signs: what `keystead approval sign` printed.")
@_placed
@with_session
def approve(
    out: Output, session: Session, id_: str, signature: str | None, tenant: str | None, *, installation: bool
) -> None:
    """Approve a request: as the user that you are, or with the signature of whoever signed it."""
    scope = _scope(session, tenant, installation=installation)
    try:
        signed = b64decode(signature or "", validate=True)
    except Error:
        raise InvalidArgument("the signature is not base64", "signature") from None
    if signature is not None and not signed:
        raise InvalidArgument("the signature is empty", "signature")
    found = session.perform(ops.Approve(scope=scope, id=id_, signature=signed))
    words = f"{id_} is {found.standing.value}: {found.n_approvals} of {count_of(found.n_needed, 'approval')}."
    out.answer(_request(found), words)


@approval.command()
@click.argument("id_", metavar="ID")
@_placed
@with_session
def deny(out: Output, session: Session, id_: str, tenant: str | None, *, installation: bool) -> None:
    """Deny a request; whoever asked may take it back so."""
    found = session.perform(ops.Deny(scope=_scope(session, tenant, installation=installation), id=id_))
    out.answer(_request(found), f"{id_} is denied.")


@approval.command()
@click.argument("request", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Ed25519, PKCS#8 in PEM.")
@JSON
def sign(request: Path, key: Path, *, as_json: bool) -> None:
    """Sign what `show --to-sign` wrote. It needs no server and no installation: do it where the key is."""
    text = files.read(request, "request")
    if not text.startswith(HEAD):
        raise InvalidArgument(f"{request} is no request for approval", "request")
    try:
        public, signature = sign_with_pem(Sensitive(files.read(key, "key")), text)
    except NotEd25519:
        raise InvalidArgument(f"{key} is no private key of Ed25519 in PEM", "key") from None
    if not as_json:
        say(plain(text.removeprefix(HEAD).decode(errors="replace")))
    shown = {"signature": b64encode(signature).decode(), "public_key": b64encode(public).decode()}
    Output(as_json=as_json).answer(shown, shown["signature"])


# --- from anywhere, at an AWS door


@approval.group(cls=Suggesting)
def aws() -> None:
    """The same from anywhere, as whoever AWS_ACCESS_KEY_ID and its like say: see `keystead env aws`."""


def _told(one: dict[str, Any]) -> str:
    lines = {name: value for name, value in one.items() if name not in {"Summary", "ToSign"}}
    return members({**lines, **{f"with {name}": value for name, value in one.get("Summary", {}).items()}})


@aws.command("list")
@JSON
def list_there(*, as_json: bool) -> None:
    """What waits in the account that the credentials are of."""
    found = overaws.ask(os.environ, "ListApprovals")["Approvals"]
    rows = [{**one, "Approvals": f"{one['Approvals']} of {one['Needed']}"} for one in found]
    Output(as_json=as_json).rows(("Id", "Standing", "Approvals", "Operation", "AskedBy"), rows, none="Nothing waits.")


@aws.command("show")
@click.argument("id_", metavar="ID")
@click.option(
    "--to-sign", type=click.Path(path_type=Path), metavar="FILE", help="Write what an approver signs to FILE."
)
@JSON
def show_there(id_: str, to_sign: Path | None, *, as_json: bool) -> None:
    """All that there is to say about a request, but for secrets."""
    found = overaws.ask(os.environ, "DescribeApproval", Id=id_)
    if to_sign is not None:
        files.write(to_sign, b64decode(found["ToSign"]))
    Output(as_json=as_json).answer(found, _told(found))


@aws.command("approve")
@click.argument("id_", metavar="ID")
@click.option("--signature", metavar="BASE64", help="Of an approver that signs.")
@JSON
def approve_there(id_: str, signature: str | None, *, as_json: bool) -> None:
    """Approve a request."""
    more = {} if signature is None else {"Signature": signature}
    found = overaws.ask(os.environ, "Approve", Id=id_, **more)
    words = f"{id_} is {found['Standing']}: {found['Approvals']} of {count_of(found['Needed'], 'approval')}."
    Output(as_json=as_json).answer(found, words)


@aws.command("deny")
@click.argument("id_", metavar="ID")
@JSON
def deny_there(id_: str, *, as_json: bool) -> None:
    """Deny a request; whoever asked may take it back so."""
    Output(as_json=as_json).answer(overaws.ask(os.environ, "Deny", Id=id_), f"{id_} is denied.")
