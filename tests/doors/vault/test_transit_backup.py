"""transit: backups, and what becomes of them."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests import harness
from tests.doors.vault.test_transit_keys import key_of

from keystead.core import operations as ops
from keystead.core.entities import Binding
from keystead.core.states import KeyState

HELLO = b64encode(b"hello").decode()
OPEN = {"exportable": True, "allow_plaintext_backup": True}
ALL_ALLOWED = {"every_version": True, "exportable": True, "copyable": True}


@pytest.mark.parametrize("kind", ["aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305", "rsa-2048"])
def test_what_was_encrypted_before_a_backup_is_decrypted_after_its_restoring(root, kind):
    root.data("POST", "transit/keys/a", type=kind, **OPEN)
    first = root.data("POST", "transit/encrypt/a", plaintext=HELLO)["ciphertext"]
    root.data("POST", "transit/keys/a/rotate")
    second = root.data("POST", "transit/encrypt/a", plaintext=HELLO)["ciphertext"]
    mac = root.data("POST", "transit/hmac/a", input=HELLO)["hmac"]
    shown = root.data("GET", "transit/keys/a")
    backup = root.data("GET", "transit/backup/a")["backup"]
    root.data("POST", "transit/keys/a/config", deletion_allowed=True)
    root.data("DELETE", "transit/keys/a")
    assert root.call("POST", "transit/restore", backup=backup).status == 204
    assert root.data("GET", "transit/keys/a") == shown
    third = root.data("POST", "transit/encrypt/a", plaintext=HELLO)["ciphertext"]
    for sealed in (first, second, third):
        assert root.data("POST", "transit/decrypt/a", ciphertext=sealed)["plaintext"] == HELLO
    assert root.data("POST", "transit/verify/a", input=HELLO, hmac=mac) == {"valid": True}
    again = root.data("GET", "transit/backup/a")["backup"]  # a copy of a copy
    assert root.call("POST", "transit/restore/b", backup=again).status == 204
    assert root.data("POST", "transit/decrypt/b", ciphertext=first)["plaintext"] == HELLO


def test_nobody_gets_a_backup_of_a_key_that_does_not_allow_it(root):
    root.data("POST", "transit/keys/a", exportable=True)
    assert root.refusal("GET", "transit/backup/a")[0] == 500
    assert b"material" not in root.call("GET", "transit/backup/a").body


@pytest.mark.parametrize(
    "change",
    [
        {"keystead": 2},
        {"spec": "NONE"},
        {"spec": "AES_128"},
        {"purpose": "signature"},
        {"current": 0},
        {"current": 5},
        {"sealed_as": "a"},
        {"sealed_as": "00000000-0000-0000-0000-00000000000"},
        {"versions": []},
        {"terms": {}},
        {"terms": {"every_version": True, "exportable": True, "copyable": True, "min_process": 9}},
        {"terms": {"every_version": True, "exportable": True, "copyable": True, "min_protect": 9}},
        {"terms": {"every_version": True, "exportable": True, "copyable": True, "convergent": True}},
        {"more": 1},
        {"current": -1},
        {"current": 1 << 32},  # nor does it cost what it says that there is
        {"current": 1 << 40},
        {"current": 1 << 70},
        {"terms": {**ALL_ALLOWED, "min_kept": 1 << 40, "min_process": 1 << 40}, "current": 1 << 40},
        {"terms": {**ALL_ALLOWED, "min_kept": -1}},
    ],
)
def test_what_is_no_backup_is_refused(root, change):
    root.data("POST", "transit/keys/a", **OPEN)
    backup = json.loads(b64decode(root.data("GET", "transit/backup/a")["backup"]))
    altered = b64encode(json.dumps({**backup, **change}).encode()).decode()
    status, words = root.refusal("POST", "transit/restore/b", backup=altered)
    assert (status, "not a backup" in words) == (500, True)
    assert root.refusal("GET", "transit/keys/b") == (404, "")


@pytest.mark.parametrize(
    "change",
    [
        {"created_at": "2026-01-01T00:00:00"},  # of no time zone
        {"created_at": "0001-01-01T00:00:00+05:00"},  # before all time in UTC
        {"created_at": "1969-12-31T23:59:59Z"},
        {"number": 0},
        {"number": 2},
        {"material": "AAAA"},
    ],
)
def test_a_version_that_no_key_can_have_had_is_refused(root, change):
    root.data("POST", "transit/keys/a", **OPEN)
    backup = json.loads(b64decode(root.data("GET", "transit/backup/a")["backup"]))
    backup["versions"][0] |= change
    altered = b64encode(json.dumps(backup).encode()).decode()
    status, words = root.refusal("POST", "transit/restore/b", backup=altered)
    assert (status, "not a backup" in words) == (500, True)
    assert root.refusal("GET", "transit/keys/b") == (404, "")


def test_of_public_halves_no_pairs_are_derived(root):
    root.data("POST", "transit/keys/a", type="ed25519", derived=True, **OPEN)
    backup = json.loads(b64decode(root.data("GET", "transit/backup/a")["backup"]))
    public = Ed25519PrivateKey.generate().public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    backup["versions"][0] |= {"is_public": True, "material": b64encode(der).decode()}
    altered = b64encode(json.dumps(backup).encode()).decode()
    assert root.refusal("POST", "transit/restore/b", backup=altered)[0] == 500
    backup["terms"] = ALL_ALLOWED
    altered = b64encode(json.dumps(backup).encode()).decode()
    assert root.call("POST", "transit/restore/b", backup=altered).status == 204


def test_a_key_that_is_there_is_restored_over_by_force_alone(root):
    root.data("POST", "transit/keys/a", **OPEN)
    first = root.data("POST", "transit/encrypt/a", plaintext=HELLO)["ciphertext"]
    backup = root.data("GET", "transit/backup/a")["backup"]
    root.data("POST", "transit/keys/a/rotate")
    old = key_of(root, "a")
    assert root.refusal("POST", "transit/restore", backup=backup)[0] == 500
    assert root.call("POST", "transit/restore", backup=backup, force=True).status == 204
    assert root.data("GET", "transit/keys/a")["latest_version"] == 1
    assert root.data("POST", "transit/decrypt/a", ciphertext=first)["plaintext"] == HELLO
    assert key_of(root, "a").id != old.id
    over = root.stack.stored(old).lifecycle
    assert over.state is KeyState.SUSPENDED and over.destroy_at == root.stack.clock.now() + timedelta(days=30)
    assert root.call("POST", "transit/restore/new", backup=backup, force=True).status == 204


def test_nobody_restores_over_the_alias_of_another_door():
    stack = harness.stack()
    ring = stack.barrier.get(Binding, f"aws:{harness.TENANT}:{harness.REGION}").keyring
    stack.by_system(ops.BindKeyring(keyring=ring, namespace=f"vault:{harness.TENANT}:transit"))
    root, key = stack.bearer(), stack.key()
    stack.name(key, "alias/app")
    root.data("POST", "transit/keys/a", **OPEN)
    backup = root.data("GET", "transit/backup/a")["backup"]
    assert root.refusal("POST", "transit/restore/app", backup=backup, force=True)[0] == 501
    assert stack.stored(key).lifecycle.state is KeyState.ACTIVE
