"""keystead init, and what is asked and shown at a terminal."""

import json

import pytest
from tests.servers import at_once, keystead
from tests.terminal import Terminal

from keystead import config

TENANT = "111122223333"


def test_what_the_operator_has_written_before_is_kept(tmp_path) -> None:
    directory = tmp_path / "data"
    directory.mkdir(mode=0o700)
    written = (
        'hsms = { box = { module = "/m.so", token = "keys", pin = "env:NONE" } }\nprotect_in = "box"\nworkers = 3\n'
        'entropy = { sources = ["device:/dev/urandom"] }\nlisten = { aws = "127.0.0.1:8299" }\nquotas = { keys = 7 }\n'
    )
    (directory / config.FILE_NAME).write_text(written)
    before = config.read(directory)
    assert at_once("init", directory, "--seal", "shamir", "--json").status == 0
    assert config.read(directory) == before
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    (other / config.FILE_NAME).write_text(written)
    assert at_once("init", other, "--workers", "2", "--listen", "aws=127.0.0.1:8298", "--json").status == 0
    said = config.read(other)
    assert (said.workers, said.listen, said.protect_in) == (2, {"aws": "127.0.0.1:8298"}, "box")


def test_shares_a_tenant_and_its_regions(tmp_path) -> None:
    directory, slots = tmp_path / "data", [tmp_path / "disk-1" / "slot", tmp_path / "disk-2" / "slot"]
    made = keystead(
        *("init", directory, "--seal", "shamir", "--shares", "5", "--threshold", "3", "--tenant", TENANT, "--json"),
        *("--region", "eu-north-1", "--region", "eu-west-1", "--administrator", "root-of-all-evil"),
        *("--slot", slots[0], "--slot", slots[1], "--workers", "2"),
    ).json
    assert made.keys() == {"tenant", "administrator", "access_key_id", "secret_access_key", "shares"}
    assert (made["tenant"], made["administrator"], len(made["shares"])) == (TENANT, "root-of-all-evil", 5)
    assert all(len(list(slot.iterdir())) == 1 for slot in slots)
    assert not (directory / "credentials.json").exists()
    for share in made["shares"]:
        assert not any(share.encode() in path.read_bytes() for path in directory.rglob("*") if path.is_file())
    about = (
        "--data",
        directory,
        *(word for share in made["shares"][1:4] for word in ("--unseal", f"env:S{share[-4:]}")),
    )
    env = {f"S{share[-4:]}": share for share in made["shares"]}
    assert [one["name"] for one in keystead("keyring", "list", "--json", *about, env=env).json] != []
    id_ = keystead("key", "create", *about, env=env).out.strip()
    assert keystead("key", "describe", id_, "--json", *about, env=env).json["place"] == "eu-north-1"
    few = keystead("key", "list", "--data", directory, "--unseal", f"env:S{made['shares'][0][-4:]}", env=env)
    assert few.status == 4
    none = keystead("key", "list", "--data", directory)
    assert none.status == 4 and "--unseal" in none.err


REFUSED = [
    (("--seal", "shamir", "--shares", "3", "--threshold", "4"), "threshold"),
    (("--seal", "shamir", "--passphrase", "env:P"), "--seal passphrase"),
    (("--seal", "passphrase", "--shares", "3", "--passphrase", "env:P"), "--seal shamir"),
    (("--seal", "passphrase"), "--passphrase"),
    (("--seal", "passphrase", "--passphrase", "hunter2-hunter2"), "file:PATH"),
    (("--seal", "passphrase", "--passphrase", "env:UNSET"), "cannot be read"),
    (("--seal", "passphrase", "--passphrase", "env:SHORT"), "at least 8"),
    (("--tenant", "12"), "twelve digits"),
    (("--administrator", "a b"), "principal's name"),
    (("--region", "us east"), "region"),
    (("--region", "x", "--region", "x"), "twice"),
    (("--slot", "one"), "twice"),
    (("--slot", "tpm"), "slots_at_least = 1"),
    (("--slot", "one", "--slot", "two/../one"), "these are one"),
    (("--certificate", "file:/x"), "--private-key"),
    (("--certificate", "/x", "--private-key", "file:/y"), "give --certificate as file:PATH"),
    (("--certificate", "file:/x", "--private-key", "/y"), "give --private-key as file:PATH"),
    (("--certificate", "file:/no", "--private-key", "file:/no"), "the TLS certificate /no cannot be read: No such"),
    (("--certificate", "file:/proc/version", "--private-key", "file:/no"), "the TLS private key /no cannot be read"),
    (("--certificate", "file:/proc/version", "--private-key", "file:/proc/stat"), "/proc/version is no certificate"),
    (("--listen", "awz=1.2.3.4:1"), "did you mean aws?"),
    (("--seal", "tpm"), "tpm"),
]


@pytest.mark.parametrize(("words", "hint"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_what_is_refused_leaves_nothing_behind(tmp_path, monkeypatch, words, hint) -> None:
    env = {"P": "a good passphrase", "SHORT": "short"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    done = at_once("init", tmp_path / "data", *words, "--json")
    assert done.status == 2 and hint in done.error["message"]
    assert "hunter2" not in done.err
    left = [path.name for path in (tmp_path / "data").rglob("*")] if (tmp_path / "data").exists() else []
    assert left == []


def test_an_installation_is_never_written_over(tmp_path) -> None:
    env = {"P": "a good passphrase"}
    words = ("init", tmp_path / "data", "--seal", "passphrase", "--passphrase", "env:P", "--json")
    assert keystead(*words, env=env).status == 0
    done = keystead(*words, env=env)
    assert done.status == 1 and done.error["error"] == "AlreadyExists"
    assert "serve" in keystead("dev", "--data", tmp_path / "data").err  # and dev does not serve it


def test_into_a_pipe_only_in_json(tmp_path) -> None:
    done = keystead("init", tmp_path / "data")
    assert done.status == 2 and "--json" in done.err and not (tmp_path / "data").exists()


def test_a_passphrase_is_typed_twice_and_never_echoed(tmp_path) -> None:
    secret = "correct horse battery"
    at = Terminal("init", tmp_path / "data", "--seal", "passphrase")
    at.until("New passphrase")
    at.type(secret)
    at.until("The same again")
    at.type(secret)
    at.until("keystead serve")
    assert at.end() == 0
    assert secret not in at.said
    assert "AWS_SECRET_ACCESS_KEY=" in at.said and "nothing shows them again" in at.said

    at = Terminal("key", "list", "--data", tmp_path / "data")
    at.until("Passphrase")
    at.type(secret)
    assert at.end() == 0 and "No keys." in at.said

    at = Terminal("key", "list", "--data", tmp_path / "data")
    at.until("Passphrase")
    at.type("wrong horse battery")
    assert at.end() == 4 and "does not open" in at.said


def test_shares_are_asked_for_one_by_one(tmp_path) -> None:
    words = ("init", tmp_path / "data", "--shares", "3", "--threshold", "2", "--region", "us-east-1", "--json")
    shares = json.loads(keystead(*words).out)["shares"]
    at = Terminal("key", "list", "--data", tmp_path / "data")
    for i, share in enumerate(shares[:2], 1):
        at.until(f"Share {i} of 2")
        at.type(share)
    assert at.end() == 0 and "No keys." in at.said and shares[0] not in at.said
