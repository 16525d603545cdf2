"""Keys of XChaCha20 that go from OpenBao to us and back, and their ciphertexts with them."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from tests.doors.vault import parcels
from tests.doors.vault.conftest import mounted
from tests.openbao import openbao

from keystead.core.algorithms import ALGORITHMS, KEY_SPECS
from keystead.core.envelope import typed_aad
from keystead.core.operations import Derivation
from keystead.core.sensitive import Sensitive
from keystead.providers.software import SoftwareProvider

pytestmark = pytest.mark.client
KIND = "xchacha20-poly1305"
HELLO, DATA, CONTEXT = (b64encode(text).decode() for text in (b"hello", b"data", b"context"))


class Theirs:
    def __init__(self, peer) -> None:
        self._peer = peer

    def __call__(self, method: str, path: str, **fields):
        answer = self._peer.json(method, path, fields)
        return (answer or {}).get("data")


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """name -> what asks it"""
    with openbao(tmp_path_factory.mktemp("openbao")) as peer:
        yield {"theirs": Theirs(peer), "ours": mounted().bearer().data}


def moved(source, target, name: str, **options: object) -> None:
    """The key `name` from one to the other, by export and import."""
    material = b64decode(source("GET", f"transit/export/encryption-key/{name}")["keys"]["1"])
    pem = target("GET", "transit/wrapping_key")["public_key"]
    target("POST", f"transit/keys/{name}/import", type=KIND, ciphertext=parcels.wrapped(pem, material), **options)


BOUND = {"nothing": {}, "data": {"associated_data": DATA}}
DERIVED = {"context": {"context": CONTEXT}, "both": {"context": CONTEXT, "associated_data": DATA}}


# Of a derived key that it has imported OpenBao derives otherwise than of one that it has made: there it is its own only
WAYS = [
    ("theirs", "ours", False, False),
    ("theirs", "ours", True, False),
    ("theirs", "ours", True, True),
    ("ours", "theirs", False, False),
]


@pytest.mark.parametrize(("from_", "to", "derived", "converges"), WAYS)
def test_what_one_has_encrypted_the_other_decrypts(sides, from_, to, derived, converges):
    source, target, name = sides[from_], sides[to], f"{from_}-{derived}-{converges}".lower()
    source("POST", f"transit/keys/{name}", type=KIND, derived=derived, convergent_encryption=converges, exportable=True)
    moved(source, target, name, derived=derived)
    for bound in (DERIVED if derived else BOUND).values():
        for one, other in ((source, target), (target, source)):
            made = one("POST", f"transit/encrypt/{name}", plaintext=HELLO, **bound)["ciphertext"]
            assert other("POST", f"transit/decrypt/{name}", ciphertext=made, **bound) == {"plaintext": HELLO}


def test_a_convergent_ciphertext_is_the_same_as_theirs(sides):
    theirs = sides["theirs"]
    theirs("POST", "transit/keys/c", type=KIND, derived=True, convergent_encryption=True, exportable=True)
    material = b64decode(theirs("GET", "transit/export/encryption-key/c")["keys"]["1"])
    key = SoftwareProvider(bytes).load(
        KEY_SPECS["XCHACHA20"], Sensitive(material), key_id="1234abcd-12ab-34cd-56ef-1234567890ab", version=1
    )
    for text in (b"hello", b"", b"x" * 1000):
        made = key.encrypt_convergent(
            ALGORITHMS["XCHACHA20_POLY1305"], Sensitive(text), typed_aad(Derivation(b"context"))
        )
        said = theirs("POST", "transit/encrypt/c", plaintext=b64encode(text).decode(), context=CONTEXT)
        assert said["ciphertext"] == f"vault:v1:{b64encode(made).decode()}"
