"""A seal that changes: seal.json and the root of the key tree have to change together, and are in two files.

    seal.next durable, with the check value of the new U  →  the root under the new U, in one commit  →  seal.json

Which of two seals is the right one after a crash the database says, whose root carries the check value of its U: nobody
has to open anything to know. So before the commit the old shares open it, and from the commit on the new ones.
"""

from __future__ import annotations

import hmac
import os
from typing import Any

import msgspec
from msgspec import Struct

from keystead.app.layout import Layout, write_durably
from keystead.core.errors import InvalidArgument
from keystead.core.ports import Store
from keystead.seals import Configuration, encode
from keystead.seals.base import Created
from keystead.service.root import Root, check_value


class Next(Struct, frozen=True, forbid_unknown_fields=True):
    root_check: bytes
    seal: Configuration


def announce(layout: Layout, created: Created[Any]) -> None:
    """The seal that is about to be the right one; durable on return."""
    check = check_value(created.unseal_key.reveal())
    write_durably(layout.next_seal, msgspec.json.encode(Next(check, created.configuration)))


def settle(layout: Layout, store: Store) -> bool:
    """Make seal.json the seal that the root is under. For whoever holds the directory's lock.

    True: it was not. Raises InvalidArgument where what is there is no seal.
    """
    try:
        text = layout.next_seal.read_bytes()
    except FileNotFoundError:
        return False
    try:
        coming = msgspec.json.decode(text, type=Next)
    except msgspec.DecodeError as error:
        raise InvalidArgument(f"{layout.next_seal.name}: {error}", "seal") from error
    blob = store.meta("root")
    came = blob is not None and hmac.compare_digest(Root.decode(blob).check, coming.root_check)
    if came:
        write_durably(layout.seal, encode(coming.seal))
    os.unlink(layout.next_seal)
    return came
