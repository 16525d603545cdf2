"""A stack that has the Vault door open, with the engines mounted that its tests are about."""

from __future__ import annotations

import pytest
from tests import harness

from keystead.doors import vault


@pytest.fixture
def stack() -> harness.Stack:
    return harness.stack(door=vault.DOOR)


@pytest.fixture
def root(stack) -> harness.Bearer:
    """The root token's bearer, transit mounted at "transit"."""
    return mounted(stack)


@pytest.fixture(scope="module")
def shared() -> harness.Bearer:
    """The same for a whole module, whose tests use keys of their own."""
    return mounted(harness.stack(door=vault.DOOR))


def mounted(stack: harness.Stack) -> harness.Bearer:
    bearer = stack.root_bearer()
    bearer.data("POST", "sys/mounts/transit", type="transit")
    return bearer
