"""Encrypt and Decrypt, section by section of the specification."""

import json
from base64 import b64decode
from hashlib import sha256

import pytest
from tests.doors.aws_xks.conftest import META, Store, error, raw
from tests.harness import REGION, TENANT, b64

from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS
from keystead.core.detached import Detached
from keystead.core.entities import Elsewhere, Origin
from keystead.core.errors import DecryptionFailed
from keystead.core.family import known_as
from keystead.core.sensitive import Sensitive
from keystead.doors.aws_xks.cipher import integrity_value
from keystead.providers.sealing import Aes

AAD = b"project=nile,department=marketing"


@pytest.fixture(scope="module")
def key(shared: Store) -> str:
    return shared.key().id


# --- "Encrypt"


def test_the_answer_has_the_parts_in_the_lengths_of_the_specification(shared: Store, key: str) -> None:
    reply = shared.encrypt(key, b"Hello World!", additionalAuthenticatedData=AAD)
    assert reply.headers["content-type"] == "application/json"
    assert set(reply.json) == {"ciphertext", "ciphertextMetadata", "initializationVector", "authenticationTag"}
    lengths = {name: len(raw(reply, name)) for name in reply.json}
    assert lengths == {"ciphertext": 12, "ciphertextMetadata": 20, "initializationVector": 12, "authenticationTag": 16}


@pytest.mark.parametrize("n", [0, 1, 4299, 4300])
@pytest.mark.parametrize("aad", [None, b"", AAD, bytes(8192)], ids=["no aad", "empty", "some", "8192"])
def test_what_was_encrypted_is_decrypted(shared: Store, key: str, n: int, aad: bytes | None) -> None:
    bound = {} if aad is None else {"additionalAuthenticatedData": aad}
    sealed = shared.encrypt(key, bytes(n), **bound)
    assert len(raw(sealed, "ciphertext")) == n
    assert raw(shared.decrypt(key, sealed.json, **bound), "plaintext") == bytes(n)


def test_the_largest_message_that_a_proxy_must_take_is_taken(shared: Store, key: str) -> None:
    bound = {"additionalAuthenticatedData": b"\xff" * 8192}
    sealed = shared.encrypt(key, b"\xff" * 4300, ciphertextDataIntegrityValueAlgorithm="SHA_256", **bound)
    assert raw(shared.decrypt(key, sealed.json, **bound), "plaintext") == b"\xff" * 4300


@pytest.mark.parametrize(
    ("member", "n"), [("plaintext", 4301), ("additionalAuthenticatedData", 8193)], ids=["plaintext", "aad"]
)
def test_more_than_that_is_unsupported(shared: Store, key: str, member: str, n: int) -> None:
    """The specification, "Error codes": a value beyond the size that every proxy is required to take."""
    assert error(shared.encrypt(key, **{member: bytes(n)})) == (501, "UnsupportedOperationException")
    sealed = shared.encrypt(key).json
    given = {"ciphertext" if member == "plaintext" else member: bytes(n)}
    assert error(shared.decrypt(key, sealed, **given)) == (501, "UnsupportedOperationException")


def test_no_two_ciphertexts_share_a_salt_or_a_nonce(shared: Store, key: str) -> None:
    made = [shared.encrypt(key, b"same").json for _ in range(50)]
    for name in ("ciphertextMetadata", "initializationVector", "authenticationTag"):
        assert len({one[name] for one in made}) == 50


# --- "ciphertextMetadata"


def test_metadata_carries_the_version_so_that_rotation_keeps_what_was_encrypted(store: Store) -> None:
    key = store.key()
    old = store.encrypt(key.id, b"before").json
    store.manage(ops.RotateKey, key)
    new = store.encrypt(key.id, b"after").json
    versions = [b64decode(one["ciphertextMetadata"])[:4] for one in (old, new)]
    assert versions == [b"\x01\0\0\x01", b"\x01\0\0\x02"]
    assert raw(store.decrypt(key.id, old), "plaintext") == b"before"
    assert store.stack.record().targets[0].version == 1
    assert raw(store.decrypt(key.id, new), "plaintext") == b"after"
    assert store.stack.record().targets[0].version == 2


def test_a_related_key_is_told_by_the_id_that_clients_know(store: Store) -> None:
    """docs/adr/0014: the family's id is an external key id at every prefix whose keyring a copy is in."""
    at = ops.KeyringRef(f"aws:{TENANT}:{REGION}")
    spec = KEY_SPECS["AES_256"]
    copy = store.stack.perform(ops.CreateKey(keyring=at, spec=spec, purpose=spec.purposes[0], multi_region=True)).key
    made = known_as(copy.id)
    sealed = store.encrypt(made)
    assert sealed.status == 200 and raw(store.decrypt(made, sealed.json), "plaintext") == b"Hello World!"
    assert error(store.encrypt("mrk-" + "0" * 32))[1] == "KeyNotFoundException"
    assert store.encrypt(copy.id).status == 404  # which is no external key id at all


def test_metadata_cannot_be_changed_shortened_left_out_or_moved_into_the_aad(shared: Store, key: str) -> None:
    """The specification: "the XKS Proxy MUST detect when the ciphertextMetadata … has been modified"."""
    sealed = shared.encrypt(key, additionalAuthenticatedData=AAD).json
    good = b64decode(sealed["ciphertextMetadata"])
    assert raw(shared.decrypt(key, sealed, additionalAuthenticatedData=AAD), "plaintext") == b"Hello World!"
    bad = [bytes([*good[:i], good[i] ^ 1, *good[i + 1 :]]) for i in range(20)] + [good[:19], b"", b"\x01\0\0\x01"]
    for one in bad:
        reply = shared.decrypt(key, sealed, additionalAuthenticatedData=AAD, ciphertextMetadata=one)
        assert error(reply) == (400, "InvalidCiphertextException")
    for aad, metadata in ((AAD + good, None), (good, None), (b"", AAD[:20])):
        reply = shared.decrypt(key, sealed, additionalAuthenticatedData=aad, ciphertextMetadata=metadata)
        assert error(reply) == (400, "InvalidCiphertextException")


def test_metadata_of_more_than_20_bytes_is_no_metadata(shared: Store, key: str) -> None:
    sealed = shared.encrypt(key).json
    for n, name in ((20, "InvalidCiphertextException"), (21, "ValidationException")):
        assert error(shared.decrypt(key, sealed, ciphertextMetadata=bytes(n))) == (400, name)


@pytest.mark.parametrize("version", [0, 2, 2**24 - 1])
def test_a_version_that_the_key_does_not_have_opens_nothing(shared: Store, key: str, version: int) -> None:
    sealed = shared.encrypt(key).json
    header = b"\x01" + version.to_bytes(3, "big") + b64decode(sealed["ciphertextMetadata"])[4:]
    assert error(shared.decrypt(key, sealed, ciphertextMetadata=header)) == (400, "InvalidCiphertextException")


# --- "Decrypt"


@pytest.mark.parametrize("aad", [None, b"", b"project=blue", AAD[:-1], AAD + b"\0"])
def test_another_aad_opens_nothing(shared: Store, key: str, aad: bytes | None) -> None:
    sealed = shared.encrypt(key, additionalAuthenticatedData=AAD).json
    reply = shared.decrypt(key, sealed, additionalAuthenticatedData=aad)
    assert error(reply) == (400, "InvalidCiphertextException")


@pytest.mark.parametrize("member", ["ciphertext", "initializationVector", "authenticationTag"])
def test_no_part_can_be_changed(shared: Store, key: str, member: str) -> None:
    sealed = shared.encrypt(key).json
    good = b64decode(sealed[member])
    for i in range(len(good)):
        bad = bytes([*good[:i], good[i] ^ 0x80, *good[i + 1 :]])
        assert error(shared.decrypt(key, sealed, **{member: bad})) == (400, "InvalidCiphertextException")


def test_another_key_opens_nothing(shared: Store, key: str) -> None:
    sealed = shared.encrypt(key).json
    assert error(shared.decrypt(shared.key().id, sealed)) == (400, "InvalidCiphertextException")


@pytest.mark.parametrize(
    ("member", "n", "name"),
    [
        ("initializationVector", 16, "InvalidCiphertextException"),  # a length of the protocol, and none of ours
        ("initializationVector", 11, "ValidationException"),
        ("initializationVector", 13, "ValidationException"),
        ("initializationVector", 0, "ValidationException"),
        ("authenticationTag", 15, "ValidationException"),
        ("authenticationTag", 17, "ValidationException"),
        ("authenticationTag", 0, "ValidationException"),
        ("ciphertext", 0, "InvalidCiphertextException"),
    ],
)
def test_lengths_of_the_parts(shared: Store, key: str, member: str, n: int, name: str) -> None:
    sealed = shared.encrypt(key).json
    assert error(shared.decrypt(key, sealed, **{member: bytes(n)})) == (400, name)


def test_a_ciphertext_of_the_other_door_is_none_of_this_one(shared: Store, key: str) -> None:
    """And the other way: one key, two formats, no derived key in common."""
    blob = shared.stack.perform(
        ops.Encrypt(key=ops.KeyRef("aws:111122223333:us-east-1", id=key), plaintext=Sensitive(b"Hello World!"))
    ).ciphertext
    sealed = {
        "ciphertext": b64(blob[78:-16]),
        "authenticationTag": b64(blob[-16:]),
        "initializationVector": b64(bytes(12)),
        "ciphertextMetadata": b64(blob[2:22]),
    }
    assert error(shared.decrypt(key, sealed)) == (400, "InvalidCiphertextException")
    parts = shared.encrypt(key).json
    whole = blob[:78] + b64decode(parts["ciphertext"]) + b64decode(parts["authenticationTag"])
    with pytest.raises(DecryptionFailed):
        shared.stack.perform(ops.Decrypt(key=ops.KeyRef("aws:111122223333:us-east-1", id=key), ciphertext=whole))


# --- Appendix C


def test_the_example_of_appendix_c_comes_out() -> None:
    def plain(text: str) -> bytes:
        return b64decode(text)

    parts = Detached(
        plain("ghxkK1txeDNn3q8Y"),
        plain("HMrlRw85cAJUd5Ax"),
        plain("vBxN2ncH1oEkR8WVXpmyYQ=="),
        plain("a2V5X3ZlcnNpb249MQ=="),
    )
    assert b64(integrity_value(AAD, parts)) == "qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc="


@pytest.mark.parametrize("aad", [None, AAD])
def test_the_integrity_value_is_over_the_answer_and_is_not_asked_for_by_itself(
    shared: Store, key: str, aad: bytes | None
) -> None:
    bound = {} if aad is None else {"additionalAuthenticatedData": aad}
    reply = shared.encrypt(key, ciphertextDataIntegrityValueAlgorithm="SHA_256", **bound)
    names = ("ciphertextMetadata", "initializationVector", "ciphertext", "authenticationTag")
    whole = (aad or b"") + b"".join(raw(reply, name) for name in names)
    assert raw(reply, "ciphertextDataIntegrityValue") == sha256(whole).digest()
    assert "ciphertextDataIntegrityValue" not in shared.encrypt(key, **bound).json


def test_a_ciphertext_that_does_not_open_is_not_given_away_with_an_integrity_value(store: Store, monkeypatch) -> None:
    """Steps 3 and 4: the proof is a decryption of what is about to be answered."""
    key, sealed = store.key().id, Aes.encrypt_detached

    def corrupt(self, *given):
        parts = sealed(self, *given)
        return Detached(parts.ciphertext, parts.nonce, bytes(16), parts.header)

    monkeypatch.setattr(Aes, "encrypt_detached", corrupt)
    reply = store.encrypt(key, ciphertextDataIntegrityValueAlgorithm="SHA_256")
    assert error(reply) == (500, "InternalException")
    assert store.encrypt(key).status == 200


# --- what a key supports, and in what state


@pytest.mark.parametrize("integrity", [{}, {"ciphertextDataIntegrityValueAlgorithm": "SHA_256"}], ids=["plain", "cdiv"])
def test_usage_by_rights(store: Store, integrity: dict[str, str]) -> None:
    """A key that may not decrypt refuses an integrity value; AWS's test client asks for just these answers."""
    both, no_decrypt, no_encrypt = store.key(), store.key(), store.key()
    store.deny(no_decrypt, "Decrypt")
    store.deny(no_encrypt, "Encrypt")
    unusable = (400, "InvalidKeyUsageException")
    assert store.encrypt(both.id, **integrity).status == 200
    made = store.encrypt(no_decrypt.id, **integrity)
    assert error(made) == unusable if integrity else made.status == 200
    assert error(store.encrypt(no_encrypt.id, **integrity)) == unusable
    assert error(store.decrypt(no_decrypt.id, store.encrypt(no_decrypt.id).json)) == unusable


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256", "HMAC_256"])
def test_keys_of_other_kinds_do_not_support_it(shared: Store, spec: str) -> None:
    key = shared.key(spec).id
    assert error(shared.encrypt(key)) == (400, "InvalidKeyUsageException")
    sealed = shared.encrypt(shared.key().id).json
    assert error(shared.decrypt(key, sealed)) == (400, "InvalidKeyUsageException")


def test_disabling_the_key_cuts_aws_off_at_the_next_call_and_enabling_lets_it_in(store: Store) -> None:
    key = store.key()
    sealed = store.encrypt(key.id).json
    store.manage(ops.DisableKey, key)
    assert error(store.encrypt(key.id)) == (400, "InvalidStateException")
    assert error(store.decrypt(key.id, sealed)) == (400, "InvalidStateException")
    store.manage(ops.EnableKey, key)
    assert raw(store.decrypt(key.id, sealed), "plaintext") == b"Hello World!"
    store.manage(ops.ScheduleDestruction, key, after_days=7)
    assert error(store.decrypt(key.id, sealed)) == (400, "InvalidStateException")


def test_a_key_nobody_may_know_of_is_not_told_from_one_that_is_not_there(store: Store) -> None:
    hidden = Store(store.stack, prefix="stores/two", user="no-rights", rights=("ListKeys",))
    key, absent = store.key().id, "1234abcd-12ab-34cd-56ef-1234567890ab"
    answers = [hidden.encrypt(one) for one in (key, absent, "no-such-name")]
    assert {error(one) for one in answers} == {(403, "AccessDeniedException")}
    assert len({one.body for one in answers}) == 1


@pytest.mark.parametrize("key", ["1234abcd-12ab-34cd-56ef-1234567890ab", "no-such-name", "x" * 128, "...", "A.b-c_9"])
def test_no_such_key(shared: Store, key: str) -> None:
    assert error(shared.encrypt(key)) == (404, "KeyNotFoundException")
    sealed = shared.encrypt(shared.key().id).json
    assert error(shared.decrypt(key, sealed)) == (404, "KeyNotFoundException")


def test_a_key_answers_to_a_name_at_its_address_and_only_there(store: Store) -> None:
    key = store.key()
    ref = ops.KeyRef(store.at, id=key.id)
    store.stack.by_system(ops.CreateName(key=ref, name="foo"))
    sealed = store.encrypt("foo").json
    assert raw(store.decrypt(key.id, sealed), "plaintext") == b"Hello World!"
    other = Store(store.stack, prefix="stores/two", user="other")
    assert error(other.encrypt("foo")) == (404, "KeyNotFoundException")
    assert error(store.encrypt("FOO")) == (404, "KeyNotFoundException")


def test_a_key_of_another_keyring_is_not_at_this_address(store: Store) -> None:
    store.stack.by_system(
        ops.CreateKeyring(tenant="111122223333", name="eu", namespaces=("aws:111122223333:eu-west-2",))
    )
    key = store.stack.key(region="eu-west-2")
    assert error(store.encrypt(key.id)) == (404, "KeyNotFoundException")


# --- messages


REQUIRED = {
    "encrypt": {"plaintext": b"x", "encryptionAlgorithm": "AES_GCM"},
    "decrypt": {
        "ciphertext": b"x",
        "encryptionAlgorithm": "AES_GCM",
        "initializationVector": bytes(12),
        "authenticationTag": bytes(16),
    },
}


@pytest.mark.parametrize(("operation", "member"), [(op, name) for op, names in REQUIRED.items() for name in names])
def test_required_members(shared: Store, key: str, operation: str, member: str) -> None:
    given = {name: value for name, value in REQUIRED[operation].items() if name != member}
    assert error(shared.ask(f"keys/{key}/{operation}", **given)) == (400, "ValidationException")


@pytest.mark.parametrize("operation", REQUIRED)
@pytest.mark.parametrize("member", ["awsPrincipalArn", "kmsKeyArn", "kmsOperation", "kmsRequestId"])
@pytest.mark.parametrize("value", [None, "", 7])
def test_required_metadata(shared: Store, key: str, operation: str, member: str, value: object) -> None:
    meta = {name: said for name, said in {**META, member: value}.items() if said is not None}
    reply = shared.ask(f"keys/{key}/{operation}", requestMetadata=meta, **REQUIRED[operation])
    assert error(reply) == (400, "ValidationException")


def test_metadata_that_nobody_has_heard_of_yet_is_no_reason_to_refuse(shared: Store, key: str) -> None:
    """Appendix B; kmsOperation: "MUST NOT reject a request as invalid if it sees a kmsOperation other than …"."""
    meta = {
        **META,
        "kmsOperation": "BulkEncrypt",
        "kmsRequestId": "not a UUID \u00e9",
        "sourceIdentity": {"deep": ["new"]},
        "awsPrincipalArn": "arn:aws:iam::123456789012:role/" + "x" * 2017,
    }
    assert shared.encrypt(key, requestMetadata=meta).status == 200


@pytest.mark.parametrize(
    "given",
    [
        {"encryptionAlgorithm": "AES_CBC"},
        {"encryptionAlgorithm": "aes_gcm"},
        {"ciphertextDataIntegrityValueAlgorithm": "SHA_512"},
        {"ciphertextDataIntegrityValueAlgorithm": ""},
        {"plaintext": "not base64!"},
        {"plaintext": "SGVsbG8"},
        {"plaintext": 7},
        {"plaintext": None},
        {"additionalAuthenticatedData": None},
        {"additionalAuthenticatedData": ["x"]},
        {"requestMetadata": None},
        {"requestMetadata": "text"},
    ],
    ids=str,
)
def test_members_of_another_form(shared: Store, key: str, given: dict[str, object]) -> None:
    body = {"requestMetadata": META, "plaintext": "", "encryptionAlgorithm": "AES_GCM", **given}
    reply = shared.post(shared.path(f"keys/{key}/encrypt"), json.dumps(body).encode())
    assert error(reply) == (400, "ValidationException")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"plaintext":"","plaintext":""}', b"[" * 5000]
)
def test_what_is_no_message(shared: Store, key: str, body: bytes) -> None:
    for rest in ("health", f"keys/{key}/metadata", f"keys/{key}/encrypt", f"keys/{key}/decrypt"):
        assert error(shared.post(shared.path(rest), body)) == (400, "ValidationException")


def test_a_body_does_not_say_which_key(shared: Store, key: str) -> None:
    """It is the URI that does, which policies and the record are about."""
    other = shared.key().id
    sealed = shared.encrypt(key, externalKeyId=other).json
    assert shared.stack.record().targets[0].key == key
    assert raw(shared.decrypt(key, sealed, externalKeyId=other), "plaintext") == b"Hello World!"


def test_a_key_in_two_halves_is_not_served_on_from_here(store) -> None:
    """docs/adr/0015: a proxy's ciphertextMetadata has no room for what the other proxy adds."""
    key = store.key()
    sealed = store.encrypt(key.id).json
    store.stack.change(key, origin=Origin.EXTERNAL_STORE, elsewhere=Elsewhere("cks-1", "one"))
    for reply in (store.encrypt(key.id), store.decrypt(key.id, sealed), store.ask(f"keys/{key.id}/metadata")):
        assert error(reply) == (501, "UnsupportedOperationException")
