"""What is kept of the custody drill."""

from __future__ import annotations

from datetime import datetime

from keystead.core.entities.base import Entity, Kind


class ShareProof(Entity, frozen=True, kw_only=True):
    """That a share of the seal was there at a time; `id` is "<set, in hexadecimal>-<number of the share>"."""

    kind = Kind.SHARE_PROOF
    proved_at: datetime

    @staticmethod
    def id_of(set_id: bytes, index: int) -> str:
        return f"{set_id.hex()}-{index}"
