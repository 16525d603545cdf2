"""Appendix A: who is let in. Every refusal is the same 401, and on record as what it claimed to be."""

import re
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests import harness
from tests.doors.aws_xks.conftest import AT, Store, error, forged
from tests.harness import TENANT, Reply

from keystead.core import operations as ops
from keystead.core.entities import Credential, CredentialKind
from keystead.core.errors import InvalidArgument, LimitExceeded, NotFound
from keystead.core.operations import TenantRef
from keystead.doors import aws_kms

FAILED = (401, "AuthenticationFailedException")
HEALTH = b'{"requestMetadata":{"kmsRequestId":"x","kmsOperation":"KmsHealthCheck"}}'
HERE = TenantRef(TENANT)


def answer(store: Store, request) -> Reply:
    return Reply.of(store.stack.serve(request))


def altered(store: Store, **headers: bytes | None):
    request = store.request("health", HEALTH)
    changed = {**request.headers, **{name.replace("_", "-").encode(): value for name, value in headers.items()}}
    return replace(request, headers={name: value for name, value in changed.items() if value is not None})


def test_credentials_have_the_form_that_kms_takes(shared: Store) -> None:
    person = shared.person
    assert re.fullmatch(r"[A-Z2-7]{20,30}", person.access_key_id)
    assert re.fullmatch(r"[A-Za-z0-9/+=]{43,64}", person.credentials.secret_key)
    assert person.credentials.secret_key not in repr(shared.stack.barrier.get(Credential, person.access_key_id))


def test_what_is_signed_well_is_let_in_from_any_region(shared: Store) -> None:
    assert answer(shared, shared.request("health", HEALTH)).status == 200
    for region in ("us-east-1", "eu-west-1", "ap-southeast-2"):
        assert shared.post(shared.path("health"), HEALTH, region=region).status == 200


@pytest.mark.parametrize("service", ["kms", "sts", "kms-xks", "KMS-XKS-PROXY"])
def test_signed_for_another_service(shared: Store, service: str) -> None:
    assert error(shared.post(shared.path("health"), HEALTH, service=service)) == FAILED


def test_another_secret_or_id(shared: Store) -> None:
    person = shared.person
    for id_, secret in (
        (person.access_key_id, b"Invalid" + b"s" * 37),
        ("Invalid" + person.access_key_id, person.credentials.secret_key.encode()),
        (person.access_key_id.lower(), person.credentials.secret_key.encode()),
        ("A" * 27, b"s" * 44),
    ):
        reply = shared.post(shared.path("health"), HEALTH, by=forged(shared.stack, id_, secret))
        assert error(reply) == FAILED
        record = shared.stack.record()
        assert record.outcome == "refused: Unauthenticated" and record.who.via == id_ and record.who.id == ""


@pytest.mark.parametrize("name", ["authorization", "x_amz_date", "host"])
def test_a_header_that_is_missing(shared: Store, name: str) -> None:
    assert error(answer(shared, altered(shared, **{name: None}))) == FAILED


def test_a_date_header_does_not_do_in_place_of_x_amz_date(shared: Store) -> None:
    stamp = shared.request().headers[b"x-amz-date"]
    assert error(answer(shared, altered(shared, x_amz_date=None, date=stamp))) == FAILED


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"AWS4-HMAC-SHA256", b"AWS4-HMAC-SHA1"),
        (b"host;", b""),  # host is not signed
        (b";x-amz-date", b""),  # nor is the date
        (b"SignedHeaders=", b"SignedHeaders=x-not-there;"),
        (b"aws4_request", b"aws4"),
        (b"kms-xks-proxy", b"kms"),
        (b"us-east-1", b"us-east-2"),
        (b"Signature=", b"Signature=0"),
        (b"Credential=", b"Credentials="),
    ],
)
def test_an_authorization_of_another_form(shared: Store, old: bytes, new: bytes) -> None:
    good = shared.request("health", HEALTH).headers[b"authorization"]
    assert old in good
    assert error(answer(shared, altered(shared, authorization=good.replace(old, new, 1)))) == FAILED


def test_what_is_signed_cannot_be_changed(shared: Store) -> None:
    request = shared.request("health", HEALTH)
    for changed in (
        replace(request, body=HEALTH + b" "),
        replace(request, target=shared.path("keys/foo/metadata").encode()),
        replace(request, headers={**request.headers, b"host": b"elsewhere.test"}),
        replace(request, headers={**request.headers, b"x-amz-date": b"20261125T120001Z"}),
    ):
        assert error(answer(shared, changed)) == FAILED
    assert answer(shared, request).status == 200


@pytest.mark.parametrize(("seconds", "status"), [(-301, 401), (-300, 200), (0, 200), (300, 200), (301, 401)])
def test_five_minutes_either_way(shared: Store, seconds: int, status: int) -> None:
    request = shared.request("health", HEALTH)
    late = request.received_at + timedelta(seconds=seconds)
    assert answer(shared, replace(request, received_at=late, second=int(late.timestamp()))).status == status


def test_a_signed_query_is_no_signature_here(shared: Store) -> None:
    request = shared.request("health", HEALTH)
    query = b"?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=" + b"0" * 64
    assert error(answer(shared, replace(request, target=request.target + query))) == FAILED
    bare = replace(
        request, target=request.target + query, headers={b"host": b"xks.test", b"x-amz-date": b"20261125T120000Z"}
    )
    assert error(answer(shared, bare)) == FAILED


def test_a_session_token_makes_nothing_good(shared: Store) -> None:
    assert error(answer(shared, altered(shared, x_amz_security_token=b"token"))) == FAILED


def test_an_access_key_of_the_other_door_is_none_here_and_the_other_way(store: Store) -> None:
    """Also after each has been let in at its own, in one process."""
    stack, here = store.stack, store.stack.front
    there = aws_kms.DOOR.open(stack.means)
    headers = {"X-Amz-Target": "TrentService.ListKeys", "Content-Type": "application/x-amz-json-1.1"}
    for _ in range(2):
        stack.front = here
        assert store.ask("health").status == 200
        assert error(store.post(store.path("health"), HEALTH, by=stack.admin)) == FAILED
        stack.front = there
        assert stack.admin.send(headers, b"{}").status == 200
        assert store.person.send(headers, b"{}").code == "UnrecognizedClientException"


# --- "SigV4 credentials rotation"


def test_two_credentials_at_once_and_no_third(store: Store) -> None:
    new = store.credential()
    assert store.ask("health").status == store.ask("health", by=new).status == 200
    with pytest.raises(LimitExceeded):
        store.credential()
    store.stack.by_system(ops.DeleteCredential(tenant=HERE, credential_id=store.person.access_key_id))
    assert error(store.ask("health")) == FAILED
    assert store.ask("health", by=new).status == 200
    assert store.ask("health", by=store.credential()).status == 200


def test_two_for_each_prefix(store: Store) -> None:
    store.credential()
    ring = store.stack.first.keyrings[0]
    at = f"xks:{TENANT}:stores/two"
    store.stack.by_system(ops.BindKeyring(keyring=ring.id, namespace=at))
    for _ in range(2):
        store.stack.by_system(ops.CreateXksCredential(tenant=HERE, name="aws-kms", namespace=at))


@pytest.mark.parametrize("change", ["credential", "principal", "deleted"])
def test_what_is_shut_out_is_out_at_the_next_call(store: Store, change: str) -> None:
    assert store.ask("health").status == 200
    ask = {
        "credential": ops.SetCredentialEnabled(tenant=HERE, credential_id=store.person.access_key_id, enabled=False),
        "principal": ops.SetPrincipalEnabled(tenant=HERE, name="aws-kms", enabled=False),
        "deleted": ops.DeletePrincipal(tenant=HERE, name="aws-kms"),
    }
    store.stack.by_system(ask[change])
    assert error(store.ask("health")) == FAILED


@pytest.mark.parametrize(
    ("at", "raises"),
    [
        (f"xks:{TENANT}:not/bound", NotFound),
        (f"xks:{harness.OTHER_TENANT}:stores/one", InvalidArgument),
        (f"aws:{TENANT}:us-east-1", InvalidArgument),
        (f"xks:{TENANT}:", InvalidArgument),
        (f"xks:{TENANT}:/stores/one", InvalidArgument),
        (f"xks:{TENANT}:stores/one/", InvalidArgument),
        (f"xks:{TENANT}:stores.one", InvalidArgument),
        (f"xks:{TENANT}:" + "p" * 117, InvalidArgument),
        ("", InvalidArgument),
    ],
)
def test_a_credential_is_for_an_address_that_is_bound(store: Store, at: str, raises: type[Exception]) -> None:
    with pytest.raises(raises):
        store.stack.by_system(ops.CreateXksCredential(tenant=HERE, name="aws-kms", namespace=at))


def test_nobody_else_makes_one_and_the_root_principal_has_none(store: Store) -> None:
    with pytest.raises(InvalidArgument):
        store.stack.by_system(ops.CreateXksCredential(tenant=HERE, name="root", namespace=AT))
    with pytest.raises(NotFound):
        store.stack.by_system(ops.CreateXksCredential(tenant=HERE, name="nobody", namespace=AT))
    made = store.stack.barrier.get(Credential, store.person.access_key_id)
    assert made.credential_kind is CredentialKind.XKS and made.at == AT


def test_a_signature_is_not_moved_from_one_credential_to_another(store: Store) -> None:
    """The prepared signer of one belongs to it alone, also after it was good once."""
    new = store.credential()
    assert store.ask("health").status == store.ask("health", by=new).status == 200
    request = store.request("health", HEALTH)
    mine, theirs = store.person.access_key_id.encode(), new.access_key_id.encode()
    moved = request.headers[b"authorization"].replace(mine, theirs)
    assert error(answer(store, replace(request, headers={**request.headers, b"authorization": moved}))) == FAILED
