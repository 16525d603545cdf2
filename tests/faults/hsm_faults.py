"""A PKCS#11 module that fails now and then: before it does what it is asked, or after, so that the answer is lost.

`before` is any function; `after` are those where something is done that nobody then hears of: an object made, one
destroyed. A session that was opened unheard could never be closed, so that is not among them.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import Any

from keystead.cryptoki.module import Module
from keystead.cryptoki.words import Ckr

LOST = (
    Ckr.DEVICE_ERROR,
    Ckr.DEVICE_REMOVED,
    Ckr.TOKEN_NOT_PRESENT,
    Ckr.SESSION_HANDLE_INVALID,
    Ckr.SESSION_CLOSED,
    Ckr.USER_NOT_LOGGED_IN,
)
BEFORE: dict[str, tuple[Ckr, ...]] = {
    **dict.fromkeys(
        ("C_FindObjectsInit", "C_FindObjects", "C_GetAttributeValue", "C_Sign", "C_Encrypt", "C_OpenSession"),
        (*LOST, Ckr.GENERAL_ERROR, Ckr.FUNCTION_FAILED),
    ),
    "C_Decrypt": LOST,
    "C_GetTokenInfo": (Ckr.DEVICE_ERROR, Ckr.GENERAL_ERROR),
    **dict.fromkeys(
        ("C_EncryptInit", "C_DecryptInit", "C_SignInit"),
        (*LOST, Ckr.KEY_HANDLE_INVALID, Ckr.OBJECT_HANDLE_INVALID),
    ),
    **dict.fromkeys(("C_GenerateKey", "C_GenerateKeyPair", "C_DestroyObject"), (*LOST, Ckr.GENERAL_ERROR)),
}
AFTER: dict[str, tuple[Ckr, ...]] = dict.fromkeys(
    ("C_GenerateKey", "C_GenerateKeyPair", "C_CreateObject", "C_DestroyObject"),
    (Ckr.DEVICE_ERROR, Ckr.DEVICE_REMOVED, Ckr.GENERAL_ERROR, Ckr.SESSION_CLOSED),
)


class Faults:
    """`with Faults(path, seed, share): …`: that share of the calls fails."""

    def __init__(self, path: str, seed: int, share: float) -> None:
        self._module, self._random, self._share = Module.open(path), random.Random(seed), share
        self._lock, self.n = threading.Lock(), Counter()

    def __enter__(self) -> Faults:
        self._whole: dict[str, Any] = self._module.functions
        self._module.functions = {name: self._failing(name, call) for name, call in self._whole.items()}
        return self

    def __exit__(self, *_: object) -> None:
        self._module.functions = self._whole

    def _failing(self, name: str, call: Any) -> Any:
        if name not in BEFORE and name not in AFTER:
            return call

        def failing(*args: Any) -> int:
            with self._lock:
                fails = self._random.random() < self._share
                after = fails and name in AFTER and (name not in BEFORE or self._random.random() < 0.5)
                rv = self._random.choice((AFTER if after else BEFORE)[name]) if fails else Ckr.OK
                if fails:
                    self.n[f"{name} {'after' if after else 'before'}"] += 1
            if not fails:
                return call(*args)
            if after:
                call(*args)
            return rv

        return failing
