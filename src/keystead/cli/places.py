"""What a person calls a key, a place or a tenant, read once."""

from __future__ import annotations

import re

import click

from keystead.cli.session import Session
from keystead.core import operations as ops
from keystead.core.entities import path_of_chain
from keystead.core.errors import InvalidArgument, NotFound
from keystead.core.family import is_family
from keystead.core.operations import BoundKeyring, KeyRef, TenantRef, ToldNamespace
from keystead.core.words import count_of

ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}")
ARN = re.compile(r"arn:aws:kms:([a-z0-9-]{1,64}):([0-9]{12}):(?:key/(.+)|(alias/.+))")
ADDRESS = re.compile(r"[a-z0-9_-]+:[0-9]{12}:.+")
DIGITS = re.compile(r"[0-9]{12}")
DIALECT = "aws"

PLACE = click.option(
    "--in",
    "place",
    metavar="PLACE",
    help="A region, or an address (aws:111122223333:eu-west-1) [default: region in keystead.toml].",
)
TENANT = click.option(
    "--tenant",
    metavar="TENANT",
    help="Whose: digits, or a namespace's path [default: the only tenant that stands alone].",
)


def keyrings(session: Session) -> list[BoundKeyring]:
    found: list[BoundKeyring] = []
    after: str | None = ""
    while after is not None:
        page = session.perform(ops.ListKeyrings(after=after))
        found += page.items
        after = page.after
    return found


def tenant_of(session: Session, said: str | None) -> str:
    """The tenant that is meant: by its digits, by the path of a namespace, or the only one that stands alone.

    Raises InvalidArgument where there are several and none was said; NotFound.
    """
    if said is not None and DIGITS.fullmatch(said):
        return said
    tenants = sorted({bound.keyring.tenant for bound in keyrings(session)})
    spaces = [one for tenant in tenants for one in _below(session, tenant)] if said or len(tenants) > 1 else []
    if said is not None:
        for one in spaces:
            if path_of_chain(one.chain) == f"{said.strip('/')}/":
                return one.namespace.id
        raise NotFound(f"there is no namespace {said!r}", "tenant")
    tenants = sorted(set(tenants) - {one.namespace.id for one in spaces})
    if len(tenants) != 1:
        raise InvalidArgument(
            f"there are {count_of(len(tenants), 'tenant')}; say which: --tenant {tenants[0] if tenants else 'DIGITS'}",
            "tenant",
        )
    return tenants[0]


def tenant_ref(session: Session, said: str | None) -> TenantRef:
    """The same, as operations name it."""
    return TenantRef(tenant_of(session, said))


def _below(session: Session, tenant: str) -> tuple[ToldNamespace, ...]:
    return session.perform(ops.ListNamespaces(tenant=TenantRef(tenant), deep=True))


def namespace(session: Session, path: str, tenant: str | None) -> tuple[str, str]:
    """(the tenant that it is below, its name). Raises NotFound, InvalidArgument."""
    above, _, name = path.strip("/").rpartition("/")
    root = tenant_of(session, tenant)
    if not above:
        return root, name
    for one in _below(session, root):
        ids = [space.id for space in one.chain]
        inside = one.chain[ids.index(root) + 1 :] if root in ids else one.chain
        if path_of_chain(inside) == f"{above}/":
            return one.namespace.id, name
    raise NotFound(f"there is no namespace {above!r}", "namespace")


def address(session: Session, place: str | None, tenant: str | None = None) -> str:
    """The address that is meant: "aws:111122223333:us-east-1"."""
    if place is not None and ADDRESS.fullmatch(place):
        return place
    return f"{DIALECT}:{tenant_of(session, tenant)}:{place or session.settings.region}"


def name(text: str, namespace: str) -> str:
    """A new name for a key at that address: of the aws dialect it is an alias. Raises InvalidArgument."""
    if namespace.startswith(f"{DIALECT}:") and (not text.startswith("alias/") or text.startswith("alias/aws/")):
        raise InvalidArgument(f"{text!r} is no name here: it begins with alias/, and not with alias/aws/", "name")
    return text


def key(session: Session, text: str, place: str | None = None) -> KeyRef:
    """A key by its id, wherever it is; by ARN; by a name (alias/app) at a place. Raises InvalidArgument, NotFound."""
    if (arn := ARN.fullmatch(text)) is not None:
        region, tenant, id_, name = arn.groups()
        return KeyRef(f"{DIALECT}:{tenant}:{region}", id=id_ or "", name=name or "")
    if ID.fullmatch(text):
        if place is not None:
            return KeyRef(address(session, place), id=text)
        if not (found := session.perform(ops.LocateKey(key_id=text)).namespaces):
            raise NotFound(f"the key {text} answers nowhere", "key")
        if is_family(text) and len(found) > 1:
            raise InvalidArgument(f"the key {text} is in several places; say which: --in {found[0]}", "place")
        return KeyRef(found[0], id=text)
    if text.startswith("alias/"):
        return KeyRef(address(session, place), name=text)
    raise InvalidArgument(f"{text!r} is no key: give its id, its ARN, or a name like alias/app", "key")
