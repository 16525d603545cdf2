"""What a mount may be told of whose word counts, in the words of Vault for what it may not."""

from __future__ import annotations

import re

from keystead.core.entities import Account, Bounds, CertBounds, JwtSettings, KubernetesSettings, Settings
from keystead.core.errors import InvalidArgument, LimitExceeded
from keystead.crypto.chains import has_certificates, is_of_authorities
from keystead.crypto.jwk import ALGORITHMS, VerifyingKey
from keystead.service.handlers.mounts import table_of
from keystead.service.held import HeldTenant

MAX_PEM, MAX_KEYS, MAX_URL = 256 * 1024, 32, 1024  # characters, keys, characters
_URL, _RESPONDER = re.compile(r"https://[!-~]+"), re.compile(r"https?://[!-~]+")
MOST_RESPONDERS = 4  # that a login asks, one after the other
MOST_CERTIFICATES = 1000
"""Of all roles of a tenant: every worker holds them, and reads them anew between other requests when one changes."""


def check_settings(settings: Settings) -> None:
    """Raises InvalidArgument."""
    if isinstance(settings, JwtSettings):
        _check_jwt(settings)
    elif isinstance(settings, KubernetesSettings):
        _check_kubernetes(settings)


def check_bounds(bounds: Bounds) -> None:
    """What only those can say who read certificates. Raises InvalidArgument."""
    if isinstance(bounds, CertBounds) and (
        len(bounds.certificate) > MAX_PEM or not has_certificates(bounds.certificate)
    ):
        raise InvalidArgument("failed to parse certificate", "certificate")
    if isinstance(bounds, CertBounds):
        _check_responders(bounds)


def check_room(account: Account, before: Account | None, tenant: HeldTenant) -> None:
    """Raises LimitExceeded where it would bring more certificates than there may be."""
    had = _n_certificates(before) if before is not None else 0
    if (n := _n_certificates(account)) <= had:
        return
    for mount in table_of(tenant).mounts:
        if mount.engine == "cert":
            n += sum(_n_certificates(one) for one in tenant.accounts(mount))
    if n - had > MOST_CERTIFICATES:
        raise LimitExceeded(f"the roles of a namespace have {MOST_CERTIFICATES} certificates at most", "certificate")


def _n_certificates(account: Account) -> int:
    """Long text between them counts, too."""
    pem = account.bounds.certificate if isinstance(account.bounds, CertBounds) else ""
    return max(pem.count("-----BEGIN "), len(pem) // 4096)


def _check_responders(bounds: CertBounds) -> None:
    """Of http:// the operator's word is asked when a responder is (`logins.plain_hosts`)."""
    if bounds.asks and not is_of_authorities(bounds.certificate):
        raise InvalidArgument("ocsp_enabled is for roles of authorities: of one certificate nobody is asked", "ocsp")
    if len(bounds.responders) > MOST_RESPONDERS:
        raise InvalidArgument(f"ocsp_servers_override has at most {MOST_RESPONDERS} servers here", "ocsp")
    for url in bounds.responders:
        if len(url) > MAX_URL or _RESPONDER.fullmatch(url) is None:
            raise InvalidArgument("ocsp_servers_override: it has to be an http:// or https:// URL", "ocsp")
    _check_authorities(bounds.responder_authorities, "error parsing ocsp_ca_certificates")


def _check_kubernetes(settings: KubernetesSettings) -> None:
    _check_url(settings.host, "kubernetes_host")
    if len(settings.ca) > MAX_PEM:
        raise InvalidArgument("kubernetes_ca_cert is too long", "certificates")
    check_keys(settings.public_keys, "data does not contain any valid public keys")


def _check_jwt(settings: JwtSettings) -> None:
    if settings.discovery_url:
        _check_url(settings.discovery_url, "error checking oidc discovery URL")
        _check_authorities(
            settings.discovery_ca, "error checking oidc discovery URL: could not parse CA PEM value successfully"
        )
    if settings.jwks_url:
        _check_url(settings.jwks_url, "error checking jwks URL")
        _check_authorities(settings.jwks_ca, "error checking jwks_ca_pem")
    check_keys(settings.public_keys, "error parsing public key: data does not contain any valid public keys")
    for algorithm in settings.algorithms:
        if algorithm not in ALGORITHMS:
            words = f'invalid jwt_supported_algs: unsupported signing algorithm "{algorithm}"'
            raise InvalidArgument(words, "jwt_supported_algs")


def check_keys(keys: tuple[str, ...], words: str) -> None:
    """Public keys in PEM, or certificates of them. Raises InvalidArgument."""
    if len(keys) > MAX_KEYS or sum(map(len, keys)) > MAX_PEM:
        raise InvalidArgument("too many public keys", "keys")
    try:
        for key in keys:
            VerifyingKey.of_pem(key)
    except ValueError:
        raise InvalidArgument(words, "keys") from None


def _check_url(url: str, words: str) -> None:
    """Keys that come over a line that anybody may write on are anybody's."""
    if len(url) > MAX_URL or _URL.fullmatch(url) is None:
        raise InvalidArgument(f"{words}: it has to be an https:// URL", "url")


def _check_authorities(pem: str, words: str) -> None:
    if pem and (len(pem) > MAX_PEM or not has_certificates(pem)):
        raise InvalidArgument(words, "certificates")
