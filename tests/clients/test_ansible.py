"""Ansible's collection community.hashi_vault, unmodified: ansible/play.yml against a server process.

`make every-client` installs it, as requirements/ansible.lock says. A task that fails ends the play.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.clients.conftest import environment
from tests.clients.vault import vault

pytestmark = pytest.mark.client

PLAY = Path(__file__).parent / "ansible" / "play.yml"


def test_lookups_and_modules(tmp_path) -> None:
    commands = environment("ansible", "ansible-playbook")
    with vault(tmp_path) as server:
        more = {
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(
            [commands / "ansible-playbook", "--inventory=localhost,", PLAY],
            cwd=tmp_path,
            env=server.surroundings(tmp_path, **more),
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr
        assert "failed=0" in done.stdout and "skipped=0" in done.stdout
        versions = server("GET", "kv/metadata/a")["data"]["versions"]  # what the play has left
        assert [bool(one["deletion_time"]) for one in versions.values()] == [True, True], json.dumps(versions)
