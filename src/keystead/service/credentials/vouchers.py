"""Somebody else's word for who logs in: is it genuine? Whether it is enough is the role's to say (core.vouching).

Rule 1: everything here is done on a thread for what waits for other machines, and within the bounds of `KeySets`: an
        issuer that hangs holds neither the event loop nor the threads that serve everybody else.
Rule 2: an algorithm belongs to a type of key, a key to where it was read; nothing that a token says leads anywhere else
        (`jku`, `x5u`, `jwk` are not looked at, `kid` finds among the mount's own keys).
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from keystead.core.entities import Account, JwtSettings, LoginSettings, Mount
from keystead.core.errors import InvalidArgument, Unauthenticated
from keystead.core.sensitive import Sensitive
from keystead.core.vouching import Claimed, Vouched
from keystead.crypto.jwk import ALGORITHMS, VerifyingKey
from keystead.service.credentials.keysets import KeySets
from keystead.service.held import HeldTenant
from keystead.wire import Malformed, jose

VALIDATING = "error validating token: error verifying token signature: "
UNKNOWN_KEY = f"{VALIDATING}no known key successfully validated the token signature"
N_TRIED = 20  # keys that a token without a `kid` is tried with


class KeySource(Struct, frozen=True):
    """Where a mount's keys are read: a JWK set, or the issuer whose configuration names it."""

    url: str
    discovery: bool
    authorities: str  # PEM of who vouches for the host; "": the system's

    def __str__(self) -> str:
        return self.url


class Word(Struct, frozen=True):
    """What somebody shows at a mount, for the role of that name; "": the mount's own."""

    role: str
    said: Sensitive


class Vouchers:
    """`tenants`: service.view. Safe to use from any thread but the event loop's."""

    def __init__(self, tenants: Callable[[str], HeldTenant | None], keys: KeySets[KeySource]) -> None:
        self._tenants, self._keys = tenants, keys

    def verify(self, mount: Mount, word: Word) -> Vouched:
        """Raises InvalidArgument in words for whoever sent it; Unavailable; WouldBlock on the event loop."""
        tenant = self._tenants(mount.tenant)
        if tenant is None:
            raise Unauthenticated("no such tenant")
        settings = tenant.login_settings(mount)
        if settings is None or not isinstance(settings.settings, JwtSettings):
            raise InvalidArgument("could not load configuration", "settings")
        account = _role(tenant, mount, word.role or settings.settings.default_role)
        if not word.said:
            raise InvalidArgument("missing token", "token")
        claimed = self._claimed(mount, settings.settings, word.said)
        return _vouched(claimed, account, settings)

    # --- tokens

    def _claimed(self, mount: Mount, settings: JwtSettings, said: Sensitive) -> Claimed:
        token = _read(said)
        alg = token.header.alg
        if alg not in ALGORITHMS or (settings.algorithms and alg not in settings.algorithms):
            raise InvalidArgument(UNKNOWN_KEY, "algorithm")
        if settings.public_keys:
            keys = [key for key in map(VerifyingKey.of_pem, settings.public_keys) if key.fits(alg)]
        else:
            keys = self._fetched(mount, settings, token)
        if not any(key.verify(alg, token.signed, token.signature) for key in keys[:N_TRIED]):
            raise InvalidArgument(UNKNOWN_KEY, "signature")
        return Claimed(token.claims)

    def _fetched(self, mount: Mount, settings: JwtSettings, token: jose.Signed) -> list[VerifyingKey]:
        source = (
            KeySource(settings.discovery_url, discovery=True, authorities=settings.discovery_ca)
            if settings.discovery_url
            else KeySource(settings.jwks_url, discovery=False, authorities=settings.jwks_ca)
        )
        header = token.header
        return self._keys.fitting(source, header.kid, header.alg, lambda: None, tenant=mount.uuid)


def _role(tenant: HeldTenant, mount: Mount, name: str) -> Account:
    if not name:
        raise InvalidArgument("missing role", "role")
    account = tenant.account(mount, name)
    if account is None or account.bounds is None:
        raise InvalidArgument(f'role "{name}" could not be found', "role")
    return account


def _read(said: Sensitive) -> jose.Signed:
    try:
        return jose.signed(said.reveal().decode())
    except (Malformed, UnicodeDecodeError) as error:
        words = str(error) if isinstance(error, Malformed) else "not UTF-8"
        raise InvalidArgument(f"{VALIDATING}{words}", "token") from None


def _vouched(word: Claimed, account: Account, settings: LoginSettings) -> Vouched:
    return Vouched(word=word, role=account.name, role_revision=account.revision, revision=settings.revision)
