"""keystead principal …"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from keystead.cli import places, secrets
from keystead.cli.files import Text
from keystead.cli.group import Suggesting
from keystead.cli.here import Output
from keystead.cli.places import TENANT, tenant_ref
from keystead.cli.session import Session, with_session
from keystead.core import operations as ops
from keystead.core.entities import Credential, PolicyText, Principal, PrincipalKind
from keystead.core.errors import NotFound
from keystead.core.operations import AccessKey, Operation, TenantRef
from keystead.core.policy import paths
from keystead.core.policy.arn import arn_of

NAME = click.argument("name")
ID = click.argument("access_key_id")
DIALECTS = (places.DIALECT, paths.DIALECT)
KINDS = {kind.value: kind for kind in (PrincipalKind.USER, PrincipalKind.ROLE)}


@click.group(cls=Suggesting)
def principal() -> None:
    """Who may use keys: users and roles, their policies and access keys."""


@principal.command("list")
@TENANT
@with_session
def list_(out: Output, session: Session, tenant: str | None) -> None:
    """Every principal of a tenant."""
    found = [_shape(one) for one in _principals(session, tenant_ref(session, tenant))]
    out.rows(("name", "kind", "enabled", "policies", "arn"), found, none="No principals.")


def _principals(session: Session, tenant: TenantRef) -> Iterable[Principal]:
    after: str | None = ""
    while after is not None:
        page = session.perform(ops.ListPrincipals(tenant=tenant, after=after))
        yield from page.items
        after = page.after


def _shape(one: Principal) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.principal_kind.value,
        "id": one.id,
        "arn": arn_of(one),
        "tenant": one.tenant,
        "enabled": one.enabled,
        "policies": [policy.name for policy in one.policies],
        "created_at": one.created_at,
    }


@principal.command()
@NAME
@click.option("--kind", type=click.Choice(list(KINDS)), default="user", show_default=True)
@TENANT
@with_session
def create(out: Output, session: Session, name: str, kind: str, tenant: str | None) -> None:
    """Make a user or a role. It may do nothing until a policy lets it."""
    made = session.perform(
        ops.CreatePrincipal(tenant=tenant_ref(session, tenant), name=name, principal_kind=KINDS[kind])
    )
    out.answer(_shape(made), f"{arn_of(made)}\nNext: `keystead principal access-key create {name}`, and a policy.")


@principal.command()
@NAME
@TENANT
@with_session
def delete(out: Output, session: Session, name: str, tenant: str | None) -> None:
    """Take a principal away, with every access key it has. One of the same name made later is another."""
    session.perform(ops.DeletePrincipal(tenant=tenant_ref(session, tenant), name=name))
    out.answer({"name": name, "deleted": True}, f"{name} is gone, and its access keys with it.")


def _set_enabled(out: Output, session: Session, name: str, tenant: str | None, *, enabled: bool) -> None:
    session.perform(ops.SetPrincipalEnabled(tenant=tenant_ref(session, tenant), name=name, enabled=enabled))
    out.answer({"name": name, "enabled": enabled}, f"{name} is {'enabled' if enabled else 'disabled'}.")


@principal.command()
@NAME
@TENANT
@with_session
def enable(out: Output, session: Session, name: str, tenant: str | None) -> None:
    """Let a disabled principal in again."""
    _set_enabled(out, session, name, tenant, enabled=True)


@principal.command()
@NAME
@TENANT
@with_session
def disable(out: Output, session: Session, name: str, tenant: str | None) -> None:
    """Turn a principal away, whatever it comes with, from the answer on."""
    _set_enabled(out, session, name, tenant, enabled=False)


# --- access keys


@principal.group("access-key", cls=Suggesting)
def access_key() -> None:
    """What a principal signs its requests with."""


def _show(out: Output, session: Session, op: Operation[AccessKey]) -> None:
    secrets.may_show(out)
    made = session.show(op)
    lines = [f"AWS_ACCESS_KEY_ID={made.access_key_id}", f"AWS_SECRET_ACCESS_KEY={made.secret_access_key}"]
    if made.session_token is not None:
        lines.append(f"AWS_SESSION_TOKEN={made.session_token}")
    secrets.show_once(out, made, lines)


@access_key.command("create")
@NAME
@TENANT
@with_session
def create_access_key(out: Output, session: Session, name: str, tenant: str | None) -> None:
    """A new access key, shown once. A principal has two at most, to change from one to the other."""
    _show(out, session, ops.CreateAccessKey(tenant=tenant_ref(session, tenant), name=name))


@access_key.command("list")
@NAME
@TENANT
@with_session
def list_access_keys(out: Output, session: Session, name: str, tenant: str | None) -> None:
    """The access keys of a principal, without their secrets."""
    page = session.perform(ops.ListCredentials(tenant=tenant_ref(session, tenant), name=name))
    out.rows(("id", "kind", "enabled", "created_at"), [_credential(one) for one in page.items], none="No access keys.")


def _credential(one: Credential) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.credential_kind.value,
        "at": one.at,
        "enabled": one.enabled,
        "created_at": one.created_at,
    }


@access_key.command("delete")
@ID
@TENANT
@with_session
def delete_access_key(out: Output, session: Session, access_key_id: str, tenant: str | None) -> None:
    """Take an access key away for good."""
    session.perform(ops.DeleteCredential(tenant=tenant_ref(session, tenant), credential_id=access_key_id))
    out.answer({"access_key_id": access_key_id, "deleted": True}, f"{access_key_id} is gone.")


def _set_key_enabled(out: Output, session: Session, id_: str, tenant: str | None, *, enabled: bool) -> None:
    session.perform(ops.SetCredentialEnabled(tenant=tenant_ref(session, tenant), credential_id=id_, enabled=enabled))
    out.answer({"access_key_id": id_, "enabled": enabled}, f"{id_} is {'enabled' if enabled else 'disabled'}.")


@access_key.command("enable")
@ID
@TENANT
@with_session
def enable_access_key(out: Output, session: Session, access_key_id: str, tenant: str | None) -> None:
    """Accept a disabled access key again."""
    _set_key_enabled(out, session, access_key_id, tenant, enabled=True)


@access_key.command("disable")
@ID
@TENANT
@with_session
def disable_access_key(out: Output, session: Session, access_key_id: str, tenant: str | None) -> None:
    """Refuse an access key, from the answer on."""
    _set_key_enabled(out, session, access_key_id, tenant, enabled=False)


# --- credentials of AWS KMS at the xks door


@principal.group("xks-credential", cls=Suggesting)
def xks_credential() -> None:
    """What AWS KMS signs with towards an external key store."""


@xks_credential.command("create")
@NAME
@click.argument("address")
@TENANT
@with_session
def create_xks_credential(out: Output, session: Session, name: str, address: str, tenant: str | None) -> None:
    """A new credential for ADDRESS (xks:TENANT:PREFIX), shown once; two at most, to change from one to the other.

    With --json it is the configuration file that the console of AWS KMS reads.
    """
    from keystead.doors.aws_xks.names import path_of

    secrets.may_show(out)
    made = session.show(ops.CreateXksCredential(tenant=tenant_ref(session, tenant), name=name, namespace=address))
    credential = {"AccessKeyId": made.access_key_id, "RawSecretAccessKey": made.secret_access_key}
    # XKS Proxy API, "XKS proxy configuration in AWS KMS console"
    file = {"XksProxyUriPath": path_of(address), "XksProxyAuthenticationCredential": credential}
    lines = [f"{title}={value}" for title, value in {"XksProxyUriPath": path_of(address), **credential}.items()]
    secrets.show_once(out, file, lines)


for _name, _command in {
    "list": list_access_keys,
    "enable": enable_access_key,
    "disable": disable_access_key,
    "delete": delete_access_key,
}.items():
    xks_credential.add_command(_command, _name)


@principal.command("session")
@NAME
@click.option(
    "--seconds", type=click.IntRange(900, 129_600), default=3600, show_default=True, help="How long it lasts."
)
@TENANT
@with_session
def session_(out: Output, session: Session, name: str, seconds: int, tenant: str | None) -> None:
    """A temporary access key with a session token, shown once."""
    _show(out, session, ops.IssueSession(tenant=tenant_ref(session, tenant), name=name, seconds=seconds))


# --- policies


@principal.group("policy", cls=Suggesting)
def policy() -> None:
    """What a principal may do, as AWS writes it or as Vault does: either governs every door."""


@policy.command("put")
@NAME
@click.argument("policy_name")
@click.argument("text", metavar="FILE", type=Text())
@click.option("--dialect", type=click.Choice(DIALECTS), default=places.DIALECT, show_default=True, help="Whose it is.")
@TENANT
@with_session
def put_policy(
    out: Output, session: Session, name: str, policy_name: str, text: str, dialect: str, tenant: str | None
) -> None:
    """Put the policy in FILE (- for standard input); one of the same name is replaced.

    \b
    keystead principal policy put ann use-keys policy.json
    """
    wanted = PolicyText(policy_name, dialect, text)
    session.perform(ops.PutPrincipalPolicy(tenant=tenant_ref(session, tenant), name=name, policy=wanted))
    out.answer({"name": name, "policy": policy_name}, f"{name} has the policy {policy_name}.")


@policy.command("delete")
@NAME
@click.argument("policy_name")
@TENANT
@with_session
def delete_policy(out: Output, session: Session, name: str, policy_name: str, tenant: str | None) -> None:
    """Take a policy away."""
    op = ops.DeletePrincipalPolicy(tenant=tenant_ref(session, tenant), name=name, policy_name=policy_name)
    session.perform(op)
    out.answer(
        {"name": name, "policy": policy_name, "deleted": True}, f"{name} no longer has the policy {policy_name}."
    )


@policy.command("list")
@NAME
@TENANT
@with_session
def list_policies(out: Output, session: Session, name: str, tenant: str | None) -> None:
    """The policies of a principal's own, with their texts in JSON; not those of its groups, or attached to it."""
    found = next((one for one in _principals(session, tenant_ref(session, tenant)) if one.name == name), None)
    if found is None:
        raise NotFound(f"no principal named {name!r}", "principal")
    rows = [{"name": each.name, "dialect": each.dialect, "text": each.text} for each in found.policies]
    out.rows(("name", "dialect", "text"), rows, none=f"{name} has no policy of its own.")
