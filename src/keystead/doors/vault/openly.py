"""What Vault answers to anybody, sealed or not, without an envelope: how it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from keystead.core.errors import Sealed
from keystead.core.ports import WouldBlock
from keystead.doors.vault.endpoint import Answer
from keystead.kit import Means
from keystead.kit.custody import Look, Standing
from keystead.kit.door import Shares
from keystead.version import VERSION
from keystead.wire.vault.request import Asked, Verb

CLUSTER = f"keystead-{VERSION}"
SPOKEN = "1.17.6"
"""The version of Vault whose API this is: clients parse it, and switch things on by it."""


ALWAYS_ANSWERED = ("sys/health", "sys/init", "sys/leader", "sys/seal-status")


class Open(Struct, frozen=True):
    """`run` is told the second that it is, since 1970."""

    name: str  # on record
    run: Callable[[Means, Asked, int], Any]


def is_sealed(means: Means) -> bool:
    try:
        means.mounts.home()
    except Sealed:
        return True
    except WouldBlock:  # it is open, and has not been asked yet
        return False
    return False


def health(means: Means, asked: Asked, second: int) -> Answer:
    """HTTP API, /sys/health: 200 in service, 503 sealed; a query may ask for other codes."""
    sealed = is_sealed(means)
    data = {
        "initialized": True,
        "sealed": sealed,
        "standby": sealed,
        "performance_standby": False,
        "replication_performance_mode": "disabled",
        "replication_dr_mode": "disabled",
        "server_time_utc": second,
        "version": SPOKEN,
        "cluster_name": CLUSTER,
    }
    status = code(asked, "sealedcode", 503) if sealed else code(asked, "activecode", 200)
    return Answer(data=data, bare=True, status=status)


_NO_ANSWER = frozenset({304})
"""Beside 1xx: codes of a reply that is none, or not all of it, to whoever has asked for nothing else (RFC 9110 §15)."""


def code(asked: Asked, name: str, usual: int) -> int:
    text = str(asked.query.get(name, ""))
    found = int(text) if len(text) == 3 and text.isdecimal() else usual
    return found if 200 <= found <= 599 and found not in _NO_ANSWER else usual


def leader(_means: Means, _asked: Asked, _second: int) -> Answer:
    data = {
        "ha_enabled": False,
        "is_self": False,
        "active_time": "0001-01-01T00:00:00Z",
        "leader_address": "",
        "leader_cluster_address": "",
        "performance_standby": False,
        "performance_standby_last_remote_wal": 0,
    }
    return Answer(data=data, bare=True)


def seal_status(means: Means, _asked: Asked, _second: int) -> Answer:
    """HTTP API, /sys/seal-status. While it is sealed the custodian knows how many shares have come, at any worker."""
    shares: Shares = means.shares
    if (sealed := is_sealed(means)) and means.custody is not None:
        means.mounts.may_block()
        return Answer(data=standing(means.custody(Look())), bare=True)
    one = Standing(kind=shares.kind, is_sealed=sealed, n_shares=shares.n_shares, threshold=shares.threshold)
    return Answer(data=standing(one), bare=True)


def standing(one: Standing) -> dict[str, Any]:
    data = {
        "type": one.kind,
        "initialized": True,
        "sealed": one.is_sealed,
        "t": one.threshold,
        "n": one.n_shares,
        "progress": one.progress,
        "nonce": one.nonce,
        "version": SPOKEN,
        "build_date": "",
        "migration": False,
        "recovery_seal": False,
        "storage_type": "keystead",
    }
    return data if one.is_sealed else data | {"cluster_name": CLUSTER, "cluster_id": ""}


def init_status(_means: Means, _asked: Asked, _second: int) -> Answer:
    return Answer(data={"initialized": True}, bare=True)


VERBS: dict[str, frozenset[Verb]] = {
    "sys/leader": frozenset({Verb.READ}),
    "sys/seal-status": frozenset({Verb.READ}),
    "sys/health": frozenset({Verb.READ, Verb.HEAD}),
    "sys/init": frozenset({Verb.READ, Verb.WRITE}),
    "sys/unseal": frozenset({Verb.WRITE}),
    "sys/seal": frozenset({Verb.WRITE}),
}
"""Paths that are not asked about a token before the verb: any other one is 405 without words."""

OPEN: dict[tuple[Verb, str], Open] = {
    (Verb.READ, "sys/health"): Open("system read health", health),
    (Verb.HEAD, "sys/health"): Open("system head health", health),
    (Verb.READ, "sys/leader"): Open("system read leader", leader),
    (Verb.READ, "sys/seal-status"): Open("system read seal-status", seal_status),
    (Verb.READ, "sys/init"): Open("system read init", init_status),
}
