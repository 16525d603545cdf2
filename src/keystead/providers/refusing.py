"""What a loaded key that can do nothing answers; every kind of key overrides what it can."""

from __future__ import annotations

from typing import NoReturn

from keystead.core.algorithms import Algorithm, KeySpec, MessageForm, Purpose
from keystead.core.detached import Detached
from keystead.core.errors import WrongUsage
from keystead.core.operations.schemes import Scheme
from keystead.core.providers import Loaded
from keystead.core.sensitive import Sensitive


class Refusing:
    """A loaded key version that can do nothing: each family overrides what it can."""

    __slots__ = ("_names", "_spec")

    def __init__(self, spec: KeySpec) -> None:
        self._spec = spec
        self._names = frozenset(spec.algorithms)

    def refuse(self, algorithm: Algorithm) -> NoReturn:
        raise WrongUsage(f"a {self._spec.name} key cannot do that with {algorithm.name}", algorithm.name)

    def encrypt(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> bytes:  # noqa: ARG002 - refused
        self.refuse(algorithm)

    def encrypt_convergent(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> bytes:  # noqa: ARG002 - refused
        self.refuse(algorithm)

    def decrypt(self, algorithm: Algorithm, ciphertext: bytes, aad: bytes) -> Sensitive:  # noqa: ARG002 - refused
        self.refuse(algorithm)

    def encrypt_detached(
        self,
        algorithm: Algorithm,
        plaintext: Sensitive,  # noqa: ARG002 - refused
        aad: bytes,  # noqa: ARG002 - refused
    ) -> Detached:
        self.refuse(algorithm)

    def decrypt_detached(self, algorithm: Algorithm, parts: Detached, aad: bytes) -> Sensitive:  # noqa: ARG002 - refused
        self.refuse(algorithm)

    def sign(self, algorithm: Algorithm, message: bytes, form: MessageForm) -> bytes:  # noqa: ARG002 - refused
        self.refuse(algorithm)

    def verify(
        self,
        algorithm: Algorithm,
        message: bytes,  # noqa: ARG002 - refused
        signature: bytes,  # noqa: ARG002 - refused
        form: MessageForm,  # noqa: ARG002 - refused
    ) -> bool:
        self.refuse(algorithm)

    def mac(self, algorithm: Algorithm, message: bytes) -> bytes:  # noqa: ARG002 - refused
        self.refuse(algorithm)

    def verify_mac(self, algorithm: Algorithm, message: bytes, tag: bytes) -> bool:  # noqa: ARG002 - refused
        self.refuse(algorithm)

    def request_certificate(self, template: bytes) -> bytes:  # noqa: ARG002 - refused
        raise WrongUsage(f"a {self._spec.name} key does not sign", Purpose.SIGNATURE)

    def agree(self, algorithm: Algorithm, peer_public_key: bytes) -> Sensitive:  # noqa: ARG002 - refused
        self.refuse(algorithm)

    def encapsulate(self, algorithm: Algorithm) -> tuple[Sensitive, bytes]:
        self.refuse(algorithm)

    def decapsulate(self, algorithm: Algorithm, ciphertext: bytes) -> Sensitive:  # noqa: ARG002 - refused
        self.refuse(algorithm)

    def mac_as(self, digest: str, message: bytes) -> bytes:  # noqa: ARG002 - refused
        raise WrongUsage(f"a {self._spec.name} key makes no HMACs", Purpose.MAC)

    def verify_mac_as(self, digest: str, message: bytes, tag: bytes) -> bool:  # noqa: ARG002 - refused
        raise WrongUsage(f"a {self._spec.name} key makes no HMACs", Purpose.MAC)

    def derived(self, context: bytes) -> tuple[Loaded, bytes]:  # noqa: ARG002 - refused
        raise WrongUsage(f"no key pairs are derived of a {self._spec.name} key", Purpose.SIGNATURE)

    def sign_as(self, scheme: Scheme, message: bytes, form: MessageForm) -> bytes:  # noqa: ARG002 - refused
        raise WrongUsage(f"a {self._spec.name} key does not sign", Purpose.SIGNATURE)

    def verify_as(
        self,
        scheme: Scheme,  # noqa: ARG002 - refused
        message: bytes,  # noqa: ARG002 - refused
        signature: bytes,  # noqa: ARG002 - refused
        form: MessageForm,  # noqa: ARG002 - refused
    ) -> bool:
        raise WrongUsage(f"a {self._spec.name} key does not sign", Purpose.SIGNATURE)
