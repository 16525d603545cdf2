"""JSON of core types. A secret travels as text, towards its owner only, over a socket nobody else opens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from keystead.core.entities import Credential
from keystead.core.operations import AccessKey, MadeToken
from keystead.core.sensitive import Sensitive


class ShownOnce(msgspec.Struct, frozen=True, omit_defaults=True):
    """An access key as its owner gets it."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"ShownOnce({self.access_key_id!r})"


def shown_once(key: AccessKey) -> ShownOnce:
    token = key.session_token
    return ShownOnce(key.credential.id, key.secret.reveal().decode(), token.reveal().decode() if token else None)


class ShownToken(msgspec.Struct, frozen=True):
    """A token as its owner gets it."""

    token: str
    accessor: str
    policies: tuple[str, ...]
    expires_at: datetime | None

    def __repr__(self) -> str:
        return f"ShownToken({self.accessor!r})"


def shown_token(made: MadeToken) -> ShownToken:
    token = made.token
    return ShownToken(made.text.reveal().decode(), token.accessor, token.policies, token.expires_at)


def unseal_request(offered: Sequence[Sensitive]) -> bytes:
    """The body of Unseal, on its way to the server over its own user's socket."""
    return msgspec.json.encode({"offered": [secret.reveal().decode() for secret in offered]})


def login_request(hsm: str, pin: Sensitive) -> bytes:
    """The body of LogIntoHsm, on the same way."""
    return msgspec.json.encode({"hsm": hsm, "pin": pin.reveal().decode()})


def write(answer: Any) -> bytes:
    """Raises TypeError for an answer that holds a secret and is not meant to show it."""
    if isinstance(answer, AccessKey):
        answer = shown_once(answer)
    if isinstance(answer, MadeToken):
        answer = shown_token(answer)
    return _encode(answer)


def _refuse(value: Any) -> Any:
    if isinstance(value, Sensitive | Credential):
        raise TypeError("a secret is not shown here")
    raise TypeError(f"{type(value).__name__} has no JSON form")


_encode = msgspec.json.Encoder(enc_hook=_refuse).encode
