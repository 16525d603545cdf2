"""No input takes the Vault door down: malformed requests against a real server process, the short form."""

import pytest
from tests.faults import run_bad_vault

pytestmark = pytest.mark.client


def test_malformed_requests_leave_the_worker_as_it_was(tmp_path) -> None:
    seen = run_bad_vault.run(2_000, 20261126, tmp_path)
    assert {200, 204, 400, 403, 404, 405, 413, 431} <= seen.keys()
