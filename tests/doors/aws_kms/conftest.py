"""A stack for each test, and one for each module where keys take long to make."""

from __future__ import annotations

import pytest
from tests import harness


@pytest.fixture
def stack() -> harness.Stack:
    return harness.stack()


@pytest.fixture(scope="module")
def shared() -> harness.Stack:
    """For tests that leave their keys as they find them."""
    return harness.stack()
