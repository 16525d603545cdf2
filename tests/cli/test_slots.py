"""Slots as commands, on a real token (SoftHSM2) and a real TPM (swtpm): with a server, and without."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from tests import softhsm
from tests.cli.test_custody import _destroy
from tests.servers import Done, at_once, serving
from tests.swtpm import SoftwareTpm, software_tpm

from keystead.app.beginning import Beginning
from keystead.app.library import Keystead
from keystead.app.slots import require_new
from keystead.cli.ceremony.initialising import hold
from keystead.cli.ceremony.plan import Init
from keystead.config import Config, TpmAt
from keystead.core.entities import KeyVersion
from keystead.core.errors import InvalidArgument
from keystead.service.barrier import Commit
from keystead.service.bootstrap import record_of_slots
from keystead.service.log import Log
from keystead.stores.disk import LocalDisk


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftwareTpm]:
    with software_tpm(tmp_path_factory.mktemp("tpm")) as tpm:
        yield tpm


@pytest.fixture
def site(stopped: Path, tmp_path: Path, machine: SoftwareTpm, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation whose configuration tells of a token and a TPM."""
    at = shutil.copytree(stopped, tmp_path / "site")
    label = softhsm.new_token()
    (tmp_path / "pin").write_text(softhsm.PIN)
    with (at / "keystead.toml").open("a") as file:
        hsm = f'module = "{softhsm.module()}", token = "{label}", pin = "file:{tmp_path / "pin"}"'
        file.write(f'hsms = {{ soft = {{ {hsm} }} }}\ntpm = {{ tcti = "{machine.tcti}" }}\n')
    assert os.environ["SOFTHSM2_CONF"]
    return at


def about(site: Path, *words: str | Path) -> Done:
    return at_once(*words, "--data", site)


def slots(site: Path) -> dict[str, str]:
    return {one["slot"]: one["state"] for one in about(site, "slot", "list", "--json").json}


def lose_files(site: Path) -> None:
    for directory in (site / "slot-1", site / "slot-2"):
        shutil.rmtree(directory)


def test_slots_are_added_listed_and_removed(site) -> None:
    assert slots(site) == {"file": "whole"}
    assert about(site, "slot", "add", "pkcs11:soft", "--json").json == {"added": "pkcs11:soft"}
    assert about(site, "slot", "add", "tpm").status == 0
    assert slots(site) == {"file": "whole", "pkcs11:soft": "whole", "tpm": "whole"}
    assert about(site, "slot", "add", "tpm", "--json").error["error"] == "AlreadyExists"
    for name in ("pkcs11:other", "paper", "file:x", "tpm:1"):
        assert about(site, "slot", "add", name, "--json").error["error"] == "Unavailable"
    assert about(site, "slot", "remove", "paper", "--json").error["error"] == "NotFound"
    assert about(site, "slot", "remove", "tpm", "--json").json == {"removed": "tpm"}
    assert about(site, "slot", "remove", "file").status == 0
    assert slots(site) == {"pkcs11:soft": "whole"}
    assert list(site.glob("slot-*/generation-*")) == []
    assert about(site, "slot", "remove", "pkcs11:soft", "--json").error["error"] == "Conflict"
    acts = about(site, "audit", "tail", "-n", "100", "--json").out
    assert acts.count('"op":"AddSlot"') >= 4 and acts.count('"op":"RemoveSlot"') >= 4  # leave, and the act
    assert '"made":"pkcs11:soft"' in acts


def test_what_is_destroyed_stays_so_in_every_slot(site, tmp_path) -> None:
    for name in ("pkcs11:soft", "tpm"):
        assert about(site, "slot", "add", name).status == 0
    ids = [about(site, "key", "create").out.strip() for _ in range(3)]
    assert about(site, "backup", tmp_path / "old").status == 0
    _destroy(site, ids[0])
    proof = about(site, "prove", "destroyed", tmp_path / "old", "--json").json
    assert proof["holds"] is True and proof["root_opened"] is False
    assert (proof["n_destroyed"], proof["destroyed_opened"], proof["survivors_lost"]) == (1, [], [])


@pytest.mark.parametrize("left", ["pkcs11:soft", "tpm"])
def test_a_lost_file_slot_is_no_lost_store(site, left) -> None:
    assert about(site, "slot", "add", left).status == 0
    id_ = about(site, "key", "create").out.strip()
    lose_files(site)
    assert about(site, "key", "describe", id_).status == 0
    assert "no copy of the slot can be read" in slots(site)["file"] and slots(site)[left] == "whole"
    refused = about(site, "slot", "rotate", "--json")
    assert refused.error["error"] == "Unavailable" and "slot file" in refused.error["message"]
    assert about(site, "slot", "remove", "file", "--json").error["error"] == "Unavailable"
    assert about(site, "slot", "remove", "file", "--lost").status == 0
    assert about(site, "slot", "rotate").status == 0
    assert about(site, "key", "describe", id_).status == 0


def test_a_lost_token_is_no_lost_store_and_both_lost_is_everything(site) -> None:
    assert about(site, "slot", "add", "pkcs11:soft").status == 0
    id_ = about(site, "key", "create").out.strip()
    toml = (site / "keystead.toml").read_text()
    (site / "keystead.toml").write_text(toml.replace("hsms = { soft", "hsms = { other"))
    assert about(site, "key", "describe", id_).status == 0
    assert "not configured" in slots(site)["pkcs11:soft"]
    lose_files(site)
    lost = about(site, "key", "describe", id_, "--json")
    assert lost.error["error"] == "Unavailable"
    (site / "keystead.toml").write_text(toml)
    assert about(site, "key", "describe", id_).status == 0


def test_a_copy_that_is_restored_beside_takes_nothing_over_unless_it_is_told_to(site, tmp_path) -> None:
    """Both have the same secret in the same token: whichever renews it, erases the other's."""
    assert about(site, "slot", "add", "pkcs11:soft").status == 0
    assert about(site, "slot", "remove", "file").status == 0
    id_ = about(site, "key", "create").out.strip()
    assert about(site, "backup", tmp_path / "fresh").status == 0
    beside = shutil.copytree(site, tmp_path / "beside")
    (beside / "keystead.db").unlink()
    refused = about(beside, "restore", tmp_path / "fresh", "--json")
    assert (refused.error["error"], refused.error["field"]) == ("Conflict", "take-over")
    assert "pkcs11:soft" in refused.error["message"] and not (beside / "keystead.db").exists()
    assert about(site, "key", "describe", id_).status == 0, "nothing was touched"
    assert about(beside, "restore", tmp_path / "fresh", "--take-over").status == 0
    assert about(beside, "key", "describe", id_).status == 0
    lost = about(site, "key", "describe", id_, "--json")
    assert lost.error["error"] == "Conflict" and "erased" in lost.error["message"]


def test_a_lost_database_is_restored_where_the_hsm_is_lost_too(site, tmp_path) -> None:
    """The files open it. It said that it had failed, when all but the renewal was done."""
    assert about(site, "slot", "add", "pkcs11:soft").status == 0
    id_ = about(site, "key", "create").out.strip()
    assert about(site, "backup", tmp_path / "fresh").status == 0
    (site / "keystead.db").unlink()
    with softhsm.Removed():
        came = about(site, "restore", tmp_path / "fresh", "--take-over", "--json").json
        assert "slot pkcs11:soft" in came["not_renewed"]
        assert about(site, "key", "describe", id_).status == 0
    before = about(site, "slot", "list", "--json").out
    assert about(site, "slot", "rotate").status == 0 and about(site, "slot", "list", "--json").out != before
    assert about(site, "key", "describe", id_).status == 0
    again = shutil.copytree(site, tmp_path / "again")
    (again / "keystead.db").unlink()
    assert about(again, "restore", tmp_path / "fresh", "--take-over", "--json").error["error"] == "Conflict"


def test_a_running_server_and_its_workers_follow(site) -> None:
    with serving("dev", site, "--workers", "2") as running:
        ks = partial(about, running.directory)
        id_ = ks("key", "create").out.strip()
        assert ks("slot", "add", "pkcs11:soft").status == 0
        assert ks("slot", "add", "tpm").status == 0
        found = ks("status", "--json").json
        assert [(one["name"], one["n_unerased"], one["trouble"]) for one in found["slots"]] == [
            ("file", 0, ""),
            ("pkcs11:soft", 0, ""),
            ("tpm", 0, ""),
        ]
        assert (found["n_places"], found["n_unerased"]) == (3, 0)
        assert ks("slot", "rotate").status == 0
        lose_files(running.directory)
        assert ks("key", "describe", id_).status == 0
        told = ks("status").out
        assert "UNREACHABLE" in told and "pkcs11:soft  whole" in told
        assert ks("slot", "remove", "file", "--lost").status == 0
        assert ks("key", "create").status == 0
    with serving("dev", site) as again:
        assert about(again.directory, "key", "describe", id_).status == 0


def test_status_is_red_where_there_are_fewer_places_than_asked_for(site) -> None:
    toml = (site / "keystead.toml").read_text()
    (site / "keystead.toml").write_text(toml.replace("slots_at_least = 1", "slots_at_least = 2"))
    with serving("dev", site) as running:
        told = about(running.directory, "status").out
        assert "RED: kept in 1 place of 2" in told and "`keystead slot add pkcs11:soft`" in told
        assert about(running.directory, "slot", "add", "tpm").status == 0
        assert "kept in 2 places" in about(running.directory, "status").out
        refused = about(running.directory, "slot", "remove", "tpm", "--json")
        assert refused.error["error"] == "Conflict" and "2 are asked for" in refused.error["message"]


def test_an_installation_begins_with_a_token_and_a_tpm(tmp_path, site) -> None:
    at = tmp_path / "new"
    at.mkdir(mode=0o700)
    told = [line for line in (site / "keystead.toml").read_text().splitlines() if line.startswith(("hsms", "tpm"))]
    (at / "keystead.toml").write_text("\n".join(told) + "\n")
    (tmp_path / "passphrase").write_text("a good passphrase")
    by = f"file:{tmp_path / 'passphrase'}"
    made = at_once(
        *("init", at, "--seal", "passphrase", "--passphrase", by, "--slot", "pkcs11:soft", "--slot", "tpm", "--json")
    )
    assert made.status == 0 and "RED" not in made.err
    assert not list(at.glob("slot-*"))
    shown = at_once("slot", "list", "--json", "--data", at, "--unseal", by).json
    assert {one["slot"]: one["state"] for one in shown} == {"pkcs11:soft": "whole", "tpm": "whole"}


def test_init_says_when_one_disk_holds_it_all(tmp_path) -> None:
    (tmp_path / "passphrase").write_text("a good passphrase")
    by = f"file:{tmp_path / 'passphrase'}"
    made = at_once("init", tmp_path / "new", "--seal", "passphrase", "--passphrase", by, "--json")
    assert made.status == 0 and "RED" in made.err
    accepted = at_once(
        *("init", tmp_path / "other", "--seal", "passphrase", "--passphrase", by, "--slots-at-least", "1", "--json")
    )
    assert accepted.status == 0 and "RED" not in accepted.err
    assert "slots_at_least = 1" in (tmp_path / "other" / "keystead.toml").read_text()


def test_a_server_that_would_begin_with_one_slot_does_not(tmp_path) -> None:
    """Of a directory where `bao operator init` is to make the installation."""
    one = Config(slots=("tpm",), tpm=TpmAt(), listen={"vault": "127.0.0.1:0"})
    with pytest.raises(InvalidArgument, match="at least 2 slots, and `slots` names 1"):
        Beginning(tmp_path / "new", one, print)
    assert not (tmp_path / "new").exists()
    require_new(tmp_path, replace(one, slots_at_least=1))


def test_recovery_keys_from_one_command_to_the_other(site, tmp_path) -> None:
    made = at_once("slot", "recovery-key", "-o", tmp_path / "one", "--json").json
    assert (tmp_path / "one").stat().st_mode & 0o077 == 0
    assert at_once("slot", "recovery-key", "-o", tmp_path / "one", "--json").error["error"] == "AlreadyExists"
    two = at_once("slot", "recovery-key", "-o", tmp_path / "two", "--json").json
    refused = about(site, "slot", "mode", "window", "--recovery-key", tmp_path / "one", "--json")
    assert refused.error["error"] == "InvalidArgument"  # that is the secret half
    assert about(site, "slot", "mode", "window", "--json").error["error"] == "InvalidArgument"
    done = about(site, "slot", "mode", "window", "--recovery-key", f"{tmp_path / 'one'}.pub", "--json").json
    assert done == {"mode": "window", "recovery_keys": [made["recovery_key"].removeprefix("recovery:")]}
    id_ = about(site, "key", "create").out.strip()
    assert about(site, "slot", "erased", made["recovery_key"], "--json").error["error"] == "Conflict"
    lose_files(site)
    assert about(site, "key", "describe", id_).status == 1
    wrong = about(site, "slot", "recover", "--recovery-key", f"file:{tmp_path / 'two'}", "--json")
    assert wrong.error["error"] == "Conflict"
    assert about(site, "key", "describe", id_).status == 1
    back = about(site, "slot", "recover", "--recovery-key", f"file:{tmp_path / 'one'}", "--json")
    assert back.json == {"slots": ["file"]}
    assert about(site, "key", "describe", id_).status == 0
    assert about(site, "slot", "mode", "window", "--recovery-key", f"{tmp_path / 'two'}.pub").status == 0
    with serving("dev", site) as running:
        told = about(running.directory, "status", "--json").json
        assert told["slot_mode"] == "window"
        (lost,) = [name for name in told["awaited"] if name.startswith("lost:file:")]
        assert sorted(told["awaited"]) == sorted([lost, made["recovery_key"]])
        assert "recovery keys are to be replaced by" in about(running.directory, "status").out
        for name in told["awaited"]:
            assert about(running.directory, "slot", "erased", name).status == 0
        assert about(running.directory, "slot", "erased", "paper", "--json").error["error"] == "NotFound"
        assert two["recovery_key"] != made["recovery_key"]
        assert about(running.directory, "slot", "mode", "off").status == 0
        assert "off: old backups open" in about(running.directory, "status").out


def test_a_destruction_is_certified_and_verified_with_its_record(site, tmp_path) -> None:
    assert about(site, "slot", "add", "pkcs11:soft").status == 0
    id_ = about(site, "key", "create").out.strip()
    assert about(site, "key", "certificate", id_, "--json").error["error"] == "WrongState"
    with Keystead(site) as ks:
        barrier = ks._core.barrier
        record = record_of_slots(barrier, ks._core.clock.now(), "a destruction", id_)
        barrier.commit(Commit(destroy=(barrier.get(KeyVersion, f"{id_}/1"),), record=record))
    file = tmp_path / "certificate"
    assert about(site, "key", "certificate", id_, "-o", file).status == 0
    shown = about(site, "key", "certificate", "--verify", file, "--json").json
    assert (shown["key"], shown["state"], shown["mode"]) == (id_, "irrecoverable", "strict")
    assert {one["name"]: one["by"] for one in shown["openers"]} == {"file": "slot", "pkcs11:soft": "slot"}
    (version,) = shown["versions"]
    line = Log(LocalDisk(), site / "audit").read(version["audit_index"], 1)[0]
    assert line == record
    assert f"record {version['audit_index']} of the log" in about(site, "key", "certificate", "--verify", file).out
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    beside = (site / "audit" / "key.pub").read_text().strip()
    offline = at_once("key", "certificate", "--verify", file, "--key", beside, "--data", nowhere, "--json").json
    assert offline["state"] == "irrecoverable" and offline["versions"][0]["audit_index"] is None
    file.write_text(file.read_text().replace("irrecoverable", "destroyed"))
    assert about(site, "key", "certificate", "--verify", file).status == 6
    assert about(site, "key", "certificate").status == 2


def test_a_ceremony_that_would_come_to_one_slot_asks_nobody(tmp_path) -> None:
    (tmp_path / "keystead.toml").write_text('slots = ["tpm"]\ntpm = {}\n')
    held = SimpleNamespace(plan=SimpleNamespace(custodians=("Carl", "Cleo")))
    with pytest.raises(InvalidArgument, match="at least 2 slots"):
        hold(held, Init(threshold=2), tmp_path)


def test_a_damaged_copy_is_told_with_what_mends_it(tmp_path) -> None:
    with serving("dev", tmp_path / "data") as server:
        second = server.directory / "slot-2"
        second.rename(away := tmp_path / "away")
        said = server("status").out
        assert f"DAMAGED in {second}; " in said and f"`keystead slot rotate --data {server.directory}` mends it" in said
        done = server("slot", "rotate")
        assert done.status == 1 and f"{second} cannot be written: No such file" in done.err
        away.rename(second)
        assert server("slot", "rotate").status == 0 and "DAMAGED" not in server("status").out
