"""Keys destroyed by Vault's own client at a server whose secret is in a token and a TPM: by its workers, at once.

SoftHSM2 and swtpm; the state words of two servers are held to what an old backup opens.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import softhsm
from tests.clients.vault import Vault
from tests.servers import IN_HSM, at_once, serving
from tests.swtpm import SoftwareTpm, software_tpm
from tests.waiting import until

from keystead.app.library import Keystead
from keystead.core.entities import KeyVersion

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftwareTpm]:
    with software_tpm(tmp_path_factory.mktemp("tpm")) as tpm:
        yield tpm


@pytest.fixture
def site(tmp_path: Path, machine: SoftwareTpm) -> Path:
    at = tmp_path / "data"
    with serving("dev", at):
        pass
    (tmp_path / "pin").write_text(softhsm.PIN)
    hsm = f'module = "{softhsm.module()}", token = "{softhsm.new_token()}", pin = "file:{tmp_path / "pin"}"'
    told = (at / "keystead.toml").read_text()
    before, others, rest = told.partition("hsms = { ")  # where new keys are held in an HSM (tests.servers)
    others = f"{others}soft = {{ {hsm} }}, " if others else f"hsms = {{ soft = {{ {hsm} }} }}\n"
    (at / "keystead.toml").write_text(f'{before}{others}{rest}\ntpm = {{ tcti = "{machine.tcti}" }}\n')
    return at


def about(site: Path, *words: str | Path):
    return at_once(*words, "--data", site)


def destroyed_by_bao(vault: Vault, home: Path, n: int) -> None:
    """`bao` makes keys in a transit mount and destroys them, each by whichever worker takes the request."""
    assert vault.bao(home, "secrets", "enable", "transit").status == 0
    for i in range(n + 1):
        assert vault.bao(home, "write", "-f", f"transit/keys/k{i}").status == 0
    for i in range(n):
        assert vault.bao(home, "write", f"transit/keys/k{i}/config", "deletion_allowed=true").status == 0


def ids(site: Path) -> dict[str, list[str]]:
    """Versions of keys that hold nothing any more, and the others."""
    with Keystead(site) as ks:
        found = ks._core.barrier.every(KeyVersion)
        return {
            "gone": [one.key_id for one in found if not one.wrapped],
            "held": [one.key_id for one in found if one.wrapped],
        }


@pytest.mark.parametrize("slots", [("pkcs11:soft",), ("pkcs11:soft", "tpm")], ids="+".join)
def test_what_a_client_destroys_is_irrecoverable_and_no_old_backup_opens_it(site, tmp_path, slots) -> None:
    with serving("dev", site, "--listen", "vault=127.0.0.1:0", "--workers", "2") as running:
        vault = Vault(running)
        for name in slots:
            assert about(site, "slot", "add", name).status == 0
        destroyed_by_bao(vault, tmp_path, 3)
        assert about(site, "backup", tmp_path / "old").status == 0
        for i in range(3):
            assert vault.bao(tmp_path, "delete", f"transit/keys/k{i}").status == 0
        assert vault.bao(tmp_path, "read", "transit/keys/k0").status != 0
        assert vault.bao(tmp_path, "read", "transit/keys/k3").status == 0
        status = about(site, "status", "--json").json
        assert [one["trouble"] for one in status["slots"]] == [""] * (1 + len(slots))
        assert until(lambda: about(site, "status", "--json").json["n_in_hsms"] == 0), "of keys that are held in one"
        if "tpm" not in slots:  # with one they share a write, a minute later
            assert until(lambda: about(site, "status", "--json").json["n_unerased"] == 0)
    found = ids(site)
    assert len(found["gone"]) == 3
    proof = about(site, "prove", "destroyed", tmp_path / "old", "--json").json
    assert proof["holds"] is True
    assert (proof["n_destroyed"], proof["destroyed_opened"], proof["survivors_lost"]) == (3, [], [])
    for key_id in found["gone"]:
        file = tmp_path / key_id
        assert about(site, "key", "certificate", key_id, "-o", file).status == 0
        shown = about(site, "key", "certificate", "--verify", file, "--json").json
        assert shown["state"] == "irrecoverable"
        assert {one["name"] for one in shown["openers"]} == {"file", *slots}
        assert shown["versions"][0]["audit_index"] is not None


def test_a_token_that_is_away_stops_the_destruction_in_vaults_words_and_no_use(site, tmp_path) -> None:
    with serving("dev", site, "--listen", "vault=127.0.0.1:0", "--workers", "2") as running:
        vault = Vault(running)
        assert about(site, "slot", "add", "pkcs11:soft").status == 0
        destroyed_by_bao(vault, tmp_path, 1)
        with softhsm.Removed():
            refused = vault.bao(tmp_path, "delete", "transit/keys/k0")
            assert refused.status != 0 and "503" in refused.err
            used = vault.bao(tmp_path, "write", "transit/encrypt/k0", "plaintext=aGVsbG8=")
            assert "503" in used.err if IN_HSM else used.status == 0, "but of a key that is in a token that is away"
            trouble = {one["name"]: one["trouble"] for one in about(site, "status", "--json").json["slots"]}
            assert trouble["file"] == "" and trouble["pkcs11:soft"]
        deleted = until(lambda: vault.bao(tmp_path, "delete", "transit/keys/k0").status == 0)
        assert deleted
    assert len(ids(site)["gone"]) == 1
