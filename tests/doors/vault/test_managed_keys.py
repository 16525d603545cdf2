"""sys/managed-keys/pkcs11, and transit keys of type managed_key. Vault HTTP API, "/sys/managed-keys"."""

from __future__ import annotations

from base64 import b64encode

import pytest
from tests import harness
from tests.doors.vault.test_transit_keys import key_of
from tests.fakes import MemoryClusters, MemoryToken, SeededEntropy

from keystead.core.algorithms import KEY_SPECS
from keystead.core.entities import Origin
from keystead.service.erasures import Erasures
from keystead.service.hsms import Hsms

HELLO = b64encode(b"hello").decode()
PIN = "canary-pin"
GIVEN = {"library": "luna", "pin": PIN, "key_label": "theirs", "mechanism": "0x1041", "curve": "P256"}
AT = "sys/managed-keys/pkcs11"


@pytest.fixture
def token():
    return MemoryToken(SeededEntropy(7))


@pytest.fixture
def root(token):
    hsms = Hsms({"luna": token}, clusters=MemoryClusters("cluster-a2b3c4d5e6f", "luna", token, PIN))
    found = harness.stack(hsms=hsms).bearer()
    found.data("POST", "sys/mounts/transit", type="transit", config={"allowed_managed_keys": ["mine"]})
    return found


def theirs(token, name="EC_P256", label="theirs"):
    """As somebody else has made it."""
    token.theirs[label] = (KEY_SPECS[name], token._software.generate(KEY_SPECS[name]))


def test_what_is_configured_is_told_and_the_pin_is_not(root):
    assert root.refusal("LIST", AT) == (404, "")
    root.data("POST", f"{AT}/mine", **GIVEN, allow_generate_key=True)
    told = root.data("GET", f"{AT}/mine")
    uuid = told.pop("UUID")
    assert told == {
        "allow_generate_key": True,
        "allow_replace_key": False,
        "allow_store_key": False,
        "any_mount": False,
        "curve": "P256",
        "force_rw_session": False,
        "key_bits": 0,
        "key_id": "",
        "key_label": "theirs",
        "library": "luna",
        "mechanism": 0x1041,
        "name": "mine",
        "pin": "redacted",
        "slot": "",
        "token_label": "",
        "type": "pkcs11",
    }
    root.data("POST", f"{AT}/mine", **GIVEN, any_mount=True)
    again = root.data("GET", f"{AT}/mine")
    assert again["UUID"] == uuid and again["any_mount"] and not again["allow_generate_key"]
    assert root.data("LIST", AT) == {"keys": ["mine"]}
    assert not any(PIN in str(record) for record in root.stack.records())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"library": "nowhere"}, "nowhere"),
        ({"library": ""}, "library is required"),
        ({"pin": ""}, "pin is required"),
        ({"pin": "another"}, "PIN"),
        ({"key_label": ""}, "key_label or key_id"),
        ({"mechanism": "0x1"}, "curve"),
        ({"mechanism": "0x1087"}, "0x1087"),
        ({"mechanism": "x"}, "not a number"),
        ({"curve": "P192"}, "P192"),
        ({"token_label": "another"}, "another label"),
        ({"slot": "8"}, "another slot"),
    ],
)
def test_what_cannot_be_configured(root, change, words):
    given = {**GIVEN, **change}
    if change == {"mechanism": "0x1"}:
        given |= {"key_bits": 1024, "curve": ""}
        words = "key_bits 1024"
    status, said = root.refusal("POST", f"{AT}/mine", **given)
    assert status == 400 and words in said
    assert root.refusal("GET", f"{AT}/mine")[0] == 404


def test_other_types_are_not_offered(root):
    for kind in ("awskms", "azurekeyvault"):
        assert root.refusal("POST", f"sys/managed-keys/{kind}/mine", **GIVEN)[0] == 404


def test_it_is_tried_and_made_where_that_is_allowed(root, token):
    root.data("POST", f"{AT}/mine", **GIVEN)
    status, said = root.refusal("POST", f"{AT}/mine/test/sign")
    assert status == 400 and "no key of that name" in said and not token.theirs
    root.data("POST", f"{AT}/mine", **GIVEN, allow_generate_key=True)
    assert root.call("POST", f"{AT}/mine/test/sign").status == 204
    assert list(token.theirs) == ["theirs"] and not token.objects
    assert root.refusal("POST", f"{AT}/other/test/sign")[0] == 404
    token.plugged = False
    assert root.refusal("POST", f"{AT}/mine/test/sign")[0] == 503


def test_transit_uses_it(root, token):
    theirs(token)
    root.data("POST", f"{AT}/mine", **GIVEN)
    told = root.data("POST", "transit/keys/a", type="managed_key", managed_key_name="mine")
    assert told["type"] == "managed_key" and "PUBLIC KEY" in told["keys"]["1"]["public_key"]
    assert told["supports_signing"] and not told["supports_encryption"] and not told["exportable"]
    key = key_of(root, "a")
    assert (key.hsm, key.origin, key.managed) == ("luna", Origin.HSM, "mine") and not token.objects
    before = token.n_calls
    signed = root.data("POST", "transit/sign/a", input=HELLO)["signature"]
    assert token.n_calls > before
    assert root.data("POST", "transit/verify/a", input=HELLO, signature=signed)["valid"]
    uuid = root.data("GET", f"{AT}/mine")["UUID"]
    root.data("POST", "transit/keys/b", type="managed_key", managed_key_id=uuid)
    assert root.data("POST", "transit/verify/b", input=HELLO, signature=signed)["valid"]  # one key, two names


def test_what_it_is_not_for(root, token):
    theirs(token)
    root.data("POST", f"{AT}/mine", **GIVEN)
    for more in ({"derived": True}, {"exportable": True}, {"allow_plaintext_backup": True}, {"key_size": 32}):
        given = {"type": "managed_key", "managed_key_name": "mine", **more}
        assert root.refusal("POST", "transit/keys/a", **given)[0] == 400
    assert root.refusal("POST", "transit/keys/a", type="managed_key")[0] == 400
    assert root.refusal("POST", "transit/keys/a", type="managed_key", managed_key_name="other")[0] == 400
    root.data("POST", "transit/keys/a", type="managed_key", managed_key_name="mine")
    assert root.refusal("POST", "transit/encrypt/a", plaintext=HELLO)[0] == 400
    assert root.refusal("POST", "transit/keys/a/rotate")[0] in {400, 501}
    assert root.refusal("POST", "transit/keys/a/config", exportable=True)[0] == 400
    assert root.refusal("GET", "transit/export/signing-key/a")[0] == 400


def test_a_mount_has_to_be_allowed(root, token):
    theirs(token)
    root.data("POST", f"{AT}/other", **GIVEN)
    given = {"type": "managed_key", "managed_key_name": "other"}
    assert root.refusal("POST", "transit/keys/a", **given)[0] == 403
    root.data("POST", "sys/mounts/transit/tune", allowed_managed_keys=["mine", "other"])
    assert root.refusal("DELETE", f"{AT}/other")[0] == 400
    root.data("POST", "transit/keys/a", **given)
    root.data("POST", "sys/mounts/transit/tune", allowed_managed_keys=["mine"])
    assert root.refusal("POST", "transit/keys/b", **given)[0] == 403
    root.data("POST", f"{AT}/other", **GIVEN, any_mount=True)
    root.data("POST", "transit/keys/b", **given)
    root.data("DELETE", f"{AT}/other")
    assert root.refusal("GET", f"{AT}/other")[0] == 404
    assert root.data("POST", "transit/sign/a", input=HELLO)["signature"]  # what uses it goes on


def test_deleting_the_key_leaves_the_object_that_is_anothers(root, token):
    theirs(token)
    stack = root.stack
    root.data("POST", f"{AT}/mine", **GIVEN)
    root.data("POST", "transit/keys/a", type="managed_key", managed_key_name="mine")
    root.data("POST", "transit/keys/a/config", deletion_allowed=True)
    root.data("DELETE", "transit/keys/a")
    chore = Erasures(stack.barrier, stack.store, stack.hsms, stack.clock, stack.by_system)
    assert chore.n_outstanding == 0 == chore.step() and list(token.theirs) == ["theirs"]


def test_the_key_in_the_hsm_says_itself_which_it_is(root, token):
    theirs(token, "RSA_3072", "big")
    given = {"library": "luna", "pin": PIN, "key_label": "big", "mechanism": "0x0001"}
    root.data("POST", f"{AT}/mine", **given)
    root.data("POST", "transit/keys/a", type="managed_key", managed_key_name="mine")
    assert key_of(root, "a").spec_name == "RSA_3072"
    root.data("POST", f"{AT}/mine", **given, key_bits=2048)
    assert root.refusal("POST", f"{AT}/mine/test/sign")[0] == 400


def test_one_tenants_are_not_anothers(root):
    root.data("POST", f"{AT}/mine", **GIVEN)
    child = root.child(f'path "{AT}/*" {{ capabilities = ["read"] }}')
    assert child.data("GET", f"{AT}/mine")["name"] == "mine"
    assert child.refusal("POST", f"{AT}/mine", **GIVEN)[0] == 403
    assert child.refusal("POST", f"{AT}/mine/test/sign")[0] == 403
