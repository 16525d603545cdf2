"""What stands for a key that a token holds: a small blob without a secret, wrapped in the key tree all the same."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from keystead.core.algorithms import Family, KeySpec
from keystead.core.errors import InvalidArgument
from keystead.core.sensitive import Sensitive
from keystead.cryptoki.connection import Name
from keystead.cryptoki.words import Cko

LABEL = "keystead"
PASSING = b"keystead-passing"  # label, and how the ids begin, of objects that are erased when their use is over
CBC, BESIDE = "keystead cbc", "keystead mac"
"""Labels in a token without GCM: of an AES key, and of the HMAC key beside it, which has its id. Where either is, the
other is too: so whoever erases one by its id knows of the other.
"""
ID_BYTES = 16
_SYMMETRIC = frozenset({Family.AES, Family.HMAC})


class Handle(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`check` is the key check value (rule R11), `checked_by` how it is made; a key pair has its public key instead."""

    id: bytes  # CKA_ID
    spec: str
    serial: str  # of the token that it was made in
    made_by: str  # CKM_, or "import"
    modes: dict[str, str] = {}  # algorithm -> the mechanism and mode that were tested for it then
    check: bytes = b""
    checked_by: str = ""
    public_key: bytes = b""  # DER SubjectPublicKeyInfo
    label: str = LABEL  # CKA_LABEL; another one: the object is not of our making
    mac_check: bytes = b""  # check value of the HMAC key beside it; empty: there is none

    @property
    def name(self) -> Name:
        """Rule R1."""
        label = CBC if self.mac_check else self.label
        return Name(Cko.PRIVATE_KEY if self.public_key else Cko.SECRET_KEY, self.id, label)

    @property
    def beside(self) -> Name | None:
        """The HMAC key that its texts are tagged by (core.etm)."""
        return Name(Cko.SECRET_KEY, self.id, BESIDE) if self.mac_check else None

    def pack(self) -> Sensitive:
        return Sensitive(msgspec.msgpack.encode(self))


def unpack(spec: KeySpec, material: Sensitive) -> Handle:
    """Raises InvalidArgument for what is no handle of a key of that spec."""
    try:
        handle = msgspec.msgpack.decode(material.reveal(), type=Handle)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise InvalidArgument("the material is no handle of a key in an HSM", "key_material") from None
    whole = (len(handle.id) == ID_BYTES or handle.label != LABEL) and bool(handle.public_key) != (
        spec.family in _SYMMETRIC
    )
    if handle.spec != spec.name or not whole:
        raise InvalidArgument(f"the handle is of a {handle.spec} key, not {spec.name}", "key_material")
    return handle
