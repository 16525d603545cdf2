"""The use of a key that has limits: each call of what is loaded is one, and counted before it is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from keystead.core.detached import Detached
from keystead.core.entities import Key
from keystead.core.errors import DecryptionFailed, Internal
from keystead.core.limits import ENDLESS, Counts, Limits, counted, require_room
from keystead.core.providers import Loaded
from keystead.core.sensitive import Sensitive
from keystead.core.states import Use
from keystead.service.meter import Meter
from keystead.service.reach import Reach

USES: dict[str, tuple[Use, int | None]] = {
    "encrypt": (Use.PROTECT, 1),
    "encrypt_convergent": (Use.PROTECT, 1),
    "decrypt": (Use.PROCESS, 1),
    "encrypt_detached": (Use.PROTECT, 1),
    "decrypt_detached": (Use.PROCESS, 1),
    "sign": (Use.PROTECT, 1),
    "verify": (Use.PROCESS, 1),
    "mac": (Use.PROTECT, 1),
    "verify_mac": (Use.PROCESS, 1),
    "sign_as": (Use.PROTECT, 1),
    "verify_as": (Use.PROCESS, 1),
    "mac_as": (Use.PROTECT, 1),
    "verify_mac_as": (Use.PROCESS, 1),
    "request_certificate": (Use.PROTECT, 0),
    "agree": (Use.PROCESS, 1),
    "encapsulate": (Use.PROTECT, None),
    "decapsulate": (Use.PROCESS, 1),
}
"""A method of core.providers.Loaded -> what use it is, and which argument is what the key is given."""


class Counted:
    """core.providers.Loaded that counts. What it has no row for it does not do."""

    __slots__ = ("_count", "_inner", "_meter")

    def __init__(self, inner: Loaded, meter: Meter, count: Callable[[Counts], None]) -> None:
        self._inner, self._meter, self._count = inner, meter, count

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in USES:
            raise AttributeError(name)
        use, given = USES[name]

        def call(*args: Any) -> Any:
            self._count(counted(use, 0 if given is None else _size(args[given])))
            try:
                answer = getattr(self._inner, name)(*args)
            except DecryptionFailed:  # it was asked, and has said something
                self._meter.taken.keep_last()
                raise
            except BaseException:
                self._meter.taken.undo_last()
                raise
            if answer is False:  # so does a signature that is none, whether or not the request was a dry run
                self._meter.taken.keep_last()
            return answer

        return call

    def derived(self, context: bytes) -> tuple[Loaded, bytes]:
        """What is derived counts as the key itself does, and deriving it is no use."""
        pair, public_key = self._inner.derived(context)
        return cast("Loaded", Counted(pair, self._meter, self._count)), public_key


def _size(given: bytes | Sensitive | Detached) -> int:
    return len(given.ciphertext) if isinstance(given, Detached) else len(given)


class Room:
    """What a key's limits have left."""

    def __init__(self, key: Key, limits: Limits, reach: Reach) -> None:
        self._id, self._limits, self._reach = key.id, limits, reach
        self._most = limits.most
        self._is_counted = any(most != ENDLESS for most in self._most)

    @property
    def _meter(self) -> Meter:
        if self._reach.meter is None:
            raise Internal("nobody counts here")
        return self._reach.meter

    def require(self, use: Use) -> None:
        """Whether there is one use more. Raises WrongState, WouldBlock."""
        if self._is_counted:
            require_room(self.used(), counted(use, 0), self._most)

    def used(self) -> Counts:
        """Raises WouldBlock."""
        return self._meter.used(self._id, self._reach.may_block)

    def counting(self, loaded: Loaded) -> Loaded:
        return cast("Loaded", Counted(loaded, self._meter, self.take)) if self._is_counted else loaded

    def take(self, more: Counts) -> None:
        """Count one use, which is about to be made. Raises WrongState, WouldBlock."""
        self._meter.take(self._id, more, self._most, self._reach.may_block)
