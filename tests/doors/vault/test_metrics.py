"""sys/metrics: HTTP API; the text form is Prometheus' exposition format 0.0.4."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from tests import vaultstack

from keystead.app.gauges import Watched, gauges
from keystead.doors import vault as door
from keystead.doors.control import ServerStatus
from keystead.doors.vault.system.metrics import text_of
from keystead.kit.custody import Gauge, Gauges, No, Why

STATUS = ServerStatus(
    sealed=False,
    seal="shamir",
    version="1.2",
    workers=2,
    listen={},
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    slot_copies={"/a": True, "/b": False},
    n_places=1,
    slots_at_least=2,
    journal_trouble="the disk is full",
    hsms={"luna": "", "other": "it does not answer"},
    entropy={"tpm": ""},
    n_unerased=4,
    n_keys=3,
    epoch=7,
    n_audit_records=100,
)
TEXT = """\
# TYPE keystead_audit_device_behind gauge
keystead_audit_device_behind{device="file"} 5
# TYPE keystead_audit_records gauge
keystead_audit_records 100
# TYPE keystead_build_info gauge
keystead_build_info{version="1.2"} 1
# TYPE keystead_entropy_good gauge
keystead_entropy_good{source="tpm"} 1
# TYPE keystead_epoch gauge
keystead_epoch 7
# TYPE keystead_hsm_up gauge
keystead_hsm_up{hsm="luna"} 1
keystead_hsm_up{hsm="other"} 0
# TYPE keystead_keys gauge
keystead_keys 3
# TYPE keystead_slot_copy_good gauge
keystead_slot_copy_good{directory="/a"} 1
keystead_slot_copy_good{directory="/b"} 0
# TYPE keystead_slot_places gauge
keystead_slot_places 1
# TYPE keystead_slot_places_wanted gauge
keystead_slot_places_wanted 2
# TYPE keystead_start_time_seconds gauge
keystead_start_time_seconds 1767225600
# TYPE keystead_trouble gauge
keystead_trouble{of="clock"} 0
keystead_trouble{of="custody"} 0
keystead_trouble{of="journal"} 1
keystead_trouble{of="journals damaged"} 0
keystead_trouble{of="seal"} 0
# TYPE keystead_unerased_generations gauge
keystead_unerased_generations 4
# TYPE keystead_workers gauge
keystead_workers 2
# TYPE vault_core_unsealed gauge
vault_core_unsealed 1
"""


class Custodian:
    def __init__(self) -> None:
        self.no: Exception | None = None

    def __call__(self, _request: object) -> Gauges:
        if self.no is not None:
            raise self.no
        return gauges(STATUS, {"file": 5})


@pytest.fixture
def vault():
    made = vaultstack.door()
    made.custodian = Custodian()
    made.stack.front = door.DOOR.open(msgspec.structs.replace(made.stack.means, custody=made.custodian))
    return made


def test_prometheus_reads_them(vault) -> None:
    answer = vault.root("GET", "sys/metrics?format=prometheus")
    assert (answer.status, answer.body.decode()) == (200, TEXT)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert vault.stack.record().operation == "system read metrics"


def test_as_vault_tells_them(vault) -> None:
    told = vault.root("GET", "sys/metrics").json
    assert list(told) == ["Timestamp", "Gauges", "Points", "Counters", "Samples"]
    assert {"Name": "keystead.hsm.up", "Value": 0, "Labels": {"hsm": "other"}} in told["Gauges"]
    assert len(told["Gauges"]) == sum(not line.startswith("#") for line in TEXT.splitlines())
    datetime.strptime(told["Timestamp"], "%Y-%m-%d %H:%M:%S +0000 UTC").replace(tzinfo=UTC)


def test_another_format_and_a_server_that_is_being_sealed(vault) -> None:
    assert vault.root.refused("GET", "sys/metrics?format=x") == (400, 'metric response format "x" unknown')
    vault.custodian.no = No(Why.SEALED)
    assert vault.root("GET", "sys/metrics").status == 503


def test_they_take_a_policy_and_a_token(vault) -> None:
    assert vault.nobody("GET", "sys/metrics").status == 403
    assert vault.root.token(policies=["default"])("GET", "sys/metrics").status == 403


def test_a_label_breaks_out_of_nothing() -> None:
    one = Gauge("a.b", 0.5, {"x": 'q"} 1\n\\'})
    assert text_of([one]) == b'# TYPE a_b gauge\na_b{x="q\\"} 1\\n\\\\"} 0.5\n'


def test_however_many_ask_it_is_looked_at_once_a_second() -> None:
    now, looks = [10.0], []

    def look() -> Gauges:
        looks.append(now[0])
        return Gauges(gauges=(Gauge("n", float(len(looks))),))

    watched = Watched(look, lambda: now[0])
    for at, n in ((10.0, 1), (10.9, 1), (11.0, 2), (11.5, 2), (20.0, 3)):
        now[0] = at
        assert watched().gauges[0].value == n
    assert looks == [10.0, 11.0, 20.0]


def test_what_is_not_known_is_not_told() -> None:
    names = {one.name for one in gauges(msgspec.structs.replace(STATUS, n_unerased=None), {}).gauges}
    assert "keystead.unerased.generations" not in names and "keystead.audit.device.behind" not in names
