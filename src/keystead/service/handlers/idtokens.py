"""Tokens of identity: the roles they are made for, what they say, whether one is good.

OpenID Connect Core 1.0 §2, §3.1.3.7.
"""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import Error
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import structs

from keystead.core import operations as ops
from keystead.core.entities import OidcKey, OidcRole, path_of_chain, sign_of_chain
from keystead.core.errors import InvalidArgument, NotFound
from keystead.core.identifiers import letters
from keystead.core.operations import (
    Draft,
    Introspected,
    KeyRef,
    Nothing,
    Published,
    PublishedKey,
    RoleDraft,
    identity_address,
)
from keystead.crypto.jwk import ALGORITHMS, usable
from keystead.crypto.jwkset import published
from keystead.service.credentials.idtoken import read_token
from keystead.service.handlers.oidcmaking import DAY, Making, key_named, lasting
from keystead.service.handlers.oidctemplates import checked, claims
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.wire import Malformed
from keystead.wire.jose import Jwk, Token

LEEWAY = 60  # seconds that clocks may differ by
MAX_PAYLOAD = 6000  # bytes: what wire.jose reads again
MAX_ROLES, MAX_CLIENT_ID, N_CLIENT_ID = 1000, 255, 26


# --- roles


def write_role(op: ops.WriteOidcRole, targets: tuple[HeldTenant], act: Act) -> Outcome[OidcRole]:
    (tenant,) = targets
    before = tenant.oidc_role(op.name)
    name = before.key if op.key is None and before is not None else op.key or ""
    if not name:
        raise InvalidArgument("the key parameter is required", "key")
    template = before.template if op.template is None and before is not None else decoded(op.template or "")
    checked(template, act.now)
    ttl = op.ttl if op.ttl is not None else before.ttl if before is not None else DAY
    if (key := key_named(tenant, name)) is None:
        raise InvalidArgument(f'cannot find key "{name}"', "key")
    if ttl > key.verification_ttl:
        raise InvalidArgument(
            "a role's token ttl cannot be longer than the verification_ttl of the key it references", "ttl"
        )
    client_id = (before.client_id if op.client_id is None and before is not None else op.client_id) or ""
    if len(client_id) > MAX_CLIENT_ID or not client_id.isprintable():
        raise InvalidArgument(f"a client id has at most {MAX_CLIENT_ID} printable characters", "client_id")
    if before is None and len(tenant.oidc_roles()) >= MAX_ROLES:
        raise InvalidArgument(f"there are {MAX_ROLES} roles at most", "name")
    role = OidcRole(
        id=tenant.oidc_role_id(op.name),
        revision=before.revision if before is not None else 0,
        tenant=tenant.id,
        name=op.name,
        key=name,
        template=template,
        ttl=ttl,
        client_id=client_id or letters(N_CLIENT_ID, act.entropy),
    )
    making = Making(tenant, act)
    if not key.key_id:
        key = making.made(key)
    making.put.append(key)  # whoever deletes it meanwhile looks again
    return Outcome(
        answer=role, put=(role, *making.put), seen=tuple(making.seen), material=making.material, made=op.name
    )


def decoded(template: str) -> str:
    """A template may come in base64."""
    try:
        return b64decode(template, validate=True).decode()
    except (Error, ValueError):
        return template


def read_role(op: ops.ReadOidcRole, targets: tuple[HeldTenant], _act: Act) -> Outcome[OidcRole]:
    if (found := targets[0].oidc_role(op.name)) is None:
        raise NotFound("no such role", "name")
    return Outcome(answer=found)


def list_roles(_op: ops.ListOidcRoles, targets: tuple[HeldTenant], _act: Act) -> Outcome[tuple[str, ...]]:
    return Outcome(answer=tuple(one.name for one in targets[0].oidc_roles()))


def delete_role(op: ops.DeleteOidcRole, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    found = targets[0].oidc_role(op.name)
    return Outcome(answer=Nothing(), delete=() if found is None else (found,))


# --- tokens


def draft(op: ops.DraftIdToken, targets: tuple[HeldTenant], act: Act) -> Outcome[RoleDraft]:
    (tenant,) = targets
    if (role := tenant.oidc_role(op.name)) is None:
        raise InvalidArgument(f'role "{op.name}" not found', "name")
    if (record := tenant.oidc_key(role.key)) is None:
        raise InvalidArgument(f'key "{role.key}" not found', "key")
    if not {"*", role.client_id} & set(record.allowed_client_ids):
        raise InvalidArgument(
            f'the key "{role.key}" does not list the client ID of the role "{op.name}" as an allowed client ID', "key"
        )
    bearer = act.caller.rights.token
    whose = tenant.belonging(bearer.entity, tenant.id) if bearer is not None and bearer.entity else None
    if whose is None or whose.entity is None or whose.entity.tenant != tenant.id:
        raise InvalidArgument("no entity associated with the request's token", "token")
    now = int(act.now.timestamp())
    said = {
        **claims(role.template, whose, act.now),
        "iss": _issuer(tenant),
        "namespace": sign_of_chain(tenant.chain()),
        "sub": whose.entity.id,
        "aud": role.client_id,
        "exp": now + min(role.ttl, record.verification_ttl),
        "iat": now,
    }
    drawn = drawn_up(tenant, record, said)
    return Outcome(answer=RoleDraft(**structs.asdict(drawn), role=role))


def drawn_up(tenant: HeldTenant, record: OidcKey, said: Mapping[str, Any]) -> Draft:
    """A token that says that, for the version of the key that signs now. Raises InvalidArgument."""
    payload = json.dumps(said, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
    if len(payload) > MAX_PAYLOAD:
        raise InvalidArgument(f"a token says at most {MAX_PAYLOAD} bytes", "template")
    key = tenant.key(record.key_id)
    number = max(1, key.current - 1)
    return Draft(
        payload=payload,
        key=KeyRef(identity_address(tenant.id), id=key.id),
        version=number,
        kid=_kid(key.id, number),
        algorithm=record.algorithm,
    )


def _kid(key_id: str, number: int) -> str:
    return f"{key_id}.{number}"


def _issuer(tenant: HeldTenant) -> str:
    settings = tenant.oidc_settings()
    return issuer_at(tenant, settings.issuer if settings is not None else "")


def issuer_at(tenant: HeldTenant, origin: str) -> str:
    """What a tenant's tokens are issued as; an issuer of clients stands below it."""
    return f"{origin}/v1/{path_of_chain(tenant.chain())}identity/oidc"


# --- verifying


def publish(op: ops.PublishOidc, targets: tuple[HeldTenant], act: Act) -> Outcome[Published]:
    (tenant,) = targets
    keys = tuple(published_keys(tenant, _of_roles(tenant), act.now)) if op.with_keys else ()
    return Outcome(answer=Published(_issuer(tenant), keys))


def _of_roles(tenant: HeldTenant) -> set[str]:
    return {role.key for role in tenant.oidc_roles()}


def published_keys(tenant: HeldTenant, names: Collection[str], now: datetime) -> Iterator[PublishedKey]:
    """Of keys of these names: what signs, what waits, and what has signed until not so long ago."""
    for record in tenant.oidc_keys():
        if record.name in names and record.key_id:
            for version, _ in lasting(tenant, record, now):
                yield PublishedKey(_kid(record.key_id, version.number), record.algorithm, version.public_key)
            for old in record.retired:
                for number, ends in old.versions:
                    if ends > now:
                        version = tenant.key_version(old.key_id, number)
                        yield PublishedKey(_kid(old.key_id, number), old.algorithm, version.public_key)


def introspect(op: ops.IntrospectIdToken, targets: tuple[HeldTenant], act: Act) -> Outcome[Introspected]:
    (tenant,) = targets
    wrong = _wrong(op, tenant, act.now)
    return Outcome(answer=Introspected(wrong), why=wrong)


def _wrong(op: ops.IntrospectIdToken, tenant: HeldTenant, now: datetime) -> str:
    try:
        found = read_token(op.token)
    except Malformed as error:
        return f"error parsing token: {error}"
    if not _is_signed(found, tenant, now):
        return "unable to validate the token signature"
    said, moment = found.claims, int(now.timestamp())
    for bad, what in (
        (said.iss != _issuer(tenant), "invalid issuer claim (iss)"),
        (bool(op.client_id) and op.client_id not in said.audiences, "invalid audience claim (aud)"),
        (moment > said.exp + LEEWAY, "token is expired (exp)"),
        (moment + LEEWAY < said.iat, "token issued in the future (iat)"),
    ):
        if bad:
            return f"error validating claims: validation failed, {what}"
    entity = tenant.entity(said.sub)
    if entity is None:
        return "entity was not found"
    return "entity is disabled" if entity.disabled else ""


def _is_signed(found: Token, tenant: HeldTenant, now: datetime) -> bool:
    """By the key that it names, for the algorithm that this key is for."""
    if found.header.alg not in ALGORITHMS:
        return False
    for one in published_keys(tenant, _of_roles(tenant), now):
        if one.kid == found.header.kid and one.algorithm == found.header.alg:
            members = {**published(one.public_key), "kid": one.kid, "alg": one.algorithm}
            key = usable(msgspec.convert(members, Jwk))
            return key is not None and key.verify(one.algorithm, found.signed, found.signature)
    return False


HANDLERS: dict[type, Handler] = {
    ops.WriteOidcRole: write_role,
    ops.ReadOidcRole: read_role,
    ops.ListOidcRoles: list_roles,
    ops.DeleteOidcRole: delete_role,
    ops.DraftIdToken: draft,
    ops.PublishOidc: publish,
    ops.IntrospectIdToken: introspect,
}
