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
    CertificateId,
    JwtBounds,
    JwtSettings,
    KubernetesBounds,
    KubernetesSettings,
    LoginSettings,
    Mount,
    OidcLogin,
)
from keystead.core.errors import InvalidArgument, Unauthenticated, Unavailable
from keystead.core.sensitive import Sensitive
from keystead.core.vouching.browsers import DEVICE, LOGIN_FAILED, is_back, parted, refusal
from keystead.core.vouching.certificates import NOT_FETCHED, UNFIT_CERTIFICATE, fits
from keystead.core.vouching.words import Claimed, Published, Vouched
from keystead.core.vouching.words import Word as Found
from keystead.crypto.chains import told, vouched
from keystead.crypto.jwk import ALGORITHMS, VerifyingKey
from keystead.service.credentials.flows import Flows, source_of
from keystead.service.credentials.keysets import N_TRIED, KeySets, KeySource
from keystead.service.credentials.oidcclient import proven
from keystead.service.credentials.reviews import Reviews
from keystead.service.credentials.statuses import Statuses
from keystead.service.held import HeldTenant
from keystead.wire import Malformed, jose

VALIDATING = "error validating token: error verifying token signature: "
UNKNOWN_KEY = f"{VALIDATING}no known key successfully validated the token signature"
UNSET = dict.fromkeys(("jwt", "oidc"), "could not load configuration") | {
    "kubernetes": "could not load backend configuration"
}
NOT_OIDC = "OIDC login is not configured for this mount"
INVALID = "invalid certificate or no client certificate supplied"
N_ROLES = 1000  # that a certificate is tried with


class Word(Struct, frozen=True):
    """What somebody shows at a mount, for the role of that name; "": the mount's own."""

    role: str
    said: Sensitive


class Beginning(Struct, frozen=True):
    """Somebody wants to log in in a browser, and to be sent back to `redirect_uri`.

    `has_nonce`: they have said what they will say again, without which nobody logs in on another device.
    """

    role: str
    redirect_uri: str
    has_nonce: bool


class Returned(Struct, frozen=True):
    """Somebody was sent back: with a code, or with an issuer's error, to a login that has been taken for that.

    `issuer`: who has sent them, where that is said (RFC 9207).
    """

    begun: OidcLogin
    code: Sensitive
    error: str
    issuer: str | None = None

    @property
    def role(self) -> str:
        return self.begun.role


class Secret(Struct, frozen=True):
    """A client shows who it is, where it asks the issuer of that name for tokens."""

    issuer: str
    client_id: str
    said: Sensitive

    @property
    def role(self) -> str:
        return self.client_id


class Polled(Struct, frozen=True):
    """Somebody asks whether a login that was begun on another device has ended."""

    begun: OidcLogin

    @property
    def role(self) -> str:
        return self.begun.role


Shown = Word | Beginning | Returned | Polled | Secret


class Vouchers:
    """`tenants`: service.view. Safe to use from any thread but the event loop's."""

    def __init__(
        self,
        tenants: Callable[[str], HeldTenant | None],
        keys: KeySets[KeySource],
        reviews: Reviews,
        flows: Flows,
        statuses: Statuses,
    ) -> None:
        self._tenants, self._keys, self._reviews, self._flows = tenants, keys, reviews, flows
        self._statuses = statuses

    def verify(self, mount: Mount, word: Shown, certificates: tuple[bytes, ...], now: datetime) -> Vouched:
        """Raises InvalidArgument, Unauthenticated (detail Unfit: in words for whoever sent it), Unavailable.

        And WouldBlock on the event loop.
        """
        tenant = self._tenants(mount.tenant)
        if tenant is None:
            raise Unauthenticated("no such tenant")
        if isinstance(word, Secret):
            return proven(tenant, word.issuer, word.client_id, word.said)
        if mount.engine == "cert":
            return _by_certificate(tenant, mount, word.role, certificates, now, self._statuses)
        settings = tenant.login_settings(mount)
        if settings is None:
            raise InvalidArgument(UNSET[mount.engine], "settings")
        chosen = settings.settings
        if not isinstance(word, Word):
            if not isinstance(chosen, JwtSettings):
                raise InvalidArgument(NOT_OIDC, "settings")
            return self._browsing(tenant, mount, word, settings, chosen, now)
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
        who = self._reviews.account(mount.id, chosen, bounds, word.said, shown, now)
        return _vouched(who, account, settings)

    # --- browsers

    def _browsing(
        self,
        tenant: HeldTenant,
        mount: Mount,
        word: Beginning | Returned | Polled,
        settings: LoginSettings,
        chosen: JwtSettings,
        now: datetime,
    ) -> Vouched:
        if isinstance(word, Beginning):
            return self._beginning(tenant, mount, word, settings, chosen)
        if isinstance(word, Polled):
            return self._polled(tenant, mount, word.begun, settings, chosen, now)
        return self._returned(tenant, mount, word, settings, chosen, now)

    def _beginning(
        self, tenant: HeldTenant, mount: Mount, word: Beginning, settings: LoginSettings, chosen: JwtSettings
    ) -> Vouched:
        """The issuer is asked where it lets people in, unless they could not come back."""
        if not chosen.client_id:
            raise InvalidArgument(NOT_OIDC, "settings")
        account = _role(tenant, mount, word.role or chosen.default_role, 'role "{}" could not be found')
        bounds = account.bounds
        if isinstance(bounds, JwtBounds) and bounds.callback_mode == DEVICE:
            if not word.has_nonce:
                raise InvalidArgument("missing client_nonce", "client_nonce")
            secret = self._secret(tenant, settings)
            granted = self._flows.granted(mount.id, chosen, secret, bounds)
            return _vouched(Published("", granted), account, settings)
        if not word.redirect_uri:
            raise InvalidArgument("missing redirect_uri", "redirect_uri")
        back, _ = parted(word.redirect_uri, chosen)
        may_return = isinstance(bounds, JwtBounds) and is_back(bounds, back)
        place = self._flows.published(mount.id, chosen).authorization_endpoint if may_return else ""
        return _vouched(Published(place), account, settings)

    def _returned(
        self,
        tenant: HeldTenant,
        mount: Mount,
        word: Returned,
        settings: LoginSettings,
        chosen: JwtSettings,
        now: datetime,
    ) -> Vouched:
        """By the role and the settings of today; those have to be the ones that it was begun by."""
        begun, account = word.begun, tenant.account(mount, word.begun.role)
        bounds = account.bounds if account is not None else None
        secret = tenant.login_secret(settings)
        if account is None or not isinstance(bounds, JwtBounds) or not is_back(bounds, begun.redirect_uri):
            raise InvalidArgument(f"{LOGIN_FAILED} Role could not be found", "role")
        if begun.settings_revision != settings.revision or secret is None:
            raise InvalidArgument(f"{LOGIN_FAILED} The configuration has changed meanwhile.", "settings")
        if word.issuer not in {None, chosen.discovery_url}:  # RFC 9207 §2.4: before the code is shown to anybody
            raise InvalidArgument(f"{LOGIN_FAILED} Another issuer has sent them back.", "iss")
        if word.error:
            raise InvalidArgument(f"{LOGIN_FAILED} {refusal(word.error)}", "error")
        if not word.code:
            raise InvalidArgument(f"{LOGIN_FAILED} No code or id_token received.", "code")
        shown = tenant.shown(secret)
        who = self._flows.identified(mount.id, chosen, shown, bounds, begun, word.code, now)
        return _vouched(who, account, settings)

    def _polled(
        self,
        tenant: HeldTenant,
        mount: Mount,
        begun: OidcLogin,
        settings: LoginSettings,
        chosen: JwtSettings,
        now: datetime,
    ) -> Vouched:
        """The same of a login on another device: the issuer is asked, and nobody comes back."""
        account = tenant.account(mount, begun.role)
        bounds = account.bounds if account is not None else None
        if account is None or not isinstance(bounds, JwtBounds) or bounds.callback_mode != DEVICE:
            raise InvalidArgument(f"{LOGIN_FAILED} Role could not be found", "role")
        if begun.settings_revision != settings.revision:
            raise InvalidArgument(f"{LOGIN_FAILED} The configuration has changed meanwhile.", "settings")
        who = self._flows.polled(mount.id, chosen, self._secret(tenant, settings), bounds, begun, now)
        return _vouched(who, account, settings)

    def _secret(self, tenant: HeldTenant, settings: LoginSettings) -> Sensitive:
        """Raises InvalidArgument."""
        if (secret := tenant.login_secret(settings)) is None:
            raise InvalidArgument(NOT_OIDC, "settings")
        return tenant.shown(secret)

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
        header = token.header
        return self._keys.fitting(source_of(settings), header.kid, header.alg, lambda: None, tenant=mount.id)


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


def _by_certificate(
    tenant: HeldTenant, mount: Mount, role: str, chain: tuple[bytes, ...], now: datetime, statuses: Statuses
) -> Vouched:
    """The first role, by its name, that vouches for it and that it fits; or the one that is named.

    Of those that ask a responder the first is asked for; what that says, no other role that asks overrules.
    """
    if not chain:
        raise InvalidArgument("no client certificate found", "certificate")
    try:
        said = told(chain[0])
    except ValueError:
        raise InvalidArgument(INVALID, "certificate") from None
    settings = tenant.login_settings(mount)  # before the lists: whoever writes one changes these, too
    is_revoked = _revoked(tenant, mount, now)
    every = sorted(tenant.accounts(mount), key=lambda one: one.name) if not role else [tenant.account(mount, role)]
    led, refused = False, None
    for account in every[:N_ROLES]:
        bounds = account.bounds if account is not None else None
        if account is None or not isinstance(bounds, CertBounds) or not vouched(bounds.certificate, chain, now):
            continue
        led = True
        if not fits(said, bounds) or not (is_revoked is None or vouched(bounds.certificate, chain, now, is_revoked)):
            continue
        if bounds.asks:
            if refused is not None:
                continue
            try:
                statuses.require_good(mount.id, bounds, chain, now)
            except (InvalidArgument, Unavailable) as error:
                refused = error
                continue
        return _vouched(said, account, settings)
    if refused is not None:
        raise refused
    raise InvalidArgument(UNFIT_CERTIFICATE if led else INVALID, "certificate")


def _revoked(tenant: HeldTenant, mount: Mount, now: datetime) -> Callable[[CertificateId], bool] | None:
    """Whether a certificate is revoked; None: nothing is. Raises Unavailable."""
    every = tenant.revocation_lists(mount.uuid)
    if not all(one.is_current(now) for one in every):
        raise Unavailable(NOT_FETCHED, "crls")
    lists = [one.revoked for one in every if one.revoked is not None and one.revoked.packed]
    return (lambda shown: any(one.names(shown) for one in lists)) if lists else None


def _vouched(found: Found, account: Account, settings: LoginSettings | None) -> Vouched:
    revision = settings.revision if settings is not None else 0
    return Vouched(word=found, role=account.name, role_revision=account.revision, revision=revision)
