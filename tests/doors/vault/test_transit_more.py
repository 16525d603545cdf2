"""transit: soft deletion, requests for certificates, chains, agreement. Words: transit_more.txt, held to OpenBao."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from cryptography.x509.oid import AttributeOID, NameOID
from tests import harness
from tests.doors.vault import parcels
from tests.doors.vault.test_transit_keys import key_of

from keystead.core import operations as ops
from keystead.core.cutoffs import Cutoffs, Rules
from keystead.core.entities import Binding, KeyVersion

HELLO = b64encode(b"hello").decode()
BEGINS, ENDS = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(key, issuer, subject: str = "leaf", *, ca: bool = False) -> str:
    """PEM of a certificate of the public key `key`, signed by `issuer`."""
    made = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named("issuer"))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGINS)
        .not_valid_after(ENDS)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    return made.sign(issuer, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def public_of(root, name: str):
    return load_pem_public_key(root.data("GET", f"transit/keys/{name}")["keys"]["1"]["public_key"].encode())


# --- soft deletion


def test_what_is_soft_deleted_here_is_disabled_at_kms_and_the_other_way_round():
    stack = harness.stack()
    ring = stack.barrier.get(Binding, f"aws:{harness.TENANT}:{harness.REGION}").keyring
    stack.by_system(ops.BindKeyring(keyring=ring, namespace=f"vault:{harness.TENANT}:transit"))
    root, kms = stack.bearer(), stack.admin.client("kms")
    root.data("POST", "transit/keys/a")
    key_id = key_of(root, "a").id
    root.data("DELETE", "transit/keys/a/soft-delete")
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Disabled"
    kms.enable_key(KeyId=key_id)
    assert root.data("GET", "transit/keys/a")["soft_deleted"] is False
    kms.disable_key(KeyId=key_id)
    assert root.refusal("POST", "transit/encrypt/a", plaintext=HELLO) == (400, "refusing to use soft-deleted key")
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    assert root.refusal("POST", "transit/keys/a/soft-delete-restore")[0] == 400  # that is not its to call off


def test_row_35_whoever_may_delete_keys_may_not_soft_delete_them(root):
    root.data("POST", "transit/keys/a")
    child = root.child('path "transit/keys/a" { capabilities = ["delete", "read"] }')
    assert child.refusal("DELETE", "transit/keys/a/soft-delete")[0] == 403
    assert child.refusal("POST", "transit/keys/a/soft-delete-restore")[0] == 403


def test_settings_are_the_mounts_own(root):
    root.data("POST", "sys/mounts/other", type="transit")
    assert root.data("POST", "transit/config/keys", disable_upsert=True) == {"disable_upsert": True}
    assert root.refusal("POST", "transit/encrypt/a", plaintext=HELLO) == (400, "encryption key not found")
    assert root.data("POST", "other/encrypt/a", plaintext=HELLO)["ciphertext"]
    root.data("POST", "transit/keys/a")
    assert root.data("POST", "transit/encrypt/a", plaintext=HELLO)["ciphertext"]


# --- certificates


@pytest.mark.parametrize("kind", ["rsa-2048", "rsa-3072", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519"])
def test_a_request_has_what_the_template_has_and_the_keys_signature(shared, kind):
    shared.data("POST", f"transit/keys/csr-{kind}", type=kind)
    names = x509.SubjectAlternativeName([x509.DNSName("app.example"), x509.DNSName("www.example")])
    template = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(named("app.example"))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_attribute(AttributeOID.CHALLENGE_PASSWORD, b"challenge")
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    text = template.public_bytes(Encoding.PEM).decode()
    made = x509.load_pem_x509_csr(shared.data("POST", f"transit/keys/csr-{kind}/csr", csr=text)["csr"].encode())
    assert made.is_signature_valid and made.subject == template.subject
    assert list(made.extensions) == list(template.extensions)
    assert made.attributes.get_attribute_for_oid(AttributeOID.CHALLENGE_PASSWORD).value == b"challenge"
    if kind != "ed25519":
        assert made.public_key() == public_of(shared, f"csr-{kind}")
    empty = x509.load_pem_x509_csr(shared.data("POST", f"transit/keys/csr-{kind}/csr")["csr"].encode())
    assert empty.is_signature_valid and not list(empty.subject)


def test_row_96_a_request_is_a_signature(root):
    root.data("POST", "transit/keys/a", type="rsa-3072")
    root.stack.service._cutoffs = Cutoffs(Rules(profile="cnsa-2.0"))
    assert root.refusal("POST", "transit/keys/a/csr")[0] == 501


@pytest.mark.parametrize("junk", [b"\x30\x80", b"\x30\x82\xff\xff" + bytes(40), bytes(9000)])
def test_row_62_a_template_or_certificate_that_is_none(shared, junk):
    shared.data("POST", "transit/keys/junk", type="ecdsa-p256")
    body = b64encode(junk).decode()
    for path, name, label in (
        ("csr", "csr", "CERTIFICATE REQUEST"),
        ("set-certificate", "certificate_chain", "CERTIFICATE"),
    ):
        text = f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"
        assert shared.refusal("POST", f"transit/keys/junk/{path}", **{name: text})[0] == 400


def test_a_chain_stands_on_the_version_whose_key_it_is_of(root):
    root.data("POST", "transit/keys/a", type="ecdsa-p256")
    issuer = ec.generate_private_key(ec.SECP256R1())
    chain = certificate(public_of(root, "a"), issuer) + certificate(issuer.public_key(), issuer, "issuer", ca=True)
    unsigned = (500, "1 error occurred:\n\t* selected key version does not have a certificate chain imported\n\n")
    assert root.refusal("GET", "transit/export/certificate-chain/a") == unsigned
    done = root.data("POST", "transit/keys/a/set-certificate", certificate_chain=chain)
    exported = root.data("GET", "transit/export/certificate-chain/a")
    assert exported["keys"] == {"1": chain.rstrip()} and exported["type"] == done["type"]
    assert done == {"certificate_chain": chain, "name": "a", "type": "ecdsa-p256"}
    assert root.data("GET", "transit/keys/a")["keys"]["1"]["certificate_chain"] == chain
    root.data("POST", "transit/keys/a/rotate")
    assert root.data("GET", "transit/keys/a")["keys"]["2"]["certificate_chain"] == ""
    assert root.refusal("POST", "transit/keys/a/set-certificate", certificate_chain=chain)[0] == 500  # version 2 now
    assert root.data("POST", "transit/keys/a/set-certificate", certificate_chain=chain, version=1)
    assert root.refusal("POST", "transit/keys/a/set-certificate", certificate_chain=chain, version=3)[0] == 400


def test_chains_that_are_none(root):
    root.data("POST", "transit/keys/a", type="ecdsa-p256")
    issuer, other = ec.generate_private_key(ec.SECP256R1()), parcels.pair("rsa-2048")
    leaf = certificate(public_of(root, "a"), issuer)
    top = certificate(issuer.public_key(), issuer, "issuer", ca=True)
    for chain, words in {
        top: "is not a valid leaf certificate",
        leaf + leaf: "is not a valid CA certificate",
        leaf + leaf + top: "only one leaf certificate",
        certificate(issuer.public_key(), issuer): "does not match the selected key version",
        certificate(other.public_key(), issuer): "does not match the transit key type",
        leaf + top * 16: "at most 16",
    }.items():
        assert words in root.refusal("POST", "transit/keys/a/set-certificate", certificate_chain=chain)[1]
    assert root.data("GET", "transit/keys/a")["keys"]["1"]["certificate_chain"] == ""


# --- agreement


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521"])
def test_two_mounts_come_to_one_key(shared, kind):
    shared.data("POST", "sys/mounts/far", type="transit")
    for mount in ("transit", "far"):
        shared.data("POST", f"{mount}/keys/base-{kind}", type=kind)
    halves = {m: shared.data("GET", f"{m}/keys/base-{kind}")["keys"]["1"]["public_key"] for m in ("transit", "far")}
    for mount, peer in (("transit", halves["far"]), ("far", halves["transit"])):
        more = {"base_key_name": f"base-{kind}", "peer_public_key": peer}
        assert shared.call("POST", f"{mount}/derive-key/agreed-{kind}", **more).status == 204
    mac = shared.data("POST", f"transit/hmac/agreed-{kind}", input=HELLO)["hmac"]  # made of the material
    assert shared.data("POST", f"far/verify/agreed-{kind}", input=HELLO, hmac=mac) == {"valid": True}
    assert shared.refusal("POST", f"transit/derive-key/agreed-{kind}", **more)[0] == 500  # the name is taken
    shared.data("DELETE", "sys/mounts/far")


def test_what_is_agreed_on_is_what_the_other_half_comes_to(root):
    mine = parcels.pair("ecdsa-p256")
    root.data("POST", "transit/keys/base", type="ecdsa-p256")
    root.data("POST", "transit/derive-key/a", base_key_name="base", peer_public_key=parcels.public_pem(mine))
    expected = HKDF(hashes.SHA256(), 32, None, None).derive(mine.exchange(ec.ECDH(), public_of(root, "base")))
    version = root.stack.barrier.get(KeyVersion, f"{key_of(root, 'a').id}/1")
    assert root.stack.barrier.material(version).reveal() == expected
    assert root.data("GET", "transit/keys/a")["imported_key"]
    assert root.refusal("POST", "transit/keys/a/rotate")[0] == 500


def test_row_62_points_off_the_curve_agree_on_nothing(root):
    root.data("POST", "transit/keys/base", type="ecdsa-p256")
    good = parcels.pair("ecdsa-p256").public_key()
    der = good.public_bytes(Encoding.DER, parcels.PublicFormat.SubjectPublicKeyInfo)
    bad = b64encode(der[:-1] + bytes([der[-1] ^ 1])).decode()
    text = f"-----BEGIN PUBLIC KEY-----\n{bad}\n-----END PUBLIC KEY-----\n"
    assert root.refusal("POST", "transit/derive-key/a", base_key_name="base", peer_public_key=text)[0] == 500
