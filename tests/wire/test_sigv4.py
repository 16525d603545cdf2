"""Signature Version 4 against the published suite, botocore's own signer, and noise."""

import datetime
import json
from hashlib import sha256
from pathlib import Path

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.wire.aws import sigv4
from keystead.wire.aws.sigv4 import Flaw, Presented, Scope, Signer

SECRET = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SCOPE = Scope(b"20150830", b"us-east-1", b"service")
STAMP = b"20150830T123600Z"
SUITE = json.loads((Path(__file__).parent / "sigv4_suite.json").read_text(encoding="utf-8"))


def parsed(raw: str) -> tuple[bytes, bytes, dict[bytes, bytes], bytes]:
    head, _, body = raw.replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.split("\n")
    method, _, rest = first.encode().partition(b" ")
    headers: dict[bytes, bytes] = {}
    for line in ("\n".join(lines)).replace("\n ", "\f ").split("\n"):
        name, _, value = line.replace("\f", "\n").encode().partition(b":")
        name, value = name.lower(), value.strip()
        headers[name] = headers[name] + b"," + value if name in headers else value
    return method, rest.rpartition(b" ")[0], headers, body.encode()


@pytest.mark.parametrize("case", SUITE, ids=lambda case: case["name"])
def test_published_suite(case: dict[str, str]) -> None:
    method, target, headers, body = parsed(case["request"])
    signed = tuple(case["signed"].encode().split(b";"))
    canonical = sigv4.canonical_request(method, target, headers, signed, body)
    assert isinstance(canonical, bytes)
    assert sha256(canonical).hexdigest() == case["canonical_sha256"], canonical.decode()
    signer = Signer(sigv4.signing_key(SECRET, SCOPE), SCOPE, signed)
    assert signer.signature(method, target, headers, body, STAMP) == case["signature"].encode()


def test_the_suite_is_whole() -> None:
    assert len(SUITE) == len({case["name"] for case in SUITE}) == 34


def test_the_signer_signs_the_canonical_request() -> None:
    """The prepared form and the plain one are one definition."""
    import hmac  # noqa: PLC0415 - only this test compares with the plain construction

    headers = {b"host": b"kms:1234", b"x-amz-date": STAMP, b"x-amz-target": b"TrentService.Encrypt"}
    signed = tuple(sorted(headers))
    key = sigv4.signing_key(SECRET, SCOPE)
    canonical = sigv4.canonical_request(b"POST", b"/", headers, signed, b"{}")
    assert isinstance(canonical, bytes)
    plain = hmac.new(key, sigv4.string_to_sign(STAMP, SCOPE, canonical), sha256).hexdigest().encode()
    assert Signer(key, SCOPE, signed).signature(b"POST", b"/", headers, b"{}", STAMP) == plain


@settings(max_examples=300)
@given(
    path=st.text(alphabet="abz/.~ -_%$é", max_size=20).map(lambda p: "/" + p.lstrip("/")),
    query=st.dictionaries(st.text(alphabet="abAB-~ é=&+%", min_size=1, max_size=6), st.text(max_size=6), max_size=4),
    body=st.binary(max_size=64),
)
def test_agrees_with_botocore(path: str, query: dict[str, str], body: bytes) -> None:
    from urllib.parse import quote  # noqa: PLC0415 - only this test writes a URL

    wire_path = quote(path, safe="/~")
    wire_query = "&".join(f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in query.items())
    url = f"https://kms.example:8443{wire_path}" + (f"?{wire_query}" if wire_query else "")
    request = AWSRequest(method="POST", url=url, data=body, headers={"X-Amz-Target": "TrentService.Encrypt"})
    request.context["timestamp"] = STAMP.decode()
    auth = botocore.auth.SigV4Auth(Credentials("AKIDEXAMPLE", SECRET.decode()), "service", "us-east-1")
    request.headers["X-Amz-Date"] = STAMP.decode()
    expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    headers = {b"host": b"kms.example:8443", b"x-amz-date": STAMP, b"x-amz-target": b"TrentService.Encrypt"}
    target = wire_path.encode() + (b"?" + wire_query.encode() if wire_query else b"")
    signer = Signer(sigv4.signing_key(SECRET, SCOPE), SCOPE, tuple(sorted(headers)))
    assert signer.signature(b"POST", target, headers, body, STAMP) == expected.encode()


def test_signed_query_agrees_with_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = datetime.datetime(2015, 8, 30, 12, 36, tzinfo=datetime.UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: moment.replace(tzinfo=None))
    request = AWSRequest(method="GET", url="https://sts.example/?Action=GetCallerIdentity&Version=2011-06-15")
    credentials = Credentials("AKIDEXAMPLE", SECRET.decode(), "tok/en+==")
    botocore.auth.SigV4QueryAuth(credentials, "service", "us-east-1", expires=60).add_auth(request)
    target = request.url.removeprefix("https://sts.example").encode()
    claims = sigv4.parse_query(target.partition(b"?")[2])
    assert isinstance(claims, Presented)
    assert (claims.access_key_id, claims.scope, claims.signed) == ("AKIDEXAMPLE", SCOPE, (b"host",))
    assert (claims.timestamp, claims.expires, claims.token) == (STAMP, 60, b"tok/en+==")
    signer = Signer(sigv4.signing_key(SECRET, SCOPE), SCOPE, claims.signed)
    assert signer.signature(b"GET", target, {b"host": b"sts.example"}, b"", STAMP) == claims.signature


GOOD = (
    b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/kms/aws4_request, "
    b"SignedHeaders=host;x-amz-date, Signature=" + b"0" * 64
)


def test_header_parts_in_any_order_and_without_blanks() -> None:
    head, credential, signed, signature = GOOD.replace(b", ", b" ").split(b" ")
    for parts in ((credential, signed, signature), (signature, credential, signed)):
        for comma in (b",", b", "):
            assert sigv4.parse_header(head + b" " + comma.join(parts)) == sigv4.parse_header(GOOD)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Bearer abc",
        b"AWS4-HMAC-SHA256",
        GOOD.replace(b"AWS4-HMAC-SHA256", b"AWS4-ECDSA-P256-SHA256"),
        GOOD + b"0",
        GOOD[:-1],
        GOOD.replace(b"0" * 64, b"A" * 64),
        GOOD + b", Signature=" + b"0" * 64,
        GOOD + b", Extra=1",
        GOOD.replace(b"host;x-amz-date", b"x-amz-date;host"),
        GOOD.replace(b"host;x-amz-date", b"host;host;x-amz-date"),
        GOOD.replace(b"host;x-amz-date", b"x-amz-date"),
        GOOD.replace(b"host;", b"Host;"),
        GOOD.replace(b"/kms/", b"//"),
        GOOD.replace(b"aws4_request", b"aws4_reques"),
        GOOD.replace(b"20150830/", b"2015083/"),
        GOOD.replace(b"AKIDEXAMPLE", b"AKID\xc3\xa9"),
    ],
)
def test_row_27_an_incomplete_header_is_no_signature(value: bytes) -> None:
    assert sigv4.parse_header(value) is Flaw.INCOMPLETE


@given(st.binary(max_size=300))
def test_noise_is_a_flaw_never_an_exception(noise: bytes) -> None:
    assert isinstance(sigv4.parse_header(noise), Flaw)
    assert isinstance(sigv4.parse_header(GOOD[:30] + noise), Flaw)
    assert isinstance(sigv4.parse_query(noise), Flaw)
    sigv4.is_query_signed(noise)
    sigv4.canonical_target(noise)
    assert sigv4.seconds(noise) is None
    stamp = sigv4.header_timestamp({b"date": noise})
    assert isinstance(stamp, Flaw) or sigv4.seconds(stamp) is not None


@given(st.integers(0, 253402300799))
def test_a_timestamp_reads_back(second: int) -> None:
    assert sigv4.seconds(sigv4.timestamp(second)) == second


@pytest.mark.parametrize("bad", [b"20150230T123600Z", b"20150830T126000Z", b"2015-08-30T12:36:00Z", STAMP + b"\n"])
def test_no_such_time(bad: bytes) -> None:
    assert sigv4.seconds(bad) is None


def test_date_header_stands_in_for_x_amz_date() -> None:
    assert sigv4.header_timestamp({b"date": b"Sun, 30 Aug 2015 12:36:00 GMT"}) == STAMP
    assert sigv4.header_timestamp({b"date": STAMP}) == STAMP
    assert sigv4.header_timestamp({b"date": b"yesterday", b"x-amz-date": STAMP}) == STAMP
    assert sigv4.header_timestamp({}) is Flaw.DATE


def test_what_must_be_signed() -> None:
    assert sigv4.unsigned((b"host", b"x-amz-date")) == (
        b"x-amz-content-sha256",
        b"x-amz-security-token",
        b"x-amz-target",
    )


def test_a_signer_shows_no_key() -> None:
    assert repr(Signer(b"k" * 32, SCOPE, (b"host",))) == "Signer(20150830/us-east-1/service/aws4_request)"
