"""GetHealthStatus, GetKeyMetadata, URIs, and what is on record."""

import json

import pytest
from msgspec.structs import replace
from tests import harness
from tests.doors.aws_xks.conftest import META, Store, error
from tests.harness import PEER, TENANT, Reply

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.audit.record import parse
from keystead.core.entities import Origin
from keystead.core.states import KeyState, Lifecycle
from keystead.doors import aws_xks
from keystead.doors.aws_xks import errors
from keystead.doors.aws_xks.names import path_of, place
from keystead.wire.http import Refusal

# --- "GetHealthStatus"


def test_health_has_every_member_in_its_bounds(shared: Store) -> None:
    meta = {"kmsRequestId": META["kmsRequestId"], "kmsOperation": "KmsHealthCheck"}
    said = shared.ask("health", requestMetadata=meta).json
    assert set(said) == {"xksProxyFleetSize", "xksProxyVendor", "xksProxyModel", "ekmVendor", "ekmFleetDetails"}
    assert type(said["xksProxyFleetSize"]) is int and said["xksProxyFleetSize"] > 0
    assert 1 <= len(said["ekmFleetDetails"]) <= 10
    for one in said["ekmFleetDetails"]:
        assert set(one) == {"id", "model", "healthStatus"} and one["healthStatus"] in {
            "ACTIVE",
            "DEGRADED",
            "UNAVAILABLE",
        }


@pytest.mark.parametrize("meta", [None, {}, {"kmsRequestId": "x"}, {"kmsOperation": "x"}])
def test_health_needs_its_metadata(shared: Store, meta: object) -> None:
    assert error(shared.ask("health", requestMetadata=meta)) == (400, "ValidationException")
    assert error(shared.post(shared.path("health"), b"{}")) == (400, "ValidationException")


def test_health_needs_no_right(store: Store) -> None:
    """The specification: "MUST be excluded from secondary authorization"."""
    nobody = Store(store.stack, prefix="stores/two", user="no-rights", rights=("ListKeys",))
    assert nobody.ask("health").status == 200


def test_what_is_sealed_is_not_healthy(store: Store) -> None:
    store.stack.barrier.close()
    assert error(store.ask("health")) == (400, "InvalidStateException")
    assert error(store.encrypt("foo")) == (400, "InvalidStateException")


def test_what_cannot_be_recorded_is_not_healthy_and_not_done(store: Store) -> None:
    store.stack.journal.fails = e.Unavailable("disk full")
    for reply in (store.ask("health"), store.encrypt(store.key().id), store.post("/nowhere", b"")):
        assert error(reply) == (503, "DependencyTimeoutException")


# --- "GetKeyMetadata"


def metadata(store: Store, key: str) -> dict:
    reply = store.ask(f"keys/{key}/metadata")
    assert reply.status == 200, reply.body
    assert set(reply.json) == {"keySpec", "keyUsage", "keyStatus"} and len(reply.json["keyUsage"]) <= 10
    return reply.json


def test_metadata_is_what_create_key_of_kms_asks_for(shared: Store) -> None:
    found = metadata(shared, shared.key().id)
    assert found == {"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": "ENABLED"}


@pytest.mark.parametrize(
    ("denied", "usage"),
    [((), ["ENCRYPT", "DECRYPT"]), (("Decrypt",), ["ENCRYPT"]), (("Encrypt",), ["DECRYPT"])],
)
def test_usage_is_what_the_caller_may_do_in_whatever_state(store: Store, denied: tuple[str, ...], usage: list) -> None:
    key = store.key()
    for right in denied:
        store.deny(key, right)
    assert metadata(store, key.id) == {"keySpec": "AES_256", "keyUsage": usage, "keyStatus": "ENABLED"}
    store.manage(ops.DisableKey, key)
    assert metadata(store, key.id) == {"keySpec": "AES_256", "keyUsage": usage, "keyStatus": "DISABLED"}


def test_who_may_only_look_is_told_of_no_usage(store: Store) -> None:
    looker = Store(store.stack, prefix="stores/two", user="looker", rights=("DescribeKey",))
    assert metadata(looker, store.key().id)["keyUsage"] == []


def test_a_doomed_key_and_one_without_material_are_disabled(store: Store) -> None:
    doomed, empty = store.key(), store.key()
    store.manage(ops.ScheduleDestruction, doomed, after_days=7)
    assert metadata(store, doomed.id)["keyStatus"] == "DISABLED"
    store.stack.change(
        empty,
        n_versions=0,
        origin=Origin.EXTERNAL,
        lifecycle=Lifecycle(state=KeyState.PRE_ACTIVE, since=store.stack.clock.now()),
    )
    assert metadata(store, empty.id)["keyStatus"] == "DISABLED"
    assert error(store.encrypt(empty.id)) == (400, "InvalidStateException")


@pytest.mark.parametrize(
    ("spec", "said", "usage"),
    [("RSA_2048", "RSA_2048", {"SIGN", "VERIFY"}), ("HMAC_256", "HMAC_256", {"SIGN", "VERIFY"})],
)
def test_a_key_of_another_kind_says_so(shared: Store, spec: str, said: str, usage: set) -> None:
    """CreateKey of AWS KMS refuses what is not AES_256."""
    purpose = harness.Purpose.SIGNATURE if spec.startswith("RSA") else None
    found = metadata(shared, shared.key(spec, purpose).id)
    assert found["keySpec"] == said and set(found["keyUsage"]) == usage


def test_metadata_of_no_key(shared: Store) -> None:
    for key in ("1234abcd-12ab-34cd-56ef-1234567890ab", "non_existing_key"):
        assert error(shared.ask(f"keys/{key}/metadata")) == (404, "KeyNotFoundException")


def test_metadata_of_a_forbidden_key(store: Store) -> None:
    nobody = Store(store.stack, prefix="stores/two", user="no-rights", rights=("ListKeys",))
    assert error(nobody.ask(f"keys/{store.key().id}/metadata")) == (403, "AccessDeniedException")


# --- "API operations": URIs and methods

KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (b"/kms/xks/v1/health", ("/", "GetHealthStatus", "")),
        (b"/a/kms/xks/v1/health", ("a", "GetHealthStatus", "")),
        (b"/a-b_c/D/kms/xks/v1/keys/k.1/metadata", ("a-b_c/D", "GetKeyMetadata", "k.1")),
        (b"/a/kms/xks/v1/keys/" + b"k" * 128 + b"/encrypt", ("a", "Encrypt", "k" * 128)),
        (b"/" + b"p" * 116 + b"/kms/xks/v1/keys/k/decrypt", ("p" * 116, "Decrypt", "k")),
        (b"/kms/xks/v1/kms/xks/v1/health", ("kms/xks/v1", "GetHealthStatus", "")),
    ],
)
def test_a_uri_is_read_once(target: bytes, found: tuple[str, str, str]) -> None:
    one = place(target)
    assert one is not None and (one.prefix, one.operation, one.key) == found


NO_URIS = [
    b"/",
    b"/kms/xks/v1",
    b"/kms/xks/v2/health",
    b"/KMS/xks/v1/health",
    b"kms/xks/v1/health",
    b"//kms/xks/v1/health",
    b"/a//b/kms/xks/v1/health",
    b"/a/../kms/xks/v1/health",
    b"/a.b/kms/xks/v1/health",
    b"/%61/kms/xks/v1/health",
    b"/a/kms/xks/v1/health/",
    b"/a/kms/xks/v1/health?x=1",
    b"/a/kms/xks/v1/health?",
    b"/a/kms/xks/v1/keys//encrypt",
    b"/a/kms/xks/v1/keys/./encrypt",
    b"/a/kms/xks/v1/keys/../encrypt",
    b"/a/kms/xks/v1/keys/k%2e/encrypt",
    b"/a/kms/xks/v1/keys/k/sign",
    b"/a/kms/xks/v1/keys/k/Encrypt",
    b"/a/kms/xks/v1/keys/k/l/encrypt",
    b"/a/kms/xks/v1/keys/" + b"k" * 129 + b"/encrypt",
    b"/" + b"p" * 117 + b"/kms/xks/v1/health",
    b"/a/kms/xks/v1/health\n",
    "/\u00e4/kms/xks/v1/health".encode(),
    b"/" + b"p" * 110 + b"/kms/xks/v1/keys/" + b"k" * 128 + b"/metadata",
]


@pytest.mark.parametrize("target", NO_URIS, ids=str)
def test_what_is_no_uri_of_this_api(target: bytes) -> None:
    assert place(target) is None


def test_a_uri_that_is_none_is_said_to_who_has_a_credential(shared: Store) -> None:
    for path in ("/", "/stores/one/kms/xks/v1/keys/k/sign", "/stores/one/kms/xks/v2/health"):
        assert error(shared.post(path, b"{}")) == (404, "InvalidUriPathException")
        request = replace(shared.request(), target=path.encode())
        assert error(Reply.of(shared.stack.serve(request))) == (401, "AuthenticationFailedException")


def test_a_credential_is_good_for_its_own_prefix_only(store: Store) -> None:
    """One that is bound and one that is not get the same answer."""
    other = Store(store.stack, prefix="stores/two", user="other")
    for prefix in ("stores/two", "stores/three", "stores", "stores/one/invalid"):
        reply = store.post(f"/{prefix}/kms/xks/v1/keys/foo/encrypt", b"{}")
        assert error(reply) == (404, "InvalidUriPathException")
    assert other.ask("health").status == 200


def test_a_store_may_have_no_prefix(store: Store) -> None:
    bare = Store(store.stack, prefix="/", user="bare")
    assert bare.ask("health").status == 200
    assert path_of(bare.at) == "/kms/xks/v1" and path_of(store.at) == "/stores/one/kms/xks/v1"
    assert error(bare.post(store.path("health"), b"{}")) == (404, "InvalidUriPathException")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_other_methods_are_not_allowed(shared: Store, method: str) -> None:
    """The specification: "If the XKS Proxy receives an HTTP GET … it MUST reject the request with a 405"."""
    for rest in ("health", "keys/foo/metadata", "keys/foo/encrypt", "keys/foo/decrypt"):
        reply = shared.post(shared.path(rest), b"{}", method=method)
        assert error(reply)[0] == 405 and reply.headers["allow"] == "POST"
        unsigned = replace(shared.request(rest), method=method.encode(), headers={b"host": b"xks.test"})
        assert error(Reply.of(shared.stack.serve(unsigned)))[0] == 405


# --- the record


def test_everything_is_on_record_with_the_id_that_kms_gave_it(store: Store) -> None:
    key = store.key().id
    store.stack.forget_records()
    store.encrypt(key)
    record = store.stack.record()
    assert (record.door, record.operation, record.outcome) == ("aws_xks", "Encrypt", "performed")
    assert (record.tenant, record.source, record.who.via) == (TENANT, PEER, store.person.access_key_id)
    assert (record.targets[0].action, record.targets[0].key, record.targets[0].version) == ("key:encrypt", key, 1)
    assert record.request_id.endswith(f" for {META['kmsRequestId']}")
    for ask, operation in (
        (lambda: store.ask("health"), "GetHealthStatus"),
        (lambda: store.ask(f"keys/{key}/metadata"), "GetKeyMetadata"),
        (lambda: store.encrypt("absent"), "Encrypt"),
        (lambda: store.encrypt(key, bytes(5000)), "Encrypt"),
        (lambda: store.post(store.path("health"), b"{"), "GetHealthStatus"),
        (lambda: store.post("/nowhere", b"{}"), ""),
        (lambda: store.post(store.path("health"), b"", method="GET"), "GetHealthStatus"),
    ):
        reply, record = ask(), store.stack.record()
        assert record.operation == operation and record.door == "aws_xks"
        assert reply.status == 200 or record.outcome.startswith("refused: ")


def test_an_id_of_theirs_is_text_and_no_more(store: Store) -> None:
    key = store.key().id
    for theirs in ('"},{"', "\n\x1b[2J", "\u202e\U0001f600", "x" * 5000):
        assert store.encrypt(key, requestMetadata={**META, "kmsRequestId": theirs}).status == 200
        line = store.stack.journal.lines[-1]
        assert line.isascii() and b"\n" not in line and b"\x1b" not in line and len(line) < 1500
        assert parse(line).request_id.partition(" for ")[2] == theirs[:128]


def test_nothing_secret_is_in_a_record_or_an_error(store: Store) -> None:
    canary, bound = b"canary-plaintext-7731", b"canary-aad-7731"
    key = store.key()
    made = store.encrypt(
        key.id, canary, additionalAuthenticatedData=bound, ciphertextDataIntegrityValueAlgorithm="SHA_256"
    )
    replies = [
        store.encrypt(key.id, canary * 250, additionalAuthenticatedData=bound),
        store.encrypt("absent", canary, additionalAuthenticatedData=bound),
        store.ask(f"keys/{key.id}/encrypt", plaintext=canary, encryptionAlgorithm=canary.decode()),
        store.ask(f"keys/{key.id}/encrypt", plaintext={canary.decode(): 1}, encryptionAlgorithm="AES_GCM"),
        store.decrypt(key.id, made.json, additionalAuthenticatedData=bound + b"!"),
        store.decrypt(key.id, made.json, additionalAuthenticatedData=bound, authenticationTag=canary),
    ]
    assert all(reply.status != 200 for reply in replies)
    secret = store.person.credentials.secret_key
    said = b"".join([*store.stack.journal.lines, *(reply.body for reply in replies)])
    for word in (canary, bound, harness.b64(canary).encode()[:20], harness.b64(bound).encode()[:16], secret.encode()):
        assert word not in said


# --- "Error codes"

# The table of the specification: name, status, which APIs.
H, M, EN, D = "GetHealthStatus", "GetKeyMetadata", "Encrypt", "Decrypt"
ALL = {H, M, EN, D}
SPECIFIED = {
    "ValidationException": (400, ALL - {H}),
    "InvalidStateException": (400, ALL),
    "InvalidCiphertextException": (400, {D}),
    "InvalidKeyUsageException": (400, {D, EN}),
    "AuthenticationFailedException": (401, ALL),
    "AccessDeniedException": (403, ALL - {H}),
    "KeyNotFoundException": (404, ALL - {H}),
    "InvalidUriPathException": (404, ALL),
    "ThrottlingException": (429, ALL),
    "UnsupportedOperationException": (501, ALL),
    "DependencyTimeoutException": (503, ALL),
    "InternalException": (500, ALL),
}
KINDS = [kind for kind in e.KeysteadError.__subclasses__() if kind.__module__ == e.__name__]


def test_every_kind_and_every_refusal_has_a_row_and_every_row_is_in_the_specification() -> None:
    table = errors.ERRORS
    assert {kind for kind in table if isinstance(kind, type)} == set(KINDS)
    assert set(errors.REFUSALS) == set(Refusal)
    for found in (*table.values(), *errors.REFUSALS.values()):
        assert found.status == SPECIFIED[found.code][0] or (found.code, found.status) == (
            "UnsupportedOperationException",
            405,
        )
    assert {found.code for found in table.values()} == set(SPECIFIED)


@pytest.mark.parametrize("operation", aws_xks.DOOR.operations, ids=lambda one: one.name)
def test_what_an_operation_may_answer_is_what_the_specification_says(operation) -> None:
    specified = {name for name, (_, apis) in SPECIFIED.items() if operation.name in apis}
    extra = {"ValidationException"} if operation.name == H else set()  # AWS's test client asks for it
    assert operation.errors == specified | extra


def test_the_four_operations_are_there() -> None:
    assert {one.name for one in aws_xks.DOOR.operations} == ALL


@pytest.mark.parametrize("kind", KINDS)
def test_words_are_short_printable_and_of_the_request_only(kind) -> None:
    error_ = kind("canary \u00e9\x00\n" + "x" * 600)
    found = errors.ERRORS[kind]
    said = json.loads(errors.body(found, error_))
    assert said["errorName"] == found.code
    assert 0 < len(said["errorMessage"]) < 512 and said["errorMessage"].isascii() and said["errorMessage"].isprintable()
    assert ("canary" in said["errorMessage"]) is (found.code in errors._SAID)


@pytest.mark.parametrize("refusal", Refusal)
def test_what_the_listener_turns_away_is_answered_in_this_protocol(shared: Store, refusal: Refusal) -> None:
    status, name = error(Reply.of(shared.stack.front.reject(refusal, 0)))
    assert SPECIFIED[name][0] == status


@pytest.mark.parametrize(
    ("raised", "answered"),
    [
        (e.RateLimited("too fast"), (429, "ThrottlingException")),
        (e.Unavailable("the store is gone"), (503, "DependencyTimeoutException")),
        (e.LimitExceeded("too much"), (501, "UnsupportedOperationException")),
        (RuntimeError("canary of a bug"), (500, "InternalException")),
    ],
)
def test_what_goes_wrong_inside_is_said_and_recorded(store: Store, monkeypatch, raised, answered) -> None:
    key = store.key().id

    def fail(*_, **__):
        raise raised

    monkeypatch.setattr(store.stack.provider, "load", fail)
    reply = store.encrypt(key)
    assert error(reply) == answered and b"canary" not in reply.body
    assert store.stack.record().outcome.startswith("refused: ")


def test_on_the_event_loop_too(store: Store) -> None:
    key = store.key().id
    store.stack.on_the_loop()
    sealed = store.encrypt(key, ciphertextDataIntegrityValueAlgorithm="SHA_256")
    assert sealed.status == 200
    assert store.decrypt(key, sealed.json).status == 200
    assert store.ask(f"keys/{key}/metadata").status == store.ask("health").status == 200
