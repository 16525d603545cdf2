"""A stack that has the Vault door open, with the engines mounted that its tests are about."""

from __future__ import annotations

import pytest
from tests import harness

from keystead.doors import vault

MOUNTS = {"kv": "kv", "kv2": "kv-v2", "transit": "transit"}


@pytest.fixture
def stack() -> harness.Stack:
    return mounted()


@pytest.fixture
def root(stack) -> harness.Bearer:
    return stack.bearer()


@pytest.fixture(scope="module")
def shared() -> harness.Bearer:
    """The same for a whole module, whose tests use keys of their own."""
    return mounted().bearer()


def mounted() -> harness.Stack:
    stack = harness.stack(door=vault.DOOR).on_the_loop()
    root = stack.bearer()
    for path, kind in MOUNTS.items():
        assert root.ask("POST", f"sys/mounts/{path}", {"type": kind}).status == 204
    stack.forget_records()
    return stack
