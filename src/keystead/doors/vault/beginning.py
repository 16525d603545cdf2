"""The door of a server that has no installation yet: `sys/init`, and how it stands. Everything else is sealed.

Vault HTTP API, /sys/init. Answers and words are OpenBao's, http/sys_init.go.
"""

from __future__ import annotations

import logging
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from keystead.core.errors import InvalidArgument
from keystead.core.ports import WouldBlock
from keystead.core.sensitive import Sensitive
from keystead.crypto.shamir import MOST_SHARES, packed
from keystead.doors.vault.endpoint import Said, endpoint, write
from keystead.doors.vault.openly import SPOKEN, code
from keystead.kit import Call
from keystead.kit.door import AtOnce
from keystead.wire import Malformed, Misfit
from keystead.wire.http import NO_CONTENT, NO_HEADERS, Headers, HttpRequest, Refusal, head_of, no_content, reply
from keystead.wire.vault import Refused
from keystead.wire.vault import request as wire
from keystead.wire.vault.envelope import HEAD, errors
from keystead.wire.vault.kinds import Int, Strings
from keystead.wire.vault.reader import Parameters
from keystead.wire.vault.request import Asked, Verb

LOG = logging.getLogger("keystead")
ALREADY = "Vault is already initialized"
NO_PGP = "keys encrypted with PGP are not offered"


class Begun(Struct, frozen=True):
    """What an installation begins with, told once."""

    shares: tuple[Sensitive, ...]
    root_token: Sensitive

    def __repr__(self) -> str:
        return "Begun()"


class InitRequest(Parameters, frozen=True, kw_only=True):
    secret_shares: Int = 0
    secret_threshold: Int = 0
    pgp_keys: Strings | None = None
    root_token_pgp_key: str = ""
    recovery_shares: Int = 0
    recovery_threshold: Int = 0
    recovery_pgp_keys: Strings | None = None


def check_numbers(n_shares: int, threshold: int) -> str:
    """What is wrong with them, in Vault's words; "" where nothing is."""
    if n_shares < 1:
        return "shares must be at least one"
    if threshold < 1:
        return "threshold must be at least one"
    if threshold > n_shares:
        return "threshold cannot be larger than shares"
    if n_shares > 1 and threshold == 1:
        return "threshold must be greater than one for multiple shares"
    return f"shares must be less than {MOST_SHARES + 1}" if n_shares > MOST_SHARES else ""


def check(req: InitRequest) -> None:
    """Raises Said."""
    if recovery := [name for name in ("recovery_shares", "recovery_threshold") if getattr(req, name)]:
        raise Said(400, f"parameters {','.join(recovery)} not applicable to seal type shamir")
    if wrong := check_numbers(req.secret_shares, req.secret_threshold):
        raise Said(400, f"invalid seal configuration: {wrong}")
    if req.pgp_keys or req.root_token_pgp_key or req.recovery_pgp_keys:
        raise Said(400, NO_PGP)


def spelled(shares: tuple[Sensitive, ...]) -> dict[str, list[str]]:
    """The shares' bytes, as Vault's clients are told keys."""
    raw = [packed(share.reveal().decode()) for share in shares]
    return {"keys": [one.hex() for one in raw], "keys_base64": [b64encode(one).decode() for one in raw]}


@endpoint("system", Verb.WRITE, "init", unsigned=True)
def initialised(req: InitRequest, _call: Call) -> None:
    """Of a server that has an installation."""
    check(req)
    raise Said(400, ALREADY)


class BeginningFront(AtOnce):
    """kit.Front. `initialise` makes the installation; None where there is one by now."""

    def __init__(self, initialise: Callable[[int, int], Begun | None], loop_thread: int) -> None:
        self._initialise, self._loop_thread = initialise, loop_thread

    def serve(self, request: HttpRequest) -> bytes:
        try:
            status, data = self._answer(request)
        except WouldBlock:
            raise
        except Said as said:
            return reply(said.status, HEAD, errors(*([str(said)] if str(said) else [])), request.second)
        except Refused as refused:
            return reply(refused.status, HEAD, errors(*([str(refused)] if str(refused) else [])), request.second)
        except (Malformed, Misfit, InvalidArgument) as error:
            return reply(400, HEAD, errors(str(error)), request.second)
        except Exception:
            LOG.exception("init failed")
            return reply(500, HEAD, errors("internal error"), request.second)
        is_empty = data is None or status == NO_CONTENT
        whole = no_content(HEAD, request.second) if is_empty else reply(status, HEAD, write(data), request.second)
        return head_of(whole) if request.method == b"HEAD" else whole

    def reject(self, refusal: Refusal, second: int, _headers: Headers = NO_HEADERS, /) -> bytes:
        return reply(refusal.status, HEAD, errors(refusal.words), second)

    # --- inside

    def _answer(self, request: HttpRequest) -> tuple[int, Mapping[str, Any] | None]:
        """(status, the body). Raises Said, Refused, wire errors."""
        asked = wire.ask(request.method, request.target)
        if isinstance(asked, wire.Redirect):
            raise Said(404, "")
        if (asked.verb, asked.path) == (Verb.WRITE, "sys/init"):
            return 200, self._init(asked, request)
        if (asked.verb, asked.path) == (Verb.WRITE, "sys/unseal"):
            raise Said(400, "Vault is not initialized")
        if (asked.verb, asked.path) == (Verb.WRITE, "sys/seal"):
            return 204, None
        if (told := TOLD.get(asked.path)) is None:
            raise Said(503, "Vault is sealed")
        if asked.verb is not Verb.READ and (asked.verb, asked.path) != (Verb.HEAD, "sys/health"):
            raise Said(405, "")
        status = code(asked, "uninitcode", 501) if asked.path == "sys/health" else 200
        return status, told(request)

    def _init(self, asked: Asked, request: HttpRequest) -> Mapping[str, Any]:
        if threading.get_ident() == self._loop_thread:
            raise WouldBlock
        given = wire.arguments(asked, request.headers.get(b"content-type"), request.body)
        message, _ = initialised.take({}, given)
        check(message)
        begun = self._initialise(message.secret_shares, message.secret_threshold)
        if begun is None:
            raise Said(400, ALREADY)
        return {**spelled(begun.shares), "root_token": begun.root_token}


def _health(request: HttpRequest) -> dict[str, Any]:
    return {
        "initialized": False,
        "sealed": True,
        "standby": True,
        "performance_standby": False,
        "replication_performance_mode": "unknown",
        "replication_dr_mode": "unknown",
        "server_time_utc": request.second,
        "version": SPOKEN,
    }


def _seal_status(_request: HttpRequest) -> dict[str, Any]:
    return {
        "type": "shamir",
        "initialized": False,
        "sealed": True,
        "t": 0,
        "n": 0,
        "progress": 0,
        "nonce": "",
        "version": SPOKEN,
        "build_date": "",
        "migration": False,
        "recovery_seal": False,
        "storage_type": "keystead",
    }


TOLD: dict[str, Callable[[HttpRequest], dict[str, Any]]] = {
    "sys/health": _health,
    "sys/seal-status": _seal_status,
    "sys/leader": lambda _request: {"ha_enabled": False},
    "sys/init": lambda _request: {"initialized": False},
}
