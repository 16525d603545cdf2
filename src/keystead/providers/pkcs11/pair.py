"""Key pairs whose private half a token holds. What needs the public half alone is done in software."""

from __future__ import annotations

from keystead.core.algorithms import Algorithm, KeySpec, MessageForm, Purpose
from keystead.core.envelope import NO_AAD
from keystead.core.errors import DecryptionFailed, InvalidArgument, KeysteadError, Unsupported
from keystead.core.operations.schemes import Scheme
from keystead.core.sensitive import Sensitive
from keystead.crypto import certificates, halves
from keystead.cryptoki.mechanisms import oaep
from keystead.cryptoki.session import Session
from keystead.providers.pkcs11 import signing
from keystead.providers.pkcs11.held import Abilities, Held
from keystead.providers.pkcs11.trials import agreed
from keystead.providers.public import PublicHalf


class Pair(PublicHalf):
    """One version of an RSA, EC or Ed25519 key."""

    __slots__ = ("_abilities", "_held", "_modes")

    def __init__(self, spec: KeySpec, held: Held, abilities: Abilities) -> None:
        super().__init__(spec, held.handle.public_key)
        self._held, self._abilities = held, abilities
        self._modes: dict[str, str] = {}  # of the algorithms that it has been asked to sign by, and does

    # --- signatures

    def sign(self, algorithm: Algorithm, message: bytes, form: MessageForm) -> bytes:
        if algorithm.purpose is not Purpose.SIGNATURE or algorithm.name not in self._names:
            self.refuse(algorithm)
        algorithm.check_form(form, message)
        if (mode := self._modes.get(algorithm.name)) is None:
            mode = self._abilities.require_of(self._held.handle, self._spec, algorithm.name).mode
            self._modes[algorithm.name] = mode
        if algorithm.name == signing.PREHASHED:
            asked, scheme = signing.prehashed(mode, message), signing.scheme_of(algorithm)
            return self._held.use(lambda session, key: signing.signed(session, key, self._spec, scheme, asked))
        return self._signed(signing.scheme_of(algorithm), message, form)

    def sign_as(self, scheme: Scheme, message: bytes, form: MessageForm) -> bytes:
        """By a mechanism that was tried with another digest, where not with this one."""
        mechanism = signing.needs(self._spec.family, scheme)
        if mechanism is None:
            raise InvalidArgument("an RSA signature has a padding, PSS or PKCS #1 v1.5", "padding")
        like = signing.tested_as(self._spec).get(mechanism)
        if like is None:
            raise Unsupported("no HSM signs so", Purpose.SIGNATURE)
        self._abilities.require_of(self._held.handle, self._spec, like.name)
        return self._signed(scheme, message, form)

    def request_certificate(self, template: bytes) -> bytes:
        def sign(data: bytes, digest: str | None) -> bytes:
            return self.sign_as(Scheme(digest=digest, padding="pkcs1"), data, MessageForm.RAW)

        return certificates.request_by(self._held.handle.public_key, template, sign)

    def _signed(self, scheme: Scheme, message: bytes, form: MessageForm) -> bytes:
        asked = signing.prepared(self._spec, scheme, message, form)
        return self._held.use(lambda session, key: signing.signed(session, key, self._spec, scheme, asked))

    # --- decryption and agreement

    def encrypt(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> bytes:
        """Only what the token will open."""
        if algorithm.purpose is Purpose.CIPHER and algorithm.name in self._names:
            self._abilities.require_of(self._held.handle, self._spec, algorithm.name)
        return super().encrypt(algorithm, plaintext, aad)

    def decrypt(self, algorithm: Algorithm, ciphertext: bytes, aad: bytes) -> Sensitive:
        if algorithm.purpose is not Purpose.CIPHER or algorithm.name not in self._names:
            self.refuse(algorithm)
        if aad != NO_AAD:
            raise InvalidArgument("RSA binds a ciphertext to no context", "context")
        self._abilities.require_of(self._held.handle, self._spec, algorithm.name)
        if len(ciphertext) != (self._spec.bits or 0) // 8:
            raise DecryptionFailed("the ciphertext does not open")
        mechanism = oaep(algorithm.digest or "")

        def act(session: Session, key: int) -> Sensitive:
            return session.decrypt(mechanism, key, ciphertext)

        try:
            return self._held.use(act, vague=DecryptionFailed)
        except KeysteadError as error:
            if error.detail in _NOT_OPENED or isinstance(error, DecryptionFailed):
                raise DecryptionFailed("the ciphertext does not open") from None
            raise

    def agree(self, algorithm: Algorithm, peer_public_key: bytes) -> Sensitive:
        if algorithm.purpose is not Purpose.AGREEMENT or algorithm.name not in self._names:
            self.refuse(algorithm)
        self._abilities.require_of(self._held.handle, self._spec, algorithm.name)
        point = halves.peer_point(self._spec, peer_public_key)
        return Sensitive(self._held.use(lambda session, key: agreed(session, key, self._spec, point)))

    def mac_as(self, digest: str, message: bytes) -> bytes:  # noqa: ARG002 - refused
        raise Unsupported("no HMAC key is derived of a key in an HSM", Purpose.MAC)

    def verify_mac_as(self, digest: str, message: bytes, tag: bytes) -> bool:  # noqa: ARG002 - refused
        raise Unsupported("no HMAC key is derived of a key in an HSM", Purpose.MAC)


_NOT_OPENED = frozenset({"CKR_DATA_INVALID", "CKR_DATA_LEN_RANGE", "CKR_ARGUMENTS_BAD"})
"""What tokens also say of an OAEP padding that is none."""
