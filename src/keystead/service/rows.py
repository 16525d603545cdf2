"""Entities as sealed rows: AES-256-GCM-SIV under the row key, AAD = every other field of the row.

So a row that is moved to another table, id, parent or tenant, or given another revision or epoch, does not open.
A genuine older copy of one row does open; the tally over all rows shows that (service.inspection).
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from keystead.core.entities import Entity
from keystead.core.errors import DecryptionFailed, Internal
from keystead.core.keytree import Place
from keystead.core.ports import Row
from keystead.crypto.aead import NONCE_BYTES, GcmSiv

E = TypeVar("E", bound=Entity)
ENCODER = msgspec.msgpack.Encoder()
DECODERS: dict[type[Entity], msgspec.msgpack.Decoder[Any]] = {}  # one per entity type
TALLY_MODULUS = 1 << 256


_MAKING = threading.Lock()


def decoder(of: type[E]) -> msgspec.msgpack.Decoder[E]:
    """Made by one thread at a time: msgspec shows a type that it is still reading to whoever asks for it meanwhile.

    With what it shows of a Struct within it the process would end (msgspec 0.22: a null pointer).
    """
    if (found := DECODERS.get(of)) is None:
        with _MAKING:
            found = DECODERS.get(of) or msgspec.msgpack.Decoder(of)
            DECODERS[of] = found
    return found


class Rows:
    """Seals and opens rows. Safe to use from any thread."""

    def __init__(self, row_key: bytes, tally_key: bytes, entropy: Callable[[int], bytes]) -> None:
        self._aead, self._entropy = GcmSiv(row_key), entropy
        self._tally = hmac.new(tally_key, digestmod="sha256")

    def seal(self, entity: Entity, epoch: int) -> Row:
        """The row of `entity` with its next revision."""
        entity = replace(entity, revision=entity.revision + 1)
        return self._row(entity, epoch)

    def _row(self, entity: Entity, epoch: int) -> Row:
        kind, parent, link = entity.kind, entity.parent, entity.link
        aad = ENCODER.encode((kind, entity.id, parent, link, entity.revision, epoch))
        sealed = self._aead.seal(self._entropy(NONCE_BYTES), ENCODER.encode(entity), aad)
        return Row(kind, entity.id, parent, link, entity.revision, epoch, sealed)

    def open(self, row: Row, of: type[E]) -> E:
        """The entity. Raises Internal where the row does not verify."""
        aad = ENCODER.encode((row.kind, row.id, row.parent, row.link, row.revision, row.epoch))
        try:
            return decoder(of).decode(self._aead.open(row.sealed, aad))
        except (DecryptionFailed, msgspec.DecodeError) as error:
            raise Internal(f"row {row.kind.value} {row.id} does not verify") from error

    def verify(self, row: Row) -> None:
        """Raise Internal where the row does not verify."""
        try:
            self._aead.open(
                row.sealed, ENCODER.encode((row.kind, row.id, row.parent, row.link, row.revision, row.epoch))
            )
        except DecryptionFailed as error:
            raise Internal(f"row {row.kind.value} {row.id} does not verify") from error

    def seal_fact(self, name: str, fact: bytes, epoch: int) -> bytes:
        """A fact kept in the store's meta."""
        return self._aead.seal(self._entropy(NONCE_BYTES), fact, ENCODER.encode(("meta", name, epoch)))

    def open_fact(self, name: str, sealed: bytes | None, epoch: int) -> bytes:
        """Raises Internal where it is missing or does not verify."""
        try:
            return self._aead.open(sealed or b"", ENCODER.encode(("meta", name, epoch)))
        except DecryptionFailed as error:
            raise Internal(f"meta {name} does not verify") from error

    def weigh(self, row: Row) -> int:
        """What a row counts in the tally: a keyed multiset hash, sum of PRFs (Clarke et al. 2003, MSet-Add-Hash)."""
        return self._weight((row.kind, row.id, row.parent, row.link, row.revision, row.epoch, row.sealed))

    def weigh_node(self, place: Place, sealed: bytes) -> int:
        return self._weight(("node", *place, sealed))

    def _weight(self, what: tuple[object, ...]) -> int:
        mac = self._tally.copy()
        mac.update(ENCODER.encode(what))
        return int.from_bytes(mac.digest(), "big")
