"""Names of keys: one parse, at the door. Developer Guide, "Key identifiers (KeyId)"; research/security.md §4-A."""

from __future__ import annotations

import pytest
from tests import harness

from keystead.core.errors import DecryptionFailed, NotFound
from keystead.core.operations import KeyRef
from keystead.doors.aws_kms import names
from keystead.doors.aws_kms.names import ciphertext_ref, key_ref

ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
MRK = "mrk-1234abcd12ab34cd56ef1234567890ab"
AT, AT_OTHER = "aws:111122223333:us-east-1", "aws:444455556666:us-east-1"
ARN = "arn:aws:kms:us-east-1:111122223333:"


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        (ID, KeyRef(AT, id=ID)),
        (MRK, KeyRef(AT, id=MRK)),
        (f"{ARN}key/{ID}", KeyRef(AT, id=ID)),
        (f"arn:aws:kms:us-east-1:444455556666:key/{ID}", KeyRef(AT_OTHER, id=ID)),
        ("alias/app", KeyRef(AT, name="alias/app")),
        ("alias/a/b_c-D", KeyRef(AT, name="alias/a/b_c-D")),
        (f"{ARN}alias/app", KeyRef(AT, name="alias/app")),
        ("arn:aws:kms:us-east-1:444455556666:alias/app", KeyRef(AT_OTHER, name="alias/app")),
    ],
)
def test_the_four_ways_to_write_a_key(text, ref) -> None:
    assert key_ref(text, AT) == ref
    assert key_ref(text, AT) is key_ref(text, AT)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x", "Invalid keyId 'x'"),
        ("mrk-fake-key-id", "Invalid keyId 'mrk-fake-key-id'"),
        ("134f2428cec14b25a1ae9048164dba47", "Invalid keyId '134f2428cec14b25a1ae9048164dba47'"),
        (f"{ARN}key/x", "Invalid keyId x"),
        (f"arn:aws:kms:eu-west-2:111122223333:key/{ID}", "Invalid arn eu-west-2"),
        ("arn:aws:s3:::bucket", "Invalid arn arn:aws:s3:::bucket"),
    ],
)
def test_what_is_none_is_not_found_in_aws_words(text, words) -> None:
    """LocalStack's recordings: test_get_key_invalid_uuid, test_get_key_in_different_region; of an ARN, SPEC.md."""
    with pytest.raises(NotFound, match=f"^{words}$"):
        key_ref(text, AT)


SPELLINGS = {
    "row 2, another normalization": "alias/caf\u00e9",
    "row 3, another case": f"{ID.upper()}",
    "row 3, a fold that is another letter": "alias/\u212aey",  # KELVIN SIGN
    "row 4, a space before": f" {ID}",
    "row 4, a space after": f"{ID} ",
    "row 4, a no-break space": f"{ID}\u00a0",
    "row 4, a zero-width joiner": "alias/ap\u200dp",
    "row 4, a byte order mark": f"\ufeff{ID}",
    "row 4, a right-to-left mark": "alias/app\u200f",
    "row 5, NUL": f"{ID}\0",
    "row 5, a line feed": f"{ID}\n",
    "row 5, a line feed after an alias": "alias/app\n",
    "row 5, a line feed after an ARN": f"{ARN}key/{ID}\n",
    "row 5, percent encoding": "alias%2fapp",
    "row 5, percent encoding inside": f"{ARN}key%2f{ID}",
    "row 6, two slashes": f"{ARN}key//{ID}",
    "row 6, a dot": f"{ARN}key/./{ID}",
    "row 6, two dots": f"{ARN}key/../key/{ID}",
    "row 6, two dots in an alias": "alias/../alias/app",
    "row 6, a slash at the end": f"{ARN}key/{ID}/",
    "row 6, a slash before": f"/{ID}",
    "row 6, a key without its ARN": f"key/{ID}",
    "row 7, a backslash": "alias\\app",
    "row 9, a wildcard": f"{ARN}key/*",
    "row 9, a wildcard alias": "alias/*",
    "row 12, nothing after the prefix": "alias/",
    "row 12, one more than the longest": "alias/" + "a" * 251,
    "an ARN of another partition": f"arn:aws-cn:kms:us-east-1:111122223333:key/{ID}",
    "an account of eleven digits": f"arn:aws:kms:us-east-1:11112222333:key/{ID}",
    "an account of other digits": f"arn:aws:kms:us-east-1:\u0661{'1' * 11}:key/{ID}",
    "an alias in a key's place": f"{ARN}key/alias/app",
    "no resource": f"{ARN}",
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS)
def test_row_02_to_07_no_other_spelling_means_a_key(text) -> None:
    with pytest.raises(NotFound):
        key_ref(text, AT)


@pytest.mark.parametrize("text", ["alias/a//b", "alias/a/", "alias//a"])
def test_slashes_within_an_alias_are_letters_of_it(text) -> None:
    """Row 6: AWS's pattern allows them; they are compared exactly and stand for no path."""
    assert key_ref(text, AT).name == text


def test_row_06_a_spelling_with_slashes_and_dots_reaches_no_key(stack) -> None:
    key = stack.key()
    stack.name(key, "alias/app")
    for text in (
        "alias/app/",
        "alias//app",
        "alias/./app",
        "alias/x/../app",
        f"{key.id}/",
        f"arn:aws:kms:us-east-1:{harness.TENANT}:key/{key.id}/",
        f"arn:aws:kms:us-east-1:{harness.TENANT}:key//{key.id}",
    ):
        assert stack.admin.call("Encrypt", KeyId=text, Plaintext=b"x").code == "NotFoundException", text


def test_row_08_every_way_to_name_one_key_gets_the_same_decision(stack) -> None:
    """Alias, id and ARN: allowed together, denied together."""
    key = stack.key()
    stack.name(key, "alias/app")
    arn = stack.arn(key)
    allowed = stack.user("allowed", harness.ALLOW_ALL)
    only = f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"kms:Encrypt","Resource":"{arn}"}}]}}'
    narrow = stack.user("narrow", only)
    denied = stack.user(
        "denied",
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"},'
        f'{{"Effect":"Deny","Action":"*","Resource":"{arn}"}}]}}',
    )
    forms = (key.id, arn, "alias/app", f"arn:aws:kms:us-east-1:{harness.TENANT}:alias/app")
    for person, code in ((allowed, None), (narrow, None), (denied, "AccessDeniedException")):
        assert {person.call("Encrypt", KeyId=form, Plaintext=b"x").code for form in forms} == {code}


def test_row_12_names_of_no_one_most_and_one_more_letters(stack) -> None:
    key = stack.key()
    longest = "alias/" + "a" * 250
    for alias in ("alias/a", longest):
        stack.name(key, alias)
        assert stack.admin.call("Encrypt", KeyId=alias, Plaintext=b"x").status == 200
    codes = [
        stack.admin.call("Encrypt", KeyId=text, Plaintext=b"x").code
        for text in ("", "alias/", longest + "a", "k" * 2048, "k" * 2049)
    ]
    assert codes == ["ValidationException", *["NotFoundException"] * 3, "ValidationException"]


def test_an_absent_key_is_told_by_its_arn(stack) -> None:
    reply = stack.admin.call("Encrypt", KeyId=ID, Plaintext=b"x")
    assert (reply.code, reply.message) == ("NotFoundException", f"Key '{ARN}key/{ID}' does not exist")
    reply = stack.admin.call("Encrypt", KeyId="alias/none", Plaintext=b"x")
    assert (reply.code, reply.message) == ("NotFoundException", f"Alias {ARN}alias/none is not found.")


def test_a_region_of_its_own(stack) -> None:
    """Keys and aliases belong to a Region; the Region is the one of the credential's scope."""
    stack.keyring(harness.TENANT, harness.OTHER_REGION)
    key = stack.key()
    stack.name(key, "alias/app")
    elsewhere = {"region": harness.OTHER_REGION, "Plaintext": b"x"}
    reply = stack.admin.call("Encrypt", KeyId=key.id, **elsewhere)
    assert reply.message == f"Key 'arn:aws:kms:{harness.OTHER_REGION}:{harness.TENANT}:key/{key.id}' does not exist"
    assert stack.admin.call("Encrypt", KeyId="alias/app", **elsewhere).code == "NotFoundException"
    reply = stack.admin.call("Encrypt", KeyId=stack.arn(key), **elsewhere)
    assert (reply.code, reply.message) == ("NotFoundException", f"Invalid arn {harness.REGION}")
    sealed = stack.admin.call("Encrypt", KeyId=key.id, Plaintext=b"x").json["CiphertextBlob"]
    reply = stack.admin.call("Decrypt", CiphertextBlob=sealed, region=harness.OTHER_REGION)
    assert reply.code == "AccessDeniedException"


def test_a_ciphertext_names_its_key() -> None:
    blob = b"\xa5\x01" + bytes.fromhex(ID.replace("-", "")) + bytes(80)
    assert ciphertext_ref(blob, AT) == KeyRef(AT, id=ID, by_ciphertext=True)
    with pytest.raises(DecryptionFailed):
        ciphertext_ref(b"\xa5\x04" + blob[2:], AT)


def test_what_is_remembered_is_bounded() -> None:
    for n in range(names._MOST + 10):
        key_ref(f"alias/{n}", AT)
    assert len(names._read) <= names._MOST
    key_ref(f"{ARN}alias/{'a' * 250}", "aws:111122223333:us-east-1")
    assert max(len(text) for text, _ in names._read) <= names._LONGEST


def test_a_key_of_another_account_is_named_by_arn_and_told_by_its_owners_arn(stack) -> None:
    """Developer Guide, "Allowing users in other accounts to use a KMS key"; Encrypt, "Cross-account use"."""
    stack.keyring(harness.OTHER_TENANT)
    owner = stack.user("owner", harness.ALLOW_ALL, tenant=harness.OTHER_TENANT)
    guest = stack.user("guest", harness.ALLOW_ALL)
    open_to_both = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*","Principal":{"AWS":'
        f'["arn:aws:iam::{harness.OTHER_TENANT}:root","arn:aws:iam::{harness.TENANT}:root"]}}}}]}}'
    )
    key = stack.key(by=owner, policy=open_to_both)
    arn = f"arn:aws:kms:{harness.REGION}:{harness.OTHER_TENANT}:key/{key.id}"
    sealed = guest.call("Encrypt", KeyId=arn, Plaintext=b"x")
    assert sealed.json["KeyId"] == arn
    assert guest.call("Decrypt", CiphertextBlob=sealed.json["CiphertextBlob"]).json["KeyId"] == arn
    assert stack.record().tenant == harness.TENANT
    by_id = guest.call("Encrypt", KeyId=key.id, Plaintext=b"x")
    assert by_id.message == f"Key 'arn:aws:kms:{harness.REGION}:{harness.TENANT}:key/{key.id}' does not exist"
    assert owner.call("DisableKey", KeyId=key.id).status == 200
    assert guest.call("Encrypt", KeyId=arn, Plaintext=b"x").message == f"{arn} is disabled."


@pytest.mark.parametrize(
    ("operation", "members"), [("GenerateRandom", {"NumberOfBytes": 1}), ("CreateKey", {}), ("ListKeys", {})]
)
def test_a_region_without_a_keyring_is_one_that_is_not_enabled(stack, operation, members) -> None:
    reply = stack.admin.call(operation, region="ap-south-1", **members)
    assert reply.code == "UnrecognizedClientException"
    assert reply.message.endswith("the account has no keyring in ap-south-1.")
