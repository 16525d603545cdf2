"""CK_MECHANISM with its parameter, ready to be pointed at. Those without a buffer to write to may be shared."""

from __future__ import annotations

import ctypes
from ctypes import addressof, byref, sizeof
from typing import Any, Final

from keystead.cryptoki.structures import Ecdh1Params, EddsaParams, GcmParams, OaepParams, PssParams, RawMechanism
from keystead.cryptoki.words import DATA_SPECIFIED, NULL_KDF, Ckm, Mgf

TAG_BYTES = 16


class Mechanism:
    """A mechanism and all that its parameter points at, for as long as it is held."""

    __slots__ = ("_kept", "raw", "ref", "type")

    def __init__(self, type: int, parameter: Any = None, *kept: Any) -> None:  # noqa: A002 - as CK_MECHANISM has it
        self.type, self._kept = type, (parameter, *kept)
        length = 0 if parameter is None else sizeof(parameter)
        self.raw = RawMechanism(type, addressof(parameter) if length else None, length)
        self.ref = byref(self.raw)  # what functions take


class Gcm(Mechanism):
    """AES-GCM with a tag of 16 bytes."""

    __slots__ = ("_parameter", "_sizes")

    def __init__(self, iv: bytes, aad: bytes, type: int = Ckm.AES_GCM) -> None:  # noqa: A002 - as CK_MECHANISM has it
        self._parameter, self._sizes = GcmParams(tag_bits=TAG_BYTES * 8), (0, 0)
        super().__init__(type, self._parameter)
        self.with_(iv, aad, type)

    def with_(self, iv: bytes, aad: bytes, type: int = Ckm.AES_GCM) -> Gcm:  # noqa: A002 - as CK_MECHANISM has it
        """The same, for another message. Whoever uses it has it alone."""
        parameter, sizes = self._parameter, (len(iv), len(aad))
        parameter.iv, parameter.aad = iv or None, aad or None
        if sizes != self._sizes:  # as good as never: a field of a structure takes as long as a small function
            self._sizes = sizes
            parameter.iv_length, parameter.iv_bits, parameter.aad_length = sizes[0], sizes[0] * 8, sizes[1]
        if type != self.type:
            self.type = self.raw.type = type
        return self


class GcmReadBack(Mechanism):
    """The same for a token that writes the IV that it makes where it was given zeros."""

    __slots__ = ("_iv",)

    def __init__(self, iv_bytes: int, aad: bytes) -> None:
        self._iv = ctypes.create_string_buffer(iv_bytes)
        held = ctypes.cast(self._iv, ctypes.c_char_p)
        parameter = GcmParams(held, iv_bytes, iv_bytes * 8, aad or None, len(aad), TAG_BYTES * 8)
        super().__init__(Ckm.AES_GCM, parameter)

    @property
    def iv(self) -> bytes:
        """After C_Encrypt, the one that was used."""
        return self._iv.raw


DIGESTS: Final = {
    "sha1": (Ckm.SHA_1, Mgf.SHA1),
    "sha224": (Ckm.SHA224, Mgf.SHA224),
    "sha256": (Ckm.SHA256, Mgf.SHA256),
    "sha384": (Ckm.SHA384, Mgf.SHA384),
    "sha512": (Ckm.SHA512, Mgf.SHA512),
}
"""hashlib's name -> (CKM_, CKG_MGF1_)."""


def pss(digest: str, salt_bytes: int, type: int = Ckm.RSA_PKCS_PSS) -> Mechanism:  # noqa: A002 - as CK_MECHANISM has it
    """RSASSA-PSS of a digest; MGF1 with the same hash."""
    return Mechanism(type, PssParams(*DIGESTS[digest], salt_bytes))


def oaep(digest: str) -> Mechanism:
    """RSAES-OAEP with an empty label; MGF1 with the same hash."""
    return Mechanism(Ckm.RSA_PKCS_OAEP, OaepParams(*DIGESTS[digest], DATA_SPECIFIED, None, 0))


def ecdh(point: bytes) -> Mechanism:
    """ECDH without a KDF: the x-coordinate. `point`: the peer's, uncompressed."""
    held = ctypes.create_string_buffer(point, len(point))
    return Mechanism(Ckm.ECDH1_DERIVE, Ecdh1Params(NULL_KDF, 0, None, len(point), addressof(held)), held)


def cbc(iv: bytes) -> Mechanism:
    """AES-CBC of whole blocks."""
    return Mechanism(Ckm.AES_CBC, (ctypes.c_char * len(iv)).from_buffer_copy(iv))


def ed25519ph() -> Mechanism:
    """Ed25519ph with an empty context (PKCS#11 v3.1 §6.3.15, RFC 8032 §5.1)."""
    return Mechanism(Ckm.EDDSA, EddsaParams(1, 0, None))
