"""Identity tokens as bytes: security.md §4-B row 25. RFC 7515, 7517, 7518, 7519; RFC 8725 (best current practices)."""

import hmac
import json
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.costs import cost
from tests.tokens import SigningKey, b64url, key_set

from keystead.crypto.jwk import ALGORITHMS, usable
from keystead.wire import Malformed, jose

ISSUER = "https://issuer.example"
CLAIMS = {
    "iss": ISSUER,
    "sub": "system:serviceaccount:a:b",
    "aud": ["sts.amazonaws.com"],
    "exp": 2_000_000_000,
    "iat": 1,
}
KEY = SigningKey()


def said(**claims) -> str:
    """A token with these claims; None takes one away."""
    return KEY.token({name: value for name, value in (CLAIMS | claims).items() if value is not None})


def spelt(payload: str) -> str:
    return KEY.token(payload.encode())


def verifying(*keys: SigningKey | dict):
    return [usable(jwk) for jwk in jose.key_set(key_set(*keys))]


@pytest.mark.parametrize("alg", [alg for alg in ALGORITHMS if alg != "Ed25519"])
def test_every_algorithm_verifies_its_own_and_no_other(alg) -> None:
    key = SigningKey(alg)
    token = jose.token(key.token(CLAIMS))
    assert (token.header.alg, token.header.kid, token.claims.audiences) == (alg, "one", ("sts.amazonaws.com",))
    (ours,), (theirs,) = verifying(key), verifying(SigningKey("ES256" if alg[:2] in {"RS", "PS"} else alg))
    assert ours.fits(alg) and ours.verify(alg, token.signed, token.signature)
    assert not ours.verify(alg, token.signed + b".", token.signature)
    assert not ours.verify(alg, token.signed, token.signature[:-1]) and not ours.verify(alg, token.signed, b"")
    assert not ours.verify(alg, token.signed, bytes(len(token.signature)))
    assert not theirs.fits(alg) or not theirs.verify(alg, token.signed, token.signature)
    for other in ALGORITHMS.keys() - {alg}:
        assert not ours.fits(other)  # its `alg` says so


def test_a_key_without_an_algorithm_is_for_those_of_its_type() -> None:
    (rsa,) = verifying(SigningKey("RS256").jwk | {"alg": ""})
    assert [alg for alg in ALGORITHMS if rsa.fits(alg)] == ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
    (p256,) = verifying(SigningKey("ES256").jwk | {"alg": ""})
    assert [alg for alg in ALGORITHMS if p256.fits(alg)] == ["ES256"]
    (edwards,) = verifying(SigningKey("EdDSA").jwk | {"alg": ""})
    assert [alg for alg in ALGORITHMS if edwards.fits(alg)] == ["EdDSA", "Ed25519"]


def test_row_25_there_is_no_none_and_no_hmac() -> None:
    """An RSA key's modulus is no HMAC key: no such algorithm is in the table at all."""
    assert not {"none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "", "RS256 ", "rs256"} & ALGORITHMS.keys()
    public = SigningKey("RS256").jwk
    head, payload = (b64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "one"}, CLAIMS))
    forged = hmac.digest(public["n"].encode(), f"{head}.{payload}".encode(), sha256)
    token = jose.token(f"{head}.{payload}.{b64url(forged)}")
    (key,) = verifying(public | {"alg": ""})
    assert not any(key.verify(alg, token.signed, token.signature) for alg in ALGORITHMS if key.fits(alg))


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False},
        {"b64": True, "crit": ["b64"]},
        {"enc": "A256GCM"},
        {"zip": "DEF"},
        {"kid": None},
        {"kid": ""},
        {"kid": 1},
        {"kid": "k" * 256},
        {"alg": None},
        {"alg": ["ES256"]},
        {"alg": "ES256" * 4},
    ],
    ids=str,
)
def test_row_25_headers_that_are_refused(header) -> None:
    with pytest.raises(Malformed):
        jose.token(KEY.token(CLAIMS, **header))


def test_row_25_a_null_crit_is_there_all_the_same() -> None:
    head = b'{"alg":"ES256","kid":"one","crit":null}'
    with pytest.raises(Malformed, match="not understood"):
        jose.token(KEY.compact(head, json.dumps(CLAIMS).encode()))


@pytest.mark.parametrize("kid", ["../../../dev/null", "' OR 1=1 --", "https://evil.example/jwks", "\x00one", "ONE"])
def test_row_25_a_kid_is_text_that_is_compared_and_nothing_else(kid) -> None:
    token = jose.token(KEY.token(CLAIMS, kid=kid))
    assert token.header.kid == kid and token.header.kid not in {jwk.kid for jwk in jose.key_set(key_set(KEY))}


def test_keys_and_urls_in_a_header_are_not_looked_at() -> None:
    """RFC 8725 §3.10: jwk, jku, x5u and x5c are whoever sent the token's."""
    thief = SigningKey(kid="one")
    token = jose.token(thief.token(CLAIMS, jwk=thief.jwk, jku="https://evil.example/", x5u="https://evil.example/"))
    (key,) = verifying(KEY)
    assert not key.verify("ES256", token.signed, token.signature)


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value",
    ["1.5", "1.0", "1e3", "-1", '"1"', "true", "null", "[1]", "253402300800", "9" * 30, "NaN", "Infinity", "0x1", "01"],
)
def test_row_25_times_are_whole_numbers_within_bounds(claim, value) -> None:
    whole = json.dumps(CLAIMS | {"nbf": 1})[:-1]
    for name in ("exp", "iat", "nbf"):
        if name == claim:
            whole = whole.replace(f'"{name}": {(CLAIMS | {"nbf": 1})[name]}', f'"{name}": {value}')
    assert value in whole
    with pytest.raises(Malformed):
        jose.token(spelt(whole + "}"))


@pytest.mark.parametrize("missing", ["iss", "sub", "aud", "exp", "iat"])
def test_row_25_claims_that_must_be_there(missing) -> None:
    for value in (None, {"a": 1}):
        with pytest.raises(Malformed):
            jose.token(said(**{missing: value}))


@pytest.mark.parametrize(
    ("aud", "audiences"),
    [
        ("one", ("one",)),
        (["one"], ("one",)),
        (["one", "two"], ("one", "two")),
        ([], None),
        ("", None),
        ([""], None),
        ([1], None),
        ({"a": 1}, None),
        (["a"] * 33, None),
    ],
)
def test_row_25_an_audience_is_a_text_or_a_list_of_them(aud, audiences) -> None:
    if audiences is None:
        with pytest.raises(Malformed):
            jose.token(said(aud=aud))
    else:
        assert jose.token(said(aud=aud)).claims.audiences == audiences


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "https://x", "amr"])
def test_row_25_a_claim_twice_is_refused(name) -> None:
    once = json.dumps(CLAIMS | {"https://x": 1, "amr": []})
    for again in (f'{once[:-1]},"{name}":1}}', f'{once[:-1]},"\\u{ord(name[0]):04x}{name[1:]}":1}}'):
        with pytest.raises(Malformed, match="twice"):
            jose.token(spelt(again))
    head = b'{"alg":"ES256","kid":"one","alg":"none"}'
    with pytest.raises(Malformed, match="twice"):
        jose.token(KEY.compact(head, json.dumps(CLAIMS).encode()))


@pytest.mark.parametrize(
    "sub", ["a\nb", "a\x00", "a\u202eb", "a\u00a0b", "a\u200db", "\ufeffa", "\ud800", "s" * 256, ""]
)
def test_a_subject_is_printable_and_short(sub) -> None:
    with pytest.raises(Malformed):
        jose.token(said(sub=sub))
    assert jose.token(said(sub="s" * 255)).claims.sub == "s" * 255


WHOLE = said()
PARTS = WHOLE.split(".")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b.c",
        ".".join(PARTS[:2]),
        ".".join(PARTS[:2]) + ".",
        ".".join([*PARTS, "", ""]),
        "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d",  # JWE
        WHOLE + "=",
        WHOLE + "\n",
        " " + WHOLE,
        WHOLE.replace(".", "。"),
        f"{PARTS[0]}+.{PARTS[1]}.{PARTS[2]}",
        f"{PARTS[0]}.{PARTS[1]}.A",
        "a" * 20_000,
        f"{PARTS[0]}.{b64url(b'[' * 6000)}.{PARTS[2]}",
        f"{PARTS[0]}.{b64url(b'{}')}.{PARTS[2]}",
        f"{PARTS[0]}.{b64url(b'null')}.{PARTS[2]}",
        f"{PARTS[0]}.{b64url(json.dumps(CLAIMS).encode() + b' ' * 8000)}.{PARTS[2]}",
        f"{PARTS[0]}.{b64url(json.dumps(CLAIMS | {'z': [1] * 300}).encode())}.{PARTS[2]}",
        f"{PARTS[0]}.{b64url(bytes([255]) + json.dumps(CLAIMS).encode())}.{PARTS[2]}",
    ],
)
def test_what_is_no_token(text) -> None:
    with pytest.raises(Malformed) as caught:
        jose.token(text)
    assert len(str(caught.value)) < 100 and "serviceaccount" not in str(caught.value)


def test_a_second_spelling_of_the_same_bytes_is_no_token() -> None:
    """The bits that the last character has too many of must be zero (RFC 4648 §3.5), or one token would have many."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = WHOLE[-1]
    other = alphabet[alphabet.index(last) ^ 1]
    assert len(PARTS[2]) % 4 == 2
    with pytest.raises(Malformed):
        jose.token(WHOLE[:-1] + other)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=20))
def test_nothing_but_malformed(header, payload, signature) -> None:
    try:
        jose.token(f"{b64url(header)}.{b64url(payload)}.{b64url(signature)}")
    except Malformed:
        return


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_no_text_is_more_than_malformed(text) -> None:
    with pytest.raises(Malformed):
        jose.token(text)


def test_row_66_the_fullest_token_costs_less_than_a_millisecond() -> None:
    text = said(z=[1] * 200, y="\\" * 2000)
    assert cost(lambda: jose.token(text), 9) < 0.001


# --- key sets


def test_keys_that_are_not_for_verifying_are_left_out() -> None:
    jwk = KEY.jwk
    others = [
        {"kty": "oct", "kid": "a", "k": "AAAA"},
        jwk | {"use": "enc"},
        jwk | {"key_ops": ["sign"]},
        jwk | {"d": "AAAA"},  # a private key: everybody has it
        jwk | {"kid": 7},
        "no key at all",
        7,
        {"kty": "AKP", "kid": "pq", "alg": "ML-DSA-65", "pub": "AAAA"},
    ]
    found = jose.key_set(json.dumps({"keys": [*others, jwk]}).encode())
    assert [key.kid for key in found if usable(key)] == ["one"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys":{}}',
        b'{"keys":[],"keys":[]}',
        b'{"keys":[' + b"[" * 100,
        b'{"keys":[NaN]}',
        b" " * 131073,
        b'{"keys":[' + b"1," * 100 + b"1]}",
    ],
)
def test_what_is_no_key_set(body) -> None:
    with pytest.raises(Malformed):
        jose.key_set(body)


RSA = SigningKey("RS256").jwk
EVEN = b64url(b"\x01" + bytes(255) + b"\x00")


@pytest.mark.parametrize(
    "jwk",
    [
        RSA | {"e": "AQ"},  # 1
        RSA | {"e": "Aw"},  # 3
        RSA | {"e": b64url(b"\x01" * 9)},
        RSA | {"n": b64url(b"\xff" * 128)},  # 1024 bits
        RSA | {"n": b64url(b"\xff" * 1025)},
        RSA | {"n": EVEN},
        RSA | {"n": ""},
        RSA | {"n": "!!"},
        KEY.jwk | {"x": KEY.jwk["y"]},  # off the curve
        KEY.jwk | {"x": "AA" + KEY.jwk["x"]},
        KEY.jwk | {"crv": "secp256k1"},
        KEY.jwk | {"crv": "P-384"},
        SigningKey("EdDSA").jwk | {"crv": "X25519"},
        SigningKey("EdDSA").jwk | {"x": "AAAA"},
    ],
)
def test_row_62_weak_and_broken_keys_verify_nothing(jwk) -> None:
    assert verifying(jwk) == [None]


def test_a_key_without_a_name_is_nobodys_who_names_one() -> None:
    nameless = {name: value for name, value in KEY.jwk.items() if name != "kid"}
    (found,) = jose.key_set(json.dumps({"keys": [nameless]}).encode())
    assert found.kid == ""
    with pytest.raises(Malformed):
        jose.token(KEY.token(CLAIMS, kid=""))


@pytest.mark.parametrize(
    "payload", [b"[1]", b"7", b'{"a":1,"a":2}', b'{"a":', b"\xff", b'{"a":1e999}', b'{"a":NaN}', b'{"a":"\\ud800"}']
)
def test_claims_of_any_name_are_one_object_that_reads_in_one_way(payload) -> None:
    with pytest.raises(Malformed):
        jose.signed(KEY.token(payload))


def test_any_claim_can_be_asked_for_and_none_is_shown() -> None:
    found = jose.signed(KEY.token({"a": {"b": [1, True, None, 1.5]}}, kid=None))
    assert (found.header.kid, found.claims) == ("", {"a": {"b": [1, True, None, 1.5]}})
    assert "b" not in repr(found).replace("Signed", "")
