"""Clients of an issuer of the tenant's, who show who they are where they ask for tokens. RFC 6749 §2.3, §3.2.1.

A public client has nothing to show: what it comes with has to prove that it is the one that asked (RFC 7636).
"""

from __future__ import annotations

import hmac

from keystead.core.entities import OidcClient, OidcIssuer, OidcKey, PolicyText
from keystead.core.errors import InvalidArgument, Unauthenticated
from keystead.core.policy.vault import policy_of_client
from keystead.core.sensitive import Sensitive
from keystead.core.vouching.words import ProvenClient, Vouched
from keystead.service.held import HeldTenant
from keystead.wire.oidc import challenge, half_hash

FAILED = "client failed to authenticate"
MAX_SECRET, MAX_VERIFIER = 256, 128  # bytes
PLAIN, S256 = "plain", "S256"


def proven(tenant: HeldTenant, issuer_name: str, client_id: str, secret: Sensitive) -> Vouched:
    """Raises InvalidArgument, and Unauthenticated in words for whoever sent it."""
    if (issuer := tenant.oidc_issuer(issuer_name)) is None:
        raise InvalidArgument("provider not found", "provider")
    if not client_id:
        raise InvalidArgument("client_id parameter is required", "client_id")
    client = tenant.oidc_client_of(client_id)
    if client is None or not _knows(tenant, client, secret):
        raise Unauthenticated(FAILED, "client")
    if words := unfit(client, issuer, tenant.oidc_key(client.key)):
        raise Unauthenticated(words, "client")
    return Vouched(
        word=ProvenClient(client_id),
        role=client_id,
        role_revision=client.revision,
        revision=issuer.revision,
        policies=(PolicyText("oidc client", "vault", policy_of_client(issuer.name)),),
    )


def _knows(tenant: HeldTenant, client: OidcClient, secret: Sensitive) -> bool:
    if client.is_public:
        return True
    kept = tenant.revealed_to(client)
    return (
        kept is not None
        and len(secret) <= MAX_SECRET
        and bool(len(kept))
        and hmac.compare_digest(kept.reveal(), secret.reveal())
    )


def unfit(client: OidcClient, issuer: OidcIssuer, key: OidcKey | None) -> str:
    """Why that client gets no tokens there; "" where it does."""
    if not issuer.takes(client.client_id):
        return "client is not authorized to use the provider"
    if key is None or {"*", client.client_id}.isdisjoint(key.allowed_client_ids):
        return "client is not authorized to use the key"
    return ""


def answers(verifier: Sensitive, asked: str, method: str) -> bool:
    """RFC 7636 §4.6: whether the verifier is the one that the challenge was made of."""
    if len(verifier) > MAX_VERIFIER:
        return False
    said = verifier.reveal().decode()
    own = challenge(said) if method == S256 else said
    return hmac.compare_digest(own.encode(), asked.encode())


def half_of(algorithm: str, text: Sensitive) -> str:
    """at_hash, c_hash: what binds a token to an access token, and to a code."""
    return half_hash(algorithm, text.reveal().decode())
