"""What Vault answers to anybody, sealed or not, without an envelope: how it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from keystead.core.errors import Sealed
from keystead.core.ports import WouldBlock
from keystead.doors.vault.endpoint import Answer
from keystead.kit import Means
from keystead.version import VERSION
from keystead.wire.vault.request import Asked, Verb

CLUSTER = f"keystead-{VERSION}"
SPOKEN = "1.17.6"
"""The version of Vault whose API this is: clients parse it, and switch things on by it."""


ALWAYS_ANSWERED = ("sys/health", "sys/init", "sys/leader", "sys/seal-status")


class Open(Struct, frozen=True):
    name: str  # on record
    run: Callable[[Means, Asked], Any]


def _is_sealed(means: Means) -> bool:
    try:
        means.mounts.home()
    except Sealed:
        return True
    except WouldBlock:  # it is open, and has not been asked yet
        return False
    return False


def health(means: Means, asked: Asked) -> Answer:
    """HTTP API, /sys/health: 200 in service, 503 sealed; a query may ask for other codes."""
    sealed = _is_sealed(means)
    data = {
        "initialized": True,
        "sealed": sealed,
        "standby": sealed,
        "performance_standby": False,
        "replication_performance_mode": "disabled",
        "replication_dr_mode": "disabled",
        "server_time_utc": None,
        "version": SPOKEN,
        "cluster_name": CLUSTER,
    }
    status = _code(asked, "sealedcode", 503) if sealed else _code(asked, "activecode", 200)
    return Answer(data=data, bare=True, status=status)


def _code(asked: Asked, name: str, usual: int) -> int:
    text = str(asked.query.get(name, ""))
    return int(text) if text.isdecimal() and 100 <= int(text) <= 599 else usual


def leader(_means: Means, _asked: Asked) -> Answer:
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


def seal_status(means: Means, _asked: Asked) -> Answer:
    """HTTP API, /sys/seal-status."""
    n_shares, threshold = means.shares
    data = {
        "type": "shamir",
        "initialized": True,
        "sealed": _is_sealed(means),
        "t": threshold,
        "n": n_shares,
        "progress": 0,
        "nonce": "",
        "version": SPOKEN,
        "build_date": "",
        "migration": False,
        "cluster_name": CLUSTER,
        "cluster_id": "",
        "recovery_seal": False,
        "storage_type": "keystead",
    }
    return Answer(data=data, bare=True)


def init_status(_means: Means, _asked: Asked) -> Answer:
    return Answer(data={"initialized": True}, bare=True)


OPEN: dict[tuple[Verb, str], Open] = {
    (Verb.READ, "sys/health"): Open("system read health", health),
    (Verb.HEAD, "sys/health"): Open("system head health", health),
    (Verb.READ, "sys/leader"): Open("system read leader", leader),
    (Verb.READ, "sys/seal-status"): Open("system read seal-status", seal_status),
    (Verb.READ, "sys/init"): Open("system read init", init_status),
}
