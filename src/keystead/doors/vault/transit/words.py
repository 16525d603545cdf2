"""What goes wrong with a key, in this engine's words. OpenBao, sdk/helper/keysutil/policy.go and transit/path_*.go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.entities import Key
from keystead.core.operations import Breach, KeyRef
from keystead.core.states import KeyState
from keystead.doors.vault.endpoint import Said
from keystead.doors.vault.transit.names import type_of
from keystead.kit import Call
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.reader import CAPTURED, Parameters

NO_KEY = "encryption key not found"
NO_CONTEXT = (
    "missing 'context' for key derivation; the key was created using a derived key, which means additional, "
    "per-request information must be included in order to perform operations with the key"
)
SOFT_DELETED = "refusing to use soft-deleted key"
TOO_OLD = "ciphertext or signature version is disallowed by policy (too old)"


class Words(Struct, frozen=True):
    text: str
    ours: bool = False  # Vault takes it for an error of its own: 500
    is_template: bool = False  # with {latest} and {type}: the current version, the key's type


class Use(Struct, frozen=True):
    """How a use of a key speaks of it: "encryption" of "ciphertext"."""

    verb: str
    noun: str
    unable: str  # words for a key that cannot; {type}
    blames_itself: bool = False  # for a version that may not protect
    own: Mapping[object, Words] = {}  # detail of an error -> words for it
    closed: Words = Words("cipher: message authentication failed")


ENCRYPTION = Use("encryption", "ciphertext", unable="message encryption not supported for key type {type}")
_SHORT = Words("invalid ciphertext length")
_NO_PRIVATE = Words("cannot decrypt ciphertext, key version does not have a private counterpart", ours=True)
DECRYPTION = Use(
    "encryption",
    "ciphertext",
    unable="message decryption not supported for key type {type}",
    own={Breach.NO_PRIVATE_HALF: _NO_PRIVATE, ops.TOO_SHORT: _SHORT},
)

WRAPPING = replace(
    ENCRYPTION, own={"aad": Words("'associated_data' provided for non-AEAD cipher suite {type}", is_template=True)}
)
SHORT = replace(DECRYPTION, closed=_SHORT)


_OF_VERSIONS: dict[object, str] = {
    Breach.TOO_OLD: TOO_OLD,
    Breach.UNMADE: "invalid {noun}: version is too new",
    Breach.RETIRED: "no such key version",
    Breach.TOO_LOW: "requested version for {verb} is less than the minimum encryption key version",
    KeyState.DEACTIVATED: "requested version for {verb} is less than the minimum encryption key version",
    Breach.TOO_NEW: "requested version for {verb} is higher than the latest key version",
    Breach.NEGATIVE: "requested version for {verb} is negative",
    Breach.NO_CONTEXT: NO_CONTEXT,
    KeyState.SUSPENDED: SOFT_DELETED,
}


_PROTECTING = frozenset({Breach.TOO_LOW, Breach.TOO_NEW, Breach.NEGATIVE, KeyState.DEACTIVATED, KeyState.SUSPENDED})
_CLOSED = {
    "rsa": Words("failed to RSA decrypt the ciphertext: crypto/rsa: decryption error", ours=True),
    **dict.fromkeys(("chacha20", "xchacha20"), Words("chacha20poly1305: message authentication failed")),
}
"""By the first word of the key's type, where the words are not those of Use."""
TOO_LONG = Words("failed to RSA encrypt the plaintext: crypto/rsa: message too long for RSA key size", ours=True)


def words(error: e.KeysteadError, use: Use, index: int = 0) -> Words | None:
    """None: the door's table has them (denied, sealed, unavailable …)."""
    detail = error.detail
    key: Key | None = getattr(error.about, "key", None)
    kind = type_of(key) if key else ""
    if (own := use.own.get(detail)) is not None:
        return Words(own.text.format(latest=key.current, type=kind), own.ours) if key and own.is_template else own
    if (text := _OF_VERSIONS.get(detail)) is not None:
        return Words(text.format(verb=use.verb, noun=use.noun), ours=use.blames_itself and detail in _PROTECTING)
    if isinstance(error, e.DecryptionFailed) or detail == ops.WRONG_KEY:
        named = _CLOSED.get(kind.partition("-")[0], use.closed)
        return use.closed if use is SHORT and not named.ours else named
    if isinstance(error, e.WrongUsage):
        return Words(use.unable.format(type=kind))
    if isinstance(detail, ops.TooLong):
        return TOO_LONG
    unbound = Words(f"'[{index}].associated_data' provided for non-AEAD cipher suite {kind}")
    return unbound if detail == "aad" else None


def said(status: int, text: str, error: e.KeysteadError) -> Said:
    """The refusal in Vault's words, on record already if `error` is."""
    made = Said(status, text)
    made.recorded = error.recorded
    return made


Q = TypeVar("Q", bound="Named")
A = TypeVar("A")


class Named(Parameters, frozen=True, kw_only=True):
    """A request about a key that it names."""

    name: str = CAPTURED


def asked_first(run: Callable[[Q, Call], A]) -> Callable[[Q, Call], A]:
    """Whoever may not ask is told so, and not what is wrong with the request."""

    @wraps(run)
    def guarded(req: Q, call: Call) -> A:
        try:
            return run(req, call)
        except Said as refusal:
            if not refusal.recorded:
                with suppress(e.NotFound):
                    call(ops.DescribeKey(key=KeyRef(call.namespace, name=req.name)))
            raise

    return guarded


class speaking:  # noqa: N801 - said as `with speaking(ENCRYPTION):`
    """What is refused within is refused in these words, or in those that are made once something is."""

    __slots__ = ("_absent", "_use")

    def __init__(self, use: Use | Callable[[], Use], absent: str = NO_KEY) -> None:
        self._use, self._absent = use, absent

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> None:
        if error is None or isinstance(error, Said) or not isinstance(error, e.KeysteadError):
            return
        if isinstance(error, e.NotFound):
            raise said(400, self._absent, error) from error
        use = self._use if isinstance(self._use, Use) else self._use()
        if (found := words(error, use)) is not None:
            text = multierror(found.text) if found.ours else found.text
            raise said(500 if found.ours else 400, text, error) from error
