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
ELSEWHERE = {
    *(f"kms:{verb}CustomKeyStore" for verb in ("Create", "Connect", "Disconnect", "Update", "Delete")),
    "kms:DescribeCustomKeyStores",
    "sts:AssumeRoleWithWebIdentity",
}
"""What takes another server beside this one, a proxy of keys or an issuer of tokens: boto3's tests ask for it."""


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    installed = (HERE / "node_modules" / "@aws-sdk" / "client-kms").is_dir()
    return needed(found if installed else None, "node, and the SDK in tests/clients/js")


def test_every_operation(server, second_region, node) -> None:
    known = [one.name for one in DOOR.operations if not one.name.startswith("Keystead.")]
    offered = {name.replace("TrentService.", "kms:") for name in known}
    done = subprocess.run(
        [node, HERE / "every-operation.mjs"],
        env=server.surroundings() | {"OFFERED": json.dumps(sorted(offered)), "SECOND_REGION": second_region},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    reached = {f"{service}:{name}" for service, names in json.loads(done.stdout).items() for name in names}
    assert reached == offered - ELSEWHERE
