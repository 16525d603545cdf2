"""What does cryptography with a key, as Protocols: providers, what they have loaded, and key stores outside.

Like core.ports: adapters implement, nothing is imported up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from keystead.core.algorithms import Algorithm, KeySpec, MessageForm
from keystead.core.caller import Caller
from keystead.core.detached import Detached
from keystead.core.entities import Key
from keystead.core.errors import KeysteadError, Unavailable
from keystead.core.keystores import KeyStore, Moment, Trouble, failed
from keystead.core.operations.schemes import Scheme
from keystead.core.sensitive import Sensitive

ANOTHER_TOKEN = "token"  # noqa: S105 - a word, not a secret
"""detail of the Unavailable of an HSM that is another token than the one that was meant."""


def is_of_one_object(error: KeysteadError) -> bool:
    """Of one that Provider.destroy has raised: whether the HSM answers, and says no to this object alone."""
    return not isinstance(error, Unavailable) or error.detail == ANOTHER_TOKEN


class Generated(Struct, frozen=True):
    """`material` of an HSM's key is a handle: what opens nothing without the HSM that it is of."""

    material: Sensitive
    public_key: bytes = b""  # DER SubjectPublicKeyInfo
    entropy: str = ""  # what it was drawn from; "": it was not made here
    serial: str = ""  # InHsm.serial


class Loaded(Protocol):
    """One key version, loaded and ready. A method that its key spec lacks raises WrongUsage."""

    def encrypt(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> bytes:
        """AES keys: the ciphertext format v1 (core.envelope), `aad` as typed bytes. RSA: the raw OAEP ciphertext."""
        ...

    def encrypt_convergent(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> bytes:
        """AES keys only: the one ciphertext that this plaintext has under this key and `aad`."""
        ...

    def decrypt(self, algorithm: Algorithm, ciphertext: bytes, aad: bytes) -> Sensitive:
        """Raises DecryptionFailed, for every reason alike."""
        ...

    def encrypt_detached(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> Detached:
        """AES keys only; `aad` as it is, at most 65535 bytes (core.detached)."""
        ...

    def decrypt_detached(self, algorithm: Algorithm, parts: Detached, aad: bytes) -> Sensitive:
        """Raises DecryptionFailed, for every reason alike."""
        ...

    def sign(self, algorithm: Algorithm, message: bytes, form: MessageForm) -> bytes:
        """ECDSA: DER. Raises InvalidArgument (Algorithm.check_form)."""
        ...

    def verify(self, algorithm: Algorithm, message: bytes, signature: bytes, form: MessageForm) -> bool: ...

    def mac(self, algorithm: Algorithm, message: bytes) -> bytes: ...

    def verify_mac(self, algorithm: Algorithm, message: bytes, tag: bytes) -> bool: ...

    def sign_as(self, scheme: Scheme, message: bytes, form: MessageForm) -> bytes:
        """Raises InvalidArgument (detail "form", "salt"), WrongUsage."""
        ...

    def verify_as(self, scheme: Scheme, message: bytes, signature: bytes, form: MessageForm) -> bool: ...

    def mac_as(self, digest: str, message: bytes) -> bytes:
        """HMAC under an HMAC key, or under a key derived from another key for that alone (docs/adr/0020)."""
        ...

    def verify_mac_as(self, digest: str, message: bytes, tag: bytes) -> bool: ...

    def derived(self, context: bytes) -> tuple[Loaded, bytes]:
        """Ed25519: the pair that is derived of it in that context (docs/adr/0020), and its public key, DER."""
        ...

    def request_certificate(self, template: bytes) -> bytes:
        """DER (RFC 2986), like the template. Raises InvalidArgument (detail ops.BAD_REQUEST), WrongUsage."""
        ...

    def agree(self, algorithm: Algorithm, peer_public_key: bytes) -> Sensitive: ...

    def encapsulate(self, algorithm: Algorithm) -> tuple[Sensitive, bytes]:
        """(shared secret, ciphertext)"""
        ...

    def decapsulate(self, algorithm: Algorithm, ciphertext: bytes) -> Sensitive: ...


class Provider(Protocol):
    """Software, PKCS#11, an external KMS: makes and loads keys.

    `name` (docs/adr/0034): what an HSM is to call the object that it makes, 32 hexadecimal digits (CKA_ID), never used
    twice; so what it has made can be erased although no answer came. Software has no objects, and no use for it. An
    HSM that cannot be reached raises Unavailable, whatever was asked.
    """

    def offers(self, spec: KeySpec) -> frozenset[str]:
        """Names of the algorithms (core.algorithms) that a key of that spec, made or registered here, is used with.

        Empty: no such key. Never called on the event loop.
        """
        ...

    def generate(self, spec: KeySpec, name: str = "") -> Generated:
        """May take a second (RSA): never called on the event loop. Raises Unsupported."""
        ...

    def register(self, spec: KeySpec, material: Sensitive, name: str = "") -> Generated:
        """Somebody else's keying material: examined in full (weak keys refused), written our way.

        An HSM gets it as software writes it, and examines nothing. Raises InvalidArgument, Unsupported. As slow as an
        RSA primality test.
        """
        ...

    def adopt(self, specs: Sequence[KeySpec], label: str, its_id: bytes, *, make: bool) -> tuple[KeySpec, Generated]:
        """A key pair in the HSM that somebody else has named, and which of `specs` it is; it is never erased by us.

        `make`: where there is none of that label, and there is one spec alone. Raises NotFound (detail "key_label"),
        Conflict (several are called so), InvalidArgument (it is none of them), Unsupported in software.
        """
        ...

    def destroy(self, name: str, serial: str = "") -> None:
        """Erase every object of that name; returns when none is there any more. Nothing in software.

        `serial`: of InHsm. Raises Unavailable (detail ANOTHER_TOKEN) where there is none, in another token than
        that one.
        """
        ...

    def facts(self, spec: KeySpec, material: Sensitive) -> Mapping[str, str]:
        """What can be proved of where a version is held, in words for an attestation: asked of the HSM just now."""
        ...

    def register_public(self, spec: KeySpec, material: Sensitive) -> Generated:
        """Somebody else's public key (DER SubjectPublicKeyInfo) as the material of a version without its private half,
        as we write it. Raises InvalidArgument, Unsupported.
        """
        ...

    def export(self, spec: KeySpec, material: Sensitive) -> Sensitive:
        """Material in the form that others read (core.operations.terms.Exported). Raises Unsupported."""
        ...

    def mac_key(self, spec: KeySpec, material: Sensitive) -> Sensitive:
        """What Loaded.mac_as takes."""
        ...

    def load(self, spec: KeySpec, material: Sensitive, *, key_id: str, version: int) -> Loaded: ...

    def load_public(self, spec: KeySpec, public_key: bytes) -> Loaded:
        """What came by register_public. What needs the private half raises WrongState (Breach.NO_PRIVATE_HALF)."""
        ...


class KeyStores(Protocol):
    """Key stores outside, asked over the network: never on the event loop. Safe to use from any thread.

    Every method raises what core.keystores.failed makes, within the time that the protocol allows. `caller`: who
    the request behind it comes from, for the store's own log and decision.
    """

    def check(self, store: KeyStore, caller: Caller) -> None:
        """Return if it is there, knows us, and can serve."""
        ...

    def examine(self, store: KeyStore, name: str, caller: Caller) -> None:
        """Return if the key of that name is there, and fit to be the other half of one of ours."""
        ...

    def load(self, store: KeyStore, key: Key, ours: Loaded, caller: Caller, *, version: int) -> Loaded:
        """`key` for one request: its ciphertexts are made by `ours`, and then by the store (core.doubled)."""
        ...

    def close(self) -> None: ...


class Clusters(Protocol):
    """HSMs that key stores can be: never on the event loop. Safe to use from any thread."""

    def find(self, id: str) -> str:
        """The HSM that this is the cluster id of. Raises NotFound; Unavailable where one that may be it is away."""
        ...

    def check(self, hsm: str, password: Sensitive) -> None:
        """Return if it is there, and that is the password of its user. Raises what core.keystores.failed makes."""
        ...

    def is_at(self, hsm: str, *, label: str, slot: str) -> bool:
        """Whether its token has that label and that slot (a number in decimal); "" is any. Raises Unavailable."""
        ...

    def random(self, hsm: str, n: int) -> Sensitive:
        """`n` bytes of its generator's. Raises Unavailable."""
        ...


class NoKeyStores:
    """KeyStores where there is no way out: no store can be reached."""

    def check(self, store: KeyStore, caller: Caller) -> None:  # noqa: ARG002 - whichever it is
        raise failed(Trouble.UNREACHABLE, Moment.SET_UP)

    def examine(self, store: KeyStore, name: str, caller: Caller) -> None:  # noqa: ARG002 - whichever it is
        raise failed(Trouble.UNREACHABLE, Moment.KEY_MADE)

    def load(
        self,
        store: KeyStore,  # noqa: ARG002 - whichever it is
        key: Key,  # noqa: ARG002 - whichever it is
        ours: Loaded,  # noqa: ARG002 - whichever it is
        caller: Caller,  # noqa: ARG002 - whichever it is
        *,
        version: int,  # noqa: ARG002 - whichever it is
    ) -> Loaded:
        raise failed(Trouble.UNREACHABLE, Moment.USE)

    def close(self) -> None:
        """There is nothing to close."""


class Budget(Protocol):
    """What wears out with use, counted among all workers and never given back: a key's nonces (SP 800-38D §8.3)."""

    def spend(self, id: str, n: int, most: int) -> None:
        """`n` more of `most`, durably before they are spent. `id`: "<key id>/<what>". Never called on the event loop.

        Raises WrongState (core.limits.Limit.USES), Unavailable.
        """
        ...
