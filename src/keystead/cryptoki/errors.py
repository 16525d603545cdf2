"""What a CK_RV means: the error of ours, and whether the token itself is gone.

Rule 1: Failed never leaves this room's Token: whoever asks a token hears a KeysteadError.
Rule 2: what is in LOST says that sessions, login or handles are no more; Token recovers and, where nothing could
        happen twice, tries once more. What is in SPENT ends one act only, and the session is as good as before.
"""

from __future__ import annotations

from typing import Final

from keystead.core.errors import (
    DecryptionFailed,
    Internal,
    InvalidArgument,
    KeysteadError,
    LimitExceeded,
    Unauthenticated,
    Unavailable,
    Unsupported,
    WrongState,
    WrongUsage,
)
from keystead.cryptoki.words import Ckr, named

_WORDS: Final = frozenset(Ckr)


class Failed(Exception):
    """A function of the module did not answer CKR_OK.

    A number that is no word of ours says as little as CKR_GENERAL_ERROR: many a vendor has its own for a network that
    is away. `is_foreign`: it was one.
    """

    def __init__(self, function: str, rv: int) -> None:
        super().__init__(f"{function}: CKR_{named(Ckr, rv)}")
        self.is_foreign = rv not in _WORDS
        self.function, self.rv = function, Ckr.GENERAL_ERROR if self.is_foreign else rv


class Absurd(Failed):
    """A function answered CKR_OK, and with it what cannot be: as good as CKR_FUNCTION_FAILED."""

    def __init__(self, function: str) -> None:
        super().__init__(function, Ckr.FUNCTION_FAILED)
        self.args = (f"what cannot be to {function}",)


class Crowded(Failed):
    """A function was not asked: another thread's call, which has to end before, does not (Module, rule 5)."""

    def __init__(self, function: str) -> None:
        super().__init__(function, Ckr.FUNCTION_CANCELED)
        self.args = (f"nothing to {function}, since what another thread has asked does not end",)


class OtherPin(Failed):
    """The token was not asked: it is logged into, by another name that the configuration has for it."""

    def __init__(self) -> None:
        super().__init__("C_Login", Ckr.PIN_INCORRECT)
        self.args = ("that this process is logged in, with another PIN: the token has two names in `hsms`",)


class Missing(Failed):
    """The module shows no token that is as it is `said` to be."""

    def __init__(self, said: str) -> None:
        super().__init__("C_GetSlotList", Ckr.TOKEN_NOT_PRESENT)
        self.args = (f"{self} (it shows no token with {said})",)


LOST: Final = frozenset(
    {
        Ckr.SLOT_ID_INVALID,
        Ckr.GENERAL_ERROR,
        Ckr.FUNCTION_FAILED,
        Ckr.DEVICE_ERROR,
        Ckr.DEVICE_REMOVED,
        Ckr.SESSION_CLOSED,
        Ckr.SESSION_HANDLE_INVALID,
        Ckr.TOKEN_NOT_PRESENT,
        Ckr.TOKEN_NOT_RECOGNIZED,
        Ckr.USER_NOT_LOGGED_IN,
        Ckr.CRYPTOKI_NOT_INITIALIZED,
    }
)
MISPLACED: Final = frozenset(
    {
        Ckr.KEY_HANDLE_INVALID,
        Ckr.OBJECT_HANDLE_INVALID,
        Ckr.UNWRAPPING_KEY_HANDLE_INVALID,
        Ckr.WRAPPING_KEY_HANDLE_INVALID,
    }
)
"""A handle that was right once: the object is to be found anew."""
ASTRAY: Final = frozenset({Ckr.OPERATION_ACTIVE, Ckr.OPERATION_NOT_INITIALIZED})
"""The session has lost what was begun in it, as one does that an HSM's cluster has moved: another one may do."""
SPENT: Final = frozenset(
    {
        Ckr.ATTRIBUTE_SENSITIVE,
        Ckr.ATTRIBUTE_TYPE_INVALID,
        Ckr.DATA_INVALID,
        Ckr.DATA_LEN_RANGE,
        Ckr.ENCRYPTED_DATA_INVALID,
        Ckr.ENCRYPTED_DATA_LEN_RANGE,
        Ckr.AEAD_DECRYPT_FAILED,
        Ckr.SIGNATURE_INVALID,
        Ckr.SIGNATURE_LEN_RANGE,
        Ckr.MECHANISM_INVALID,
        Ckr.TEMPLATE_INCOMPLETE,
        Ckr.TEMPLATE_INCONSISTENT,
    }
)
REFUSED: Final = frozenset(
    {
        Ckr.ACTION_PROHIBITED,
        Ckr.ARGUMENTS_BAD,
        Ckr.ATTRIBUTE_READ_ONLY,
        Ckr.ATTRIBUTE_TYPE_INVALID,
        Ckr.ATTRIBUTE_VALUE_INVALID,
        Ckr.FUNCTION_NOT_SUPPORTED,
        Ckr.KEY_TYPE_INCONSISTENT,
        Ckr.MECHANISM_INVALID,
        Ckr.MECHANISM_PARAM_INVALID,
        Ckr.TEMPLATE_INCOMPLETE,
        Ckr.TEMPLATE_INCONSISTENT,
        Ckr.WRAPPED_KEY_INVALID,
        Ckr.WRAPPED_KEY_LEN_RANGE,
    }
)
"""What says "not so", and that nothing was done."""
REFUSED_PIN: Final = frozenset({Ckr.PIN_INCORRECT, Ckr.PIN_INVALID, Ckr.PIN_LEN_RANGE, Ckr.PIN_EXPIRED, Ckr.PIN_LOCKED})
"""Asking again with the same PIN can only lock it."""

_KINDS: Final[dict[type[KeysteadError], tuple[Ckr, ...]]] = {
    Unavailable: (
        *LOST,
        *MISPLACED,
        *ASTRAY,
        Ckr.BUFFER_TOO_SMALL,  # for what it has asked for itself
        Ckr.HOST_MEMORY,
        Ckr.FUNCTION_CANCELED,
        Ckr.SESSION_COUNT,
        Ckr.SESSION_READ_ONLY,
        Ckr.TOKEN_RESOURCE_EXCEEDED,
        Ckr.TOKEN_WRITE_PROTECTED,
        Ckr.USER_ANOTHER_ALREADY_LOGGED_IN,  # no PIN was compared, nor is one where there is none yet
        Ckr.USER_PIN_NOT_INITIALIZED,
        Ckr.USER_TOO_MANY_TYPES,
    ),
    Unauthenticated: (*REFUSED_PIN, Ckr.USER_TYPE_INVALID),
    Unsupported: (
        Ckr.ACTION_PROHIBITED,
        Ckr.ATTRIBUTE_READ_ONLY,
        Ckr.CANT_LOCK,
        Ckr.ATTRIBUTE_TYPE_INVALID,
        Ckr.ATTRIBUTE_VALUE_INVALID,
        Ckr.CURVE_NOT_SUPPORTED,
        Ckr.DOMAIN_PARAMS_INVALID,
        Ckr.FUNCTION_NOT_SUPPORTED,
        Ckr.KEY_SIZE_RANGE,
        Ckr.KEY_TYPE_INCONSISTENT,
        Ckr.MECHANISM_INVALID,
        Ckr.MECHANISM_PARAM_INVALID,
        Ckr.RANDOM_NO_RNG,
        Ckr.TEMPLATE_INCOMPLETE,
        Ckr.TEMPLATE_INCONSISTENT,
        Ckr.ARGUMENTS_BAD,
    ),
    DecryptionFailed: (Ckr.ENCRYPTED_DATA_INVALID, Ckr.ENCRYPTED_DATA_LEN_RANGE, Ckr.AEAD_DECRYPT_FAILED),
    InvalidArgument: (Ckr.DATA_INVALID, Ckr.WRAPPED_KEY_INVALID, Ckr.WRAPPED_KEY_LEN_RANGE),
    LimitExceeded: (Ckr.DATA_LEN_RANGE, Ckr.DEVICE_MEMORY),
    WrongState: (Ckr.KEY_NOT_ACTIVE, Ckr.KEY_EXHAUSTED),
    WrongUsage: (
        Ckr.KEY_FUNCTION_NOT_PERMITTED,
        Ckr.KEY_NOT_WRAPPABLE,
        Ckr.KEY_UNEXTRACTABLE,
        Ckr.ATTRIBUTE_SENSITIVE,
    ),
}
"""Nothing is Denied: policy decides that, and has."""
MEANINGS: Final[dict[int, type[KeysteadError]]] = {rv: kind for kind, rvs in _KINDS.items() for rv in rvs}
"""CK_RV -> what we say; what stands in no row is Internal."""
FULL: Final = frozenset(
    {Ckr.DEVICE_MEMORY, Ckr.SESSION_READ_ONLY, Ckr.TOKEN_RESOURCE_EXCEEDED, Ckr.TOKEN_WRITE_PROTECTED}
)
"""What a token says that takes no object more, and uses those that it has."""
_OF_NOW: Final = frozenset(rv for rv, kind in MEANINGS.items() if kind in {Unavailable, Unauthenticated})
OF_NOW: Final = (_OF_NOW | FULL) - {Ckr.BUFFER_TOO_SMALL}
"""What says how the token is just now (full, busy, with another PIN), and nothing of what it can do."""


MAKES: Final = frozenset({"C_CreateObject", "C_GenerateKey", "C_GenerateKeyPair", "C_UnwrapKey"})
"""Where "no memory" is of objects that stay; elsewhere it is of the moment."""


def meant(failed: Failed, token: str) -> KeysteadError:
    """The error of ours for it; `token`: what the operator calls the token. Detail: the name of the CK_RV."""
    kind = MEANINGS.get(failed.rv, Internal)
    if failed.rv == Ckr.DEVICE_MEMORY and failed.function not in MAKES:
        kind = Unavailable
    return kind(f"the HSM {token} answers {failed}", f"CKR_{named(Ckr, failed.rv)}")
