"""transit: keys that are brought here. The words are held to OpenBao in test_transit_import_openbao.py."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from tests import harness
from tests.costs import atmost
from tests.doors.vault import parcels
from tests.doors.vault.test_transit_keys import key_of

from keystead.core import operations as ops
from keystead.core.algorithms import Purpose
from keystead.core.cutoffs import Cutoffs, Rules
from keystead.core.entities import Binding, Key, KeyVersion
from keystead.core.errors import WrongState

HELLO = b64encode(b"hello").decode()
UNOPENED = "crypto/rsa: decryption error"


@pytest.fixture(scope="module")
def pem(shared):
    return shared.data("GET", "transit/wrapping_key")["public_key"]


def bring(root, name: str, material: bytes, pem: str | None = None, **more):
    """Import it; the reply."""
    pem = pem or root.data("GET", "transit/wrapping_key")["public_key"]
    return root.call("POST", f"transit/keys/{name}/import", ciphertext=parcels.wrapped(pem, material), **more)


def wrapping_key_of(root) -> Key:
    return key_of(root, ops.WRAPPING_KEY)


def test_the_wrapping_key_is_rsa_4096_and_stays(root):
    first = root.data("GET", "transit/wrapping_key")
    assert load_pem_public_key(first["public_key"].encode()).key_size == 4096
    assert root.data("GET", "transit/wrapping_key") == first
    root.data("POST", "sys/mounts/other", type="transit")
    assert root.data("GET", "other/wrapping_key") != first


def test_it_is_no_key_of_the_mount(root):
    root.data("GET", "transit/wrapping_key")
    assert root.refusal("LIST", "transit/keys")[0] == 404
    for path in (
        "keys/import/wrapping-key",
        "keys/import%2Fwrapping-key",
        "export/encryption-key/import%2Fwrapping-key",
    ):
        assert root.call("GET", f"transit/{path}").status in {400, 404}  # a version that is no number


def test_row_90_no_door_does_anything_else_with_it():
    stack = harness.stack()
    ring = stack.barrier.get(Binding, f"aws:{harness.TENANT}:{harness.REGION}").keyring
    stack.by_system(ops.BindKeyring(keyring=ring, namespace=f"vault:{harness.TENANT}:transit"))
    root, admin = stack.bearer(), stack.admin
    pem = root.data("GET", "transit/wrapping_key")["public_key"]
    key_id = wrapping_key_of(root).id
    sealed = b64decode(parcels.wrapped(pem, os.urandom(32)))[:512]
    for operation, members in (
        ("Decrypt", {"CiphertextBlob": b64encode(sealed).decode(), "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}),
        ("Encrypt", {"Plaintext": HELLO, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}),
        ("Sign", {"Message": HELLO, "SigningAlgorithm": "RSASSA_PSS_SHA_256"}),
        ("Decapsulate", {"Ciphertext": HELLO, "EncapsulationAlgorithm": "ML_KEM"}),
    ):
        assert admin.call(operation, KeyId=key_id, **members).status == 400, operation


def test_row_47_disabling_the_mount_destroys_it(root):
    root.data("GET", "transit/wrapping_key")
    key = wrapping_key_of(root)
    version = root.stack.barrier.get(KeyVersion, f"{key.id}/1")
    root.data("DELETE", "sys/mounts/transit")
    with pytest.raises(WrongState):
        root.stack.barrier.material(version)


def test_what_was_wrapped_for_one_mount_opens_at_no_other(root):
    root.data("POST", "sys/mounts/other", type="transit")
    text = parcels.wrapped(root.data("GET", "transit/wrapping_key")["public_key"], os.urandom(32))
    for _ in ("without a wrapping key", "with one"):
        status, words = root.refusal("POST", "other/keys/a/import", ciphertext=text)
        assert (status, UNOPENED in words) == (500, True)
        root.data("GET", "other/wrapping_key")
    assert root.call("POST", "transit/keys/a/import", ciphertext=text).status == 204


def test_a_mount_that_moves_takes_it_along(root):
    first = root.data("GET", "transit/wrapping_key")
    root.data("POST", "sys/remount", **{"from": "transit", "to": "moved"})
    assert root.data("GET", "moved/wrapping_key") == first


def test_kms_shows_it_as_what_it_is_and_the_cli_says_until_when(root):
    root.data("GET", "transit/wrapping_key")
    key = wrapping_key_of(root)
    assert Cutoffs(Rules(profile="nist-2035")).last_day(key.spec, key.purpose) is None
    assert key.purpose is Purpose.ENCAPSULATION and key.purpose not in key.spec.purposes


def test_no_schedule_for_a_key_that_is_only_brought(root):
    bring(root, "a", os.urandom(32))
    assert root.refusal("POST", "transit/keys/a/config", auto_rotate_period="24h")[0] == 400
    assert root.data("GET", "transit/keys/a")["auto_rotate_period"] == 0
    bring(root, "b", os.urandom(32), allow_rotation=True)
    assert root.data("POST", "transit/keys/b/config", auto_rotate_period="24h")["auto_rotate_period"] == 86400


@pytest.mark.parametrize("kind", ["rsa-2048", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519"])
def test_a_pair_that_is_brought_signs_for_its_owner(shared, pem, kind):
    mine = parcels.pair(kind)
    assert bring(shared, f"own-{kind}", parcels.pkcs8(mine), pem, type=kind).status == 204
    done = shared.data("POST", f"transit/sign/own-{kind}", input=HELLO, signature_algorithm="pkcs1v15")
    signature = b64decode(done["signature"].rpartition(":")[2])
    public = mine.public_key()
    if kind == "ed25519":
        public.verify(signature, b"hello")
    elif kind == "rsa-2048":
        public.verify(signature, b"hello", parcels.PKCS1, hashes.SHA256())
    else:
        public.verify(signature, b"hello", ec.ECDSA(hashes.SHA256()))


def test_row_110_raw_material_comes_out_as_it_came_in(shared, pem):
    for kind, size in (("aes256-gcm96", 32), ("aes128-gcm96", 16), ("chacha20-poly1305", 32), ("hmac", 48)):
        material = os.urandom(size)
        assert bring(shared, f"raw-{kind}", material, pem, type=kind, exportable=True).status == 204
        part = "hmac-key" if kind == "hmac" else "encryption-key"
        assert b64decode(shared.data("GET", f"transit/export/{part}/raw-{kind}")["keys"]["1"]) == material


def test_byok_export_is_opened_by_whoever_holds_the_private_half(shared, pem):
    mine, material = parcels.pair("rsa-2048"), os.urandom(32)
    bring(shared, "source", material, pem, exportable=True)
    shared.data("POST", "transit/keys/target/import", type="rsa-2048", public_key=parcels.public_pem(mine))
    for digest in parcels.HASHES:
        done = shared.data("GET", f"transit/byok-export/target/source?hash={digest}")
        assert parcels.opened(mine, done["keys"]["1"], digest) == material
    sign = parcels.pair("ed25519")
    bring(shared, "source-ed", parcels.pkcs8(sign), pem, type="ed25519", exportable=True)
    done = shared.data("GET", "transit/byok-export/target/source-ed/latest")
    assert parcels.opened(mine, done["keys"]["1"])[-32:] == parcels.pkcs8(sign)[-32:]


# --- what is wrong with a parcel


def test_row_62_whatever_is_wrong_with_a_parcel_is_said_in_the_same_words_and_soon(shared, pem):
    """Row 89: flips, cuts, other hashes, other keys and longer tails tell nothing apart."""
    good = b64decode(parcels.wrapped(pem, os.urandom(32)))
    other = parcels.public_pem(rsa.generate_private_key(65537, 4096))
    wrong = {
        "flip in the AES key": bytes([*good[:100], good[100] ^ 1, *good[101:]]),
        "flip in the material": bytes([*good[:-3], good[-3] ^ 1, *good[-2:]]),
        "cut": good[:-8],
        "cut in a block": good[:-3],
        "nothing behind": good[:513],
        "more behind": good + bytes(8),
        "much more behind": good + bytes(600_000),
        "all ones": b"\xff" * 552,
        "another hash": b64decode(parcels.wrapped(pem, os.urandom(32), "SHA1")),
        "another key": b64decode(parcels.wrapped(other, os.urandom(32))),
        "a short AES key": b64decode(parcels.wrapped(pem, os.urandom(32), n_aes=16)),
    }
    for what, content in wrong.items():
        with atmost(2):
            status, words = shared.refusal("POST", "transit/keys/bad/import", ciphertext=b64encode(content).decode())
        assert (status, UNOPENED in words) == (500, True), (what, words)
    assert shared.refusal("GET", "transit/keys/bad") == (404, "")


def test_row_62_keys_that_would_keep_openssl_busy(shared, pem):
    n = (1 << 16383) | 1
    huge = rsa.RSAPublicNumbers(65537, n).public_key()
    small_e = rsa.RSAPublicNumbers(3, parcels.pair("rsa-2048").public_key().public_numbers().n).public_key()
    for key in (huge, small_e):
        text = key.public_bytes(parcels.Encoding.PEM, parcels.PublicFormat.SubjectPublicKeyInfo).decode()
        with atmost(1):
            assert shared.refusal("POST", "transit/keys/huge/import", type="rsa-2048", public_key=text)[0] == 500
    with atmost(1):
        assert bring(shared, "huge", b"\x30\x82\x2f\x00" + bytes(12_000), pem, type="rsa-4096").status == 500


@pytest.mark.parametrize(
    "text", ["", "-----BEGIN PUBLIC KEY-----\n" * 500, "-----BEGIN A-----\n!\n-----END A-----", "A" * 70_000]
)
def test_row_62_what_is_no_pem(shared, text):
    assert shared.refusal("POST", "transit/keys/huge/import", type="rsa-2048", public_key=text)[0] == 500


def test_row_91_a_private_key_is_not_taken_for_a_public_one_nor_a_public_one_for_a_private_one(shared, pem):
    mine = parcels.pair("ecdsa-p256")
    spki = mine.public_key().public_bytes(parcels.Encoding.DER, parcels.PublicFormat.SubjectPublicKeyInfo)
    assert bring(shared, "swapped", spki, pem, type="ecdsa-p256").status == 500
    text = mine.private_bytes(parcels.Encoding.PEM, parcels.PrivateFormat.PKCS8, parcels.NoEncryption()).decode()
    assert shared.refusal("POST", "transit/keys/swapped/import", type="ecdsa-p256", public_key=text)[0] == 500


# --- versions, terms


def test_what_is_brought_is_rotated_by_its_owner_alone(root):
    bring(root, "a", os.urandom(32))
    sealed = root.data("POST", "transit/encrypt/a", plaintext=HELLO)["ciphertext"]
    assert root.refusal("POST", "transit/keys/a/rotate")[0] == 500
    pem = root.data("GET", "transit/wrapping_key")["public_key"]
    assert (
        root.call("POST", "transit/keys/a/import_version", ciphertext=parcels.wrapped(pem, os.urandom(32))).status
        == 204
    )
    assert root.data("POST", "transit/encrypt/a", plaintext=HELLO)["key_version"] == 2
    assert root.data("POST", "transit/decrypt/a", ciphertext=sealed)["plaintext"] == HELLO


def test_the_private_half_comes_later(root):
    mine = parcels.pair("rsa-2048")
    root.data("POST", "transit/keys/p/import", type="rsa-2048", public_key=parcels.public_pem(mine))
    sealed = root.data("POST", "transit/encrypt/p", plaintext=HELLO)["ciphertext"]
    assert root.refusal("POST", "transit/decrypt/p", ciphertext=sealed)[0] == 500
    assert root.refusal("POST", "transit/hmac/p", input=HELLO)[0] == 400  # it would be a MAC under a public key
    pem = root.data("GET", "transit/wrapping_key")["public_key"]
    text = parcels.wrapped(pem, parcels.pkcs8(mine))
    assert root.call("POST", "transit/keys/p/import_version", ciphertext=text).status == 204
    assert root.data("POST", "transit/decrypt/p", ciphertext=sealed)["plaintext"] == HELLO
    assert root.data("GET", "transit/keys/p")["latest_version"] == 1


def test_a_backup_of_what_was_brought_says_so(root):
    mine = parcels.pair("ecdsa-p256")
    more = {"exportable": True, "allow_plaintext_backup": True, "type": "ecdsa-p256"}
    bring(root, "b", parcels.pkcs8(mine), **more)
    root.data("POST", "transit/keys/b/import_version", public_key=parcels.public_pem(parcels.pair("ecdsa-p256")))
    shown = root.data("GET", "transit/keys/b")
    assert shown["imported_key"] and not shown["imported_key_allow_rotation"] and shown["latest_version"] == 2
    backup = root.data("GET", "transit/backup/b")["backup"]
    root.data("POST", "transit/restore/c", backup=backup)
    assert root.data("GET", "transit/keys/c") == {**shown, "name": "c"}
    assert root.refusal("POST", "transit/sign/c", input=HELLO)[0] == 500  # version 2 has no private half
    assert root.data("POST", "transit/sign/c", input=HELLO, key_version=1)["signature"]


def test_kms_lends_no_material_to_what_was_brought_here():
    stack = harness.stack()
    ring = stack.barrier.get(Binding, f"aws:{harness.TENANT}:{harness.REGION}").keyring
    stack.by_system(ops.BindKeyring(keyring=ring, namespace=f"vault:{harness.TENANT}:transit"))
    root = stack.bearer()
    bring(root, "a", os.urandom(32))
    key_id = key_of(root, "a").id
    reply = stack.admin.call(
        "GetParametersForImport", KeyId=key_id, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    assert (reply.status, reply.code) == (400, "UnsupportedOperationException")
    assert stack.admin.call("DeleteImportedKeyMaterial", KeyId=key_id).status == 400
    assert stack.admin.call("Encrypt", KeyId=key_id, Plaintext=HELLO).status == 200


# --- who may, what is on record, until when


def test_row_35_each_path_is_asked_for_by_itself(root):
    root.data("GET", "transit/wrapping_key")
    reader = root.child('path "transit/wrapping_key" { capabilities = ["read"] }')
    pem = reader.data("GET", "transit/wrapping_key")["public_key"]
    text = parcels.wrapped(pem, os.urandom(32))
    assert reader.refusal("POST", "transit/keys/a/import", ciphertext=text)[0] == 403
    bringer = root.child('path "transit/keys/a/import" { capabilities = ["update"] }')
    assert bringer.call("POST", "transit/keys/a/import", ciphertext=text).status == 204
    assert bringer.refusal("GET", "transit/wrapping_key")[0] == 403
    assert bringer.refusal("POST", "transit/keys/a/import_version", ciphertext=text)[0] == 403
    assert bringer.refusal("GET", "transit/byok-export/a/a")[0] == 403


def test_row_67_no_material_is_on_record_or_in_an_answer(root):
    material = os.urandom(32)
    root.stack.forget_records()
    reply = bring(root, "a", material)
    text = b"".join(root.stack.journal.lines) + b"".join(row for _, row in root.stack.store.records(0, 1000))
    for seen in (text, reply.body):
        assert material not in seen and b64encode(material) not in seen and material.hex().encode() not in seen
    assert root.stack.record().operation == "transit write keys/{name}/import"


def test_row_96_profiles_ask_of_what_is_brought(root):
    mine = parcels.pkcs8(parcels.pair("rsa-2048"))
    pem = root.data("GET", "transit/wrapping_key")["public_key"]
    assert bring(root, "before", mine, pem, type="rsa-2048").status == 204
    root.stack.service._cutoffs = Cutoffs(Rules(profile="nist-2030"))
    root.stack.clock.forward(datetime(2031, 2, 1, tzinfo=UTC) - root.stack.clock.now())
    root = root.stack.bearer()
    assert bring(root, "after", mine, pem, type="rsa-2048").status == 501
    text = parcels.wrapped(pem, mine)
    assert root.refusal("POST", "transit/keys/before/import_version", ciphertext=text)[0] == 501
    by_sha1 = parcels.wrapped(pem, os.urandom(32), "SHA1")
    assert root.refusal("POST", "transit/keys/x/import", ciphertext=by_sha1, hash_function="SHA1")[0] == 501
    assert bring(root, "strong", os.urandom(32), pem).status == 204
    root.stack.service._cutoffs = Cutoffs(Rules(profile="cnsa-2.0"))
    by_sha384 = parcels.wrapped(pem, os.urandom(32), "SHA384")
    assert root.call("POST", "transit/keys/y/import", ciphertext=by_sha384, hash_function="SHA384").status == 204
    assert bring(root, "z", os.urandom(32), pem).status == 501
