"""transit: Ed25519 keys whose pairs are derived in a context. Words are held to OpenBao in transit_derived.txt."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from tests import harness
from tests.doors.vault import parcels
from tests.doors.vault.test_transit_import import bring

from keystead.core import operations as ops
from keystead.core.entities import Binding, Name
from keystead.core.limits import Allowance, Limits

HELLO, ABC = b64encode(b"hello").decode(), b64encode(b"abc").decode()
# made by OpenBao 2.7.2: type=ed25519 derived=true, exported; "hello" signed in the context "abc"
SEED = b64decode("8aOCPv2PsHlzidfZB5f5x4HH8iAm2wj/KFlwJJvnRfNuy/rL/sMs/rTlIAG44bhbLHc9nmI1jZ/6NMpTLzTfNA==")[:32]
PUBLIC = "zm/37QLw+IrJH+o4gOqvj115bMOvtLyA0IndB/7Xwf4="
SIGNATURE = "vault:v1:vbHYIYm4PVZSXM9Hr4W22Lrd2DwvIxlHFTpFyh7obJaFde4ovdPCgRVIYwEk5LWPtI627MAWLrrBDB1nwUSgCA=="


@pytest.fixture
def brought(root):
    made = bring(root, "k", parcels.pkcs8(Ed25519PrivateKey.from_private_bytes(SEED)), type="ed25519", derived=True)
    assert made.status == 204
    return root


def test_a_key_of_openbaos_signs_here_as_it_does_there(brought) -> None:
    assert brought.data("POST", "transit/sign/k", input=HELLO, context=ABC) == {
        "key_version": 1,
        "public_key": PUBLIC,
        "signature": SIGNATURE,
    }
    assert brought.data("POST", "transit/verify/k", input=HELLO, context=ABC, signature=SIGNATURE) == {"valid": True}
    Ed25519PublicKey.from_public_bytes(b64decode(PUBLIC)).verify(b64decode(SIGNATURE[9:]), b"hello")


def test_each_context_has_a_pair_of_its_own_and_none_is_the_keys(brought) -> None:
    other = brought.data("POST", "transit/sign/k", input=HELLO, context=HELLO)
    base = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
    assert len({PUBLIC, other["public_key"], b64encode(base).decode()}) == 3
    assert brought.data("POST", "transit/verify/k", input=HELLO, context=HELLO, signature=SIGNATURE) == {"valid": False}
    assert brought.data("GET", "transit/keys/k")["keys"]["1"]["public_key"] == ""
    assert brought.data("GET", f"transit/keys/k?context={ABC}")["keys"]["1"]["public_key"] == PUBLIC


def test_a_public_key_derives_nothing(root) -> None:
    pem = parcels.public_pem(Ed25519PrivateKey.generate())
    status, words = root.refusal("POST", "transit/keys/p/import", public_key=pem, type="ed25519", derived=True)
    assert status == 500 and "key pairs are derived of a private key" in words
    assert root.ask("GET", "transit/keys/p").status == 404


@pytest.fixture
def both():
    """A derived key at a mount whose keyring AWS's door has, too."""
    stack = harness.stack()
    bound = stack.barrier.get(Binding, f"aws:{harness.TENANT}:{harness.REGION}")
    stack.by_system(ops.BindKeyring(keyring=bound.keyring, namespace=f"vault:{harness.TENANT}:kms"))
    root = stack.bearer()
    root.data("POST", "kms/keys/k", type="ed25519", derived=True)
    return stack.admin.client("kms"), root, root.data("POST", "kms/sign/k", input=HELLO, context=ABC)


@pytest.mark.parametrize("kind", ["rsa-2048", "rsa-3072", "rsa-4096", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521"])
def test_no_other_pair_is_derived(root, kind) -> None:
    """CVE-2026-55776."""
    status, words = root.refusal("POST", "transit/keys/k", type=kind, derived=True)
    assert (status, kind in words) == (500, True) and "not supported for keys of type" in words
    assert root.ask("GET", "transit/keys/k").status == 404


def test_no_door_signs_without_a_context(both) -> None:
    kms, _, _ = both
    found = kms.list_keys()["Keys"][-1]["KeyId"]
    signing = {"KeyId": found, "SigningAlgorithm": "ED25519_SHA_512", "MessageType": "RAW", "Message": b"hello"}
    for ask in (
        lambda: kms.sign(**signing),
        lambda: kms.verify(**signing, Signature=bytes(64)),
        lambda: kms.get_public_key(KeyId=found),
    ):
        with pytest.raises(ClientError, match="used with a context to derive from") as refused:
            ask()
        assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_its_uses_are_counted(both) -> None:
    _, root, made = both
    mount, barrier = f"vault:{harness.TENANT}:kms", root.stack.barrier
    id_ = barrier.get(Name, barrier.name_id(mount, "k")).key_id
    root.stack.perform(ops.PutLimits(key=ops.KeyRef(mount, id=id_), limits=Limits(protect=Allowance(uses=1))))
    for _ in range(2):
        assert root.data("GET", f"kms/keys/k?context={ABC}")["keys"]["1"]["public_key"] == made["public_key"]
    assert root.data("POST", "kms/sign/k", input=HELLO, context=ABC) == made
    status, words = root.refusal("POST", "kms/sign/k", input=HELLO, context=ABC)
    assert status == 400 and "all its uses are used up" in words
