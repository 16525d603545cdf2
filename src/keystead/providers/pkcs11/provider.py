"""core.providers.Provider over a token. Never called on the event loop; an act may take as long as the HSM does."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from msgspec.structs import replace

from keystead.core.algorithms import Algorithm, Family, KeySpec, MessageForm
from keystead.core.errors import (
    Internal,
    InvalidArgument,
    KeysteadError,
    LimitExceeded,
    NotFound,
    Unavailable,
    Unsupported,
)
from keystead.core.ports import Entropy
from keystead.core.providers import ANOTHER_TOKEN, Budget, Generated, Loaded
from keystead.core.sensitive import Sensitive
from keystead.crypto import keys
from keystead.cryptoki.connection import Name
from keystead.cryptoki.errors import MISPLACED, Failed
from keystead.cryptoki.recovery import VAGUE, Desk
from keystead.cryptoki.sealing import Keys, Mode
from keystead.cryptoki.session import Session
from keystead.cryptoki.token import Token
from keystead.cryptoki.words import Cka, Ckm, Ckr, named
from keystead.providers.pkcs11 import adopting, beside, checks, making, objects, signing
from keystead.providers.pkcs11.bringing import Bringing
from keystead.providers.pkcs11.handle import BESIDE, CBC, ID_BYTES, LABEL, Handle, unpack
from keystead.providers.pkcs11.held import Abilities, Held
from keystead.providers.pkcs11.objects import Uses
from keystead.providers.pkcs11.pair import Pair
from keystead.providers.pkcs11.secret import Aes, Hmac, OfThisProcess, Sealing
from keystead.providers.pkcs11.trial import Outcomes
from keystead.providers.public import PublicHalf

_SEALING: Final[dict[str, type[Sealing]]] = {"AES_256": Aes}
_SECRETS: Final = frozenset({Family.AES, Family.HMAC})
IN: Final = "import"
_FAILED: Final = frozenset(
    f"CKR_{rv.name}" for rv in (*VAGUE, *MISPLACED, Ckr.TEMPLATE_INCONSISTENT, Ckr.KEY_FUNCTION_NOT_PERMITTED)
)
"""Said of a key that the trial has seen to be made: by SoftHSM2, where another thread looks at it half made."""
ATTEMPTS: Final = 3
_PLAIN: Final = (Unsupported, InvalidArgument, LimitExceeded)
"""Said by a token that has made nothing."""
PROVED: Final = {
    "local": Cka.LOCAL,
    "sensitive": Cka.SENSITIVE,
    "always_sensitive": Cka.ALWAYS_SENSITIVE,
    "extractable": Cka.EXTRACTABLE,
    "never_extractable": Cka.NEVER_EXTRACTABLE,
}
"""What the token itself says of a key. Word in an attestation -> attribute."""
SINCE_EVER: Final = frozenset({"local", "always_sensitive", "never_extractable"})
"""What cannot be true of a key that came from outside; opencryptoki says it all the same."""


class Pkcs11Provider:
    """Safe to use from any thread. Raises Unavailable where the token is not there, whatever was asked."""

    def __init__(self, token: Token, entropy: Entropy, budget: Budget | None = None) -> None:
        """`budget`: counts what is sealed under a key with nonces at random. Without one, each process for itself."""
        self._token, self._entropy, self._budget = token, entropy, budget or OfThisProcess()
        self.abilities = Abilities(token, entropy)

    def offers(self, spec: KeySpec) -> frozenset[str]:
        return frozenset(name for name, outcome in self.abilities.of(spec).items() if not outcome.why)

    # --- making

    def generate(self, spec: KeySpec, name: str = "") -> Generated:
        with self._nobodys(name):
            return self._generated(spec, name)

    def register(self, spec: KeySpec, material: Sensitive, name: str = "") -> Generated:
        with self._nobodys(name):
            return self._registered(spec, material, name)

    @contextmanager
    def _nobodys(self, name: str) -> Iterator[None]:
        """Before it is made. Where the token says plainly that it does not, nothing is there that others could know."""
        own = _named(name)
        try:
            yield
        except KeysteadError as error:
            is_plain = isinstance(error, _PLAIN) and error.detail not in _FAILED
            for each in own:
                (self._token.claim if is_plain else self._token.note)(each)
            raise

    def _generated(self, spec: KeySpec, name: str) -> Generated:
        outcomes, its_id = self._offered(spec), _id(name)
        by = next(Ckm(one.maker) for one in outcomes.values() if one.maker is not None)

        def act(desk: Desk) -> Handle:
            desk.connection.require_room(_room(spec, outcomes))
            if spec.family not in _SECRETS:
                edwards = outcomes["ED25519"].mode if spec.family is Family.EDWARDS else ""
                public, private, der = making.pair(desk.session, spec, by, its_id, edwards)
                desk.session.destroy(public)
                return self._handle(desk, spec, private, its_id, outcomes, by.name, der)
            made = making.secret(desk.session, spec, by, its_id, _uses(spec, outcomes), label=_label(outcomes))
            mac = self._beside(desk, made, outcomes, lambda: beside.generate(desk, its_id))
            return self._handle(desk, spec, made, its_id, outcomes, by.name, mac=mac)

        return self._made(act, name)

    def _registered(self, spec: KeySpec, material: Sensitive, name: str) -> Generated:
        outcomes, its_id = self._offered(spec), _id(name)
        der = b"" if spec.family in _SECRETS else keys.public_der(keys.load(spec, material.reveal()))
        if spec.family in _SECRETS and len(material) * 8 != spec.bits:
            raise InvalidArgument(f"{len(material)} bytes are no {spec.name} key", "key_material")

        def act(desk: Desk) -> Handle:
            desk.connection.require_room(_room(spec, outcomes))
            edwards = outcomes["ED25519"].mode if spec.family is Family.EDWARDS else ""
            bringing = Bringing(desk.session, desk.connection, self._entropy, edwards)
            more = {"label": _label(outcomes)} if spec.family in _SECRETS else {}
            made = bringing.bring(spec, material, its_id, _uses(spec, outcomes), **more)
            mac = self._beside(desk, made, outcomes, lambda: beside.bring(bringing, material, its_id))
            handle = self._handle(desk, spec, made, its_id, outcomes, IN, der, mac)
            if der and not self._signs(spec, handle)(desk.session, Keys(made)):
                desk.session.destroy(made)
                raise Internal("the HSM has made another key of what was brought in")
            return handle

        return self._made(act, name)

    def _made(self, act: Callable[[Desk], Handle], name: str) -> Generated:
        """Where the token says no more than that it failed, whatever there is of that name is erased, and it is asked
        once more, ATTEMPTS times in all: SoftHSM2 fails so when objects come and go in other processes.
        """
        for _ in range(ATTEMPTS - 1):
            try:
                handle = self._attempt(act, name)
            except KeysteadError as error:
                if error.detail not in _FAILED:
                    raise
                self.destroy(name)
            else:
                break
        else:
            handle = self._attempt(act, name, last=True)
        return Generated(handle.pack(), handle.public_key, serial=handle.serial)

    def _attempt(self, act: Callable[[Desk], Handle], name: str, *, last: bool = False) -> Handle:
        for each in _named(name):
            self._token.expect(each)
        try:
            return self._token.run(act, once=True)
        except KeysteadError as error:
            if last and error.detail in _FAILED:
                raise Unavailable(str(error), error.detail) from None
            raise

    def adopt(self, specs: Sequence[KeySpec], label: str, its_id: bytes, *, make: bool) -> tuple[KeySpec, Generated]:
        offered = {spec.name: self._offered(spec) for spec in specs}

        def act(desk: Desk) -> tuple[KeySpec, Handle]:
            found, by = adopting.find(desk.session, specs, label, its_id), "another"
            if found is None:
                if not make or not label or its_id or len(specs) != 1 or label == LABEL:
                    raise NotFound("there is no key of that name in the HSM", "key_label")
                maker = next(Ckm(one.maker) for one in offered[specs[0].name].values() if one.maker is not None)
                found, by = adopting.make(desk.session, specs[0], maker, label, self._entropy(ID_BYTES)), maker.name
            spec = found.spec
            handle = self._handle(desk, spec, found.handle, found.id, offered[spec.name], by, found.public_key)
            return spec, replace(handle, label=found.label)

        spec, handle = self._token.run(act, once=True)
        return spec, Generated(handle.pack(), handle.public_key)

    def _beside(self, desk: Desk, made: int, outcomes: Outcomes, make: Callable[[], int]) -> int:
        """The HMAC key that `make` makes beside an AES key, where its mode wants one; 0: it does not.

        Where that fails, the AES key goes too.
        """
        if _label(outcomes) != CBC:
            return 0
        try:
            return make()
        except (Failed, KeysteadError):
            desk.session.destroy(made)
            raise

    def _handle(
        self,
        desk: Desk,
        spec: KeySpec,
        made: int,
        its_id: bytes,
        outcomes: Outcomes,
        by: str,
        der: bytes = b"",
        mac: int = 0,
    ) -> Handle:
        how = "" if der else _checker(spec, outcomes)
        handle = Handle(
            id=its_id,
            spec=spec.name,
            serial=desk.connection.info.serial,
            made_by=by,
            modes={name: outcome.words for name, outcome in outcomes.items()},
            check=checks.value(desk.session, made, how),
            checked_by=how,
            public_key=der,
            mac_check=beside.check(desk.session, mac) if mac else b"",
        )
        desk.connection.learn(handle.name, made)
        if handle.beside is not None:
            desk.connection.learn(handle.beside, mac)
        return handle

    def _offered(self, spec: KeySpec) -> Outcomes:
        """Raises Unsupported where the token holds no such keys."""
        outcomes = self.abilities.of(spec)
        good = {name: outcome for name, outcome in outcomes.items() if not outcome.why}
        if not good:
            self.abilities.require(spec, next(iter(outcomes)))
        return good

    def destroy(self, name: str, serial: str = "") -> None:
        if self._token.destroy(*_named(name)) or not serial:
            return
        if (now := self._token.info().serial) != serial:
            raise Unavailable(
                f"the HSM {self._token.name} is token {now}, and the object was made in {serial}", ANOTHER_TOKEN
            )

    # --- use

    def load(self, spec: KeySpec, material: Sensitive, *, key_id: str, version: int) -> Loaded:
        handle = unpack(spec, material)
        if spec.family not in _SECRETS:
            return Pair(spec, Held(self._token, handle, self._signs(spec, handle)), self.abilities)
        held = Held(self._token, handle, _checked(handle))
        if spec.family is Family.HMAC:
            return Hmac(spec, held, self.abilities)
        return _SEALING.get(spec.name, Sealing)(
            spec, held, self.abilities, self._entropy, self._budget, key_id, version
        )

    def _signs(self, spec: KeySpec, handle: Handle) -> Callable[[Session, Keys], bool]:
        """A pair proves itself by a signature that its public half verifies, by whatever mechanism it has."""
        half = PublicHalf(spec, handle.public_key)

        def proves(session: Session, keys: Keys) -> bool:
            if (algorithm := self._proving(spec, handle)) is None:
                return True
            scheme, challenge = signing.scheme_of(algorithm), b"keystead/prove/v1" + self._entropy(32)
            asked = signing.prepared(spec, scheme, challenge, MessageForm.RAW)
            made = signing.signed(session, keys.cipher, spec, scheme, asked)
            return half.verify_as(scheme, challenge, made, MessageForm.RAW)

        return proves

    def _proving(self, spec: KeySpec, handle: Handle) -> Algorithm | None:
        """What a pair signs by; None: it only decrypts or agrees."""
        for algorithm in signing.tested_as(spec).values():
            with suppress(Unsupported):
                self.abilities.require_of(handle, spec, algorithm.name)
                return algorithm
        return None

    def load_public(self, spec: KeySpec, public_key: bytes) -> Loaded:
        return PublicHalf(spec, public_key)

    def register_public(self, spec: KeySpec, material: Sensitive) -> Generated:
        der = keys.spki(keys.examine_public(spec, material.reveal()))
        return Generated(Sensitive(der), der)

    # --- what is said of it

    def facts(self, spec: KeySpec, material: Sensitive) -> Mapping[str, str]:
        handle = unpack(spec, material)
        with suppress(LimitExceeded, Unavailable):  # a full token's keys prove themselves all the same
            self.abilities.of(spec)  # before a session is taken: the proof wants to know
        info = self._token.info()
        held = Held(self._token, handle, self._signs(spec, handle) if handle.public_key else _checked(handle))
        told = held.use_keys(_told)
        maker = told.get(Cka.KEY_GEN_MECHANISM)
        made_there = handle.made_by != IN
        return {
            "protection": "hsm",
            "hsm": self._token.name,
            "token": info.label,
            "serial": info.serial,
            "manufacturer": info.manufacturer,
            "model": info.model,
            "firmware": info.firmware,
            "object": handle.id.hex(),
            "made_by": handle.made_by,
            "key_gen_mechanism": named(Ckm, maker) if made_there and isinstance(maker, int) else "not told",
            "check_value": handle.check.hex(),
            "checked_by": handle.checked_by,
            **({"mac_check_value": handle.mac_check.hex()} if handle.mac_check else {}),
            **{
                word: str(bool(told[which]) and (made_there or word not in SINCE_EVER)).lower()
                for word, which in PROVED.items()
                if which in told
            },
        }

    def export(self, spec: KeySpec, material: Sensitive) -> Sensitive:  # noqa: ARG002 - never
        raise Unsupported("a key in an HSM never leaves it", "export")

    def mac_key(self, spec: KeySpec, material: Sensitive) -> Sensitive:  # noqa: ARG002 - never
        raise Unsupported("a key in an HSM never leaves it", "export")


def _id(name: str) -> bytes:
    """Raises InvalidArgument."""
    try:
        its_id = bytes.fromhex(name)
    except ValueError:
        its_id = b""
    if len(its_id) != ID_BYTES:
        raise InvalidArgument("an object's name is 32 hexadecimal digits", "name")
    return its_id


def _checker(spec: KeySpec, outcomes: Outcomes) -> str:
    return next((outcome.check for outcome in outcomes.values()), "") if spec.family in _SECRETS else ""


def _uses(spec: KeySpec, outcomes: Outcomes) -> Uses:
    return making.USES[spec.family] | checks.USES.get(_checker(spec, outcomes), frozenset())


def _label(outcomes: Outcomes) -> str:
    return CBC if any(outcome.mode == Mode.CBC_HMAC.value for outcome in outcomes.values()) else LABEL


def _room(spec: KeySpec, outcomes: Outcomes) -> int:
    return objects.room(spec) + (objects.room(beside.SPEC) if _label(outcomes) == CBC else 0)


def _named(name: str) -> tuple[Name, Name, Name]:
    """The object of that name, or the pair."""
    its_id = _id(name)
    return Name(None, its_id, LABEL), Name(None, its_id, CBC), Name(None, its_id, BESIDE)


def _checked(handle: Handle) -> Callable[[Session, Keys], bool]:
    def proves(session: Session, keys: Keys) -> bool:
        is_same = hmac.compare_digest(checks.value(session, keys.cipher, handle.checked_by), handle.check)
        return is_same and (not keys.mac or hmac.compare_digest(beside.check(session, keys.mac), handle.mac_check))

    return proves


def _told(session: Session, keys: Keys) -> dict[Cka, bool | int | bytes]:
    """What the token says of a key; of two, what is so of both, and EXTRACTABLE where it is so of either."""
    told = session.attributes(keys.cipher, (*PROVED.values(), Cka.KEY_GEN_MECHANISM))
    if keys.mac:
        beside_it = session.attributes(keys.mac, tuple(PROVED.values()))
        for which in set(PROVED.values()) & set(told):
            both = (bool(told[which]), bool(beside_it.get(which, which is Cka.EXTRACTABLE)))
            told[which] = any(both) if which is Cka.EXTRACTABLE else all(both)
    return told
