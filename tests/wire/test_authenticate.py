"""Who is it? SigV4 with access keys and sessions, and peers of a unix socket. Rows are those of security.md §4-B."""

import hmac
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from msgspec.structs import replace
from tests.fakes import SeededEntropy

from keystead.core.entities import Credential, CredentialKind, Principal, PrincipalKind
from keystead.core.errors import Unauthenticated
from keystead.core.rights import Narrowing, Rights
from keystead.core.sensitive import Sensitive
from keystead.service.authenticate import Authenticator, Reason
from keystead.service.credentials import sigv4 as verifier
from keystead.service.credentials.peer import peer_of
from keystead.service.credentials.session import Sessions
from keystead.service.held import HeldCredential
from keystead.wire.aws import sigv4
from keystead.wire.http import HttpRequest

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECOND = int(NOW.timestamp())
STAMP = sigv4.timestamp(SECOND)
KEY_ID, SECRET = "AKIAEXAMPLE123456789", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
BODY = b'{"KeyId":"a"}'
ALICE = Principal(
    id="p-alice",
    tenant="111122223333",
    principal_kind=PrincipalKind.USER,
    name="alice",
    name_digest="d",
    created_at=NOW,
)


class Directory:
    def __init__(self) -> None:
        self.principals = {ALICE.id: ALICE}
        self.credentials: dict[str, HeldCredential] = {}
        self.add(KEY_ID, SECRET)

    def add(self, id_: str, secret: str, **changes: object) -> None:
        credential = Credential(
            id=id_,
            principal_id=ALICE.id,
            credential_kind=CredentialKind.ACCESS_KEY,
            secret=secret.encode(),
            created_at=NOW,
        )
        self.credentials[id_] = HeldCredential(replace(credential, **changes), self.rights(ALICE.id))

    def credential(self, id_: str) -> HeldCredential | None:
        return self.credentials.get(id_)

    def narrowed_rights(self, id_: str, _by: Narrowing | None) -> Rights | None:
        return self.rights(id_)

    def rights(self, id_: str) -> Rights | None:
        found = self.principals.get(id_)
        return None if found is None else Rights.alone(found)


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(Sensitive(b"k" * 32), SeededEntropy())


@pytest.fixture
def authenticate(directory: Directory, sessions: Sessions) -> Callable[..., object]:
    authenticator = Authenticator(directory, sessions, SeededEntropy(2))

    def aws(request: HttpRequest, service: str = "kms"):
        return authenticator.aws(
            request, service=service, door="aws_kms", wire_operation="TrentService.Encrypt", request_id="r-1"
        )

    aws.authenticator = authenticator
    return aws


def http(
    headers: dict[bytes, bytes], *, body: bytes = BODY, target: bytes = b"/", method: bytes = b"POST", at: int = 0
):
    return HttpRequest(
        method=method,
        target=target,
        headers=headers,
        body=body,
        peer="192.0.2.7",
        received_at=NOW + timedelta(seconds=at),
        second=SECOND + at,
    )


def signed(
    key_id: str = KEY_ID,
    secret: str = SECRET,
    *,
    token: str | None = None,
    service: str = "kms",
    region: str = "us-east-1",
    stamp: bytes = STAMP,
    extra: dict[str, str] | None = None,
) -> dict[bytes, bytes]:
    """Headers as botocore signs them."""
    headers = {"X-Amz-Target": "TrentService.Encrypt", "Content-Type": "application/x-amz-json-1.1", **(extra or {})}
    request = AWSRequest(method="POST", url="https://kms.example:8443/", data=BODY, headers=headers)
    request.context["timestamp"] = stamp.decode()
    auth = SigV4Auth(Credentials(key_id, secret, token), service, region)
    auth._modify_request_before_signing(request)
    request.headers.replace_header("X-Amz-Date", stamp.decode())
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    auth._inject_signature_to_request(request, signature)
    return {b"host": b"kms.example:8443"} | {k.lower().encode(): str(v).encode() for k, v in request.headers.items()}


def refused(authenticate: Callable[..., object], request: HttpRequest, reason: Reason, service: str = "kms") -> str:
    with pytest.raises(Unauthenticated) as caught:
        authenticate(request, service)
    assert caught.value.detail is reason
    return str(caught.value)


def test_a_signed_request_has_a_caller(authenticate) -> None:
    for _ in range(2):  # the second time with the prepared signer
        caller = authenticate(http(signed()))
        assert caller.principal is ALICE
        assert caller.credential_id == KEY_ID
        assert caller.namespace == "aws:111122223333:us-east-1"
        assert (caller.source, caller.now, caller.request_id) == ("192.0.2.7", NOW, "r-1")


def test_the_region_is_that_of_the_scope(authenticate) -> None:
    assert authenticate(http(signed(region="eu-west-3"))).namespace == "aws:111122223333:eu-west-3"


@pytest.mark.parametrize("blank", ["a  b", "a\tb", '  "a   b"  '])
def test_blanks_within_a_signed_header(authenticate, blank: str) -> None:
    for _ in range(2):
        headers = signed(extra={"X-Amz-Meta": blank})
        headers[b"x-amz-meta"] = blank.strip().encode()
        assert authenticate(http(headers)).principal is ALICE


# --- rows 15, 16


def disabled(directory: Directory) -> None:
    directory.add(KEY_ID, SECRET, enabled=False)


def expired(directory: Directory) -> None:
    directory.add(KEY_ID, SECRET, expires_at=NOW)


def of_a_peer(directory: Directory) -> None:
    directory.add(KEY_ID, SECRET, credential_kind=CredentialKind.PEER)


def of_a_disabled_principal(directory: Directory) -> None:
    held = directory.credentials[KEY_ID]
    directory.credentials[KEY_ID] = HeldCredential(held.credential, Rights.alone(replace(ALICE, enabled=False)))


def gone(directory: Directory) -> None:
    del directory.credentials[KEY_ID]


STATES = [gone, disabled, expired, of_a_peer, of_a_disabled_principal]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("secret", [SECRET, "wrong"])
def test_row_15_16_an_access_key_that_is_no_use_gets_one_answer_whatever_the_signature(
    authenticate, directory: Directory, state, secret: str
) -> None:
    state(directory)
    text = refused(authenticate, http(signed(secret=secret)), Reason.UNKNOWN)
    assert text == "The security token included in the request is invalid."


@pytest.mark.parametrize("state", STATES)
def test_row_15_16_and_costs_what_a_real_verification_costs(
    authenticate, directory: Directory, state, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same steps, counted: a clock would measure the neighbours."""
    steps: list[str] = []
    derive, sign, compare = sigv4.signing_key, sigv4.Signer.signature, hmac.compare_digest
    monkeypatch.setattr(sigv4, "signing_key", lambda *a: steps.append("derive") or derive(*a))
    monkeypatch.setattr(sigv4.Signer, "signature", lambda *a: steps.append("sign") or sign(*a))
    monkeypatch.setattr(hmac, "compare_digest", lambda *a: steps.append("compare") or compare(*a))
    refused(authenticate, http(signed(secret="wrong")), Reason.MISMATCH)
    real, steps = steps, []
    monkeypatch.setattr(sigv4, "signing_key", lambda *a: steps.append("derive") or derive(*a))
    monkeypatch.setattr(sigv4.Signer, "signature", lambda *a: steps.append("sign") or sign(*a))
    monkeypatch.setattr(hmac, "compare_digest", lambda *a: steps.append("compare") or compare(*a))
    state(directory)
    for secret in (SECRET, "wrong"):
        refused(authenticate, http(signed(secret=secret)), Reason.UNKNOWN)
    assert real == ["derive", "sign", "compare", "derive"]  # the last is its decoy's
    assert steps == ["sign", "compare", "derive", "sign", "compare"] * 2, "as if it had been known"


def test_row_16_disabling_a_key_ends_it_at_once(authenticate, directory: Directory) -> None:
    authenticate(http(signed()))
    disabled(directory)
    refused(authenticate, http(signed()), Reason.UNKNOWN)


def test_a_new_secret_drops_what_was_prepared_from_the_old(authenticate, directory: Directory) -> None:
    authenticate(http(signed()))
    directory.add(KEY_ID, "another")
    refused(authenticate, http(signed()), Reason.MISMATCH)


def test_row_18_a_long_secret_is_checked_to_its_end(authenticate, directory: Directory) -> None:
    """CVE-2021-3563."""
    long = "s" * 200
    directory.add("AKIALONG", long)
    authenticate(http(signed("AKIALONG", long)))
    refused(authenticate, http(signed("AKIALONG", long[:-1] + "t")), Reason.MISMATCH)
    refused(authenticate, http(signed("AKIALONG", long[:72])), Reason.MISMATCH)


def test_row_20_signatures_are_compared_in_constant_time_and_whole(authenticate, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: seen.append((len(a), len(b))) or a == b)
    headers = signed()
    for _ in range(2):
        authenticate(http(headers))
    assert seen == [(64, 64)] * 2
    for i in (-64, -1):
        forged = bytearray(headers[b"authorization"])
        forged[i] = ord("0") if forged[i] != ord("0") else ord("1")
        refused(authenticate, http({**headers, b"authorization": bytes(forged)}), Reason.MISMATCH)


# --- row 27


def test_row_27_the_body_is_hashed_whatever_the_header_says(authenticate) -> None:
    refused(authenticate, http(signed(), body=b'{"KeyId":"b"}'), Reason.MISMATCH)
    for claim in ("UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"):
        headers = signed(extra={"X-Amz-Content-SHA256": claim})
        refused(authenticate, http(headers), Reason.MISMATCH)


@pytest.mark.parametrize("name", sorted({b"host", b"x-amz-target", b"x-amz-date", b"content-type"}))
def test_row_27_a_signed_header_changed_or_gone(authenticate, name: bytes) -> None:
    authenticate(http(signed()))
    headers = signed()
    changed = b"20261125T120001Z" if name == b"x-amz-date" else b"changed"
    refused(authenticate, http({**headers, name: changed}), Reason.MISMATCH)
    del headers[name]
    with pytest.raises(Unauthenticated):
        authenticate(http(headers))


@pytest.mark.parametrize("name", [b"x-amz-target", b"x-amz-security-token", b"x-amz-content-sha256"])
def test_row_27_a_header_that_matters_must_be_signed(authenticate, name: bytes) -> None:
    headers = {b"host": b"a", b"x-amz-date": STAMP}
    scope = sigv4.Scope(STAMP[:8], b"us-east-1", b"kms")
    signer = sigv4.Signer(sigv4.signing_key(SECRET.encode(), scope), scope, (b"host", b"x-amz-date"))
    signature = signer.signature(b"POST", b"/", headers, BODY, STAMP) or b""
    headers[b"authorization"] = b"AWS4-HMAC-SHA256 Credential=%b/%b, SignedHeaders=host;x-amz-date, Signature=%b" % (
        KEY_ID.encode(),
        bytes(scope),
        signature,
    )
    assert authenticate(http(headers)).principal is ALICE
    for _ in range(2):
        with pytest.raises(Unauthenticated) as caught:
            authenticate(http({**headers, name: b"smuggled"}))
        # a session token beside a long-lived key belongs to nobody
        assert caught.value.detail is (Reason.UNKNOWN if b"token" in name else Reason.MISMATCH)


@pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
def test_row_27_within_five_minutes(authenticate, seconds: int) -> None:
    for _ in range(2):
        assert authenticate(http(signed(), at=seconds)).principal is ALICE


def test_row_27_beyond_five_minutes_in_awss_words(authenticate) -> None:
    for _ in range(2):
        assert refused(authenticate, http(signed(), at=301), Reason.EXPIRED) == (
            "Signature expired: 20261125T120000Z is now earlier than 20261125T120001Z (20261125T120501Z - 5 min.)"
        )
        assert refused(authenticate, http(signed(), at=-301), Reason.NOT_YET_CURRENT) == (
            "Signature not yet current: 20261125T120000Z is still later than 20261125T115959Z "
            "(20261125T115459Z + 5 min.)"
        )
        authenticate(http(signed()))


def test_row_27_another_service_or_date(authenticate) -> None:
    text = refused(authenticate, http(signed(service="s3")), Reason.WRONG_SCOPE)
    assert "correct service: 'kms'" in text
    headers = signed()
    authenticate(http(headers))
    refused(authenticate, http(headers), Reason.WRONG_SCOPE, service="sts")
    yesterday = headers[b"authorization"].replace(b"/20261125/", b"/20261124/")
    refused(authenticate, http({**headers, b"authorization": yesterday}), Reason.WRONG_SCOPE)


def test_row_27_another_region_is_another_key(authenticate) -> None:
    headers = signed()
    moved = headers[b"authorization"].replace(b"/us-east-1/", b"/eu-west-1/")
    refused(authenticate, http({**headers, b"authorization": moved}), Reason.MISMATCH)


def test_row_27_another_target_or_method(authenticate) -> None:
    refused(authenticate, http(signed(), target=b"//x"), Reason.MISMATCH)
    refused(authenticate, http(signed(), target=b"/%2e"), Reason.MISMATCH)
    refused(authenticate, http(signed(), method=b"PUT"), Reason.MISMATCH)


def test_no_credential(authenticate) -> None:
    refused(authenticate, http({b"host": b"a"}), Reason.MISSING)
    for value in (b"", b"Bearer x", b"AWS4-HMAC-SHA256 ", b"AWS4-HMAC-SHA256 " + b"x" * 5000, b"\xff" * 200):
        refused(authenticate, http({b"host": b"a", b"authorization": value}), Reason.INCOMPLETE)


@pytest.mark.parametrize("stamp", [b"", b"20261125", b"2026-11-25T12:00:00Z", b"20261132T120000Z", b"99999999T999999Z"])
def test_no_date(authenticate, stamp: bytes) -> None:
    with pytest.raises(Unauthenticated) as caught:
        authenticate(http({**signed(), b"x-amz-date": stamp}))
    assert caught.value.detail in {Reason.INCOMPLETE, Reason.WRONG_SCOPE}


def test_what_is_prepared_is_bounded_and_made_by_good_signatures_only(authenticate, directory: Directory) -> None:
    held = directory.credentials[KEY_ID]
    for i in range(verifier.MAX_PREPARED + 5):
        refused(authenticate, http(signed(secret="wrong", region=f"r-{i}")), Reason.MISMATCH)
    assert not held.known.prepared
    for i in range(verifier.MAX_PREPARED + 5):
        authenticate(http(signed(region=f"r-{i}")))
    assert 0 < len(held.known.prepared) <= verifier.MAX_PREPARED


# --- the query form; row 33


def presigned(service: str = "sts", *, expires: int = 60, key_id: str = KEY_ID, token: bytes = b"") -> bytes:
    scope = sigv4.Scope(STAMP[:8], b"us-east-1", service.encode())
    query = b"Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256"
    query += b"&X-Amz-Credential=%b%%2F%b" % (key_id.encode(), bytes(scope).replace(b"/", b"%2F"))
    query += b"&X-Amz-Date=%b&X-Amz-Expires=%d&X-Amz-SignedHeaders=host%b" % (STAMP, expires, token)
    signer = sigv4.Signer(sigv4.signing_key(SECRET.encode(), scope), scope, (b"host",))
    signature = signer.signature(b"GET", b"/?" + query, {b"host": b"a"}, b"", STAMP) or b""
    return b"/?%b&X-Amz-Signature=%b" % (query, signature)


def get(target: bytes, at: int = 0, **headers: bytes) -> HttpRequest:
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return http({b"host": b"a", **named}, body=b"", target=target, method=b"GET", at=at)


def test_a_signed_query_is_good_where_a_service_takes_it(authenticate) -> None:
    assert authenticate(get(presigned()), "sts").principal is ALICE


def test_row_27_a_signed_query_expires(authenticate) -> None:
    authenticate(get(presigned(), at=60), "sts")
    refused(authenticate, get(presigned(), at=61), Reason.EXPIRED, "sts")
    refused(authenticate, get(presigned(), at=-301), Reason.NOT_YET_CURRENT, "sts")
    authenticate(get(presigned(expires=604800), at=604800), "sts")
    for expires in (0, 604801):
        refused(authenticate, get(presigned(expires=expires)), Reason.INCOMPLETE, "sts")
    refused(authenticate, get(presigned().replace(b"Expires=60", b"Expires=61")), Reason.MISMATCH, "sts")


def test_row_33_a_credential_in_the_query_is_refused_by_kms(authenticate) -> None:
    refused(authenticate, get(presigned("kms")), Reason.MISSING, "kms")
    refused(authenticate, http(signed(), target=b"/?X-Amz-Security-Token=t"), Reason.INCOMPLETE)
    refused(authenticate, http({b"host": b"a"}, target=b"/?X-Amz-Signature=0"), Reason.MISSING)


def test_row_33_nothing_of_a_request_is_shown() -> None:
    request = get(presigned(), authorization=b"hunter2")
    assert repr(request) == "HttpRequest(…)"


def test_row_27_header_and_query_at_once(authenticate) -> None:
    request = get(presigned(), authorization=signed(service="sts")[b"authorization"], x_amz_date=STAMP)
    refused(authenticate, request, Reason.INCOMPLETE, "sts")
    refused(authenticate, get(presigned(), x_amz_security_token=b"t"), Reason.INCOMPLETE, "sts")
    for _ in range(2):  # a query signature is no part of the canonical query, so this one would verify
        refused(authenticate, http(signed(), target=b"/?X-Amz-Signature=0"), Reason.INCOMPLETE)
        authenticate(http(signed()))


# --- sessions


def mint(sessions: Sessions, **changes: object):
    return sessions.mint_session(
        **{"principal_id": ALICE.id, "name": "s", "issued": SECOND, "lasts_for": 900, **changes}
    )


def by(session, **changes: object) -> dict[bytes, bytes]:
    return signed(session.access_key_id, session.secret.reveal().decode(), token=session.token, **changes)


def test_a_session_stands_for_its_principal(authenticate, sessions: Sessions) -> None:
    session = mint(sessions)
    for _ in range(2):
        caller = authenticate(http(by(session)))
        assert caller.principal is ALICE
        assert caller.credential_id == session.access_key_id
    assert session.access_key_id.startswith("ASIA")
    assert len(session.access_key_id) == 20
    assert len(session.secret) == 40


def test_row_21_a_session_ends_at_its_second(authenticate, sessions: Sessions) -> None:
    session = mint(sessions, lasts_for=100)
    authenticate(http(by(session), at=99))
    for at in (100, 101):
        text = refused(authenticate, http(by(session), at=at), Reason.EXPIRED_TOKEN)
        assert text == "The security token included in the request is expired"


def test_row_27_a_session_key_without_its_token(authenticate, sessions: Sessions) -> None:
    one, other = mint(sessions), mint(sessions)
    secret = one.secret.reveal().decode()
    refused(authenticate, http(signed(one.access_key_id, secret)), Reason.UNKNOWN)
    refused(authenticate, http(signed(one.access_key_id, secret, token=other.token)), Reason.UNKNOWN)
    refused(authenticate, http(signed(KEY_ID, SECRET, token=one.token)), Reason.UNKNOWN)
    refused(authenticate, http(signed(one.access_key_id, "wrong", token=one.token)), Reason.MISMATCH)


def test_row_16_a_session_ends_with_its_principal(authenticate, directory: Directory, sessions: Sessions) -> None:
    headers = by(mint(sessions))
    authenticate(http(headers))
    directory.principals[ALICE.id] = replace(ALICE, enabled=False)
    refused(authenticate, http(headers), Reason.UNKNOWN)
    del directory.principals[ALICE.id]
    refused(authenticate, http(headers), Reason.UNKNOWN)


def test_row_20_no_bit_of_a_token_can_be_changed(sessions: Sessions) -> None:
    tokens = [mint(sessions, name="s" * n).token.encode() for n in range(3)]  # with every padding
    assert {token.count(b"=") for token in tokens} == {0, 1, 2}
    for token in tokens:
        assert sessions.open_session(token) is not None
        for i in range(len(token)):
            other = ALPHABET[(ALPHABET.find(token[i : i + 1]) + 1) % 64]
            assert sessions.open_session(token[:i] + bytes([other]) + token[i + 1 :]) is None
    for other in (b"", token[:-1], token + b"=", token + b"\n", b"A" * 5000, b"\xff" * 80):
        assert sessions.open_session(other) is None
    assert Sessions(Sensitive(b"other" * 8), SeededEntropy()).open_session(token) is None


def test_secrets_are_not_shown(sessions: Sessions) -> None:
    session = mint(sessions)
    assert session.secret.reveal().decode() not in repr(session)


# --- peers


def test_the_peer_of_a_unix_socket(directory: Directory, authenticate) -> None:
    import os  # noqa: PLC0415 - whose socket it is

    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer = peer_of(ours)
    assert peer == f"uid:{os.getuid()}"
    directory.add(peer, "", credential_kind=CredentialKind.PEER)
    request = replace(http({}), peer=peer)
    caller = authenticate.authenticator.peer(request, namespace="", door="cli", wire_operation="op", request_id="r")
    assert (caller.principal, caller.credential_id, caller.source) == (ALICE, peer, peer)


@pytest.mark.parametrize("peer", ["uid:12", "uid:0x0", "uid:", "", "127.0.0.1", KEY_ID, "uid:00", "uid:1\n", "uid:7"])
def test_other_peers(directory: Directory, authenticate, peer: str) -> None:
    directory.add("uid:12", "", credential_kind=CredentialKind.PEER, enabled=False)
    directory.add("127.0.0.1", "", credential_kind=CredentialKind.PEER)
    directory.add("uid:7", "an access key with a strange name")
    with pytest.raises(Unauthenticated) as caught:
        authenticate.authenticator.peer(
            replace(http({}), peer=peer), namespace="", door="cli", wire_operation="op", request_id="r"
        )
    assert caught.value.detail is Reason.UNKNOWN


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (0, 2, 1)])
def test_the_parts_of_the_header_may_stand_in_any_order(authenticate, order) -> None:
    headers = signed()
    algorithm, _, rest = headers[b"authorization"].partition(b" ")
    parts = rest.split(b", ")
    again = headers | {b"authorization": algorithm + b" " + b", ".join(parts[n] for n in order)}
    for _ in range(2):
        assert authenticate(http(again)).principal is ALICE
    refused(authenticate, http(again, body=b"other"), Reason.MISMATCH)


def test_a_wrong_signature_from_there_is_no_hindrance_to_a_good_one(authenticate, directory: Directory) -> None:
    """A decoy stands where the signer would, and opens to nobody."""
    for _ in range(3):
        refused(authenticate, http(signed(secret="wrong")), Reason.MISMATCH)
    for _ in range(3):
        assert authenticate(http(signed())).principal is ALICE
    del directory.credentials[KEY_ID]
    for _ in range(3):
        refused(authenticate, http(signed()), Reason.UNKNOWN)


def test_decoys_are_bounded(authenticate, monkeypatch) -> None:
    monkeypatch.setattr(verifier, "MAX_DECOYS", 3)
    for n in range(20):
        refused(authenticate, http(signed(f"AKIA{n:016}")), Reason.UNKNOWN)
        assert 1 <= len(authenticate.authenticator._sigv4._decoys) <= 3
