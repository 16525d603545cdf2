"""Vault tokens: whoever has the text is its bearer.

A token is found by a digest of its text, so nothing of it is compared. The text has 140 bits of entropy and more,
so the digest needs no salt (security.md §4-B row 20). Unknown, over, used up, its entity
disabled: one answer.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from ipaddress import ip_address, ip_network

from keystead.core.entities import USED_UP, Token
from keystead.core.errors import InvalidArgument, Unauthenticated
from keystead.core.sensitive import Sensitive
from keystead.service.credentials import Directory, Reason
from keystead.service.held import HeldToken

PREFIX, BATCH_PREFIX = "hvs.", "hvb."
MAX_TEXT = 256


def is_batch(text: str) -> bool:
    """By what it begins with: whether it is a batch token is known once it opens (service.credentials.batch)."""
    return text.startswith(BATCH_PREFIX)


def token_id(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def digest(text: Sensitive) -> str:
    """The same of a text that nobody is to see."""
    return token_id(text.reveal().decode())


_OURS = ("s.", "b.", "r.", "hvs.", "hvb.", "hvr.")


def check_custom(text: Sensitive) -> None:
    """Raise InvalidArgument for a text that no token may be given (OpenBao, vault/token_store.go)."""
    said = text.reveal().decode()
    if (prefix := next((one for one in _OURS if said.startswith(one)), None)) is not None:
        raise InvalidArgument(f"custom token ID cannot have the '{prefix}' prefix", "id")
    if "." in said:
        raise InvalidArgument("custom token ID cannot have a '.' in the value", "id")
    if not 0 < len(said) <= MAX_TEXT:
        raise InvalidArgument(f"custom token ID has 1 to {MAX_TEXT} characters", "id")


def verify_token(directory: Directory, text: str, peer: str, now: datetime) -> HeldToken:
    """Raises Unauthenticated, WouldBlock."""
    if is_batch(text):
        held = directory.batch_token(text)
    else:
        held = directory.token(token_id(text)) if 0 < len(text) <= MAX_TEXT else None
    if held is None:
        raise Unauthenticated("permission denied", Reason.UNKNOWN)
    check_token(directory, held, peer, now)
    return held


def check_token(directory: Directory, held: HeldToken, peer: str, now: datetime) -> None:
    """Whether it is good now and from there. Raises Unauthenticated, WouldBlock."""
    token = held.token
    if (
        _is_over(token, now)
        or not held.rights.principal.enabled  # the entity that it belongs to is disabled, or gone
        or not is_within(token.bound_cidrs, peer)
    ):
        raise Unauthenticated("permission denied", Reason.UNKNOWN)
    if token.is_batch and token.creator:  # no row of it goes with its maker's
        maker = directory.token(token.creator)
        if maker is None or _is_over(maker.token, now):
            raise Unauthenticated("permission denied", Reason.UNKNOWN)


def _is_over(token: Token, now: datetime) -> bool:
    return token.is_over(now) or token.n_uses == USED_UP


def is_within(networks: tuple[str, ...], peer: str) -> bool:
    """Whether an address is in one of the networks; in any, where there are none. A unix socket has no address."""
    if not networks:
        return True
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in ip_network(network, strict=False) for network in networks)
