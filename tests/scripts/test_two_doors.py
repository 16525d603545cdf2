"""docs/examples/one-key-two-doors.sh, as it stands."""

from __future__ import annotations

import os
import subprocess

import pytest
from docs.build import ROOT
from tests.servers import BIN, serving

pytestmark = pytest.mark.client


def test_one_key_two_doors(tmp_path) -> None:
    with serving("dev", tmp_path / "data", "--listen", "aws=127.0.0.1:0", "--listen", "vault=127.0.0.1:0") as server:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "VAULT_", "BAO_"))}
        env |= {"PATH": f"{BIN}:{env['PATH']}", "KEYSTEAD_DATA": str(server.directory), "HOME": str(tmp_path)}
        script = ROOT / "docs" / "examples" / "one-key-two-doors.sh"
        done = subprocess.run(
            ["sh", script], env=env | {"AWS_PAGER": ""}, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        for door in ("vault", "aws_kms"):
            assert server.logged(f'"door":"{door}"', n=3)
    assert "transit opens what KMS has sealed: hello" in done.stdout
    assert "KMS opens what transit has sealed: hello" in done.stdout
    assert "DisabledException" in done.stdout and "refusing to use soft-deleted key" in done.stdout
    shown = [done.stdout.count(f'"door":"{door}"') for door in ("vault", "aws_kms")]
    assert min(shown) >= 1  # of eight: the newest may not be in the log yet, and those before are of other doors
