"""kill -9 of a whole server under load, the short form (research/security.md §4, row 112)."""

import pytest
from tests.faults import run_server


@pytest.mark.torture
@pytest.mark.client
def test_row_112_kill_9_of_a_server_loses_no_acknowledged_change_and_no_record(tmp_path) -> None:
    report = run_server.run(8, 20261125, tmp_path / "data", least=101)
    assert report.n_kills >= 8
