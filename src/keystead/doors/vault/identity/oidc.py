"""identity/oidc: tokens of identity, the keys that sign them, the roles they are made for.

Vault HTTP API, "Identity secrets engine: tokens".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from keystead.core import operations as ops
from keystead.core.naming import WORD
from keystead.core.sensitive import Sensitive
from keystead.crypto.jwkset import published
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.service.handlers.oidcmaking import SPECS
from keystead.wire.jws import compact, signing_input
from keystead.wire.vault.envelope import UNSUPPORTED_PATH
from keystead.wire.vault.kinds import CommaStrings, Duration
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb

SET = (
    'If "issuer" is set explicitly, all tokens must be validated against that address, including those issued by '
    'secondary clusters. Setting issuer to "" will restore the default behavior of using the cluster\'s api_addr as '
    "the issuer."
)
UNSET = (
    'Both "issuer" and Vault\'s "api_addr" are empty. The issuer claim in generated tokens will not be network '
    "reachable."
)
SCHEMES = {
    "RS": ops.Scheme(digest=None, padding="pkcs1"),
    "ES": ops.Scheme(digest=None, fixed=True),
    "Ed": ops.Scheme(digest=None),
}
"""By the first letters of the algorithm; its digits are those of the digest."""


class ConfigRequest(Parameters, frozen=True, kw_only=True):
    issuer: str | None = None


class NamedRequest(Parameters, frozen=True, kw_only=True):
    name: str = CAPTURED


class KeyRequest(NamedRequest, frozen=True, kw_only=True):
    rotation_period: Duration | None = None
    verification_ttl: Duration | None = None
    algorithm: str | None = None
    allowed_client_ids: CommaStrings | None = None


class RotateRequest(NamedRequest, frozen=True, kw_only=True):
    verification_ttl: Duration | None = None


class RoleRequest(NamedRequest, frozen=True, kw_only=True):
    key: str | None = None
    template: str | None = None
    ttl: Duration | None = None
    client_id: str | None = None


class IntrospectRequest(Parameters, frozen=True, kw_only=True):
    token: str = ""
    client_id: str = ""

    def __repr__(self) -> str:
        return "IntrospectRequest(…)"


def named(req: NamedRequest) -> str:
    """Raises Said for what is no name here. OpenBao, framework.GenericNameRegex"""
    if WORD.fullmatch(req.name) is None:
        raise Said(404, UNSUPPORTED_PATH)
    return req.name


def listed_names(names: tuple[str, ...]) -> dict[str, Any]:
    """Raises Said where there are none."""
    if not names:
        raise Said(404, "")
    return {"keys": names}


# --- settings


@endpoint("identity", Verb.READ, "oidc/config/?")
def read_config(_req: Nothing, call: Call) -> Answer:
    issuer = call(ops.ReadOidcSettings(tenant=here(call))).issuer
    return Answer(data={"issuer": issuer}, warnings=() if issuer else (UNSET,))


@endpoint("identity", Verb.WRITE, "oidc/config/?")
def write_config(req: ConfigRequest, call: Call) -> Answer | None:
    if req.issuer is None:
        call(ops.ReadOidcSettings(tenant=here(call)))
        return None
    call(ops.WriteOidcSettings(tenant=here(call), issuer=req.issuer))
    return Answer(warnings=(SET,)) if req.issuer else None


# --- keys


@endpoint("identity", Verb.WRITE, "oidc/key/{name}", creates=True)
def write_key(req: KeyRequest, call: Call) -> None:
    call(
        ops.WriteOidcKey(
            tenant=here(call),
            name=named(req),
            algorithm=req.algorithm,
            rotation_period=req.rotation_period,
            verification_ttl=req.verification_ttl,
            allowed_client_ids=req.allowed_client_ids,
        )
    )


@endpoint("identity", Verb.READ, "oidc/key/{name}")
def read_key(req: NamedRequest, call: Call) -> dict[str, Any]:
    key = call(ops.ReadOidcKey(tenant=here(call), name=named(req)))
    return {
        "algorithm": key.algorithm,
        "allowed_client_ids": key.allowed_client_ids,
        "rotation_period": key.rotation_period,
        "verification_ttl": key.verification_ttl,
    }


@endpoint("identity", Verb.LIST, "oidc/key/?")
def list_keys(_req: Nothing, call: Call) -> dict[str, Any]:
    return {"keys": call(ops.ListOidcKeys(tenant=here(call)))}


@endpoint("identity", Verb.DELETE, "oidc/key/{name}")
def delete_key(req: NamedRequest, call: Call) -> None:
    call(ops.DeleteOidcKey(tenant=here(call), name=named(req)))


@endpoint("identity", Verb.WRITE, "oidc/key/{name}/rotate/?")
def rotate_key(req: RotateRequest, call: Call) -> None:
    call(ops.RotateOidcKey(tenant=here(call), name=named(req), verification_ttl=req.verification_ttl))


# --- roles


@endpoint("identity", Verb.WRITE, "oidc/role/{name}", creates=True)
def write_role(req: RoleRequest, call: Call) -> None:
    call(
        ops.WriteOidcRole(
            tenant=here(call),
            name=named(req),
            key=req.key,
            template=req.template,
            ttl=req.ttl,
            client_id=req.client_id,
        )
    )


@endpoint("identity", Verb.READ, "oidc/role/{name}")
def read_role(req: NamedRequest, call: Call) -> dict[str, Any]:
    role = call(ops.ReadOidcRole(tenant=here(call), name=named(req)))
    return {"client_id": role.client_id, "key": role.key, "template": role.template, "ttl": role.ttl}


@endpoint("identity", Verb.LIST, "oidc/role/?")
def list_roles(_req: Nothing, call: Call) -> dict[str, Any]:
    return listed_names(call(ops.ListOidcRoles(tenant=here(call))))


@endpoint("identity", Verb.DELETE, "oidc/role/{name}")
def delete_role(req: NamedRequest, call: Call) -> None:
    call(ops.DeleteOidcRole(tenant=here(call), name=named(req)))


# --- tokens


@endpoint("identity", Verb.READ, "oidc/token/{name}")
def read_token(req: NamedRequest, call: Call) -> dict[str, Any]:
    """Drawn up, and then signed like anything else that a key signs: both are on record."""
    draft = call(ops.DraftIdToken(tenant=here(call), name=named(req)))
    return {
        "token": Sensitive(signed(draft, call)),
        "client_id": draft.role.client_id,
        "ttl": draft.role.ttl,
    }


def signed(draft: ops.Draft, call: Call) -> bytes:
    """The token."""
    text = signing_input(draft.algorithm, draft.kid, draft.payload)
    done = call(ops.SignAs(key=draft.key, message=text, scheme=_scheme(draft.algorithm), version=draft.version))
    return compact(text, done.signature)


def _scheme(algorithm: str) -> ops.Scheme:
    family, size = algorithm[:2], algorithm[2:]
    return msgspec.structs.replace(SCHEMES[family], digest=f"sha{size}" if size.isdigit() else "sha512")


@endpoint("identity", Verb.WRITE, "oidc/introspect/?")
def introspect(req: IntrospectRequest, call: Call) -> Answer:
    """RFC 7662 §2.2, with Vault's member `error`."""
    found = call(ops.IntrospectIdToken(tenant=here(call), token=Sensitive(req.token.encode()), client_id=req.client_id))
    told = {"active": False, "error": found.error} if found.error else {"active": True}
    return Answer(data=told, bare=True)


# --- told to anybody


@endpoint("identity", Verb.READ, "oidc/.well-known/openid-configuration/?", unsigned=True)
def discovery(_req: Nothing, call: Call) -> Answer:
    """OpenID Connect Discovery 1.0 §3, as far as verifiers of tokens need it."""
    issuer = call(ops.PublishOidc(tenant=here(call), with_keys=False)).issuer
    told = {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/.well-known/keys",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(SPECS),
    }
    return Answer(data=told, bare=True)


@endpoint("identity", Verb.READ, "oidc/.well-known/keys/?", unsigned=True)
def public_keys(_req: Nothing, call: Call) -> Answer:
    """RFC 7517 §5."""
    return key_set(call(ops.PublishOidc(tenant=here(call))).keys)


def key_set(keys: Iterable[ops.PublishedKey]) -> Answer:
    told = [{"use": "sig", "kid": one.kid, "alg": one.algorithm, **published(one.public_key)} for one in keys]
    return Answer(data={"keys": told}, bare=True)


OPERATIONS = (
    read_config,
    write_config,
    write_key,
    read_key,
    list_keys,
    delete_key,
    rotate_key,
    write_role,
    read_role,
    list_roles,
    delete_role,
    read_token,
    introspect,
    discovery,
    public_keys,
)
