"""Keys brought into a token: written there, or unwrapped there where a token takes no key in the clear.

    C_CreateObject
    RSA pair of the session ── OAEP(key) ── C_UnwrapKey                          AES and HMAC keys
    RSA pair ── OAEP(AES key) ── C_UnwrapKey ── KWP(PKCS #8) ── C_UnwrapKey      private keys (RFC 5649)

Either way the object is sensitive, and nothing is extracted from it from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from keystead.core.algorithms import KEY_SPECS, Family, KeySpec
from keystead.core.errors import Unsupported
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.crypto import halves, oaep, wrapping
from keystead.crypto.keys import parse_public
from keystead.cryptoki.connection import Connection
from keystead.cryptoki.errors import REFUSED, Failed
from keystead.cryptoki.mechanisms import Mechanism
from keystead.cryptoki.mechanisms import oaep as oaep_of
from keystead.cryptoki.session import Session
from keystead.cryptoki.templates import Template, Value
from keystead.cryptoki.words import Cka, Ckk, Ckm
from keystead.providers.pkcs11 import making, objects
from keystead.providers.pkcs11.objects import Uses
from keystead.providers.pkcs11.passing import Passing

W = TypeVar("W")
DIGESTS: Final = ("sha256", "sha1")  # rule R6
KWP: Final = (
    Ckm.AES_KEY_WRAP_KWP,
    Ckm.AES_KEY_WRAP_PAD,
    Ckm.LUNA_AES_KWP,
    Ckm.CLOUDHSM_AES_KEY_WRAP_ZERO_PAD,
)  # rule R2
_WITH: Final = KEY_SPECS["RSA_2048"]
_UNWRAPPING: Final[Uses] = frozenset({Cka.UNWRAP})
_RSA_PARTS: Final = (
    "modulus",
    "public_exponent",
    "private_exponent",
    "prime_1",
    "prime_2",
    "exponent_1",
    "exponent_2",
    "coefficient",
)
_SECRETS: Final = frozenset({Family.AES, Family.HMAC})


class Bringing:
    """One session that keys are brought in by. `edwards`: how the token names that curve."""

    def __init__(self, session: Session, connection: Connection, entropy: Entropy, edwards: str) -> None:
        self._session, self._has, self._entropy = session, connection.mechanisms, entropy
        self._edwards = edwards

    def bring(self, spec: KeySpec, material: Sensitive, its_id: bytes | None, uses: Uses, **more: Value) -> int:
        """Of material as software writes it. `more`: of a secret key, attributes by their names in small letters.

        Raises Failed, Unsupported.
        """
        try:
            return self.write(spec, material, its_id, uses, **more)
        except Failed as failed:
            if failed.rv not in REFUSED:
                raise
        return self.unwrap(spec, material, its_id, uses, **more)

    def write(self, spec: KeySpec, material: Sensitive, its_id: bytes | None, uses: Uses, **more: Value) -> int:
        """The first of the two ways. Raises Failed, Unsupported."""
        if spec.family not in making.KINDS:
            raise Unsupported(f"no {spec.name} keys in an HSM", spec.name)
        return making.put(spec, self._whole(spec, material, its_id, uses, more), self._session.create)

    def unwrap(self, spec: KeySpec, material: Sensitive, its_id: bytes | None, uses: Uses, **more: Value) -> int:
        """The other one, which makes a pair of RSA keys for it. Raises Failed, Unsupported."""
        kind = making.KINDS[spec.family]
        if spec.family in _SECRETS:
            return self._secret(material.reveal(), objects.secret(kind, its_id, uses, **more))
        return self._private(material.reveal(), objects.private(kind, its_id, uses))

    def _whole(
        self, spec: KeySpec, material: Sensitive, its_id: bytes | None, uses: Uses, more: Mapping[str, Value]
    ) -> Template:
        kind = making.KINDS[spec.family]
        if spec.family in _SECRETS:
            return objects.secret(kind, its_id, uses, value=material, **more)
        der = material.reveal()
        if spec.family is Family.RSA:
            parts = zip(_RSA_PARTS, halves.rsa_parts(spec, der), strict=True)
            return objects.private(kind, its_id, uses, **dict(parts))
        scalar, _point = halves.ec_parts(spec, der)
        parameters = making.parameters(spec, self._edwards)
        return objects.private(kind, its_id, uses, ec_params=parameters, value=scalar)

    def _secret(self, value: bytes, template: Template) -> int:
        """By a pair of this session, which is erased again."""
        by = making.maker(self._has, _WITH)
        if by is None:
            raise Unsupported("the HSM makes no RSA keys to bring others in by", _WITH.name)
        passing = Passing(self._session, self._entropy)
        public, private, der = passing.make(
            lambda its_id: making.pair(self._session, _WITH, by, its_id, "", _UNWRAPPING)
        )
        for each in (public, private):
            passing.keep(each)
        try:
            return self._first(
                DIGESTS,
                lambda digest: self._session.unwrap(oaep_of(digest), private, _oaep(digest, der, value), template),
            )
        finally:
            passing.end()

    def _private(self, der: bytes, template: Template) -> int:
        aes = self._entropy(wrapping.AES_BYTES)
        passing = Passing(self._session, self._entropy)
        key = passing.keep(passing.make(lambda its_id: self._secret(aes, objects.secret(Ckk.AES, its_id, _UNWRAPPING))))
        wrapped = wrapping.kwp(aes, der)
        try:
            has = [one for one in KWP if one in self._has]
            return self._first(has, lambda one: self._session.unwrap(Mechanism(one), key, wrapped, template))
        finally:
            passing.end()

    def _first(self, ways: Sequence[W], attempt: Callable[[W], int]) -> int:
        """By the first way that is not refused. Raises Failed, Unsupported."""
        refused = "it lists no mechanism for it"
        for way in ways:
            try:
                return attempt(way)
            except Failed as failed:
                if failed.rv not in REFUSED:
                    raise
                refused = str(failed)
        raise Unsupported(f"the HSM lets no such key in: {refused}", "import")


def _oaep(digest: str, public: bytes, value: bytes) -> bytes:
    return oaep.encrypt(f"RSA_OAEP_{digest.upper()}", parse_public(public), value)
