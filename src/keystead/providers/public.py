"""Public keys without their private halves: they verify, and RSA encrypts."""

from __future__ import annotations

from typing import NoReturn

from keystead.core.algorithms import Algorithm, KeySpec, MessageForm, Purpose
from keystead.core.envelope import NO_AAD
from keystead.core.errors import InvalidArgument, WrongState
from keystead.core.operations.schemes import Scheme
from keystead.core.operations.terms import Breach
from keystead.core.sensitive import Sensitive
from keystead.crypto import keys, oaep, schemes
from keystead.crypto.sign import SCHEMES
from keystead.providers.refusing import Refusing


def _missing() -> NoReturn:
    raise WrongState("the private half of this version is not here", Breach.NO_PRIVATE_HALF)


class PublicHalf(Refusing):
    """One key version that was imported as a public key."""

    __slots__ = ("_public",)

    def __init__(self, spec: KeySpec, der: bytes) -> None:
        super().__init__(spec)
        self._public = keys.parse_public(der)

    def encrypt(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> bytes:
        """Raises InvalidArgument (detail "plaintext", "context")."""
        if algorithm.name not in oaep.PADDINGS or algorithm.name not in self._names:
            self.refuse(algorithm)
        if aad != NO_AAD:
            raise InvalidArgument("RSA binds a ciphertext to no context", "context")
        limit = self._spec.max_plaintext(algorithm) or 0
        if len(plaintext) > limit:
            raise InvalidArgument(f"{algorithm.name} with {self._spec.name} takes {limit} bytes", "plaintext")
        return oaep.encrypt(algorithm.name, self._public, plaintext.reveal())

    def verify(self, algorithm: Algorithm, message: bytes, signature: bytes, form: MessageForm) -> bool:
        if algorithm.purpose is not Purpose.SIGNATURE or algorithm.name not in self._names:
            self.refuse(algorithm)
        algorithm.check_form(form, message)
        return SCHEMES[algorithm.name].verify(self._public, message, signature, form)

    def verify_as(self, scheme: Scheme, message: bytes, signature: bytes, form: MessageForm) -> bool:
        return schemes.verify(self._spec.family, self._public, scheme, message, signature, form)

    def decrypt(self, algorithm: Algorithm, ciphertext: bytes, aad: bytes) -> Sensitive:  # noqa: ARG002 - refused
        _missing()

    def sign(self, algorithm: Algorithm, message: bytes, form: MessageForm) -> bytes:  # noqa: ARG002 - refused
        _missing()

    def sign_as(self, scheme: Scheme, message: bytes, form: MessageForm) -> bytes:  # noqa: ARG002 - refused
        _missing()

    def request_certificate(self, template: bytes) -> bytes:  # noqa: ARG002 - refused
        _missing()

    def agree(self, algorithm: Algorithm, peer_public_key: bytes) -> Sensitive:  # noqa: ARG002 - refused
        _missing()

    def mac_as(self, digest: str, message: bytes) -> bytes:  # noqa: ARG002 - refused
        _missing()

    def verify_mac_as(self, digest: str, message: bytes, tag: bytes) -> bool:  # noqa: ARG002 - refused
        _missing()
