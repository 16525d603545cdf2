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

    def find(self, name: str) -> OtpKey | None:
        found = self._reach.linked(OtpKey, self.digest(name))
        return next((one for one in found if one.keyring == self._keyring and one.name == name), None)

    def page(self, *, after: str = "", limit: int) -> list[OtpKey]:
        return self._reach.children(OtpKey, self._keyring, after, limit)

    def secret(self, key: OtpKey) -> Sensitive:
        self._reach.may_block()
        return self._reach.barrier.material(key)
