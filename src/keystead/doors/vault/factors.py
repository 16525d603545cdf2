"""Second factors as requests show them. Vault documentation, "Login MFA"; OpenBao, vault/login_mfa.go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keystead.core.caller import Factor
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Said
from keystead.wire.vault import headers

MOST, MOST_TEXT = 64, 256  # methods, and words for one of them; characters
_CODE = "passcode="
TWICE = "found multiple passcodes for the same MFA method"


def of_header(given: Mapping[bytes, bytes]) -> Mapping[str, Factor]:
    """Of X-Vault-MFA, by what it names methods by. Raises Refused."""
    return {name: factor(words) for name, words in headers.factors(given).items()}


def of_payload(given: Mapping[str, Any]) -> Mapping[str, Factor]:
    """Of `mfa_payload`. Raises Said."""
    if len(given) > MOST or not all(map(_is_words, given.values())):
        raise Said(400, "invalid mfa payload")
    return {name: factor(words) for name, words in given.items()}


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= MOST and all(isinstance(one, str) for one in value)


def factor(words: Sequence[str]) -> Factor:
    """A password, bare or behind "passcode=", or nothing."""
    code = ""
    for one in words:
        named = one.startswith(_CODE)
        if not one:
            continue
        if len(one) > MOST_TEXT or (not named and "=" in one):
            return Factor(wrong="found an invalid MFA cred")
        if code:
            return Factor(wrong=TWICE)
        code = one.removeprefix(_CODE)
        if not code:
            return Factor(wrong="invalid passcode")
    return Factor(Sensitive(code.encode()) if code else None)
