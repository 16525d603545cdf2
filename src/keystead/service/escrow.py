"""Recovery keys: the root node key for custodians, in mode `window` (docs/adr/0036-slots.md).

A recovery key stands where a slot stands: with U it opens the root, and what was destroyed under that root is
irrecoverable only once it is reported erased. Its secret S of each generation is sealed to its public half.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import sha256

from keystead.core.entities import Recovery
from keystead.core.errors import Conflict, InvalidArgument, Unauthenticated
from keystead.core.keytree import KEY_BYTES, generation
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.crypto.aead import NONCE_BYTES
from keystead.crypto.hpke import PUBLIC_BYTES, RECOVERY, SECRET_BYTES
from keystead.service.root import Escrow, Root, Wrap, wrapping_key
from keystead.service.rows import ENCODER

SECRET_PREFIX, PUBLIC_PREFIX = "keystead-recovery-secret-1:", "keystead-recovery-public-1:"


def id_of(public: bytes) -> str:
    """16 hexadecimal digits."""
    return sha256(b"keystead/recovery-key/v1" + public).hexdigest()[:16]


def escrow(key: bytes, epoch: int, unseal_key: Sensitive, to: Recovery, entropy: Entropy) -> Escrow:
    """The root node key, for whoever has U and the private half."""
    secret = Sensitive(entropy(KEY_BYTES))
    name = generation(secret.reveal())
    by = wrapping_key(unseal_key.reveal(), secret.reveal())
    wrap = Wrap.make(to.name, name, by, key, epoch, entropy(NONCE_BYTES))
    return Escrow(wrap, RECOVERY.close(to.public_key, secret, _info(wrap, epoch)))


def unwrap(root: Root, unseal_key: Sensitive, recovery: Sensitive) -> bytes:
    """The root node key. Raises Conflict where the root is not for that recovery key, DecryptionFailed, Internal."""
    wanted = Recovery(id_of(RECOVERY.public_key(recovery)), b"", None).name
    found = next((one for one in root.escrows if hmac.compare_digest(one.wrap.slot, wanted)), None)
    if found is None:
        raise Conflict("the root was not sealed to this recovery key: another has taken its place, or none has one")
    secret = RECOVERY.open(recovery, found.parcel, _info(found.wrap, root.epoch))
    return found.wrap.unwrap(wrapping_key(unseal_key.reveal(), secret.reveal()), root.epoch)


def _info(wrap: Wrap, epoch: int) -> bytes:
    return ENCODER.encode(("recovery", wrap.slot, wrap.generation, epoch))


# --- as people keep them


def secret_text(secret: Sensitive) -> str:
    return SECRET_PREFIX + _text(secret.reveal())


def public_text(public: bytes) -> str:
    return PUBLIC_PREFIX + _text(public)


def read_secret(text: Sensitive) -> Sensitive:
    """Raises Unauthenticated: what is wrong with a secret is not told."""
    try:
        return Sensitive(_read(text.reveal().decode("ascii").strip(), SECRET_PREFIX, SECRET_BYTES))
    except (InvalidArgument, ValueError):
        raise Unauthenticated("that is no recovery key") from None


def read_public(text: str) -> bytes:
    """Raises InvalidArgument."""
    return _read(text.strip(), PUBLIC_PREFIX, PUBLIC_BYTES)


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _read(text: str, prefix: str, length: int) -> bytes:
    body = text.removeprefix(prefix)
    try:
        data = urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except (Error, ValueError):
        data = b""
    if not text.startswith(prefix) or len(data) != length or _text(data) != body:
        raise InvalidArgument("not the public half of a recovery key", "recovery_key")
    return data
