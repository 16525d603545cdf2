"""The Vault door in one process, with a mount of either kind of kv."""

import pytest
from tests import harness

from keystead.doors import vault


@pytest.fixture
def stack():
    made = harness.stack(door=vault.DOOR).on_the_loop()
    root = made.bearer()
    for path, kind in {"kv": "kv", "kv2": "kv-v2"}.items():
        assert root.ask("POST", f"sys/mounts/{path}", {"type": kind}).status == 204
    made.forget_records()
    return made


@pytest.fixture
def root(stack):
    return stack.bearer()
