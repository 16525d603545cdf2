"""seal.json: the seals of an installation, one or two, each around the same U; and what vouches for them.

    {"seals": [{"kind": …}, …], "vouched": …}

Of some seals the file holds a public key, and a later U goes into a box of that key's. Whoever could put a key of their
own there would have U one day. So before a seal follows to another U the file has to be vouched for: a MAC over what it
says of the seals, by a key that the installation has while it is open. A file of before that, of one seal, is that
seal's configuration alone; none of its kind follows.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from keystead.core.errors import InvalidArgument
from keystead.core.sensitive import Sensitive
from keystead.seals.external import ExternalConfiguration
from keystead.seals.file import FileConfiguration
from keystead.seals.passphrase import PassphraseConfiguration
from keystead.seals.pkcs11 import Pkcs11Configuration
from keystead.seals.shamir import ShamirConfiguration
from keystead.seals.tpm import TpmConfiguration

Configuration = (
    FileConfiguration
    | PassphraseConfiguration
    | ShamirConfiguration
    | TpmConfiguration
    | Pkcs11Configuration
    | ExternalConfiguration
)
MOST_SEALS = 2
MOST_BYTES = 65536
SUBKEY = "seals"


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    seals: msgspec.Raw
    vouched: bytes = b""


class Kept(Struct, frozen=True):
    """What a seal.json says. `text`: of the seals, as it stands there."""

    seals: tuple[Configuration, ...]
    text: bytes = b""
    vouched: bytes = b""

    def is_vouched(self, key: Sensitive) -> bool:
        return hmac.compare_digest(self.vouched, _mac(key, self.text))


def encode(seals: Sequence[Configuration], key: Sensitive | None = None) -> bytes:
    """The file, vouched for by `key`; without one, nobody vouches for it yet."""
    text = msgspec.json.format(msgspec.json.encode(seals), indent=2)
    mac = msgspec.json.encode(_mac(key, text) if key else b"")
    return b'{"seals": ' + text + b',\n"vouched": ' + mac + b"}\n"


def decode(text: bytes) -> Kept:
    """Raises InvalidArgument."""
    try:
        if len(text) > MOST_BYTES:
            raise InvalidArgument("seal.json: it is too long", "seal")
        if "kind" in msgspec.json.decode(text, type=dict[str, msgspec.Raw]):
            return Kept((msgspec.json.decode(text, type=Configuration),))
        file = msgspec.json.decode(text, type=_File)
        seals = msgspec.json.decode(file.seals, type=tuple[Configuration, ...])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"seal.json: {error}", "seal") from error
    kinds = [seal.__struct_config__.tag for seal in seals]
    if not 0 < len(seals) <= MOST_SEALS or len(set(kinds)) < len(kinds):
        raise InvalidArgument(f"seal.json: one to {MOST_SEALS} seals, each of another kind", "seal")
    return Kept(seals, bytes(file.seals), file.vouched)


def _mac(key: Sensitive, text: bytes) -> bytes:
    return hmac.digest(key.reveal(), b"keystead/seals/v1" + text, "sha256")
