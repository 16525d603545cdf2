"""U wrapped by a key in an HSM, which made the key and never gives it out: it opens by itself where the HSM is.

The key is AES-256 for GCM alone (rule R3 of docs/adr/0033: it works in every token), found by its CKA_ID; how the token
takes the IV is found out when the seal is made, and kept. Its check value is kept too, where the token tells one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from keystead.core.errors import (
    Conflict,
    DecryptionFailed,
    InvalidArgument,
    KeysteadError,
    NotFound,
    Unauthenticated,
    Unsupported,
)
from keystead.core.sensitive import Sensitive
from keystead.cryptoki import gcm
from keystead.cryptoki.connection import Name
from keystead.cryptoki.errors import LOST, Failed
from keystead.cryptoki.mechanisms import Mechanism
from keystead.cryptoki.recovery import Desk
from keystead.cryptoki.templates import Template
from keystead.cryptoki.token import Token
from keystead.cryptoki.words import Cka, Ckk, Ckm, Cko, Ckr
from keystead.seals.base import Surroundings

LABEL = "keystead seal"
ID_BYTES, KEY_BYTES = 8, 32
GENERATE: Final = Mechanism(Ckm.AES_KEY_GEN)
KEPT: Final = {Cka.NEVER_EXTRACTABLE: True, Cka.ALWAYS_SENSITIVE: True, Cka.LOCAL: True, Cka.EXTRACTABLE: False}
"""What the token must say of a key that it made."""
VAGUE: Final = frozenset({Ckr.GENERAL_ERROR, Ckr.FUNCTION_FAILED})


class Pkcs11Plan(Struct, frozen=True, tag_field="kind", tag="pkcs11", forbid_unknown_fields=True):
    """A seal of an HSM that is to be made. `hsm`: what the configuration calls it."""

    hsm: str

    def make(self, unseal_key: Sensitive, at: Surroundings) -> Pkcs11Configuration:
        """With a key of its own. Raises NotFound, Unavailable, Unauthenticated (PIN), Unsupported."""
        token, name = at.devices.token(self.hsm), _named(at.entropy(ID_BYTES))
        template: Template = {
            **name.template(),
            Cka.KEY_TYPE: Ckk.AES,
            Cka.VALUE_LEN: KEY_BYTES,
            Cka.PRIVATE: True,
            Cka.SENSITIVE: True,
            Cka.EXTRACTABLE: False,
            **dict.fromkeys((Cka.ENCRYPT, Cka.DECRYPT), True),
            **dict.fromkeys((Cka.SIGN, Cka.VERIFY, Cka.WRAP, Cka.UNWRAP, Cka.DERIVE), False),
        }

        def generate(desk: Desk) -> int:
            return desk.connection.learn(name, desk.session.generate(GENERATE, template))

        token.run(generate, once=True)
        try:
            return _made(self.hsm, token, name, unseal_key, at)
        except KeysteadError:
            with suppress(KeysteadError):  # it is why it failed that is told
                token.destroy(name)
            raise


class Pkcs11Configuration(Struct, frozen=True, tag_field="kind", tag="pkcs11", forbid_unknown_fields=True):
    hsm: str
    id: bytes  # CKA_ID
    check_value: bytes  # CKA_CHECK_VALUE; empty: the token tells none
    mode: gcm.Mode
    iv: bytes = b""
    wrapped: bytes = b""

    @property
    def aad(self) -> bytes:
        return msgspec.msgpack.encode(("pkcs11-seal/v1", self.id))

    @property
    def rests_on(self) -> tuple[str, str]:
        """What there is of it elsewhere, which `discard` takes away."""
        return ("pkcs11", self.id.hex())

    @property
    def is_older(self) -> bool:
        """Whether it is around one U for ever."""
        return False

    def seal(self, at: Surroundings) -> Pkcs11Seal:
        return Pkcs11Seal(self, at)


class Pkcs11Seal:
    kind = "pkcs11"
    opens_itself = True

    def __init__(self, configuration: Pkcs11Configuration, at: Surroundings) -> None:
        self._configuration, self._at, self._name = configuration, at, _named(configuration.id)

    def open(self, offered: Sequence[Sensitive]) -> Sensitive:
        """Needs nothing offered. Raises Unauthenticated (PIN; another key's), Conflict (another token), Unavailable."""
        kept = self._configuration
        if offered:
            raise InvalidArgument("this seal opens with its HSM alone", "seal")
        self._require_key()

        def act(desk: Desk) -> bytes:
            return gcm.opened(desk.session, desk.key(self._name), kept.mode, kept.iv, kept.wrapped, kept.aad)

        try:
            return Sensitive(self._token.run(act, vague=DecryptionFailed))
        except DecryptionFailed as error:
            raise Unauthenticated(f"the HSM {kept.hsm} does not open what seal.json says it has wrapped") from error

    def around(self, unseal_key: Sensitive) -> Pkcs11Configuration:
        """The same key around another U. Raises what `open` raises."""
        self._require_key()
        return _wrapped(self._configuration, self._token, self._name, unseal_key, self._at)

    def told(self) -> str:
        kept = self._configuration
        check = f", check value {kept.check_value.hex()}" if kept.check_value else ""
        return f"key {kept.id.hex()} in the HSM {kept.hsm}{check}"

    def discard(self) -> None:
        """Destroy the key, if the HSM is there: it opens nothing any more."""
        with suppress(KeysteadError):
            self._token.destroy(self._name)

    @property
    def _token(self) -> Token:
        return self._at.devices.token(self._configuration.hsm)

    def _require_key(self) -> None:
        """That the token has the key that it had. Raises Conflict."""
        kept = self._configuration
        try:
            found = self._token.attributes(self._name, (Cka.CHECK_VALUE,)).get(Cka.CHECK_VALUE, b"")
        except NotFound as error:
            if error.detail != "object":
                raise
            raise Conflict(f"the HSM {kept.hsm} has no key {kept.id.hex()}: it is another, or was cleared") from error
        if kept.check_value and found and found != kept.check_value:
            raise Conflict(f"the HSM {kept.hsm} has another key {kept.id.hex()}: its check value is not the same")


def _made(hsm: str, token: Token, name: Name, unseal_key: Sensitive, at: Surroundings) -> Pkcs11Configuration:
    told = token.attributes(name, (*KEPT, Cka.CHECK_VALUE))
    if any(told.get(one) is not wanted for one, wanted in KEPT.items()):
        raise Unsupported(f"the HSM {hsm} does not keep a key to itself")
    check_value = told.get(Cka.CHECK_VALUE, b"")
    plan = Pkcs11Configuration(hsm, name.id, check_value if isinstance(check_value, bytes) else b"", gcm.Mode.CALLER)
    for mode in gcm.Mode:
        with suppress(_Otherwise):
            return _wrapped(replace(plan, mode=mode), token, name, unseal_key, at)
    raise Unsupported(f"the HSM {hsm} offers no AES-GCM that we know how to use")


class _Otherwise(Exception):
    """The token does not take AES-GCM in this mode."""


def _wrapped(
    plan: Pkcs11Configuration, token: Token, name: Name, unseal_key: Sensitive, at: Surroundings
) -> Pkcs11Configuration:
    """It is opened again before it is believed. Raises _Otherwise."""

    def act(desk: Desk) -> Pkcs11Configuration:
        key, text = desk.key(name), unseal_key.reveal()
        try:
            iv, wrapped = gcm.seal(desk.session, key, plan.mode, at.entropy, text, plan.aad)
            if gcm.opened(desk.session, key, plan.mode, iv, wrapped, plan.aad) != text:
                raise _Otherwise
        except Failed as failed:
            if failed.rv in LOST - VAGUE:
                raise
            raise _Otherwise from failed
        return replace(plan, iv=iv, wrapped=wrapped)

    return token.run(act)


def _named(id_: bytes) -> Name:
    return Name(Cko.SECRET_KEY, id_, LABEL)
