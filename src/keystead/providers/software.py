"""The software provider: keys in this process, one class per family of key specs.

Keying material is raw bytes for AES and HMAC, PKCS#8 DER for the rest (seed form for ML-DSA and ML-KEM).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from keystead.core.algorithms import Algorithm, Family, KeySpec, MessageForm, Purpose
from keystead.core.envelope import NO_AAD, SALT_BYTES
from keystead.core.errors import InvalidArgument, Unsupported, WrongUsage
from keystead.core.keyed import KeyedHash
from keystead.core.operations.schemes import Scheme
from keystead.core.ports import KERNEL, Entropy, KernelEntropy, KeyEntropy
from keystead.core.providers import Generated, Loaded
from keystead.core.sensitive import Sensitive
from keystead.crypto import agree, certificates, kem, keys, oaep, schemes
from keystead.crypto.draws import Draws
from keystead.crypto.sign import SCHEMES
from keystead.crypto.tags import apart, beside
from keystead.providers.loaded import Key
from keystead.providers.public import PublicHalf
from keystead.providers.sealing import Aes, Sealing
from keystead.providers.xchacha import XChaChaKey


class _Hmac(Key):
    """FIPS 198-1."""

    __slots__ = ("_keyed",)

    def __init__(self, spec: KeySpec, material: bytes) -> None:
        super().__init__(spec, lambda: material)
        if len(material) * 8 != spec.bits:
            raise InvalidArgument(f"{len(material)} bytes are no {spec.name} key", "key_material")
        self._keyed = KeyedHash(material, spec.default(Purpose.MAC).digest or "")

    def mac(self, algorithm: Algorithm, message: bytes) -> bytes:
        if algorithm.name not in self._names:
            self.refuse(algorithm)
        return self._keyed(message)

    def verify_mac(self, algorithm: Algorithm, message: bytes, tag: bytes) -> bool:
        if algorithm.name not in self._names:
            self.refuse(algorithm)
        return self._keyed.matches(message, tag)


_BY_SCHEME: Final = frozenset({Family.RSA, Family.EC, Family.EDWARDS})


class _Pair(Key):
    """A key pair. Signs with whatever signature algorithms its spec has (none: every call is refused)."""

    __slots__ = ("_private", "_public", "_schemes")

    def __init__(self, spec: KeySpec, material: bytes) -> None:
        super().__init__(spec, beside(material))
        self._private: keys.PrivateKey = keys.load(spec, material)
        self._public: keys.PublicKey = self._private.public_key()
        self._schemes = {name: SCHEMES[name] for name in spec.algorithms if name in SCHEMES}

    def sign(self, algorithm: Algorithm, message: bytes, form: MessageForm) -> bytes:
        scheme = self._schemes.get(algorithm.name) or self.refuse(algorithm)
        algorithm.check_form(form, message)
        return scheme.sign(self._private, message, form)

    def verify(self, algorithm: Algorithm, message: bytes, signature: bytes, form: MessageForm) -> bool:
        scheme = self._schemes.get(algorithm.name) or self.refuse(algorithm)
        algorithm.check_form(form, message)
        return scheme.verify(self._public, message, signature, form)

    def sign_as(self, scheme: Scheme, message: bytes, form: MessageForm) -> bytes:
        self._require_schemes()
        return schemes.sign(self._spec.family, self._private, scheme, message, form)

    def verify_as(self, scheme: Scheme, message: bytes, signature: bytes, form: MessageForm) -> bool:
        self._require_schemes()
        return schemes.verify(self._spec.family, self._public, scheme, message, signature, form)

    def request_certificate(self, template: bytes) -> bytes:
        self._require_schemes()
        return certificates.request(self._private, template)

    def _require_schemes(self) -> None:
        if self._spec.family not in _BY_SCHEME:
            raise WrongUsage(f"a {self._spec.name} key does not sign so", Purpose.SIGNATURE)


class _Edwards(_Pair):
    """Of a key that is derived no signature is made but by the pairs of its contexts (service.handlers.schemes)."""

    __slots__ = ()

    def derived(self, context: bytes) -> tuple[Loaded, bytes]:
        pair = keys.derived(self._private, context)
        return _Edwards(self._spec, keys.private_der(pair)), keys.public_der(pair)


class _Rsa(_Pair):
    __slots__ = ()

    def _oaep(self, algorithm: Algorithm, aad: bytes) -> None:
        if algorithm.name not in self._names or algorithm.purpose is not Purpose.CIPHER:
            self.refuse(algorithm)
        if aad != NO_AAD:
            raise InvalidArgument("RSA binds a ciphertext to no context", "context")

    def encrypt(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> bytes:
        """Raises InvalidArgument (detail "plaintext") if it is too long."""
        self._oaep(algorithm, aad)
        limit = self._spec.max_plaintext(algorithm) or 0
        if len(plaintext) > limit:
            raise InvalidArgument(f"{algorithm.name} with {self._spec.name} takes {limit} bytes", "plaintext")
        return oaep.encrypt(algorithm.name, self._public, plaintext.reveal())

    def decrypt(self, algorithm: Algorithm, ciphertext: bytes, aad: bytes) -> Sensitive:
        self._oaep(algorithm, aad)
        return Sensitive(oaep.decrypt(algorithm.name, self._private, ciphertext))


class _Ec(_Pair):
    __slots__ = ()

    def agree(self, algorithm: Algorithm, peer_public_key: bytes) -> Sensitive:
        if algorithm.name not in self._names or algorithm.purpose is not Purpose.AGREEMENT:
            self.refuse(algorithm)
        return Sensitive(agree.agree(self._private, keys.load_public(self._spec, peer_public_key)))


class _MlKem(_Pair):
    __slots__ = ()

    def encapsulate(self, algorithm: Algorithm) -> tuple[Sensitive, bytes]:
        if algorithm.name not in self._names:
            self.refuse(algorithm)
        secret, ciphertext = kem.encapsulate(self._public)
        return Sensitive(secret), ciphertext

    def decapsulate(self, algorithm: Algorithm, ciphertext: bytes) -> Sensitive:
        if algorithm.name not in self._names:
            self.refuse(algorithm)
        return Sensitive(kem.decapsulate(algorithm.name, self._private, ciphertext))


_PAIRS: Final[dict[Family, Callable[[KeySpec, bytes], Loaded]]] = {
    Family.RSA: _Rsa,
    Family.EC: _Ec,
    Family.EDWARDS: _Edwards,
    Family.ML_DSA: _Pair,
    Family.ML_KEM: _MlKem,
}
_SEALING: Final[dict[str, type[Sealing]]] = {"AES_256": Aes}
_TAGS: Final = {"XCHACHA20": apart}
"""By key spec, what makes the key for HMAC beside its use; any other: `beside`."""
_SYMMETRIC: Final = frozenset({Family.AES, Family.HMAC})


class SoftwareProvider:
    """Provider over OpenSSL and libsodium. Safe to use from any thread."""

    def __init__(self, entropy: Entropy, for_keys: KeyEntropy | None = None) -> None:
        """`entropy`: for salts, on the use path. `for_keys`: for keying material, if from elsewhere."""
        self._for_keys = for_keys or KernelEntropy(entropy)
        self._draw = Draws(entropy, SALT_BYTES)

    def offers(self, spec: KeySpec) -> frozenset[str]:
        known = spec.family in _SYMMETRIC or spec.name in keys.PRIVATE_TYPES
        return frozenset(spec.algorithms) if known else frozenset()

    def generate(self, spec: KeySpec, name: str = "") -> Generated:  # noqa: ARG002 - software has no objects
        if spec.family in _SYMMETRIC:
            raw, source = self._for_keys.draw((spec.bits or 0) // 8)
            return Generated(Sensitive(raw), entropy=source)
        seed, source = self._seed(spec)
        return replace(_generated(keys.generate(spec, seed)), entropy=source)

    def _seed(self, spec: KeySpec) -> tuple[bytes, str]:
        """What a key pair is made of, and what that was drawn from."""
        if n := keys.seed_bytes(spec):
            return self._for_keys.draw(n)
        if self._for_keys.is_required:
            raise Unsupported(
                f"new keys must have entropy of hardware; a {spec.name} key in software has none", spec.name
            )
        return b"", KERNEL

    def register(self, spec: KeySpec, material: Sensitive, name: str = "") -> Generated:  # noqa: ARG002 - the same
        raw = material.reveal()
        if spec.family not in _SYMMETRIC:
            return _generated(keys.examine(spec, raw))
        if len(raw) * 8 != spec.bits:
            raise InvalidArgument(f"{len(raw)} bytes are no {spec.name} key", "key_material")
        return Generated(material)

    def adopt(
        self,
        specs: Sequence[KeySpec],  # noqa: ARG002 - whichever they are
        label: str,  # noqa: ARG002 - the same
        its_id: bytes,  # noqa: ARG002 - the same
        *,
        make: bool,  # noqa: ARG002 - the same
    ) -> tuple[KeySpec, Generated]:
        raise Unsupported("there is no HSM", "hsm")

    def destroy(self, name: str, serial: str = "") -> None:
        """What there was of it was in the key tree alone."""

    def facts(self, spec: KeySpec, material: Sensitive) -> Mapping[str, str]:  # noqa: ARG002 - they are the same of all
        return {"protection": "software"}

    def register_public(self, spec: KeySpec, material: Sensitive) -> Generated:
        der = keys.spki(keys.examine_public(spec, material.reveal()))
        return Generated(Sensitive(der), der)

    def load_public(self, spec: KeySpec, public_key: bytes) -> Loaded:
        return PublicHalf(spec, public_key)

    def export(self, spec: KeySpec, material: Sensitive) -> Sensitive:
        raw = material.reveal()
        return material if spec.family in _SYMMETRIC else Sensitive(keys.traditional(spec, raw))

    def mac_key(self, spec: KeySpec, material: Sensitive) -> Sensitive:
        if spec.family is Family.HMAC:
            return material
        return Sensitive(_TAGS.get(spec.name, beside)(material.reveal())())

    def load(self, spec: KeySpec, material: Sensitive, *, key_id: str, version: int) -> Loaded:
        raw = material.reveal()
        if spec.plain:
            return XChaChaKey(spec, raw, self._draw)
        if spec.family is Family.AES:
            return _SEALING.get(spec.name, Sealing)(spec, raw, key_id, version, self._draw)
        if spec.family is Family.HMAC:
            return _Hmac(spec, raw)
        if spec.family not in _PAIRS:
            raise Unsupported(f"no {spec.name} keys here", spec.name)
        return _PAIRS[spec.family](spec, raw)


def _generated(private: Any) -> Generated:
    return Generated(Sensitive(keys.private_der(private)), keys.public_der(private))
