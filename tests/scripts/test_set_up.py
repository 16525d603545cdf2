"""docs/examples/set-up-with-bao.sh, as it stands."""

from __future__ import annotations

import os
import subprocess

import pytest
from docs.build import ROOT
from tests.servers import BIN, serving

pytestmark = pytest.mark.client


def test_set_up_with_bao(tmp_path) -> None:
    with serving("serve", tmp_path / "data", "--listen", "vault=127.0.0.1:0", "--workers", "2") as server:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "VAULT_", "BAO_"))}
        env |= {"PATH": f"{BIN}:{env['PATH']}", "HOME": str(tmp_path)}
        env |= {"BAO_ADDR": f"http://{server.running['listen']['vault']}"}
        script = ROOT / "docs" / "examples" / "set-up-with-bao.sh"
        done = subprocess.run(["sh", script], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "opened again: hello" in done.stdout
    assert list(tmp_path.glob("*.txt")) == []
