"""Somebody else's word for who logs in: is it genuine? Whether it is enough is the role's to say (core.vouching).

Rule 1: everything here is done on a thread for what waits for other machines, and within the bounds of `KeySets`: an
        issuer that hangs holds neither the event loop nor the threads that serve everybody else.
Rule 2: an algorithm belongs to a type of key, a key to where it was read; nothing that a token says leads anywhere else
        (`jku`, `x5u`, `jwk` are not looked at, `kid` finds among the mount's own keys).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from keystead.core.entities import (
    Account,
    CertBounds,
    JwtSettings,
    KubernetesBounds,
    KubernetesSettings,
    LoginSettings,
    Mount,
)
from keystead.core.errors import InvalidArgument, Unauthenticated
from keystead.core.sensitive import Sensitive
from keystead.core.vouching.certificates import UNFIT_CERTIFICATE, fits
from keystead.core.vouching.words import Claimed, Vouched
from keystead.core.vouching.words import Word as Found
from keystead.crypto.chains import told, vouched
from keystead.crypto.jwk import ALGORITHMS, VerifyingKey
from keystead.service.credentials.keysets import KeySets
from keystead.service.credentials.reviews import Reviews
from keystead.service.held import HeldTenant
from keystead.wire import Malformed, jose

VALIDATING = "error validating token: error verifying token signature: "
UNKNOWN_KEY = f"{VALIDATING}no known key successfully validated the token signature"
UNSET = dict.fromkeys(("jwt", "oidc"), "could not load configuration") | {
    "kubernetes": "could not load backend configuration"
}
INVALID = "invalid certificate or no client certificate supplied"
N_ROLES = 1000  # that a certificate is tried with
N_TRIED = 32  # keys that a token is tried with: all of a mount's own (handlers.loginsettings), some of a set's


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

    def __init__(self, tenants: Callable[[str], HeldTenant | None], keys: KeySets[KeySource], reviews: Reviews) -> None:
        self._tenants, self._keys, self._reviews = tenants, keys, reviews

    def verify(self, mount: Mount, word: Word, certificates: tuple[bytes, ...], now: datetime) -> Vouched:
        """Raises InvalidArgument, Unauthenticated (detail Unfit: in words for whoever sent it), Unavailable.

        And WouldBlock on the event loop.
        """
        tenant = self._tenants(mount.tenant)
        if tenant is None:
            raise Unauthenticated("no such tenant")
        if mount.engine == "cert":
            return _by_certificate(tenant, mount, word.role, certificates, now)
        settings = tenant.login_settings(mount)
        if settings is None:
            raise InvalidArgument(UNSET[mount.engine], "settings")
        chosen = settings.settings
        if isinstance(chosen, JwtSettings):
            account = _role(tenant, mount, word.role or chosen.default_role, 'role "{}" could not be found')
            if not word.said:
                raise InvalidArgument("missing token", "token")
            return _vouched(self._claimed(mount, chosen, word.said), account, settings)
        account = _role(tenant, mount, word.role, 'invalid role name "{}"')
        bounds = account.bounds
        if not (isinstance(bounds, KubernetesBounds) and isinstance(chosen, KubernetesSettings)):
            raise InvalidArgument("the role is of another kind", "role")
        secret = tenant.login_secret(settings)
        shown = tenant.shown(secret) if secret is not None else None
        who = self._reviews.account(mount.uuid, chosen, bounds, word.said, shown, now)
        return _vouched(who, account, settings)

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


def _role(tenant: HeldTenant, mount: Mount, name: str, absent: str) -> Account:
    if not name:
        raise InvalidArgument("missing role", "role")
    account = tenant.account(mount, name)
    if account is None or account.bounds is None:
        raise InvalidArgument(absent.format(name), "role")
    return account


def _read(said: Sensitive) -> jose.Signed:
    try:
        return jose.signed(said.reveal().decode())
    except (Malformed, UnicodeDecodeError) as error:
        words = str(error) if isinstance(error, Malformed) else "not UTF-8"
        raise InvalidArgument(f"{VALIDATING}{words}", "token") from None


def _by_certificate(tenant: HeldTenant, mount: Mount, role: str, chain: tuple[bytes, ...], now: datetime) -> Vouched:
    """The first role, by its name, that vouches for it and that it fits; or the one that is named."""
    if not chain:
        raise InvalidArgument("no client certificate found", "certificate")
    try:
        said = told(chain[0])
    except ValueError:
        raise InvalidArgument(INVALID, "certificate") from None
    every = sorted(tenant.accounts(mount), key=lambda one: one.name) if not role else [tenant.account(mount, role)]
    led = False
    for account in every[:N_ROLES]:
        bounds = account.bounds if account is not None else None
        if account is None or not isinstance(bounds, CertBounds) or not vouched(bounds.certificate, chain, now):
            continue
        led = True
        if fits(said, bounds):
            return _vouched(said, account, tenant.login_settings(mount))
    raise InvalidArgument(UNFIT_CERTIFICATE if led else INVALID, "certificate")


def _vouched(found: Found, account: Account, settings: LoginSettings | None) -> Vouched:
    revision = settings.revision if settings is not None else 0
    return Vouched(word=found, role=account.name, role_revision=account.revision, revision=revision)
