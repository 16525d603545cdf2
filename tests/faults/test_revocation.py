"""An acknowledged revocation is enforced by every worker (docs/adr/0007; research/security.md §4, rows 45 and 46)."""

import pytest
from tests.faults import run_revocation

pytestmark = [pytest.mark.client, pytest.mark.torture]


def test_row_46_no_request_sent_after_the_acknowledgement_is_served(tmp_path) -> None:
    report = run_revocation.run(24, 20261125, tmp_path / "data", workers=2)
    assert report.n_revocations == 24
    assert 0 < report.n_served < report.n_requests, "the load has to see both"
    assert not report.violations
