"""A session with a running server: its control door (doors/control), HTTP over a unix socket."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec
from msgspec.structs import asdict

from keystead.app.layout import Layout
from keystead.app.sockets import connect_unix
from keystead.config import Config
from keystead.core import errors
from keystead.core import operations as ops
from keystead.core.errors import Internal, KeysteadError, Unavailable
from keystead.core.operations import AccessKey, IssueToken, Operation
from keystead.core.sensitive import Sensitive
from keystead.doors.control.codec import ShownOnce, ShownToken, login_request, unseal_request
from keystead.doors.control.errors import ERRORS
from keystead.doors.control.lifecycle import BackedUp, Challenge, CustodyShown, SealsShown, ServerStatus, SlotStatus

R = TypeVar("R")
T = TypeVar("T")
WAIT_FOR = 600.0  # seconds: a backup of a large database takes its time


class Said(msgspec.Struct, frozen=True):
    """How the control door says that something went wrong."""

    error: str
    message: str
    field: str = ""


KINDS: dict[str, type[KeysteadError]] = {kind.__name__: kind for kind in ERRORS if isinstance(kind, type)}


class _OverUnix(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("keystead", timeout=WAIT_FOR)
        self._path = path

    def connect(self) -> None:
        self.sock: socket.socket = connect_unix(self._path)
        self.sock.settimeout(WAIT_FOR)


class Remote:
    """session.Session over the control socket."""

    def __init__(self, directory: Path, settings: Config) -> None:
        self.settings = settings
        self._connection = _OverUnix(Layout(directory).control)

    def perform(self, op: Operation[R]) -> R:
        kind = type(op)
        message = MESSAGES.get(kind, msgspec.json.encode)(op)
        answer: R = self._ask(kind.__name__, message, answer_of(kind))
        return answer

    def show(self, op: Operation[AccessKey]) -> ShownOnce:
        return self._ask(type(op).__name__, msgspec.json.encode(op), ShownOnce)

    def issue(self, op: IssueToken) -> ShownToken:
        return self._ask(type(op).__name__, msgspec.json.encode(op), ShownToken)

    def back_up(self, path: str) -> str:
        return self._ask("BackUp", msgspec.json.encode({"path": path}), BackedUp).generation

    def rotate_slot(self) -> None:
        self._ask("RotateSlot", b"{}", ServerStatus)

    def slots(self) -> list[SlotStatus]:
        return list(self.status().slots)

    def add_slot(self, name: str) -> None:
        self._ask("AddSlot", msgspec.json.encode({"name": name}), ServerStatus)

    def remove_slot(self, name: str, *, lost: bool) -> None:
        self._ask("RemoveSlot", msgspec.json.encode({"name": name, "lost": lost}), ServerStatus)

    def status(self) -> ServerStatus:
        return self._ask("Status", b"{}", ServerStatus)

    def unseal(self, offered: Sequence[Sensitive]) -> ServerStatus:
        return self._ask("Unseal", unseal_request(offered), ServerStatus)

    def log_into_hsm(self, hsm: str, pin: Sensitive) -> ServerStatus:
        return self._ask("LogIntoHsm", login_request(hsm, pin), ServerStatus)

    def seal(self) -> ServerStatus:
        return self._ask("Seal", b"{}", ServerStatus)

    def challenge(self) -> Challenge:
        return self._ask("Challenge", b"{}", Challenge)

    def record_proof(self, proof: str) -> CustodyShown:
        return self._ask("RecordProof", msgspec.json.encode({"proof": proof}), CustodyShown)

    def custody(self) -> CustodyShown:
        return self._ask("Custody", b"{}", CustodyShown)

    def seals(self) -> SealsShown:
        return self._ask("ListSeals", b"{}", SealsShown)

    def add_seal(self, plan: object) -> SealsShown:
        return self._ask("AddSeal", msgspec.json.encode({"plan": plan}), SealsShown)

    def remove_seal(self, kind: str) -> SealsShown:
        return self._ask("RemoveSeal", msgspec.json.encode({"kind": kind}), SealsShown)

    def migrate_seal(self, plan: object, replaced: str) -> SealsShown:
        return self._ask("MigrateSeal", msgspec.json.encode({"plan": plan, "replaced": replaced}), SealsShown)

    def close(self) -> None:
        self._connection.close()

    def _ask(self, name: str, body: bytes, answer: type[T]) -> T:
        try:
            self._connection.request("POST", f"/v1/{name}", body, {"Content-Type": "application/json"})
            reply = self._connection.getresponse()
            text = reply.read()
        except (OSError, HTTPException) as error:
            raise Unavailable(f"the server did not answer ({type(error).__name__})") from error
        if reply.status != 200:
            raise _error(text)
        return msgspec.json.decode(text, type=answer)


def _error(text: bytes) -> KeysteadError:
    try:
        said = msgspec.json.decode(text, type=Said)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Internal("the server answered in words of another version")
    return KINDS.get(said.error, errors.Internal)(said.message, said.field)


def answer_of(kind: type[Operation[Any]]) -> Any:
    """The R of an Operation[R]."""
    for base in getattr(kind, "__orig_bases__", ()):
        if found := get_args(base):
            return found[0]
    raise TypeError(f"{kind.__name__} does not say what it is answered by")


def _create_key(op: ops.CreateKey) -> bytes:
    """A spec and a purpose go by name (doors/control/administration.py)."""
    members = asdict(op)
    wanted = {
        name: members[name] for name in ("keyring", "description", "tags", "multi_region", "limits", "origin", "hsm")
    }
    return msgspec.json.encode({**wanted, "spec": op.spec.name, "purpose": op.purpose.name.lower()})


def _prepare_import(op: ops.PrepareImport) -> bytes:
    named = {"wrapping": op.wrapping.name, "wrapping_spec": op.wrapping_spec.name}
    return msgspec.json.encode({"key": op.key, **named})


MESSAGES: dict[type[Any], Callable[[Any], bytes]] = {ops.CreateKey: _create_key, ops.PrepareImport: _prepare_import}
"""Operations whose message is not the operation itself."""
