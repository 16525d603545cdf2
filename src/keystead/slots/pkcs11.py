"""core.ports.Slot in a PKCS#11 token: a key for HMAC for each generation, made there, never out of it, destroyed there.

Rule 1: what goes into the wrapping key is C_Sign (CKM_SHA256_HMAC) of the challenge. The key itself cannot be had:
        CKA_SENSITIVE, not CKA_EXTRACTABLE, and the token is asked whether it was so from the beginning.
Rule 2: a generation is named by its CKA_ID, eight random bytes; the installation's keys by their CKA_LABEL.
Rule 3: a key that the token made without our hearing of it is no generation that any root names: `retire` takes it.
Rule 4: in a token that gets full of other keys a key is kept that is used for nothing. It makes room for the generation
        that a destruction stages before it erases another, after which there is room for it again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from keystead.core.errors import Internal, KeysteadError, LimitExceeded, NotFound, Unavailable
from keystead.core.keytree import KEY_BYTES
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.cryptoki import mackeys
from keystead.cryptoki.connection import Name
from keystead.cryptoki.mechanisms import Mechanism
from keystead.cryptoki.recovery import Desk
from keystead.cryptoki.templates import Template
from keystead.cryptoki.token import Token
from keystead.cryptoki.words import Cka, Ckk, Ckm, Cko, Ckr

R = TypeVar("R")
ID_BYTES = 8
GENERATE: Final = Mechanism(Ckm.GENERIC_SECRET_KEY_GEN)
HMAC: Final = Mechanism(Ckm.SHA256_HMAC)
FULL: Final = frozenset(f"CKR_{rv.name}" for rv in (Ckr.DEVICE_MEMORY, Ckr.TOKEN_RESOURCE_EXCEEDED))
"""details of what a token says that has no room for another key."""
KEPT: Final = {Cka.NEVER_EXTRACTABLE: True, Cka.ALWAYS_SENSITIVE: True, Cka.LOCAL: True, Cka.EXTRACTABLE: False}
"""What the token must say of a key that it made."""


class Pkcs11Slot:
    """`name`: "pkcs11:" and what the configuration calls the token. `owner`: of the installation, 16 hex digits.

    Raises Unavailable for whatever the token says no to.
    """

    wears, may_hang = False, True

    def __init__(self, name: str, token: Token, owner: str, entropy: Entropy) -> None:
        self.name, self._token, self._entropy = name, token, entropy
        self._label = f"keystead slot {owner}"
        self._room = Name(Cko.SECRET_KEY, bytes(ID_BYTES), f"keystead room {owner}")

    def generations(self) -> frozenset[str]:
        template: Template = {Cka.TOKEN: True, Cka.CLASS: Cko.SECRET_KEY, Cka.LABEL: self._label}
        return frozenset(name.id.hex() for name in _asked(lambda: self._token.names(template)))

    def is_short(self) -> bool:
        return not _asked(self._rooms)

    def give(self, generation: str, challenge: Sensitive) -> Sensitive | None:
        name = self._named(bytes.fromhex(generation))

        def act(desk: Desk) -> bytes:
            desk.connection.forget(name)  # it may have been destroyed by another process
            return desk.session.mac(HMAC, desk.key(name), challenge.reveal(), KEY_BYTES)

        try:
            return Sensitive(_asked(lambda: self._token.run(act)))
        except NotFound:
            return None

    def stage(self, challenge: Sensitive) -> str:  # noqa: ARG002 - its secret rests on nothing else
        name = self._named(self._entropy(ID_BYTES))
        _asked(lambda: self._make_room_for(name))
        told = _asked(lambda: self._token.attributes(name, tuple(KEPT)))
        if any(told.get(one) is not wanted for one, wanted in KEPT.items()):
            _asked(lambda: self._token.destroy(name))
            raise Unavailable("the token does not keep a key to itself")
        return name.id.hex()

    def retire(self, keep: str | None, shown: frozenset[str] | None = None) -> None:
        held = self.generations()
        if keep is not None and keep not in held:
            raise Internal("the generation to keep is not in the slot")
        for generation in sorted((held if shown is None else held & shown) - {keep}):
            _asked(partial(self._token.destroy, self._named(bytes.fromhex(generation))))
        rooms = _asked(self._rooms)
        if keep is None:
            for room in rooms:
                _asked(partial(self._token.destroy, room))
        elif not rooms:
            with suppress(KeysteadError):  # `is_short` tells
                self._make(self._room)

    def _rooms(self) -> list[Name]:
        return self._token.names({Cka.TOKEN: True, Cka.CLASS: Cko.SECRET_KEY, Cka.LABEL: self._room.label})

    def _make_room_for(self, name: Name) -> None:
        """Raises Unavailable where there is none."""
        try:
            self._make(name)
        except (LimitExceeded, Unavailable) as error:
            if error.detail not in FULL:
                raise
            if not [room for room in self._rooms() if self._token.destroy(room)]:
                way_out = f"make room in the HSM, or `keystead slot remove {self.name}` and add it again later"
                raise Unavailable(f"{error}: {way_out}", error.detail) from error
            self._make(name)

    def _make(self, name: Name) -> None:
        template: Template = {
            Cka.TOKEN: True,
            **name.template(),
            Cka.KEY_TYPE: Ckk.GENERIC_SECRET,
            Cka.VALUE_LEN: KEY_BYTES,
            Cka.PRIVATE: True,
            Cka.SENSITIVE: True,
            Cka.EXTRACTABLE: False,
            Cka.SIGN: True,
            **dict.fromkeys((Cka.VERIFY, Cka.ENCRYPT, Cka.DECRYPT, Cka.WRAP, Cka.UNWRAP, Cka.DERIVE), False),
        }

        def make(desk: Desk) -> int:
            made = mackeys.made("sha256", template, lambda wanted: desk.session.generate(GENERATE, wanted))
            return desk.connection.learn(name, made)

        self._token.run(make, once=True)

    def _named(self, id_: bytes) -> Name:
        return Name(Cko.SECRET_KEY, id_, self._label)


def _asked(ask: Callable[[], R]) -> R:
    """Raises NotFound for an object that the token, which is there, has not; for the rest Unavailable."""
    try:
        return ask()
    except KeysteadError as error:
        if isinstance(error, Unavailable) or (isinstance(error, NotFound) and error.detail == "object"):
            raise
        raise Unavailable(str(error)) from error
