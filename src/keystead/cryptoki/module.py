"""One PKCS#11 module, loaded and initialised once per process and file, whatever paths that has.

Rule 1: C_Initialize says CKF_OS_LOCKING_OK: calls come from many threads. A module that cannot lock is not used.
Rule 2: a forked child has the parent's memory and none of its connections: every way in refuses there, and nothing is
        finalised in it (PKCS#11 v3.1 §5.4, "a child process must call C_Initialize itself": ours starts anew instead).
Rule 3: whoever calls stands between `enter` and `leave`. `restart` waits until nobody does; handles of before are void
        after it, and `epoch` tells.
Rule 4: a module that somebody else in this process has initialised is used, and never finalised.
Rule 5: whoever makes, erases or looks for objects has its turn (`alone`): of a module in RACING, one thread at a time
        in each slot. Nobody waits for that longer than ALONE_IN, nor for a module that does not come up longer than
        DRAIN_FOR: one thread is in a call that hangs, and no other.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

from keystead.core.errors import Internal, InvalidArgument, Unavailable
from keystead.core.ports import NOT_ASKED
from keystead.cryptoki.errors import Crowded, Failed
from keystead.cryptoki.logins import Logins
from keystead.cryptoki.structures import FUNCTIONS, FunctionList, InitializeArgs, ModuleInfo
from keystead.cryptoki.words import OS_LOCKING_OK, Ckr

DRAIN_FOR: Final = 5.0  # seconds that a restart waits for calls in flight
ALONE_IN: Final = 20.0  # seconds; RSA keys are made in such a turn
RACING: Final = (b"SoftHSM",)
"""Manufacturers, by how they begin, whose modules say that they lock and yet lose objects that one thread makes while
another one looks for some (docs/pkcs11.md)."""


class Module:
    """`open` gives the one there is of a path. Safe to use from any thread."""

    _loaded: ClassVar[dict[str, Module]] = {}
    _loading: ClassVar[dict[tuple[int, int] | str, threading.Lock]] = {}

    def __init__(self, path: str) -> None:
        self.path, self.file, self.epoch = path, _file(path), 0
        self._process = os.getpid()
        self._lock, self._n_within, self._restarting = threading.Lock(), 0, False
        self._turn = threading.Condition(self._lock)
        self.functions, self._library = _functions_of(path)
        self._is_up = self._owned = False
        self._initialize()
        self._is_racing = self._told().manufacturer.startswith(RACING)
        self._in_slot: dict[int, threading.Lock] = {}
        self.logins = Logins()

    @classmethod
    def open(cls, path: str) -> Module:
        """Raises InvalidArgument where there is no such module, or it cannot be used by threads; Unavailable."""
        real = str(Path(path).resolve())
        if (found := cls._loaded.get(real)) is None:
            loading = cls._loading.setdefault(_file(real) or real, threading.Lock())
            if not loading.acquire(timeout=DRAIN_FOR):
                raise Unavailable("the PKCS#11 module is being loaded, and does not come up", NOT_ASKED)
            try:
                if (found := cls._loaded.get(real)) is None:
                    found = cls._loaded[real] = cls._same_file(real) or cls(real)
            finally:
                loading.release()
        found.check()
        return found

    @classmethod
    def _same_file(cls, path: str) -> Module | None:
        """What was loaded of a file that has that path too: to the loader it is one library, with one login."""
        where = _file(path)
        return next((one for one in list(cls._loaded.values()) if where is not None and one.file == where), None)

    def check(self) -> None:
        """Raises Internal in a child that was forked after the module was opened."""
        if os.getpid() != self._process:
            raise Internal("a PKCS#11 module was opened before a fork and is not to be used after it")

    def call(self, function: str, *args: Any) -> None:
        """Raises Failed. Only between `enter` and `leave`."""
        if rv := self.functions[function](*args):  # CKR_OK is 0
            raise Failed(function, rv)

    def try_call(self, function: str, *args: Any) -> int:
        """Its CK_RV."""
        rv: int = self.functions[function](*args)
        return rv

    def enter(self) -> int:
        """Before calls are made, with `leave` after them; the epoch that their handles belong to.

        Waits for a restart under way. Raises Unavailable, Internal (`check`).
        """
        if os.getpid() != self._process:
            self.check()
        with self._lock:
            if self._restarting and not self._turn.wait_for(lambda: not self._restarting, DRAIN_FOR):
                raise Unavailable("the PKCS#11 module is being started again")
            self._n_within += 1
            return self.epoch

    def leave(self) -> None:
        with self._lock:
            self._n_within -= 1
            if self._restarting:
                self._turn.notify_all()

    @contextmanager
    def alone(self, slot: int, function: str) -> Iterator[None]:
        """Rule 5, for a call of that function in that slot. Raises Crowded."""
        if not self._is_racing:
            yield
            return
        turn = self._in_slot.setdefault(slot, threading.Lock())
        if not turn.acquire(timeout=ALONE_IN):
            raise Crowded(function)
        try:
            yield
        finally:
            turn.release()

    @contextmanager
    def within(self) -> Iterator[int]:
        """`enter` and `leave`."""
        epoch = self.enter()
        try:
            yield epoch
        finally:
            self.leave()

    @property
    def may_restart(self) -> bool:
        """Whether it is ours (rule 4)."""
        return self._owned or not self._is_up

    def restart(self, epoch: int, drain_for: float | None = None) -> None:
        """C_Finalize and C_Initialize, where nobody has done it since `epoch`. Not between `enter` and `leave`.

        `drain_for`: seconds that calls in flight are waited for (DRAIN_FOR).
        Raises Unavailable where calls in flight do not end, or the module does not come up.
        """
        self.check()
        with self._turn:
            if self.epoch != epoch or self._restarting:
                return
            if not self.may_restart:
                raise Unavailable("the PKCS#11 module belongs to somebody else in this process, who may restart it")
            self._restarting = True
        try:
            self._drain(DRAIN_FOR if drain_for is None else drain_for)
            if self._is_up:  # nobody is in it, and nobody comes in; nor is the lock held, since it may hang
                self.functions["C_Finalize"](None)
                self._is_up = False
            self._initialize()
        finally:
            with self._turn:
                self._restarting = False
                self._turn.notify_all()

    def _drain(self, wait_for: float) -> None:
        """Wait for calls in flight; their handles are void from here on. Raises Unavailable."""
        with self._turn:
            if not self._turn.wait_for(lambda: self._n_within == 0, wait_for):
                raise Unavailable("calls to the PKCS#11 module are in flight and do not end")
            self.epoch += 1

    def info(self) -> tuple[str, str]:
        """(description, version) of the library."""
        found = self._told()
        text = found.description.decode("utf-8", "replace").strip(" \0")
        return text, f"{found.library.major}.{found.library.minor}"

    def _told(self) -> ModuleInfo:
        """Empty where it does not tell."""
        found = ModuleInfo()
        self.try_call("C_GetInfo", ctypes.byref(found))
        return found

    def _initialize(self) -> None:
        args = InitializeArgs(None, None, None, None, OS_LOCKING_OK, None)
        rv = self.functions["C_Initialize"](ctypes.byref(args))
        self._is_up = rv in {Ckr.OK, Ckr.CRYPTOKI_ALREADY_INITIALIZED}
        self._owned = rv == Ckr.OK
        if rv == Ckr.CANT_LOCK:
            raise InvalidArgument(f"{self.path} cannot be used by threads (CKR_CANT_LOCK)", "module")
        if not self._is_up:
            raise Unavailable(f"the PKCS#11 module does not start: {Failed('C_Initialize', rv)}")


def _file(path: str) -> tuple[int, int] | None:
    """Which file it is, whatever its path; None: there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _functions_of(path: str) -> tuple[dict[str, Any], ctypes.CDLL]:
    """The functions by name, and the library that they live in."""
    try:
        library = ctypes.CDLL(path)
        get = library.C_GetFunctionList
    except (OSError, AttributeError):
        raise InvalidArgument(f"{path} is no PKCS#11 module that can be loaded", "module") from None
    listed = ctypes.POINTER(FunctionList)()
    if (rv := get(ctypes.byref(listed))) != Ckr.OK:
        raise Unavailable(f"the PKCS#11 module does not start: {Failed('C_GetFunctionList', rv)}")
    return {name: getattr(listed.contents, name) for name, args in FUNCTIONS if args is not None}, library
