"""transit with its keys in an HSM: by the option of a mount, or by the operator's default (docs/adr/0034)."""

from __future__ import annotations

from base64 import b64encode

import pytest
from msgspec.structs import replace
from tests import harness
from tests.doors.vault.test_transit_keys import key_of
from tests.fakes import MemoryToken, SeededEntropy

from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS, Purpose
from keystead.core.entities import Key, Name
from keystead.core.errors import Unsupported
from keystead.service.erasures import Erasures
from keystead.service.hsms import Hsms

HELLO = b64encode(b"hello").decode()


@pytest.fixture
def token():
    return MemoryToken(SeededEntropy(7), lacks=frozenset({"ED25519PH"}))


def bearer(token, new_keys_in=""):
    found = harness.stack(hsms=Hsms({"luna": token}, new_keys_in=new_keys_in)).bearer()
    found.data("POST", "sys/mounts/transit", type="transit")
    return found


def in_mount(root, path, name):
    barrier = root.stack.barrier
    return barrier.get(Key, barrier.get(Name, barrier.name_id(f"vault:{harness.TENANT}:{path}", name)).key_id)


def test_a_mount_holds_its_keys_where_it_was_told_to(token):
    root = bearer(token)
    root.data("POST", "sys/mounts/held", type="transit", options={"hsm": "luna"})
    root.data("POST", "held/keys/a")
    assert in_mount(root, "held", "a").hsm == "luna" and len(token.objects) == 1
    sealed = root.data("POST", "held/encrypt/a", plaintext=HELLO)["ciphertext"]
    root.data("POST", "held/keys/a/rotate")
    assert root.data("POST", "held/decrypt/a", ciphertext=sealed)["plaintext"] == HELLO
    assert len(token.objects) == 2
    root.data("POST", "transit/keys/a")
    assert key_of(root, "a").hsm == "" and len(token.objects) == 2
    assert root.data("GET", "sys/mounts/held")["options"] == {"hsm": "luna"}


def test_what_it_cannot_hold_is_refused_there(token):
    root = bearer(token)
    root.data("POST", "sys/mounts/held", type="transit", options={"hsm": "luna"})
    for given, words in (
        ({"exportable": True}, "it is to be exported"),
        ({"allow_plaintext_backup": True}, "it is to be exported"),
        ({"derived": True}, "keys are to be derived of it"),
        ({"type": "ed25519"}, "no ED25519PH with ED25519"),
    ):
        status, said = root.refusal("POST", "held/keys/a", **given)
        assert status == 400 and words in said, (status, said)
    assert not token.objects
    root.data("POST", "held/keys/a")
    status, said = root.refusal("POST", "held/keys/a/config", exportable=True)
    assert status == 400 and "never leaves it" in said
    assert root.refusal("GET", "held/export/encryption-key/a")[0] == 400
    assert root.refusal("GET", "held/backup/a")[0] == 500  # OpenBao's word for what may not be backed up


def test_it_is_settled_for_life(token):
    root = bearer(token)
    status, said = root.refusal("POST", "sys/mounts/held", type="transit", options={"hsm": "nowhere"})
    assert status == 400 and "nowhere" in said
    root.data("POST", "sys/mounts/held", type="transit", options={"hsm": "luna"})
    for options in ({"hsm": ""}, {"hsm": "other"}):
        assert root.refusal("POST", "sys/mounts/held/tune", options=options)[0] == 400
    assert root.refusal("POST", "sys/mounts/transit/tune", options={"hsm": "luna"})[0] == 400
    root.data("POST", "sys/mounts/held/tune", options={"hsm": "luna"})


@pytest.mark.parametrize("said", ["", "other"])
def test_no_other_door_makes_a_key_there_that_is_held_elsewhere(token, said):
    root = bearer(token)
    root.data("POST", "sys/mounts/held", type="transit", options={"hsm": "luna"})
    root.stack.view.loop_thread = None
    create = ops.CreateKey(
        keyring=ops.KeyringRef(f"vault:{harness.TENANT}:held"),
        spec=KEY_SPECS["AES_256"],
        purpose=Purpose.CIPHER,
        hsm=said,
        name="b",
    )
    with pytest.raises(Unsupported):
        root.stack.by_system(create)
    assert root.stack.by_system(replace(create, hsm="luna")).key.hsm == "luna"
    assert root.stack.by_system(replace(create, hsm=None, name="c")).key.hsm == "luna"


def test_the_operators_default_holds_where_a_mount_says_nothing(token):
    root = bearer(token, new_keys_in="luna")
    for kind in ("aes256-gcm96", "rsa-2048", "ecdsa-p256"):
        root.data("POST", f"transit/keys/{kind}", type=kind)
        assert key_of(root, kind).hsm == "luna"
    signed = root.data("POST", "transit/sign/ecdsa-p256", input=HELLO)["signature"]
    assert root.data("POST", "transit/verify/ecdsa-p256", input=HELLO, signature=signed)["valid"]


def test_deleting_erases_in_the_hsm(token):
    root = bearer(token, new_keys_in="luna")
    stack = root.stack
    root.data("POST", "transit/keys/a")
    root.data("POST", "transit/keys/a/config", deletion_allowed=True)
    root.data("DELETE", "transit/keys/a")
    chore = Erasures(stack.barrier, stack.store, stack.hsms, stack.clock, stack.by_system)
    assert len(token.objects) == 1 and chore.step() == 1 and not token.objects
    root.data("POST", "sys/mounts/held", type="transit", options={"hsm": "luna"})
    root.data("POST", "held/keys/b")
    root.data("DELETE", "sys/mounts/held")
    assert chore.step() == 1 and not token.objects


def test_imported_keys_go_into_it(token):
    root = bearer(token, new_keys_in="luna")
    root.data("GET", "transit/wrapping_key")
    assert not token.objects  # what it opens is opened here


def test_a_token_that_is_away(token):
    root = bearer(token, new_keys_in="luna")
    root.data("POST", "transit/keys/a")
    token.plugged = False
    assert root.refusal("POST", "transit/encrypt/a", plaintext=HELLO)[0] >= 500
    assert root.refusal("POST", "transit/keys/b")[0] >= 500
    token.plugged = True
    assert root.data("POST", "transit/encrypt/a", plaintext=HELLO)["ciphertext"]
