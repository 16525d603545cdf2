"""Grant tokens: opaque to whoever holds one; to us, the grant's address and 256 random bits.

    base64( 0x01 ‖ 32 random bytes ‖ msgpack [namespace, key id, grant id] )

The address only says where to look: a token counts if its digest is kept with the grant
(core.policy.grants.check_tokens).
"""

from __future__ import annotations

from base64 import b64decode, b64encode

import msgspec

from keystead.core.errors import InvalidArgument

INVALID = "GrantTokens"
"""detail of the InvalidArgument for a text that is no grant token, or that no grant is known by."""
FORM, RANDOM_BYTES = b"\x01", 32

Address = tuple[str, str, str]  # namespace, key id, grant id
_DECODER: msgspec.msgpack.Decoder[Address] = msgspec.msgpack.Decoder(Address)
_ENCODER = msgspec.msgpack.Encoder()


def grant_token(address: Address, random: bytes) -> str:
    """`random`: RANDOM_BYTES of them, fresh."""
    return b64encode(FORM + random + _ENCODER.encode(address)).decode()


def address_of(token: str) -> Address:
    """Where the grant would be. Raises InvalidArgument (INVALID)."""
    try:
        raw = b64decode(token, validate=True)
        if raw.startswith(FORM) and b64encode(raw).decode() == token:  # b64decode overlooks surplus padding
            return _DECODER.decode(raw[len(FORM) + RANDOM_BYTES :])
    except (ValueError, msgspec.DecodeError):
        pass
    raise InvalidArgument("not a grant token", INVALID)
