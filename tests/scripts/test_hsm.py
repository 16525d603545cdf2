"""docs/examples/hsm.sh, as it stands, on a SoftHSM2 of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest
from docs.build import ROOT
from tests.servers import BIN
from tests.softhsm import module

pytestmark = pytest.mark.client


def test_from_an_hsm_in_a_box(tmp_path) -> None:
    path = module()
    if shutil.which("pkcs11-tool") is None:
        (pytest.fail if os.environ.get("KEYSTEAD_EVERY_CLIENT") else pytest.skip)(
            "opensc (pkcs11-tool) is not installed"
        )
    apart = ("AWS_", "VAULT_", "BAO_", "KEYSTEAD_", "SOFTHSM2_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(apart)}
    env |= {"PATH": f"{BIN}:{env['PATH']}", "HOME": str(tmp_path), "MODULE": path}
    script = ROOT / "docs" / "examples" / "hsm.sh"
    done = subprocess.run(
        ["sh", script], env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    parts = dict(zip(*[iter(re.split(r"^--- (\d)\. .*$", done.stdout, flags=re.MULTILINE)[1:])] * 2, strict=True))
    assert "RSA_OAEP_SHA1" in parts["2"] and re.search(r"AES_256 +AES_GCM +AES_GCM +caller +yes", parts["2"])
    assert re.search(r"^seal +pkcs11 \+ shamir$", parts["3"], re.MULTILINE)
    assert re.search(r"^entropy +kernel \+ hsm:box$", parts["3"], re.MULTILINE)
    assert re.search(r"^protection +hsm$", parts["4"], re.MULTILINE) and "hello\nVerified OK\n" in parts["4"]
    n_objects = parts["4"].count("sensitive, always sensitive, never extractable, local")
    assert n_objects == 5, "two keys, the slot's, the room that it keeps, and the seal's"
    assert re.search(r"^hsm.never_extractable +true$", parts["5"], re.MULTILINE)
    assert "Proved: 2 shares, " in parts["5"]
    assert (
        "state sealed" in " ".join(parts["6"].split())
        and "UNREACHABLE" in parts["6"]
        and parts["6"].endswith("hello\n")
    )
    assert re.search(r"^survivors opened +2 of 2 \(100 %\)$", parts["7"], re.MULTILINE)
    secrets = {(tmp_path / "secrets" / name).read_text().strip() for name in ("pin", "so-pin", "share-0", "share-1")}
    said = done.stdout + done.stderr
    assert not any(secret in said for secret in secrets)
