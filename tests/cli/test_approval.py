"""Quorums from the command line, with a server and without: rules, requests, and approvals signed elsewhere."""

import json
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest
from tests.servers import at_once


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def custodians(tmp_path_factory) -> list[tuple[Path, Path]]:
    """Three pairs of files: (private key, public key), as openssl makes them."""
    made = []
    for n in range(3):
        at = tmp_path_factory.mktemp("keys")
        private, public = at / f"{n}.pem", at / f"{n}.pub"
        openssl("genpkey", "-algorithm", "ed25519", "-out", private)
        openssl("pkey", "-in", private, "-pubout", "-out", public)
        made.append((private, public))
    return made


def rule(ks, name: str, custodians, *more: str):
    named = [word for n, (_, public) in enumerate(custodians) for word in ("--approver", f"key:c{n}={public}")]
    return ks("approval", "rule", "put", name, "--approvals", "2", *named, *more)


def approved(ks, request: str, custodians, tmp_path: Path, *where: str) -> None:
    for n, (private, _) in enumerate(custodians):
        text = tmp_path / f"{n}.txt"
        assert ks("approval", "show", request, "--to-sign", text, *where).status == 0
        signed = at_once("approval", "sign", text, "--key", private)
        assert signed.status == 0, signed.err
        assert ks("approval", "approve", request, "--signature", signed.out.strip(), *where).status == 0


def waits(done) -> str:
    """The id of the request that a command waits for."""
    assert done.status == 7, done.err
    return done.err.split("request ")[1].split()[0]


def test_a_key_is_doomed_once_two_custodians_have_signed(ks, custodians, tmp_path) -> None:
    name = uuid4().hex
    key = ks("key", "create").out.strip()
    assert rule(ks, name, custodians, "--action", "destroy", "--key", key).status == 0
    doom = ("key", "schedule-deletion", key, "--days", "7")
    request = waits(ks(*doom))
    assert waits(ks(*doom)) == request
    approved(ks, request, custodians[:1], tmp_path)
    shown = ks("approval", "show", request, "--json").json
    assert (shown["standing"], shown["approvals"]) == ("pending", "1 of 2")
    assert (shown["operation"], shown["with_after_days"]) == ("ScheduleDestruction", "7")
    assert waits(ks("key", "schedule-deletion", key, "--days", "8")) != request
    approved(ks, request, custodians[1:2], tmp_path)
    assert ks("key", "describe", key, "--json").json["destroy_at"] is None
    assert ks(*doom).status == 0
    assert ks("key", "describe", key, "--json").json["destroy_at"]
    assert request not in ks("approval", "list", "--json").out


def test_a_rule_goes_when_two_have_signed_that(ks, custodians, tmp_path) -> None:
    name = uuid4().hex
    assert rule(ks, name, custodians, "--action", "rules").status == 0
    request = waits(ks("approval", "rule", "delete", name))
    assert waits(rule(ks, uuid4().hex, custodians, "--action", "export")), "a new rule waits, too"
    approved(ks, request, custodians[1:], tmp_path)
    assert ks("approval", "rule", "delete", name).status == 0
    assert name not in ks("approval", "rule", "list", "--json").out


def test_the_installation_has_rules_of_its_own(ks, custodians, tmp_path) -> None:
    at, name = "--installation", uuid4().hex
    assert rule(ks, name, custodians, "--action", "backup", at).status == 0
    copy = tmp_path / "copy"
    request = waits(ks("backup", copy))
    assert not copy.exists()

    approved(ks, request, custodians[:2], tmp_path, at)
    assert ks("backup", copy).status == 0
    assert copy.exists()
    request = waits(ks("approval", "rule", "delete", name, at))
    approved(ks, request, custodians[:2], tmp_path, at)
    assert ks("approval", "rule", "delete", name, at).status == 0


def test_what_is_wrong_is_said(ks, custodians, tmp_path) -> None:
    assert ks("approval", "show", "0" * 24).status == 5
    assert ks("approval", "approve", "0" * 24, "--signature", "%").status == 2
    assert rule(ks, "a b", custodians, "--action", "destroy").status == 2
    assert rule(ks, "new", custodians, "--action", "key:encrypt").status == 2
    other = tmp_path / "other"
    other.write_text("not a request")
    private, public = custodians[0]
    assert at_once("approval", "sign", other, "--key", private).status == 2
    text = tmp_path / "text"
    text.write_bytes(b"keystead approval v1\n{}")
    assert at_once("approval", "sign", text, "--key", public).status == 2
    said = at_once("approval", "sign", text, "--key", private, "--json")
    assert set(json.loads(said.out)) == {"signature", "public_key"}
