"""U wrapped by a key in an HSM, which made the key and never gives it out: it opens by itself where the HSM is.

The key is AES-256, found by its CKA_ID, for GCM or, where the token has none, for CBC beside an HMAC key (rule R3 of
docs/adr/0033); which of these ways the token takes is found out when the seal is made, and kept. Its check value is
kept too, where the token tells one.
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
    Internal,
    InvalidArgument,
    KeysteadError,
    NotFound,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from keystead.core.sensitive import Sensitive
from keystead.cryptoki import mackeys, sealing
from keystead.cryptoki.connection import Name
from keystead.cryptoki.errors import OF_NOW, Failed
from keystead.cryptoki.mechanisms import Mechanism
from keystead.cryptoki.recovery import Desk
from keystead.cryptoki.sealing import Keys, Mode
from keystead.cryptoki.templates import Template
from keystead.cryptoki.token import Token
from keystead.cryptoki.words import Cka, Ckk, Ckm, Cko, Ckr
from keystead.seals.base import Surroundings

LABEL, LABEL_OF_MAC = "keystead seal", "keystead seal mac"
ID_BYTES, KEY_BYTES = 8, 32
GENERATE: Final = Mechanism(Ckm.AES_KEY_GEN)
GENERATE_MAC: Final = Mechanism(Ckm.GENERIC_SECRET_KEY_GEN)
KEPT: Final = {Cka.NEVER_EXTRACTABLE: True, Cka.ALWAYS_SENSITIVE: True, Cka.LOCAL: True, Cka.EXTRACTABLE: False}
"""What the token must say of a key that it made."""
VAGUE: Final = frozenset({Ckr.GENERAL_ERROR, Ckr.FUNCTION_FAILED})


class Pkcs11Plan(Struct, frozen=True, tag_field="kind", tag="pkcs11", forbid_unknown_fields=True):
    """A seal of an HSM that is to be made. `hsm`: what the configuration calls it."""

    hsm: str

    def make(self, unseal_key: Sensitive, at: Surroundings) -> Pkcs11Configuration:
        """With a key of its own. Raises NotFound, Unavailable, Unauthenticated (PIN), Unsupported."""
        token, id_ = at.devices.token(self.hsm), at.entropy(ID_BYTES)
        try:
            _generated(token, _named(id_), Ckk.AES, (Cka.ENCRYPT, Cka.DECRYPT))
            return _made(self.hsm, token, id_, unseal_key, at)
        except KeysteadError:
            for name in (_named(id_), _beside(id_)):
                with suppress(KeysteadError):  # it is why it failed that is told
                    token.destroy(name)
            raise


class Pkcs11Configuration(Struct, frozen=True, tag_field="kind", tag="pkcs11", forbid_unknown_fields=True):
    hsm: str
    id: bytes  # CKA_ID
    check_value: bytes  # CKA_CHECK_VALUE; empty: the token tells none
    mode: Mode
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
        self._mac = _beside(configuration.id) if configuration.mode is Mode.CBC_HMAC else None

    def open(self, offered: Sequence[Sensitive]) -> Sensitive:
        """Needs nothing offered. Raises Unauthenticated (PIN; another key's), Conflict (another token), Unavailable."""
        kept = self._configuration
        if offered:
            raise InvalidArgument("this seal opens with its HSM alone", "seal")
        self._require_key()

        def act(desk: Desk) -> bytes:
            return sealing.opened(desk.session, _keys(desk, kept), kept.mode, kept.iv, kept.wrapped, kept.aad)

        try:
            return Sensitive(self._token.run(act, vague=DecryptionFailed))
        except DecryptionFailed as error:
            raise Unauthenticated(f"the HSM {kept.hsm} does not open what seal.json says it has wrapped") from error

    def around(self, unseal_key: Sensitive) -> Pkcs11Configuration:
        """The same key around another U. Raises what `open` raises."""
        self._require_key()
        try:
            return _wrapped(self._configuration, self._token, unseal_key, self._at)
        except _Otherwise as error:
            raise Unavailable(f"the HSM {self._configuration.hsm} does not wrap as it did when it was made") from error

    def told(self) -> str:
        kept = self._configuration
        check = f", check value {kept.check_value.hex()}" if kept.check_value else ""
        return f"key {kept.id.hex()} in the HSM {kept.hsm}{check}"

    def discard(self) -> None:
        """Destroy the key, if the HSM is there: it opens nothing any more."""
        for name in (self._name, self._mac):
            if name is not None:
                with suppress(KeysteadError):
                    self._token.destroy(name)

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


def _made(hsm: str, token: Token, id_: bytes, unseal_key: Sensitive, at: Surroundings) -> Pkcs11Configuration:
    check_value = _kept(hsm, token, _named(id_))
    plan = Pkcs11Configuration(hsm, id_, check_value, Mode.CALLER)
    has, tried = token.mechanisms(), list[Mode]()
    for mode in Mode:
        if any(one not in has for one in mode.mechanisms):
            continue
        tried.append(mode)
        if mode is Mode.CBC_HMAC:
            _generated(token, _beside(id_), Ckk.GENERIC_SECRET, (Cka.SIGN, Cka.VERIFY))
            _kept(hsm, token, _beside(id_))
        with suppress(_Otherwise):
            return _wrapped(replace(plan, mode=mode), token, unseal_key, at)
    words = ", ".join(mode.value for mode in tried) or "it lists no mechanism for it"
    raise Unsupported(f"the HSM {hsm} offers no authenticated encryption that we know how to use: {words}")


def _generated(token: Token, name: Name, kind: Ckk, uses: tuple[Cka, ...]) -> None:
    """Raises Unavailable, Unauthenticated, Unsupported."""
    flags = (Cka.ENCRYPT, Cka.DECRYPT, Cka.SIGN, Cka.VERIFY, Cka.WRAP, Cka.UNWRAP, Cka.DERIVE)
    template: Template = {
        Cka.TOKEN: True,
        **name.template(),
        Cka.KEY_TYPE: kind,
        Cka.VALUE_LEN: KEY_BYTES,
        Cka.PRIVATE: True,
        Cka.SENSITIVE: True,
        Cka.EXTRACTABLE: False,
        **{flag: flag in uses for flag in flags},
    }

    def generate(desk: Desk) -> int:
        desk.connection.require_room(KEY_BYTES)
        if kind is Ckk.AES:
            made = desk.session.generate(GENERATE, template)
        else:
            made = mackeys.made("sha256", template, lambda wanted: desk.session.generate(GENERATE_MAC, wanted))
        return desk.connection.learn(name, made)

    token.run(generate, once=True)


def _kept(hsm: str, token: Token, name: Name) -> bytes:
    """Its check value, or b"". Raises Unsupported where the token may give it out."""
    told = token.attributes(name, (*KEPT, Cka.CHECK_VALUE))
    if any(told.get(one) is not wanted for one, wanted in KEPT.items()):
        raise Unsupported(f"the HSM {hsm} does not keep a key to itself")
    check_value = told.get(Cka.CHECK_VALUE, b"")
    return check_value if isinstance(check_value, bytes) else b""


class _Otherwise(Exception):
    """The token does not seal in this mode."""


def _wrapped(plan: Pkcs11Configuration, token: Token, unseal_key: Sensitive, at: Surroundings) -> Pkcs11Configuration:
    """It is opened again before it is believed. Raises _Otherwise."""

    def act(desk: Desk) -> Pkcs11Configuration:
        keys, text, iv = _keys(desk, plan), unseal_key.reveal(), at.entropy(plan.mode.drawn_bytes)
        try:
            iv, wrapped = sealing.seal(desk.session, keys, plan.mode, iv, text, plan.aad)
            if sealing.opened(desk.session, keys, plan.mode, iv, wrapped, plan.aad) != text:
                raise _Otherwise
        except Failed as failed:
            if failed.rv in OF_NOW - VAGUE:
                raise
            raise _Otherwise from failed
        except (DecryptionFailed, Internal) as error:
            raise _Otherwise from error
        return replace(plan, iv=iv, wrapped=wrapped)

    return token.run(act)


def _keys(desk: Desk, of: Pkcs11Configuration) -> Keys:
    return Keys(desk.key(_named(of.id)), desk.key(_beside(of.id)) if of.mode is Mode.CBC_HMAC else 0)


def _named(id_: bytes) -> Name:
    return Name(Cko.SECRET_KEY, id_, LABEL)


def _beside(id_: bytes) -> Name:
    """The HMAC key of CBC_HMAC."""
    return Name(Cko.SECRET_KEY, id_, LABEL_OF_MAC)
