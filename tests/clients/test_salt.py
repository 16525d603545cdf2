"""Salt's vault extension, unmodified: modules, states, pillar and sdb of a minion, against a server process.

What it does and looks at is in salt/calls.py. `make every-client` installs it, as requirements/salt.lock says.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.clients.conftest import environment
from tests.clients.vault import vault

pytestmark = pytest.mark.client

CALLS = Path(__file__).parent / "salt" / "calls.py"


def test_modules_states_pillar_and_sdb(tmp_path) -> None:
    commands = environment("salt", "salt-call")
    folder = tmp_path / "salt"
    folder.mkdir()
    with vault(tmp_path) as server:
        for path, type_ in (
            ("mounts/kv", "kv-v2"),
            ("mounts/kv1", "kv"),
            ("mounts/transit", "transit"),
            ("auth/approle", "approle"),
        ):
            server("POST", f"sys/{path}", {"type": type_})
        settings = {
            "id": "minion",
            "root_dir": str(folder),
            "file_client": "local",
            "ext_pillar": [{"vault": "kv/a"}],
            "keystead": {"driver": "vault"},
        }
        lines = [f"{name}: {json.dumps(value)}" for name, value in settings.items()]
        lines += ["vault:", f"  server: {{url: {server.address}}}", f"  auth: {{method: token, token: {server.token}}}"]
        (folder / "minion").write_text("\n".join(lines) + "\n")
        done = subprocess.run(
            [commands / "python", "-W", "ignore", CALLS, folder],
            cwd=folder,
            env=server.surroundings(folder),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr[-4000:]
