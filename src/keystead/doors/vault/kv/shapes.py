"""Values in and out, and what is told of a version. HTTP API, "KV secrets engine"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from keystead.core.entities import Secret, SecretVersion
from keystead.core.operations import SecretRef
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Answer, Said
from keystead.kit import Call
from keystead.wire import Misfit
from keystead.wire.vault.fields import coerced
from keystead.wire.vault.kinds import Kind
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.scalars import time_text
from keystead.wire.vault.tree import Number

_NULL = Raw(b"null")


class At(Parameters, frozen=True, kw_only=True):
    """A path, and nothing else."""

    path: str = CAPTURED


def _number(value: Any) -> Raw:
    """The one value that JSON has and msgspec has not. Raises TypeError for any other."""
    if type(value) is not Number:
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return Raw(value.text.encode())


_encode = msgspec.json.Encoder(enc_hook=_number).encode


def sealed(value: Any) -> Sensitive:
    """A decoded value as it is kept: JSON, its numbers as they came."""
    return Sensitive(_encode(value))


GONE = Answer(bare=True, status=404)
"""What a patch of nothing is answered: no body at all."""


def told(value: Sensitive | None) -> Raw:
    return _NULL if value is None else Raw(value.reveal())


def at(path: str, call: Call) -> SecretRef:
    """The secret at a path of the caller's mount. Raises Said (404) for what ends like a folder.

    The server takes "a/" for "a" here, although a policy was asked about "a/".
    """
    if not path or path.endswith("/"):
        raise Said(404)
    return SecretRef(call.caller.namespace, path)


def version_told(secret: Secret, version: SecretVersion) -> dict[str, Any]:
    return {**dates(version), "custom_metadata": secret.custom or None, "version": version.number}


def dates(version: SecretVersion, *, written: bool = True) -> dict[str, Any]:
    """`written`: it has been, so that a version without a value is a destroyed one."""
    return {
        "created_time": time_text(version.created_at),
        "deletion_time": "" if version.deleted_at is None else time_text(version.deleted_at),
        "destroyed": written and version.is_destroyed,
    }


def check_and_set(options: Mapping[str, Any] | None) -> int | None:
    """The version that `options` want to be the current one. Raises Said."""
    if not options or "cas" not in options:
        return None
    try:
        return int(coerced(Kind.INT, "cas", options["cas"]))
    except Misfit:
        raise Said(400, "error parsing check-and-set parameter") from None
