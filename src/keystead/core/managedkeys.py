"""Managed keys: key pairs in an HSM that somebody else has named, for engines of a tenant to use.

Vault HTTP API, "/sys/managed-keys"; PKCS #11 v3.1 for the numbers of mechanisms.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from keystead.core.algorithms import KEY_SPECS, KeySpec, Purpose
from keystead.core.errors import InvalidArgument

ECDSA, RSA_PSS, RSA_OAEP, RSA_PKCS = 0x1041, 0x000D, 0x0009, 0x0001
PURPOSES: Final = {
    ECDSA: Purpose.SIGNATURE,
    RSA_PSS: Purpose.SIGNATURE,
    RSA_PKCS: Purpose.SIGNATURE,
    RSA_OAEP: Purpose.CIPHER,
}
"""What a key of that mechanism is for."""
CURVES: Final = {"P256": "EC_P256", "P384": "EC_P384", "P521": "EC_P521"}
SIZES: Final = {2048: "RSA_2048", 3072: "RSA_3072", 4096: "RSA_4096"}


class ManagedKey(Struct, frozen=True, kw_only=True):
    """One of a tenant's, by its name. `curve`, `key_bits`: "" and 0 where the key itself says which it is."""

    uuid: str
    hsm: str  # the HSM's name in the configuration: `library`
    label: str = ""  # CKA_LABEL
    id: str = ""  # CKA_ID, as it was given
    mechanism: int
    curve: str = ""
    key_bits: int = 0
    slot: str = ""
    token_label: str = ""
    allow_generate_key: bool = False
    allow_replace_key: bool = False
    allow_store_key: bool = False
    any_mount: bool = False
    force_rw_session: bool = False

    @property
    def purpose(self) -> Purpose:
        return PURPOSES[self.mechanism]

    @property
    def specs(self) -> tuple[KeySpec, ...]:
        """What it may be. Raises InvalidArgument (detail: the parameter)."""
        if self.mechanism not in PURPOSES:
            raise InvalidArgument(f"mechanism {self.mechanism:#x} is not supported", "mechanism")
        of_curves = self.mechanism == ECDSA
        said = self.curve if of_curves else self.key_bits
        known: dict[str, str] | dict[int, str] = CURVES if of_curves else SIZES
        if not said:
            return tuple(KEY_SPECS[name] for name in known.values())
        name = CURVES.get(self.curve) if of_curves else SIZES.get(self.key_bits)
        if name is None:
            what = "curve" if of_curves else "key_bits"
            raise InvalidArgument(f"{what} {said} is not supported", what)
        return (KEY_SPECS[name],)

    @property
    def id_bytes(self) -> bytes:
        """The id is hexadecimal, or else the text itself."""
        try:
            return bytes.fromhex(self.id.removeprefix("0x"))
        except ValueError:
            return self.id.encode()
