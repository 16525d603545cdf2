"""The keys of one-time passwords that a keyring has (core.entities.otp)."""

from __future__ import annotations

from keystead.core.entities import OtpKey
from keystead.core.sensitive import Sensitive
from keystead.service.reach import Reach


class OtpKeysOf:
    def __init__(self, keyring: str, reach: Reach) -> None:
        self._keyring, self._reach = keyring, reach

    def digest(self, name: str) -> str:
        """OtpKey.named."""
        return self._reach.barrier.name_id(f"otp:{self._keyring}", name)

    def called(self, name: str) -> list[OtpKey]:
        """Those that have been written under that name, the last one last: two, where two were at once."""
        found = self._reach.linked(OtpKey, self.digest(name))
        return sorted(found, key=lambda one: (one.created_at, one.id))

    def find(self, name: str) -> OtpKey | None:
        """The one that counts."""
        return next(reversed(self.called(name)), None)

    def page(self, *, after: str = "", limit: int) -> list[OtpKey]:
        return self._reach.children(OtpKey, self._keyring, after, limit)

    def secret(self, key: OtpKey) -> Sensitive:
        self._reach.may_block()
        return self._reach.barrier.material(key)
