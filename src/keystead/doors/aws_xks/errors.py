"""Keystead's kinds of error in the words of the XKS Proxy API, "Error codes": name, status, who may answer it."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from keystead.core import errors as e
from keystead.kit import ErrorTable, Fault
from keystead.wire.http import Refusal

URI, METHOD = "uri", "method"
"""details: of the NotFound for a URI that is none here; of the Unsupported for a method other than POST."""

_VALIDATION = Fault("ValidationException", 400)
_STATE = Fault("InvalidStateException", 400)
_UNSUPPORTED = Fault("UnsupportedOperationException", 501)
_THROTTLING = Fault("ThrottlingException", 429)
_TIMEOUT = Fault("DependencyTimeoutException", 503)
_INTERNAL = Fault("InternalException", 500)

ERRORS: ErrorTable = {
    e.Malformed: _VALIDATION,
    e.InvalidArgument: _VALIDATION,
    e.Unauthenticated: Fault("AuthenticationFailedException", 401),
    e.Denied: Fault("AccessDeniedException", 403),
    e.NotApproved: Fault("AccessDeniedException", 403),
    e.NotFound: Fault("KeyNotFoundException", 404),
    (e.NotFound, URI): Fault("InvalidUriPathException", 404),
    e.WrongState: _STATE,
    e.Sealed: _STATE,  # "the specified … key store is disabled, deactivated or blocked"
    e.WrongUsage: Fault("InvalidKeyUsageException", 400),
    e.DecryptionFailed: Fault("InvalidCiphertextException", 400),
    e.Unsupported: _UNSUPPORTED,
    (e.Unsupported, METHOD): Fault("UnsupportedOperationException", 405),  # "API operations": a GET is answered 405
    e.LimitExceeded: _UNSUPPORTED,
    e.RateLimited: _THROTTLING,
    e.Unavailable: _TIMEOUT,
    e.Internal: _INTERNAL,
    # No operation of this door comes to these.
    e.AlreadyExists: _INTERNAL,
    e.Conflict: _INTERNAL,
    e.DryRun: _INTERNAL,
}

ANY = frozenset(
    {
        "InvalidStateException",
        "AuthenticationFailedException",
        "InvalidUriPathException",
        "ThrottlingException",
        "UnsupportedOperationException",
        "DependencyTimeoutException",
        "InternalException",
    }
)
"""What the table of the specification gives to all four APIs."""
FOR_A_KEY = ANY | {"ValidationException", "AccessDeniedException", "KeyNotFoundException"}

# What the listener turns away. The statuses are the protocol's, which has fewer than HTTP.
REFUSALS: dict[Refusal, Fault] = {
    Refusal.MALFORMED: _VALIDATION,
    Refusal.REPEATED_HEADER: _VALIDATION,
    Refusal.NO_HOST: _VALIDATION,
    Refusal.TARGET: Fault("InvalidUriPathException", 404),
    Refusal.UPGRADE: _VALIDATION,
    Refusal.TIMEOUT: _VALIDATION,
    Refusal.BODY_TOO_LARGE: _UNSUPPORTED,
    Refusal.CONTENT_ENCODING: _VALIDATION,
    Refusal.EXPECTATION: _VALIDATION,
    Refusal.HEAD_TOO_LARGE: _VALIDATION,
    Refusal.TRANSFER_ENCODING: _UNSUPPORTED,
    Refusal.OVERLOADED: _THROTTLING,
    Refusal.UNRECORDED: _INTERNAL,
    Refusal.VERSION: _UNSUPPORTED,
}

# A caller is told no more than the name says, but where the words say what is wrong with the request itself.
_SAID = frozenset({"ValidationException", "UnsupportedOperationException", "AuthenticationFailedException"})
WORDS: dict[str, str] = {
    "InvalidStateException": "The key, or the key store, is not enabled.",
    "InvalidCiphertextException": "The ciphertext does not open under this key with what was given beside it.",
    "InvalidKeyUsageException": "The key does not support the operation.",
    "AccessDeniedException": "The operation is not authorized.",
    "KeyNotFoundException": "There is no such key.",
    "InvalidUriPathException": "There is no such URI path.",
    "ThrottlingException": "There are too many requests.",
    "DependencyTimeoutException": "What is needed to serve the request did not answer.",
    "InternalException": "The request failed for a reason of our own.",
}
MAX_WORDS = 511  # "less than 512 characters … only … printable ASCII"


class Said(Struct, frozen=True, rename="camel"):
    error_name: str
    error_message: str


def body(fault: Fault, error: e.KeysteadError) -> bytes:
    """The body of an error."""
    return said(fault.code, str(error) if fault.code in _SAID else WORDS[fault.code])


def said(name: str, words: str) -> bytes:
    printable = "".join(char if " " <= char <= "~" else "?" for char in words[:MAX_WORDS])
    answer: Any = Said(name, printable)
    return msgspec.json.encode(answer)
