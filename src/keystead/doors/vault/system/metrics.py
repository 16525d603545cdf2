"""sys/metrics: how the installation stands, in numbers. HTTP API, "/sys/metrics"; Prometheus' text format 0.0.4.

The custodian knows (app.gauges): the same numbers at whichever worker. Vault's own names stand only where they mean
the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from keystead.core import operations as ops
from keystead.doors.vault.endpoint import Answer, Said, custody_of, endpoint
from keystead.doors.vault.system.shares import ask
from keystead.doors.vault.tokens import here
from keystead.kit import Call
from keystead.kit.custody import Gauge, LookAtServer
from keystead.wire.vault.reader import Parameters
from keystead.wire.vault.request import Verb

PROMETHEUS = "prometheus"
MEDIA = b"text/plain; version=0.0.4; charset=utf-8"
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class MetricsRequest(Parameters, frozen=True, kw_only=True):
    format: str = ""


@endpoint("system", Verb.READ, "metrics")
def metrics(req: MetricsRequest, call: Call) -> Answer:
    custody_of(call)
    if req.format not in {"", PROMETHEUS}:
        raise Said(400, f'metric response format "{req.format}" unknown')
    call(ops.ReadMetrics(tenant=here(call)))
    found = sorted(ask(call, LookAtServer(), {}).gauges, key=lambda one: one.name)
    if req.format == PROMETHEUS:
        return Answer(data=text_of(found), media=MEDIA)
    return Answer(data=_summary(found, call), bare=True)


def _summary(found: Sequence[Gauge], call: Call) -> dict[str, Any]:
    """As Vault tells what it has gathered in an interval; here all of it is of now."""
    told = [{"Name": one.name, "Value": _number(one.value), "Labels": one.labels} for one in found]
    at = f"{call.caller.now:%Y-%m-%d %H:%M:%S} +0000 UTC"
    return {"Timestamp": at, "Gauges": told, "Points": [], "Counters": [], "Samples": []}


def text_of(found: Sequence[Gauge]) -> bytes:
    """`found`: by name."""
    lines: list[str] = []
    for name, group in groupby(found, key=lambda one: one.name.replace(".", "_")):
        lines.append(f"# TYPE {name} gauge")
        lines += (f"{name}{_labels(one)} {_number(one.value)}" for one in group)
    return "".join(f"{line}\n" for line in lines).encode()


def _labels(one: Gauge) -> str:
    if not one.labels:
        return ""
    return "{" + ",".join(f'{name}="{value.translate(_ESCAPED)}"' for name, value in one.labels.items()) + "}"


def _number(value: float) -> float:
    return int(value) if value == int(value) else value


OPERATIONS = (metrics,)
