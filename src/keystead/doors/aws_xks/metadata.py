"""GetKeyMetadata: what a key is, what its caller may do with it, and whether it may be used now."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.algorithms import Purpose
from keystead.core.entities import Key
from keystead.core.operations import KeyRef, Operation
from keystead.core.sensitive import Sensitive
from keystead.core.states import Use
from keystead.doors.aws_xks.errors import FOR_A_KEY
from keystead.doors.aws_xks.names import key_ref
from keystead.doors.aws_xks.shapes import KeyMetadata, KeyRequest
from keystead.kit import Call, Message, operation

AES = "AES_256"
ENABLED, DISABLED = "ENABLED", "DISABLED"

# Of keys that are no cipher keys of ours: "the response MAY include additional values", in PKCS #11's words.
OTHERWISE: dict[Purpose, tuple[str, ...]] = {
    Purpose.CIPHER: ("WRAP", "UNWRAP"),
    Purpose.SIGNATURE: ("SIGN", "VERIFY"),
    Purpose.MAC: ("SIGN", "VERIFY"),
    Purpose.AGREEMENT: ("DERIVE",),
    Purpose.ENCAPSULATION: ("DERIVE",),
}


class GetKeyMetadataRequest(KeyRequest, frozen=True, kw_only=True, rename="camel"):
    request_metadata: KeyMetadata


class GetKeyMetadataResponse(Message, frozen=True, kw_only=True, rename="camel"):
    key_spec: str
    key_usage: tuple[str, ...]
    key_status: str


@operation("GetKeyMetadata", errors=FOR_A_KEY)
def get_key_metadata(req: GetKeyMetadataRequest, call: Call) -> GetKeyMetadataResponse:
    """A key supports what both it and its policies allow the caller."""
    ref = key_ref(req.external_key_id, call.namespace)
    key = call(ops.DescribeKey(key=ref)).key
    return GetKeyMetadataResponse(
        key_spec=key.spec_name,
        key_usage=_usage(ref, call) if key.spec_name == AES else OTHERWISE[key.purpose],
        key_status=_status(key, call.caller.now),
    )


def _usage(ref: KeyRef, call: Call) -> tuple[str, ...]:
    tries: tuple[tuple[str, Operation[Any]], ...] = (
        ("ENCRYPT", ops.EncryptDetached(key=ref, plaintext=Sensitive(b""), dry_run=True)),
        ("DECRYPT", ops.DecryptDetached(key=ref, parts=None, dry_run=True)),
    )
    return tuple(word for word, op in tries if _may(op, call))


def _may(op: Operation[Any], call: Call) -> bool:
    """Whether the caller has the right; the state is told apart from it, and asked after it."""
    try:
        call(op)
    except e.Denied:
        return False
    except (e.DryRun, e.WrongState):
        return True
    raise e.Internal("a dry run was performed")


def _status(key: Key, now: datetime) -> str:
    try:
        key.lifecycle.require(Use.PROTECT, now=now)
    except e.WrongState:
        return DISABLED
    return ENABLED if key.n_versions else DISABLED


OPERATIONS = (get_key_metadata,)
