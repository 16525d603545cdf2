"""Seals that change: seal.json and the root of the key tree have to change together, and are in two files.

    seal.next durable, with the check value of the new U  →  the root under the new U, in one commit  →  seal.json

Which of two seals is the right one after a crash the database says, whose root carries the check value of its U: nobody
has to open anything to know. So before the commit the old seals open it, and from the commit on the new ones.
"""

from __future__ import annotations

import hmac
import os

import msgspec
from msgspec import Struct

from keystead.app.layout import Layout, write_durably
from keystead.core.errors import InvalidArgument
from keystead.core.ports import Store
from keystead.core.sensitive import Sensitive
from keystead.seals import Configuration, encode
from keystead.service.root import ROOT_META, Root, check_value


class Next(Struct, frozen=True, forbid_unknown_fields=True):
    """`text`: of the seal.json to come. `seal`: the same as it was said before there could be two."""

    root_check: bytes
    text: str = ""
    seal: Configuration | None = None

    @property
    def file(self) -> bytes:
        return encode((self.seal,)) if self.seal is not None else self.text.encode()


def announce(layout: Layout, unseal_key: Sensitive, text: bytes) -> None:
    """The seal.json that is about to be the right one; durable on return."""
    coming = Next(check_value(unseal_key.reveal()), text.decode())
    write_durably(layout.next_seal, msgspec.json.encode(coming))


def settle(layout: Layout, store: Store) -> bool:
    """Make seal.json the one that the root is under. For whoever holds the directory's lock.

    True: it was not. Raises InvalidArgument where what is there is no seal.
    """
    try:
        text = layout.next_seal.read_bytes()
    except FileNotFoundError:
        return False
    try:
        coming = msgspec.json.decode(text, type=Next)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"{layout.next_seal.name}: {error}", "seal") from error
    blob = store.meta(ROOT_META)
    came = blob is not None and hmac.compare_digest(Root.decode(blob).check, coming.root_check)
    if came:
        write_durably(layout.seal, coming.file)
    os.unlink(layout.next_seal)
    return came
