"""What a server does when it was down for long: the wiring of service.trusted_time and service.waits (row 107)."""

from datetime import datetime, timedelta

import pytest
from tests.servers import serving
from tests.waiting import until

from keystead.core.audit.record import timestamp


@pytest.mark.client
def test_row_107_a_server_told_that_the_clock_is_right_puts_off_what_was_not_waited_for(tmp_path) -> None:
    """`dev` always says so; it believed the clock last 40 days ago."""
    site = tmp_path / "data"
    with serving("dev", site) as server:
        key = server("key", "create").out.strip()
        server("key", "schedule-deletion", key, "--days", "7")
        before = datetime.fromisoformat(server("key", "describe", key, "--json").json["destroy_at"])
        clock = site / "clock"
        until(clock.exists)  # it looks at the time every second
    kept = datetime.fromisoformat(clock.read_text())
    clock.write_text(timestamp(kept - timedelta(days=40)))
    with serving("dev", site) as server:

        def put_off() -> datetime | None:
            at = datetime.fromisoformat(server("key", "describe", key, "--json").json["destroy_at"])
            return at if at != before else None

        assert abs(until(put_off) - before - timedelta(days=40)) < timedelta(minutes=5)
        until(lambda: datetime.fromisoformat(clock.read_text()) >= kept, "and it need not be told again")
        assert server.logged('"op":"PutOffDestruction"')
