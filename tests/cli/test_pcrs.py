"""`keystead pcrs`: after an update of the firmware the TPM seal opens by itself, by a signature and nobody's shares."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from msgspec.structs import replace
from tests.servers import at_once
from tests.swtpm import SoftwareTpm, software_tpm

from keystead import config
from keystead.app.hardware import surroundings
from keystead.app.installation import read_seal
from keystead.config import Config, TpmAt
from keystead.core.errors import InvalidArgument, Unauthenticated
from keystead.core.sensitive import Sensitive
from keystead.seals import approved
from keystead.seals.tpm import TpmPlan


@pytest.fixture(scope="module")
def tpm(tmp_path_factory) -> Iterator[SoftwareTpm]:
    with software_tpm(tmp_path_factory.mktemp("tpm")) as running:
        yield running


def key_files(directory: Path, key=None) -> tuple[str, str]:
    """References to (private, public)"""
    key = key or ec.generate_private_key(ec.SECP256R1())
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    directory.mkdir(exist_ok=True)
    (directory / "key").write_bytes(private)
    (directory / "public").write_bytes(key.public_key().public_bytes(encoding, form))
    return f"file:{directory}/key", f"file:{directory}/public"


@pytest.fixture
def key(tmp_path) -> tuple[str, str]:
    return key_files(tmp_path / "authority")


@pytest.fixture
def at(tmp_path, tpm, key) -> Path:
    words = ("--seal", "tpm", "--pcr", "14", "--tpm", tpm.tcti, "--authority", key[1])
    made = at_once("init", tmp_path / "data", "--region", "us-east-1", *words, "--json")
    assert made.status == 0, made.err
    return tmp_path / "data"


def opens(at: Path) -> bool:
    return at_once("key", "list", "--data", at, "--json").status == 0


def requested(at: Path) -> dict:
    return at_once("pcrs", "request", "--data", at, "--json").json


def test_an_update_is_approved_and_the_seal_opens_by_itself(at, tpm, key):
    assert opens(at)
    tpm.extend(14)
    assert not opens(at)
    asked = requested(at)
    value = tpm.tool("tpm2_pcrread", "sha256:14").lower()
    assert list(asked["pcrs"]) == ["14"] and asked["pcrs"]["14"] in value
    made = at_once("pcrs", "approve", asked["text"], "--key", key[0], "--json").json
    assert made["pcrs"] == asked["pcrs"] and made["text"].startswith("ks-pcr-approval-1-")
    assert not opens(at)
    assert at_once("pcrs", "keep", made["text"], "--data", at, "--json").json == {"kept": 1}
    assert opens(at) and opens(at)
    assert stat.S_IMODE((at / approved.FILE).stat().st_mode) == 0o600
    tpm.extend(14)  # the next one
    assert not opens(at)
    again = at_once("pcrs", "approve", requested(at)["text"], "--key", key[0]).out.strip()
    assert at_once("pcrs", "keep", again, "--data", at, "--json").json == {"kept": 2} and opens(at)
    assert at_once("pcrs", "keep", again, "--data", at, "--json").json == {"kept": 2}


def test_what_is_not_the_authoritys_is_not_kept(at, tpm, key, tmp_path):
    tpm.extend(14)
    asked = requested(at)["text"]
    stranger = at_once("pcrs", "approve", asked, "--key", key_files(tmp_path / "stranger")[0]).out.strip()
    good = approved.parsed(at_once("pcrs", "approve", asked, "--key", key[0]).out.strip(), approved.APPROVAL)
    altered = approved.spelled(replace(good, values=(bytes(32),)))
    of_another = approved.spelled(replace(good, reference=os.urandom(32)))
    for text, error in (
        (stranger, "Unauthenticated"),
        (altered, "Unauthenticated"),
        (of_another, "InvalidArgument"),
        (asked, "InvalidArgument"),
        ("ks-pcr-approval-1-AAAA", "InvalidArgument"),
    ):
        assert at_once("pcrs", "keep", text, "--data", at, "--json").error["error"] == error
    assert not (at / approved.FILE).exists() and not opens(at)
    # whoever writes them there all the same opens nothing
    (at / approved.FILE).write_text(json.dumps([json.loads(approved_json(stranger))]))
    assert not opens(at)
    (at / approved.FILE).write_text("junk")
    assert not opens(at)
    (at / approved.FILE).unlink()
    assert at_once("pcrs", "keep", approved.spelled(good), "--data", at).status == 0 and opens(at)
    # nor do they keep a good one from opening it
    bad = replace(good, pcrs=(99,)), approved.parsed(stranger, approved.APPROVAL), replace(good, signature=b"x" * 999)
    (at / approved.FILE).write_bytes(msgspec.json.encode((*bad, good)))
    assert opens(at)


def approved_json(text: str) -> bytes:
    return msgspec.json.encode(approved.parsed(text, approved.APPROVAL))


def test_what_is_no_key_of_an_authority(tmp_path, tpm):
    for one in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
        private, public = key_files(tmp_path / "other", one)
        words = ("--seal", "tpm", "--tpm", tpm.tcti, "--authority", public)
        done = at_once("init", tmp_path / "no", "--region", "us-east-1", *words, "--json")
        assert "P-256" in done.error["message"] and not (tmp_path / "no" / "seal.json").exists()
        with pytest.raises(InvalidArgument, match="P-256"):
            approved.approve(approved.Approval((7,), (bytes(32),), bytes(32)), config.secret(private))


def test_a_seal_without_an_authority_has_no_requests(tmp_path, tpm):
    words = ("--seal", "tpm", "--tpm", tpm.tcti)
    assert at_once("init", tmp_path / "data", "--region", "us-east-1", *words, "--json").status == 0
    assert "has no authority" in at_once("pcrs", "request", "--data", tmp_path / "data", "--json").error["message"]
    words = ("--seal", "shamir", "--authority", "file:/x")
    assert "--seal tpm" in at_once("init", tmp_path / "no", "--region", "us-east-1", *words, "--json").error["message"]


def test_approvals_outlive_another_unseal_key_and_not_another_seal(at, tpm, key):
    """`around`: what the other seals' changes do to this one. `make`: what `seal migrate tpm` does."""
    configuration = read_seal(at).of_kind("tpm")
    tpm.extend(14)
    made = at_once("pcrs", "approve", requested(at)["text"], "--key", key[0]).out.strip()
    at_once("pcrs", "keep", made, "--data", at)
    tpm.extend(14)
    there = surroundings(at, Config(tpm=TpmAt(tpm.tcti)))
    follows = configuration.seal(there).around(Sensitive(b"v" * 32))
    anew = TpmPlan((14,), configuration.blob.authority).make(Sensitive(b"w" * 32), there)
    assert follows.blob.reference == configuration.blob.reference != anew.blob.reference
    assert "approves" in follows.seal(there).told() and follows.blob.authority == configuration.blob.authority
    approved.check(approved.parsed(made, approved.APPROVAL), follows.blob)
    with pytest.raises(InvalidArgument, match="another seal, or of this one before"):
        approved.check(approved.parsed(made, approved.APPROVAL), anew.blob)
    tpm.extend(14)
    for one in (follows, anew):
        with pytest.raises(Unauthenticated, match="nor approved"):
            one.seal(there).open(())


def test_the_oldest_of_too_many_goes(tmp_path):
    one = approved.Approval((7,), (bytes(32),), bytes(32), b"s")
    for n in range(approved.MOST + 3):
        text = approved.added(tmp_path, replace(one, values=(n.to_bytes(32, "big"),)))
        (tmp_path / approved.FILE).write_bytes(text)
    kept = approved.kept(tmp_path)
    assert len(kept) == approved.MOST and kept[0].values[0][-1] == 3


def test_the_owners_password_is_read_from_a_file_each_time(tmp_path):
    with software_tpm(tmp_path / "owned") as owned:
        owned.tool("tpm2_changeauth", "-c", "owner", "secret")
        (tmp_path / "password").write_text("wrong\n")
        at = tmp_path / "data"
        at.mkdir(mode=0o700)
        config.write(at, Config(tpm=TpmAt(owned.tcti, f"file:{tmp_path}/password")))
        words = ("init", at, "--region", "us-east-1", "--seal", "tpm", "--json")
        assert "owner hierarchy" in at_once(*words).error["message"]
        (tmp_path / "password").write_text("secret\n")
        assert at_once(*words).status == 0 and opens(at)
        assert "secret" not in (at / "keystead.toml").read_text()
        (tmp_path / "password").unlink()
        assert not opens(at)
    (at / "keystead.toml").write_text('tpm = { owner = "env:X" }\n')
    with pytest.raises(InvalidArgument, match="file:PATH"):
        config.read(at)
