"""The AWS SDK for JavaScript v3, unmodified, over every operation that Keystead offers, against a server process.

What it does and looks at is in js/every-operation.mjs. `make every-client` installs it, as js/package-lock.json says.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.clients.conftest import needed

from keystead.doors.aws_kms import DOOR

pytestmark = pytest.mark.client

HERE = Path(__file__).parent / "js"
ELSEWHERE: frozenset[str] = frozenset()
"""Operations that this script does not reach; each is asked for by a client in test_boto3.py."""


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    installed = (HERE / "node_modules" / "@aws-sdk" / "client-kms").is_dir()
    return needed(found if installed else None, "node, and the SDK in tests/clients/js")


def test_every_operation(server, node) -> None:
    done = subprocess.run(
        [node, HERE / "every-operation.mjs"],
        env=server.surroundings(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    reached = {f"{service}:{name}" for service, names in json.loads(done.stdout).items() for name in names}
    offered = {operation.name.replace("TrentService.", "kms:") for operation in DOOR.operations}
    assert reached == offered - ELSEWHERE
