"""The seals of a real server, by the real command: two at once, added, migrated, removed, and a TPM that says no."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from tests import softhsm
from tests.cli.test_pcrs import key_files
from tests.servers import Done, Serving, at_once, keystead, serving
from tests.swtpm import SoftwareTpm, software_tpm
from tests.waiting import until

pytestmark = pytest.mark.client
PHRASE = {"P": "a good passphrase"}


@pytest.fixture(scope="module")
def tpm(tmp_path_factory) -> Iterator[SoftwareTpm]:
    with software_tpm(tmp_path_factory.mktemp("tpm")) as running:
        yield running


def init(directory: Path, *words: str, env: dict[str, str] | None = None) -> dict:
    return keystead("init", directory, "--region", "us-east-1", *words, "--json", env=env).json


def use(server: Serving, made: dict) -> str:
    """A key through the AWS door: what the seal is there for."""
    kms = boto3.client(
        "kms",
        region_name="us-east-1",
        endpoint_url=f"http://{server.running['listen']['aws']}",
        aws_access_key_id=made["access_key_id"],
        aws_secret_access_key=made["secret_access_key"],
    )
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"hello")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"hello"
    return key


def shares_of(done: Done) -> list[str]:
    """The first line of what shows shares; the second is the seals."""
    assert done.status == 0, done.err
    first, _ = done.out.splitlines()
    return json.loads(first)["shares"]


def with_shares(shares: list[str]) -> tuple[list[str], dict[str, str]]:
    env = {f"S{i}": share for i, share in enumerate(shares)}
    return [word for name in env for word in ("--unseal", f"env:{name}")], env


def state(server: Serving) -> dict:
    done = server("status", "--json")
    assert done.status in {0, 4}, done
    return json.loads(done.out)


def test_a_tpm_opens_by_itself_and_recovery_shares_when_it_does_not(tmp_path, tpm) -> None:
    at = tmp_path / "data"
    made = init(at, "--seal", "tpm", "--pcr", "14", "--tpm", tpm.tcti, "--with-recovery", "shamir")
    assert len(made["shares"]) == 5
    with serving("serve", at) as server:
        assert state(server)["sealed"] is False and state(server)["seal"] == "tpm + shamir"
        use(server, made)
        assert server("seal", "--json").status == 0 and state(server)["sealed"] is True
        assert server("unseal", "--json").status == 0 and state(server)["sealed"] is False
    tpm.extend(14)  # an update of the firmware
    with serving("serve", at) as server:
        now = state(server)
        assert now["sealed"] is True and "PCRs of the TPM are not those" in now["seal_trouble"]
        refused = server("unseal", "--json")
        assert refused.status == 4 and "PCRs" in refused.error["message"]
        words, env = with_shares(made["shares"][1:3])
        assert server("unseal", *words, "--json", env=env).status == 4  # one too few
        words, env = with_shares(made["shares"][1:4])
        assert server("unseal", *words, "--json", env=env).status == 0
        assert state(server)["seal_trouble"] == ""
        use(server, made)
        assert server("seal", "migrate", "tpm", "--pcr", "14", "--json").status == 0
        use(server, made)
        words = ("--pcr", "14", "--authority", key_files(tmp_path / "authority")[1])
        told = server("seal", "migrate", "tpm", *words, "--json").json["seals"]
        assert any("the authority" in one["told"] and "approves" in one["told"] for one in told)
    tpm.extend(14)  # and another one: no custodian has to come
    with serving("serve", at) as server:
        assert state(server)["sealed"] is True
        asked = server("pcrs", "request", "--json").json["text"]
        text = at_once("pcrs", "approve", asked, "--key", f"file:{tmp_path}/authority/key").out.strip()
        assert server("pcrs", "keep", text).status == 0
        assert server("unseal", "--json").status == 0 and state(server)["sealed"] is False
        use(server, made)
    with serving("serve", at) as server:
        assert state(server)["sealed"] is False
        use(server, made)
        until(lambda: '"made":"tpm, by approved PCRs"' in server("audit", "tail", "-n", "400", "--json").out, every=0.2)
    assert keystead("key", "list", "--data", at, "--json").status == 0  # and without a server


def test_a_tpm_that_is_cleared_under_a_running_server_is_told_while_it_is_open_and_mended_then(tmp_path) -> None:
    """At the next start it would be too late, where nothing else opens it."""
    with software_tpm(tmp_path / "cleared") as tpm:
        at = tmp_path / "data"
        made = init(at, "--seal", "tpm", "--tpm", tpm.tcti)
        with serving("serve", at) as server:
            key = use(server, made)
            assert server("slot", "add", "tpm").status == 0
            tpm.tool("tpm2_clear", "-c", "p")
            told = until(lambda: state(server)["seal_trouble"], every=0.5)
            assert "this one was cleared" in told and "`keystead seal migrate tpm`" in told
            assert "it does not hold the generation of today: rotate" in server("status").out
            use(server, made)
            assert server("seal", "migrate", "tpm", "--json").status == 0 == server("slot", "rotate").status
            assert state(server)["seal_trouble"] == ""
            assert [one["trouble"] for one in state(server)["slots"]] == ["", ""]
        with serving("serve", at) as server:
            assert not state(server)["sealed"] and server("key", "describe", key).status == 0
            tpm.tool("tpm2_changeauth", "-c", "o", "somebody's password")
            told = until(lambda: state(server)["seal_trouble"], every=0.5)
            assert "`tpm.owner`" in told and "`tpm.owner`" in server("slot", "rotate").err
            assert not state(server)["sealed"]
            tpm.tool("tpm2_changeauth", "-c", "o", "-p", "somebody's password")
            until(lambda: not state(server)["seal_trouble"], every=0.5)
            assert server("slot", "rotate").status == 0


def test_seals_are_added_migrated_and_removed_while_it_serves_and_all_of_it_is_on_record(tmp_path, tpm) -> None:
    at = tmp_path / "data"
    made = init(at, "--seal", "passphrase", "--passphrase", "env:P", "--tpm", tpm.tcti, env=PHRASE)
    with serving("serve", at, "--unseal", f"file:{phrase(tmp_path)}") as server:
        key = use(server, made)
        added = server("seal", "add", "tpm", "--json").json
        assert [one["kind"] for one in added["seals"]] == ["passphrase", "tpm"] and added["warning"] == ""
        twice = server("seal", "add", "shamir", "--json")
        assert twice.status != 0 and "there are 2 seals" in twice.err
        said = server("seal", "migrate", "shamir", "--json")
        assert said.status == 2 and "--replacing" in said.error["message"]
        shares = shares_of(
            server(
                "seal", "migrate", "shamir", "--replacing", "passphrase", "--shares", "3", "--threshold", "2", "--json"
            )
        )
        assert server("seal", "list", "--json").json["seals"][1]["told"] == "2 of 3 shares"
        use(server, made)
        last = server("seal", "remove", "shamir", "--json").json
        assert "stands alone" in last["warning"]
        assert server("seal", "remove", "tpm", "--json").error["error"] == "Conflict"
        assert server("seal", "list").out.split()[3:5] == ["tpm", "by"]
        assert server("key", "describe", key, "--json").status == 0
    with serving("serve", at) as server:
        use(server, made)
        words, env = with_shares(shares)
        server("seal", "--json")
        wrong = server("unseal", *words, "--json", env=env)
        assert wrong.status != 0 and "by itself" in wrong.err
        server("unseal", "--json")
        kinds = [
            ("unseal", "passphrase"),
            ("unseal", "tpm"),
            ("add-seal", "tpm"),
            ("migrate-seal", "shamir"),
            ("remove-seal", "shamir"),
        ]

        def told() -> set[tuple[str | None, str | None]]:
            lines = server("audit", "tail", "-n", "400", "--json").out.splitlines()
            records = [json.loads(line)["record"] for line in lines]
            return {(record.get("op"), record.get("made")) for record in records}

        until(lambda: told() >= set(kinds), told, every=0.2)
        assert {"AddSeal", "MigrateSeal", "RemoveSeal"} <= {operation for operation, _ in told()}


def phrase(folder: Path) -> Path:
    path = folder / "phrase"
    path.write_text(PHRASE["P"])
    return path


def test_a_tpm_that_answers_late_is_asked_again(tmp_path) -> None:
    with software_tpm(tmp_path / "tpm") as tpm:
        at = tmp_path / "data"
        made = init(at, "--seal", "tpm", "--tpm", tpm.tcti)
        tpm.stop()
        with serving("serve", at) as server:
            assert "cannot be reached" in state(server)["seal_trouble"]
            tpm.start()
            until(lambda: not state(server)["sealed"], every=0.2)
            use(server, made)


def test_init_says_what_stands_alone_and_what_it_cannot_make(tmp_path, tpm) -> None:
    done = keystead("init", tmp_path / "a", "--seal", "tpm", "--tpm", tpm.tcti, "--json")
    assert done.status == 0 and "stands alone" in done.err
    for words, says in (
        (("--seal", "tpm"), "no TPM is configured"),
        (("--seal", "tpm", "--tpm", f"swtpm:path={tmp_path}/none"), "cannot be reached"),
        (("--seal", "tpm", "--tpm", tpm.tcti, "--pcr", "99"), "PCR"),
        (("--seal", "shamir", "--pcr", "7"), "--seal tpm"),
        (("--seal", "shamir", "--with-recovery", "shamir"), "two kinds"),
    ):
        refused = keystead("init", tmp_path / "b", *words, "--json")
        assert refused.status != 0 and says in refused.err, (words, refused.err)
        assert not (tmp_path / "b").exists()


def test_an_hsm_opens_by_itself_and_shares_when_it_is_lost(tmp_path) -> None:
    at, pin = tmp_path / "data", tmp_path / "pin"
    at.mkdir(mode=0o700)
    pin.write_text(softhsm.PIN)
    module, token = softhsm.module(), softhsm.new_token()
    hsm = f'{{ module = "{module}", token = "{token}", pin = "file:{pin}" }}'
    (at / "keystead.toml").write_text(f"hsms = {{ one = {hsm} }}\n")
    for words, says in ((("--seal", "pkcs11"), "--hsm"), (("--seal", "pkcs11", "--hsm", "two"), "no HSM")):
        refused = keystead("init", at, *words, "--json")
        assert refused.status != 0 and says in refused.err and not (at / "seal.json").exists()
    made = init(at, "--seal", "pkcs11", "--hsm", "one", "--with-recovery", "shamir", "--shares", "3")
    with serving("serve", at, "--workers", "2") as server:
        assert state(server)["seal"] == "pkcs11 + shamir" and not state(server)["sealed"]
        use(server, made)
    with softhsm.Removed(), serving("serve", at) as server:
        assert state(server)["sealed"] and "PKCS#11" in state(server)["seal_trouble"]
        words, env = with_shares(made["shares"][:2])
        assert server("unseal", *words, "--json", env=env).status == 0
        use(server, made)
        assert server("seal", "remove", "pkcs11", "--json").json["seals"][0]["kind"] == "shamir"
        use(server, made)
    pin.write_text("000000")
    with serving("serve", at) as server:
        assert state(server)["sealed"]
        assert server("unseal", *words, "--json", env=env).status == 0
        refused = server("seal", "add", "pkcs11", "--hsm", "one", "--json")
        assert refused.error["error"] == "Unauthenticated"
        use(server, made)
    pin.write_text(softhsm.PIN)
    with serving("serve", at, *words_of(made["shares"][:2], tmp_path)) as server:
        added = server("seal", "add", "pkcs11", "--hsm", "one", "--json").json
        assert "check value" in added["seals"][1]["told"]
    with serving("serve", at) as server:
        use(server, made)


def words_of(shares: list[str], folder: Path) -> list[str]:
    for i, share in enumerate(shares):
        (folder / f"share-{i}").write_text(share)
    return [word for i in range(len(shares)) for word in ("--unseal", f"file:{folder}/share-{i}")]


def test_custodians_prove_their_shares_and_nothing_is_unsealed(tmp_path) -> None:
    at = tmp_path / "data"
    shares = init(at, "--shares", "3", "--threshold", "2")["shares"]
    with serving("serve", at, *words_of(shares[:2], tmp_path)) as server:
        assert "0 of 3 shares" in state(server)["custody_alarm"]
        challenge = server("custody", "challenge").out.strip()
        proofs = []
        for share in shares:  # on another machine: no installation is there, and none is asked
            done = keystead("custody", "prove", challenge, "--share", "env:S", env={"S": share})
            assert done.status == 0 and share not in done.out + done.err
            proofs.append(done.out.strip())
        assert server("custody", "record", *proofs[:2], "--json").json["n_proved"] == 2
        short = server("custody", "status", "--json")
        assert short.status == 6 and json.loads(short.out)["n_needed"] == 3
        other = proofs[2][:-9] + ("B" if proofs[2][-9] == "A" else "A") + proofs[2][-8:]
        refused = server("custody", "record", other, "--json")
        assert refused.status != 0 and "custody" not in refused.out
        assert server("custody", "record", proofs[2], proofs[0], "--json").json["alarm"] == ""
        assert state(server)["custody_alarm"] == "" and server("custody", "status").status == 0
        server("seal", "--json")
        assert server("custody", "challenge", "--json").status == 4
        assert server("unseal", *words_of(shares[1:], tmp_path), "--json").status == 0
        assert state(server)["custody_alarm"] == ""
        new = shares_of(server("seal", "migrate", "shamir", "--shares", "3", "--threshold", "2", "--json"))
        assert "0 of 3 shares" in state(server)["custody_alarm"]
        stale = server("custody", "record", proofs[0], "--json")
        assert stale.status != 0 and "other shares" in stale.error["message"]
        assert keystead("custody", "prove", challenge, "--share", "env:S", "--json", env={"S": new[0]}).status == 2
