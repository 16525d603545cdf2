"""A version that is damaged, and that no backup has: refused in words, and a rotation goes on past it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests import vaultstack
from tests.harness import b64
from tests.service.restored import Office

from keystead.core.entities import Key, Kind
from keystead.core.states import KeyState

WORDS = "a version of the key is damaged: it has to be restored from a backup"


def spoil(stack, id_: str) -> None:
    rows = stack.store._content.items[Kind.KEY_VERSION]
    rows[id_] = replace(rows[id_], sealed=bytes(len(rows[id_].sealed)))
    stack.view.forget()


def test_at_the_aws_door() -> None:
    office = Office()
    key = office.stack.key()
    text = office.ask("Encrypt", KeyId=key.id, Plaintext=b64(b"x"))["CiphertextBlob"]
    spoil(office.stack, f"{key.id}/1")
    for refused in (
        office.admin.call("Encrypt", KeyId=key.id, Plaintext=b64(b"x")),
        office.admin.call("Decrypt", CiphertextBlob=text),
    ):
        assert (refused.status, refused.code, refused.message) == (500, "KeyUnavailableException", WORDS)
    office.ask("RotateKeyOnDemand", KeyId=key.id)
    assert len(office.ask("ListKeyRotations", KeyId=key.id)["Rotations"]) == 1
    key = office.stack.stored(key)
    assert (key.n_versions, key.current, key.lifecycle.state) == (2, 2, KeyState.ACTIVE)
    again = office.ask("Encrypt", KeyId=key.id, Plaintext=b64(b"x"))["CiphertextBlob"]
    assert office.ask("Decrypt", CiphertextBlob=again)["Plaintext"] == b64(b"x")
    assert office.admin.call("Decrypt", CiphertextBlob=text).code == "KeyUnavailableException"


@pytest.mark.parametrize("n", [1, 2])
def test_at_the_vault_door(n) -> None:
    vault = vaultstack.door()
    vault.root.data("POST", "sys/mounts/transit", {"type": "transit"})
    vault.root.data("POST", "transit/keys/k", {})
    vault.root.data("POST", "transit/keys/k/rotate", {})
    texts = [
        vault.root.data("POST", "transit/encrypt/k", {"plaintext": "AAAA", "key_version": one})["ciphertext"]
        for one in (1, 2)
    ]
    (key,) = (one for one in vault.stack.barrier.every(Key))
    spoil(vault.stack, f"{key.id}/{n}")
    lost, kept = texts[n - 1], texts[2 - n]
    assert vault.root.refused("POST", "transit/decrypt/k", {"ciphertext": lost}) == (503, WORDS)
    assert vault.root.data("POST", "transit/decrypt/k", {"ciphertext": kept})["plaintext"] == "AAAA"
    vault.root.data("POST", "transit/keys/k/rotate", {})
    sealed = vault.root.data("POST", "transit/encrypt/k", {"plaintext": "AAAA"})["ciphertext"]
    assert sealed.startswith("vault:v3:")
    assert sorted(vault.root.data("GET", "transit/keys/k")["keys"]) == sorted({"1", "2", "3"} - {str(n)})
    assert vault.root.data("POST", "transit/decrypt/k", {"ciphertext": sealed})["plaintext"] == "AAAA"
