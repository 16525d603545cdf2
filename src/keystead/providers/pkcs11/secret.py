"""AES and HMAC keys that a token holds."""

from __future__ import annotations

import hmac
import threading
from collections import Counter
from typing import Final, NamedTuple

from keystead.core.algorithms import DIGEST_BYTES, Algorithm, KeySpec
from keystead.core.detached import FORMAT, SALT_BYTES, Detached, framed
from keystead.core.envelope import PREFIX_BYTES, Envelope
from keystead.core.errors import DecryptionFailed, Internal, InvalidArgument, LimitExceeded, Unsupported, WrongState
from keystead.core.inside import DIRECT, KEY_BYTES, ZEROS, Form, Inside, Parts, committed
from keystead.core.limits import Limit, spent
from keystead.core.ports import Entropy
from keystead.core.providers import Budget
from keystead.core.sensitive import Sensitive
from keystead.crypto.aead import open_once, seal_once
from keystead.cryptoki import sealing
from keystead.cryptoki.mechanisms import Mechanism
from keystead.cryptoki.sealing import IV_BYTES, Keys, Mode
from keystead.cryptoki.session import Session
from keystead.providers.pkcs11 import checks
from keystead.providers.pkcs11.held import Abilities, Held
from keystead.providers.pkcs11.secret_trials import LONGEST, SIZES
from keystead.providers.refusing import Refusing

MOST_MESSAGES: Final = 1 << 32  # under one key with random IVs of 96 bits, SP 800-38D §8.3
AT_ONCE: Final = 64  # of them; those that a process has not come to are lost
TAG_BYTES, SALT = 16, 24
_MOST_SEALED: Final = LONGEST + 64  # bytes: with a tag, and padding
_GCM: Final = (Form.DIRECT, Form.KEYED)
_FORMS: Final = {Mode.CBC_HMAC: (Form.DIRECT_CBC, Form.KEYED_CBC)}


class _Secret(Refusing):
    __slots__ = ("_abilities", "_held")

    def __init__(self, spec: KeySpec, held: Held, abilities: Abilities) -> None:
        super().__init__(spec)
        self._held, self._abilities = held, abilities


class OfThisProcess:
    """core.providers.Budget that forgets with the process."""

    def __init__(self) -> None:
        self._spent: Counter[str] = Counter()
        self._turn = threading.Lock()

    def spend(self, id: str, n: int, most: int) -> None:
        with self._turn:
            if self._spent[id] + n > most:
                raise spent(Limit.USES)
            self._spent[id] += n


class Way(NamedTuple):
    """How a key seals. `direct`, `keyed`: the forms of its ciphertexts; `longest`: bytes that go in at once."""

    mode: Mode
    direct: Form
    keyed: Form
    longest: int


class Sealing(_Secret):
    """Ciphertext format v3 (core.inside)."""

    __slots__ = ("_budget", "_entropy", "_found", "_inside", "_iv", "_key_id", "_left", "_turn", "_version")

    def __init__(
        self,
        spec: KeySpec,
        held: Held,
        abilities: Abilities,
        entropy: Entropy,
        budget: Budget,
        key_id: str,
        version: int,
    ) -> None:
        super().__init__(spec, held, abilities)
        self._entropy, self._budget, self._key_id, self._version = entropy, budget, key_id, version
        self._inside, self._turn, self._left = Inside(key_id, version), threading.Lock(), 0
        self._found: Way | None = None  # once it is known
        self._iv = b""  # of the last text

    def encrypt(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> bytes:
        way = self._way(algorithm)
        text = plaintext.reveal()
        form = way.direct if len(ZEROS) + len(text) <= way.longest else way.keyed
        inner, message = (text, b"") if form is way.direct else self._keyed(text, aad)
        iv, sealed = self._seal(way.mode, ZEROS + inner, self._inside.bound(form, aad))
        return self._inside.pack(Parts(form, iv, sealed, message))

    def decrypt(self, algorithm: Algorithm, ciphertext: bytes, aad: bytes) -> Sensitive:
        way = self._way(algorithm)
        parts = self._inside.unpack(ciphertext)
        if len(parts.sealed) > _MOST_SEALED or parts.form not in {way.direct, way.keyed}:
            raise DecryptionFailed("the ciphertext does not open")
        opened = committed(self._open(way.mode, parts.iv, parts.sealed, self._inside.bound(parts.form, aad)))
        if parts.form in DIRECT:
            return Sensitive(opened)
        key, prefix = Envelope(opened, self._key_id, self._version).open(parts.message, aad)
        return Sensitive(open_once(key, parts.message[PREFIX_BYTES:], prefix))

    def encrypt_convergent(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> bytes:  # noqa: ARG002 - refused
        if algorithm.name not in self._names:
            self.refuse(algorithm)
        raise Unsupported("a key in an HSM makes no convergent ciphertexts", "convergent")

    def _way(self, algorithm: Algorithm) -> Way:
        """A key was made with an HMAC key beside it or without, and that is how it seals for life.

        Raises Unsupported where the token has no GCM any more.
        """
        if algorithm.name not in self._names:
            self.refuse(algorithm)
        if self._found is None:
            outcome = self._abilities.require_of(self._held.handle, self._spec, algorithm.name)
            mode = Mode.CBC_HMAC if self._held.handle.mac_check else Mode(outcome.mode)
            if mode is Mode.CBC_HMAC and not self._held.handle.mac_check:
                raise Unsupported(f"the HSM {self._held.token.name} has no AES-GCM any more", algorithm.name)
            longest = outcome.longest if outcome.mode == mode.value else SIZES[-1]
            self._found = Way(mode, *_FORMS.get(mode, _GCM), longest)
        return self._found

    def _keyed(self, text: bytes, aad: bytes) -> tuple[bytes, bytes]:
        """(a data key, the text under it in format v1)"""
        data_key = self._entropy(KEY_BYTES)
        key, prefix = Envelope(data_key, self._key_id, self._version).seal(text, aad, self._entropy(SALT))
        return data_key, prefix + seal_once(key, text, prefix)

    def _seal(self, mode: Mode, text: bytes, bound: bytes) -> tuple[bytes, bytes]:
        """The IV is drawn before a session is taken: to ask the kernel lets go of the interpreter.

        An act that is repeated has the same IV, and the same text. Raises Internal for the IV that the last text had,
        which somebody has been told: the generator is stuck.
        """
        self._spend()
        iv, keys = self._entropy(mode.drawn_bytes), self._held.keys
        made = self._held.run(lambda desk: sealing.seal(desk.session, keys(desk), mode, iv, text, bound))
        if made[0] == self._iv:
            raise Internal("two texts under one key were sealed with one IV")
        self._iv = made[0]
        return made

    def _spend(self) -> None:
        """One message of those that the version may seal, in whatever process. Raises LimitExceeded, Unavailable."""
        with self._turn:
            if not self._left:
                try:
                    self._budget.spend(f"{self._key_id}/{self._version}", AT_ONCE, MOST_MESSAGES)
                except WrongState:
                    words = "the key has sealed as many messages as it may: rotate it"
                    raise LimitExceeded(words, "messages") from None
                self._left = AT_ONCE
            self._left -= 1

    def _open(self, mode: Mode, iv: bytes, sealed: bytes, bound: bytes) -> bytes:
        def act(session: Session, keys: Keys) -> bytes:
            return sealing.opened(session, keys, mode, iv, sealed, bound)

        try:
            return self._held.use_keys(act, vague=DecryptionFailed)
        except DecryptionFailed:
            raise DecryptionFailed("the ciphertext does not open") from None


class Aes(Sealing):
    """AES-256, and detached ciphertexts that are sealed in the token."""

    __slots__ = ()

    def encrypt_detached(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> Detached:
        """The header's salt goes into no key here; the token draws the nonce, or takes ours."""
        way = self._gcm(algorithm)
        header = bytes([FORMAT]) + self._version.to_bytes(3, "big") + self._entropy(SALT_BYTES)
        bound = framed(aad, header)
        if len(plaintext) > way.longest or len(bound) > way.longest:
            raise InvalidArgument(f"at most {way.longest} bytes go into an HSM at once", "plaintext")
        iv, sealed = self._seal(way.mode, plaintext.reveal(), bound)
        return Detached(sealed[:-TAG_BYTES], iv, sealed[-TAG_BYTES:], header)

    def decrypt_detached(self, algorithm: Algorithm, parts: Detached, aad: bytes) -> Sensitive:
        way = self._gcm(algorithm)
        start = bytes([FORMAT]) + self._version.to_bytes(3, "big")
        fits = len(parts.nonce) == IV_BYTES and len(parts.tag) == TAG_BYTES and parts.header[:4] == start
        if not fits or len(parts.header) != len(start) + SALT_BYTES or len(parts.ciphertext) + len(aad) > LONGEST:
            raise DecryptionFailed("the ciphertext does not open")
        return Sensitive(self._open(way.mode, parts.nonce, parts.ciphertext + parts.tag, framed(aad, parts.header)))

    def _gcm(self, algorithm: Algorithm) -> Way:
        """Raises Unsupported: such ciphertexts are AES-GCM to whoever carries them."""
        way = self._way(algorithm)
        if way.mode is Mode.CBC_HMAC:
            raise Unsupported(f"the HSM {self._held.token.name} has no AES-GCM", algorithm.name)
        return way


class Hmac(_Secret):
    """FIPS 198-1, with the one digest that the token was tried with, or another that it lists."""

    __slots__ = ()

    def mac(self, algorithm: Algorithm, message: bytes) -> bytes:
        if algorithm.name not in self._names:
            self.refuse(algorithm)
        self._abilities.require_of(self._held.handle, self._spec, algorithm.name)
        return self.mac_as(algorithm.digest or "", message)

    def verify_mac(self, algorithm: Algorithm, message: bytes, tag: bytes) -> bool:
        return hmac.compare_digest(self.mac(algorithm, message), tag)

    def mac_as(self, digest: str, message: bytes) -> bytes:
        """Raises InvalidArgument for what is no digest, Unsupported for one without a mechanism."""
        if (mechanism := checks.HMACS.get(digest)) is None:
            raise Unsupported(f"no HMAC with {digest} in an HSM", "digest")
        n_bytes = DIGEST_BYTES[digest]
        return self._held.use(lambda session, key: session.mac(Mechanism(mechanism), key, message, n_bytes))

    def verify_mac_as(self, digest: str, message: bytes, tag: bytes) -> bool:
        return hmac.compare_digest(self.mac_as(digest, message), tag)
