"""What a server does when it was down for long: the wiring of service.trusted_time and service.waits (row 107)."""

import time
from datetime import datetime, timedelta

import pytest
from tests.servers import serving

from keystead.core.audit.record import timestamp

WAIT_FOR = 20.0  # seconds


@pytest.mark.client
def test_row_107_a_server_told_that_the_clock_is_right_puts_off_what_was_not_waited_for(tmp_path) -> None:
    """`dev` always says so; it believed the clock last 40 days ago."""
    site = tmp_path / "data"
    with serving("dev", site) as server:
        key = server("key", "create").out.strip()
        server("key", "schedule-deletion", key, "--days", "7")
        before = datetime.fromisoformat(server("key", "describe", key, "--json").json["destroy_at"])
        clock, until = site / "clock", time.monotonic() + WAIT_FOR
        while not clock.exists() and time.monotonic() < until:  # it looks at the time every second
            time.sleep(0.1)
    kept = datetime.fromisoformat(clock.read_text())
    clock.write_text(timestamp(kept - timedelta(days=40)))
    with serving("dev", site) as server:
        until, at = time.monotonic() + WAIT_FOR, before
        while at == before and time.monotonic() < until:
            time.sleep(0.2)
            at = datetime.fromisoformat(server("key", "describe", key, "--json").json["destroy_at"])
        assert abs(at - before - timedelta(days=40)) < timedelta(minutes=5)
        while datetime.fromisoformat(clock.read_text()) < kept and time.monotonic() < until:
            time.sleep(0.2)
        assert datetime.fromisoformat(clock.read_text()) >= kept, "and it need not be told again"
        assert server.logged('"op":"PutOffDestruction"')
