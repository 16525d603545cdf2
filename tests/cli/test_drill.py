"""The restore drill in short (research/security.md §4, row 122); `make drill` is the long one."""

import pytest
from tests.faults.run_drill import drill


@pytest.mark.client
def test_row_122_what_was_acknowledged_before_a_backup_opens_on_an_empty_machine(tmp_path) -> None:
    done = drill(tmp_path, seconds=1.0, seed=1)
    assert done.n_opened == done.n_before - 1 and done.n_after > 0
