"""PCRs that the authority of a TPM seal has approved, in a file beside seal.json that nobody has to vouch for.

    request    made on the machine after an update: which PCRs, what they are now, of which seal
    approval   the same with the authority's signature, made where its key is
    the file   approvals that were checked against the seal; whoever writes others there opens nothing

What is sent to and fro is text without a secret.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from keystead.core.errors import InvalidArgument, Unauthenticated
from keystead.core.sensitive import Sensitive
from keystead.crypto import p256
from keystead.tpm import Approval, SealedBlob

FILE: Final = "seal-approvals.json"
REQUEST, APPROVAL = "ks-pcr-request-1-", "ks-pcr-approval-1-"
MOST: Final = 32  # approvals of one seal; the oldest goes
MOST_BYTES: Final = 1 << 20
LONGEST: Final = 4096  # characters of a text
NO_AUTHORITY: Final = "the TPM seal has no authority: `keystead seal migrate tpm --authority` gives it one"


def spelled(approval: Approval) -> str:
    body = urlsafe_b64encode(msgspec.msgpack.encode(approval)).rstrip(b"=").decode()
    return (APPROVAL if approval.signature else REQUEST) + body


def parsed(text: str, prefix: str) -> Approval:
    """Raises InvalidArgument for what `spelled` has not made."""
    text = text.strip()
    body = text.removeprefix(prefix)
    try:
        raw = urlsafe_b64decode(body + "=" * (-len(body) % 4)) if len(text) <= LONGEST else b""
        found = msgspec.msgpack.decode(raw, type=Approval)
    except (ValueError, msgspec.MsgspecError):
        found = None
    if found is None or spelled(found) != text:
        raise InvalidArgument(f"that is not whole: it begins with {prefix}", "text")
    _ = found.signed  # raises InvalidArgument for what could not be signed
    return found


def approve(request: Approval, key: Sensitive) -> Approval:
    """Signed by a PEM private key over P-256. Raises InvalidArgument."""
    _, signature = p256.sign(key, request.signed)
    return replace(request, signature=signature)


def check(approval: Approval, blob: SealedBlob) -> None:
    """Raises InvalidArgument (of another seal, or other PCRs), Unauthenticated (not signed by its authority)."""
    if not blob.authority:
        raise InvalidArgument(NO_AUTHORITY, "seal")
    if approval.reference != blob.reference or approval.pcrs != tuple(sorted(blob.pcrs)):
        raise InvalidArgument("the approval is of another seal, or of this one before it was made anew", "approval")
    if not p256.verify(blob.authority, approval.signed, approval.signature):
        raise Unauthenticated("the approval is not signed by the authority of the seal")


def kept(directory: Path) -> tuple[Approval, ...]:
    """Those of the file. Raises InvalidArgument where it cannot be read."""
    try:
        with (directory / FILE).open("rb") as file:
            return msgspec.json.decode(file.read(MOST_BYTES), type=tuple[Approval, ...])
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"{FILE}: {error}", "seal") from None


def added(directory: Path, approval: Approval) -> bytes:
    """The file with one more, in the place of those of other seals and of the same PCRs."""
    others = [one for one in kept(directory) if one.reference == approval.reference and one.values != approval.values]
    return msgspec.json.format(msgspec.json.encode([*others, approval][-MOST:]), indent=2) + b"\n"
