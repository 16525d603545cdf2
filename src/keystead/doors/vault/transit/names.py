"""What this engine calls keys, their types and their versions."""

from __future__ import annotations

from functools import lru_cache

from keystead.core.algorithms import KEY_SPECS, LEAST_HMAC, MOST_HMAC, SPECS, KeySpec
from keystead.core.entities import Key
from keystead.core.naming import WORD
from keystead.core.operations import KeyRef, KeyringRef
from keystead.doors.vault.endpoint import Said
from keystead.doors.vault.toolparts import HASHES
from keystead.kit import Call
from keystead.wire.vault.envelope import UNSUPPORTED_PATH
from keystead.wire.vault.multierror import multierror

PREFIX = "vault:v"
HMAC, MANAGED = "hmac", "managed_key"
TYPES: dict[str, KeySpec] = {spec.vault: spec for spec in KEY_SPECS.values() if spec.vault and spec.vault != HMAC}
HMACS: dict[int, KeySpec] = {(spec.bits or 0) // 8: spec for spec in SPECS.values() if spec.vault == HMAC}


DIGESTS: dict[str, str | None] = {
    "sha1": "sha1",
    **HASHES,
    "none": None,
}
"""hash_algorithm -> what hashlib calls it."""
USUAL = "sha2-256"


def key_ref(name: str, call: Call) -> KeyRef:
    """Raises Said (404) for what is no name of a key. OpenBao, framework.GenericNameRegex"""
    return _ref(call.caller.namespace, name)


@lru_cache(maxsize=4096)  # the same few keys are asked for again and again
def _ref(namespace: str, name: str) -> KeyRef:
    if WORD.fullmatch(name) is None:
        raise Said(404, UNSUPPORTED_PATH)
    return KeyRef(namespace, name=name)


def keyring_ref(call: Call) -> KeyringRef:
    return KeyringRef(call.namespace)


def type_of(key: Key) -> str:
    """A key that another door made may be of a type that Vault does not know."""
    if key.managed:
        return MANAGED
    return key.spec.vault or (HMAC if key.spec_name.startswith("HMAC") else key.spec_name.lower().replace("_", "-"))


def spec_of(text: str, key_size: int) -> KeySpec:
    """Raises Said."""
    if text == HMAC:
        return _hmac(key_size)
    if text not in TYPES:
        raise Said(400, f"unknown key type {text}")
    if key_size:
        raise Said(400, f"key_size is not valid for algorithm {text}")
    return TYPES[text]


def _hmac(key_size: int) -> KeySpec:
    if key_size == 0:
        words = "invalid key size for HMAC key, must be between 32 and 512 bytes"
        raise Said(500, multierror(words))
    if not LEAST_HMAC <= key_size <= MOST_HMAC:
        raise Said(400, f"invalid key_size {key_size}")
    return HMACS[key_size]
