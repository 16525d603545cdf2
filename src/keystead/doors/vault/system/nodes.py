"""sys/ha-status, sys/step-down: the one node that there is. HTTP API, "/sys/ha-status", "/sys/step-down"."""

from __future__ import annotations

import platform
from typing import Any

from keystead.core import operations as ops
from keystead.doors.vault.endpoint import Answer, endpoint
from keystead.doors.vault.openly import SPOKEN
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.wire.vault.request import Verb


@endpoint("system", Verb.READ, "ha-status")
def ha_status(_req: Nothing, call: Call) -> Answer:
    """Where it is asked at is for whoever asks to know: no address is configured."""
    call(ops.UseTools(tenant=here(call)))
    node: dict[str, Any] = {
        "hostname": platform.node(),
        "api_address": "",
        "cluster_address": "",
        "active_node": True,
        "last_echo": None,
        "version": SPOKEN,
    }
    return Answer(data={"nodes": [node]}, doubled=True)


@endpoint("system", Verb.WRITE, "step-down", sudo=True)
def step_down(_req: Nothing, call: Call) -> None:
    """As where nothing is highly available: there is nobody to step down for."""
    call(ops.UseTools(tenant=here(call)))


OPERATIONS = (ha_status, step_down)
