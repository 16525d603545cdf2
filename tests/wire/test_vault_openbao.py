"""The codec beside a real OpenBao: the same odd requests to both, and what each makes of them.

MEANT names what we refuse and it takes (docs/adr/0019). Everything else has to agree: whether, which status, which
words, and which value arrived.
"""

import json
import random
import re
from base64 import b64encode

import pytest
from tests.openbao import METHODS, OpenApi, openbao

from keystead.wire import Malformed
from keystead.wire.vault import VALIDATION, FieldError, Refused, envelope, scalars
from keystead.wire.vault.fields import CommaInts, CommaStrings, Duration, Int, Kind, Map, Pairs, Time
from keystead.wire.vault.reader import CAPTURED, Parameters, reader
from keystead.wire.vault.request import Redirect, arguments, ask
from keystead.wire.vault.tree import tree

pytestmark = pytest.mark.client
SEED = 20261125


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    with openbao(tmp_path_factory.mktemp("openbao")) as peer:
        peer.json("PUT", "kv2/data/doc", {"data": {"a": 1}})
        yield peer


def said(answer: bytes) -> str:
    """The one text of an error, "" of an empty list or of no JSON."""
    try:
        return (json.loads(answer).get("errors") or [""])[0]
    except ValueError:
        return ""


# --- values into fields: what one parameter makes of any JSON


class Role(Parameters):
    role_name: str = CAPTURED
    bind_secret_id: bool = True
    secret_id_num_uses: Int = 0
    token_ttl: Duration | None = None
    token_policies: CommaStrings = ()
    bound_cidr_list: CommaStrings = ()


class Metadata(Parameters):
    path: str = CAPTURED
    custom_metadata: Map | None = None
    max_versions: Int = 0


class Delete(Parameters):
    path: str = CAPTURED
    versions: CommaInts = ()


class Entity(Parameters):
    name: str = ""
    metadata: Pairs | None = None


class Policy(Parameters):
    name: str = CAPTURED
    policy: str = ""
    expiration: Time | None = None


class Place:
    """Where on the server a kind of field can be seen, and how."""

    def __init__(self, message, path, field, captures, *, beside=None, prefix="", shown=None) -> None:
        self.read, self.path, self.field, self.captures = reader(message), path, field, captures
        self.beside, self.prefix, self.shown = beside or {}, prefix, shown


PLACES = {
    Kind.BOOL: Place(
        Role,
        "auth/approle/role/r",
        "bind_secret_id",
        {"role_name": "r"},
        beside={"bound_cidr_list": "127.0.0.1/32"},
        shown=bool,
    ),
    Kind.INT: Place(Role, "auth/approle/role/r", "secret_id_num_uses", {"role_name": "r"}, shown=int),
    Kind.DURATION: Place(Role, "auth/approle/role/r", "token_ttl", {"role_name": "r"}, shown=lambda v: v or 0),
    Kind.COMMA_STRINGS: Place(Role, "auth/approle/role/r", "token_policies", {"role_name": "r"}, shown=set),
    Kind.MAP: Place(Metadata, "kv2/metadata/doc", "custom_metadata", {"path": "doc"}),
    Kind.COMMA_INTS: Place(Delete, "kv2/delete/doc", "versions", {"path": "doc"}, prefix=VALIDATION),
    Kind.PAIRS: Place(Entity, "identity/entity", "metadata", {}, beside={"name": "e"}, prefix=VALIDATION),
    Kind.TEXT: Place(Entity, "identity/entity", "name", {}, prefix=VALIDATION),
    Kind.TIME: Place(
        Policy,
        "sys/policies/acl/t",
        "expiration",
        {"name": "t"},
        beside={"policy": 'path "a" {}'},
        prefix=VALIDATION,
        shown=lambda v: v and scalars.time_text(v),
    ),
}
BLANKS = {'"_"', '"_5"', '"5_s"', '"_5s"', '["_a_"]', '"_a_,_b_"'}  # "_" stands for " " in these
COMMON = """
null true false 0 1 -1 2 -0 1.0 1.5 1e2 1E5 12345678901234567890 9223372036854775807 9223372036854775808
99999999999999999999999 "" "_" "x" "true" "T" "f" "yes" "1" "-1" "+5" "_5" "0x10" "010" "0b11" "1_0" "1__0" "0_7" "08"
[] [1] ["1"] [true] [null] [1.5] [[]] [["a"]] [{}] [{"a":"b"}] [{"a":"b"},{"c":"d"}] [1,"2"] {} {"a":"b"} {"a":1}
{"a":1.10} {"a":true} {"a":null} {"a":[1]} "a,b" "_a_,_b_" ["_a_"] "a,,b" "," ["a,b"] "1,2"
[-1] "k=v" ["k=v"] ["k=v=w"] ["k"] ["=v"]
["k="] ["a=1","b=2"] "<&>" "\\u00e9" "\\u00a0a\\u3000"
"""
OF_A_KIND = {
    Kind.DURATION: """
        30 "30" "30s" "1h30m" "1d" "1.5h" "1500ms" "1.9s" "-5s" -5 "1.5" "1d2h" "1w" "1us" "1\\u00b5s" "1\\u03bcs" "1ns"
        "5_s" "_5s" "9223372036854775807" "9223372036" "9223372037" "99999999999999999999" "2562047h" "2562048h"
        "+5s" ".5s" "5.s" "." "s" "-" "+" "-0" "--5s" "1h-5m" "99999999999d" "106751d" "106752d" "1D" "1e3s"
        "1.s2m" "00030" "-1d"
        "1\\"s" "1\\\\s" "1\\u00e9" "0.000000001h" "9223372036854775807ns" "9223372036854775808ns" "3h3h" "1.1.1s" """,
    Kind.TIME: """
        "2030-01-02T03:04:05Z" "2030-01-02T03:04:05.5Z" "2030-01-02T03:04:05.123456+02:00" 1893456000 "1893456000"
        "2030-01-02" "2030-01-02t03:04:05z" "2030-1-2T3:4:5Z" "2030-01-02T03:04:05,5Z" "2030-01-02T24:00:00Z"
        "2030-02-30T00:00:00Z" "2030-01-02T03:04:05-23:59" "2030-01-02T03:04:05" "2030-01-02T03:04:60Z" """,
}
SKIPPED = {
    # Go's times go beyond year 9999, ours do not (docs/adr/0019); "-0" is no number that we would take for one
    Kind.TIME: {"9223372036854775807", "-0"},
}
# The value arrived, and the operation itself has more to say.
LATER = ("cannot be negative", "custom_metadata validation failed", "No version number provided", "already elapsed")


def values(kind: Kind) -> list[str]:
    return [v for v in (COMMON + OF_A_KIND.get(kind, "")).split() if v not in SKIPPED.get(kind, ())]


CASES = [(kind, value) for kind in PLACES for value in values(kind)]


def ours(place: Place, body: bytes):
    """(words, message): of the refusal, or of what was read."""
    try:
        message, _ = place.read(place.captures, body)
    except FieldError as error:
        return place.prefix + error.text, None
    except Refused as error:
        return str(error), None
    return "", message


@pytest.mark.parametrize("kind", PLACES, ids=lambda kind: kind.name)
def test_a_value_becomes_what_openbao_makes_of_it(peer, kind: Kind) -> None:
    place, wrong = PLACES[kind], []
    for value in values(kind):
        text = value.replace("_", " ") if value in BLANKS else value
        body = json.dumps(place.beside)[:-1] + (", " if place.beside else "") + f'"{place.field}": {text}}}'
        status, _, answer = peer.ask("PUT", f"/v1/{place.path}", body.encode())
        words, message = ours(place, body.encode())
        theirs = said(answer)
        if status < 300 or any(later in theirs for later in LATER):
            agreed = not words
        else:
            agreed = status == 400 and words == re.sub(r", value: '.*?'(?=$|\n)", "", theirs)
        if agreed and message is not None and place.shown and status < 300:
            shown = peer.json("GET", place.path)["data"].get(place.field)
            mine = place.shown(getattr(message, place.field))
            agreed = mine == (set(shown) if kind is Kind.COMMA_STRINGS else shown)
        if not agreed:
            wrong.append((value, status, theirs, words, message and getattr(message, place.field)))
    assert not wrong, "\n".join(map(str, wrong))


def test_there_are_hundreds_of_cases() -> None:
    assert len(CASES) >= 400


# --- numbers come back as they were sent


@pytest.mark.parametrize("number", ["12345678901234567890", "1.10", "-0", "1E5", "0.1e-7", "9" * 40, "1" * 300])
def test_a_number_comes_back_as_it_was_sent(peer, number: str) -> None:
    body = f'{{"a":{number},"b":{{"c":[{number},"<&>\u2028"]}}}}'.encode()
    assert peer.ask("PUT", "/v1/kv/number", body)[0] == 204
    theirs = peer.ask("GET", "/v1/kv/number")[2]
    mine = envelope.writer(lambda _: None)(envelope.Envelope(request_id="", data=tree(body)))
    data = b'"data":' + theirs.partition(b'"data":')[2].partition(b',"wrap_info"')[0]
    assert data in mine


# --- bodies

BODIES = [
    *('{"a":NaN}', "[1]", '"x"', "5", "-5.5", "true", "null", "", "  ", "\n", "{}", '{"a":1}x', '{"a":01}', '{"a":1.}'),
    *("{'a':1}", '{"a":1,}', '{"a" 1}', '{"A":1,"a":2}', '{"":1}', '{"a":"x\ty"}', '{"a":"\\q"}', "tru", '{"a"', "{"),
    *('{"a":/*c*/1}', "a=b", '{"a":-}', '{"a":1e}', '{"a":--1}', '{"a":+1}', '{"a":1e400}', '{"a":Infinity}', "[", "]"),
    *(
        '{"a":"\\u00e9"}',
        '{"a":"é"}',
        "\ufeff{}",
        '{"a":"\\ud83d\\ude00"}',
        '{"a":.5}',
        '{"a":0x1}',
        "{}}",
        '{"a":True}',
    ),
    '{"a":' * 60 + "1" + "}" * 60,
]
MEANT = {
    "a name twice": b'{"a":1,"a":2}',
    "half a surrogate": b'{"a":"\\ud800"}',
    "not UTF-8": b'{"a":"\xff"}',
    "a second document": b'{"a":1}{"b":2}',
    "deeper than 100": b'{"a":' * 150 + b"1" + b"}" * 150,
}


@pytest.mark.parametrize("body", BODIES, ids=lambda b: ascii(b[:24]))
def test_a_body_is_json_or_is_not(peer, body: str) -> None:
    status, _, answer = peer.ask("PUT", "/v1/kv/body", body.encode())
    try:
        found, words = tree(body.encode()), ""
    except Refused as error:
        found, words = {}, str(error)
    theirs = said(answer)
    if status == 204 or theirs == "missing data fields":
        assert words == "" and bool(found) is (status == 204)
    else:
        assert status == 400 and words.startswith("failed to decode JSON input: ")
        if "Go value of type map" in theirs:
            assert words == theirs


@pytest.mark.parametrize("difference", MEANT)
def test_what_we_refuse_and_openbao_takes(peer, difference: str) -> None:
    assert peer.ask("PUT", "/v1/kv/meant", MEANT[difference])[0] == 204
    with pytest.raises(Refused):
        tree(MEANT[difference])


TYPES = [
    *(
        None,
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "x;y",
        "Application/X-WWW-Form-Urlencoded; a=b",
    ),
    *(
        "application/merge-patch+json",
        "application/merge-patch+json; charset=utf-8",
        "application/x-www-form-urlencoded; x",
        ";",
        "a/b/c",
    ),
]
CONTENTS = [b'{"a":"1"}', b"a=1&a=2&b=%2b+", b"a=%zz", b"a;b=1", b"", b"[1]", b' {"a":"1"}', b"=1&a", b"a"]


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_body_is_taken_by_its_type(peer, method: str, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    path = "kv/typed" if method == "PUT" else "kv2/data/typed"
    for content in CONTENTS:
        status, _, answer = peer.ask(method, f"/v1/{path}", content, headers)
        asked = ask(method.encode(), f"/v1/{path}".encode())
        try:
            found = arguments(asked, content_type and content_type.encode(), content)
            mine, words = (tree(found) if isinstance(found, bytes) else dict(found)), ""
        except Refused as error:
            mine, words = None, str(error)
        theirs = said(answer)
        if words.startswith("failed to decode"):
            assert theirs.startswith("failed to decode"), content
        elif words.startswith("mime: "):
            assert theirs.startswith("mime: ") and status == 400, content
        elif words:
            assert (words, status) == (theirs, 415 if words.startswith("PATCH") else 400), content
        elif method == "PUT" and mine:
            assert status == 204 and peer.json("GET", path)["data"] == mine, content
        else:
            assert theirs == "missing data fields" or status == 404 or "data" in theirs, (content, answer)


# --- request lines

TARGETS = """
/v1//kv/a /v1/kv//a /v1/kv/../kv/a /v1/kv/./a /v1/kv/%2e%2e/kv/a /v1/kv/..%2fkv/a /v1/kv/a/ /v1/kv/a%2fb /v1/kv/a%zz
/v1/kv/a%00b /v1/kv/a%0ab /v1/kv/a?list=tRUE /v1/kv?list=True /v1/kv/?list=t /v1/kv/?list=0 /v1/kv?scan=1
/v1/kv?scan=1&list=1 /v2/kv/a /v1 /v1/nope/x /v1/kv/a../b /v1/kv/%2e%2e /v1/kv/a/..%2f /v1/kv/x/%2e/b
/v1/kv//a?x=1&y=%2f /v1/kv//a/ /v1/kv/a%20b//c /v1/kv/a/.
/v1/kv/a/./ /v1// /v1/kv/a%7f /v1/kv/a%c2%85 /v1/kv/a%e2%80%8b /v1/kv/%ef%bb%bf
/v1/kv/%c2%a0x /v1/kv/a+b /v1/kv/a?list=1&list=0 /v1/kv?list= /v1/kv/a% /v1/kv/a\\b /v1/kv/a%5cb /v1/kv/a%25zz
/v1/kv/... /v1/kv/a..b /v1/kv/..a /v1/kv/%c3%a9 /v1/kv2/data/a/.. /v1/kv/a?x=%41+b /v1/kv/%F0%9F%98%80 /v1/kv/%ee%80%80
"""
VERBS = ("GET", "PUT", "LIST", "DELETE", "HEAD", "SCAN")
ONLY_WE_REFUSE = {"/v1/kv/%ff", "/v1/kv/a?x=%zz", "/v1/kv/a?x=1;y=2", "/v1/kv/a?x=%ff"}


@pytest.mark.parametrize("method", VERBS)
def test_a_request_line_leads_to_the_same_place(peer, method: str) -> None:
    for target in TARGETS.split():
        status, headers, answer = peer.ask(method, target)
        try:
            found = ask(method.encode(), target.encode())
        except Refused as error:
            assert error.status == status, (method, target, error.status, status)
            assert str(error) == said(answer) or method == "HEAD", (method, target)
            continue
        if isinstance(found, Redirect):
            assert (status, headers["Location"].encode()) == (307, found.location), (method, target)
            continue
        assert status not in {307, 400} or said(answer) in {"missing data fields", "missing path"}, (method, target)
        if found.path.startswith("nope"):
            assert said(answer) == envelope.no_route(found.path) or method == "HEAD"


@pytest.mark.parametrize("target", sorted(ONLY_WE_REFUSE))
def test_request_lines_that_only_we_refuse(peer, target: str) -> None:
    assert peer.ask("GET", target)[0] == 404
    with pytest.raises(Refused):
        ask(b"GET", target.encode())


@pytest.mark.parametrize("method", ["FOO", "TRACE", "QUERY"])
def test_methods_nobody_has(peer, method: str) -> None:
    assert peer.ask(method, "/v1/kv/a")[::2] == (405, envelope.errors())
    with pytest.raises(Refused) as refused:
        ask(method.encode(), b"/v1/kv/a")
    assert refused.value.status == 405


# --- base64


def spellings(seed: int, n: int) -> list[str]:
    """Base64 of random bytes, most of it damaged in one place or two."""
    rng = random.Random(seed)
    found = []
    for _ in range(n):
        text = list(b64encode(rng.randbytes(rng.randrange(10))).decode())
        for _ in range(rng.randrange(3)):
            at = rng.randrange(len(text) + 1)
            text[at : at + rng.randrange(2)] = rng.choice(["=", "\n", "\r", "-", "_", " ", "A", "", "é", "=="])
        found.append("".join(text))
    return found


def test_base64_is_what_go_takes_and_the_words_say_where_it_is_not(peer) -> None:
    for text in spellings(SEED, 150):
        status, _, answer = peer.ask("PUT", "/v1/transit/encrypt/app", json.dumps({"plaintext": text}).encode())
        try:
            mine, words = scalars.base64_decoded(text), ""
        except Malformed as error:
            mine, words = None, str(error)
        assert (status, words) == (200 if mine is not None else 400, said(answer) if status != 200 else ""), ascii(text)
        if mine is not None:
            sealed = json.loads(answer)["data"]["ciphertext"]
            opened = peer.json("PUT", "transit/decrypt/app", {"ciphertext": sealed})["data"]["plaintext"]
            assert opened == b64encode(mine).decode(), ascii(text)


# --- warnings, answers


class Encrypt(Parameters):
    name: str = CAPTURED
    plaintext: str | None = None


def test_what_is_left_out_is_said_in_the_same_words(peer) -> None:
    body = b'{"plaintext":"","zz":1,"aa":2,"name":"q"}'
    theirs = json.loads(peer.ask("PUT", "/v1/transit/encrypt/app", body)[2])
    assert list(reader(Encrypt)({"name": "app"}, body)[1]) == theirs["warnings"]


def test_the_envelope_has_their_members_in_their_order_and_mount_type_behind(peer) -> None:
    _, headers, answer = peer.ask("GET", "/v1/kv2/data/doc")
    theirs = json.loads(answer)
    mine = envelope.writer(lambda _: None)(envelope.Envelope(request_id=theirs["request_id"], data=theirs["data"]))
    assert mine.rstrip() == answer.rstrip().replace(b'"auth":null}', b'"auth":null,"mount_type":""}')
    for line in envelope.HEAD.decode().splitlines():
        name, _, value = line.partition(": ")
        assert headers[name] == value


def test_refusals_and_doubled_answers_look_alike(peer) -> None:
    assert peer.ask("GET", "/v1/kv/none")[2] == envelope.errors()
    assert peer.ask("GET", "/v1/transit/nope")[2] == envelope.errors(envelope.UNSUPPORTED_PATH)
    assert peer.ask("GET", "/v1/transit/encrypt/app")[2] == envelope.errors(envelope.UNSUPPORTED_OPERATION)
    theirs = peer.json("GET", "sys/mounts/kv/tune")
    mine = envelope.doubled(envelope.Envelope(request_id=theirs["request_id"], data=theirs["data"]))
    assert {**theirs, "mount_type": ""} == mine
    status, headers, answer = peer.ask("PUT", "/v1/kv/x", b'{"a":1}')
    assert (status, answer, headers.get("Content-Length")) == (204, b"", None)
    assert headers["Content-Type"] == "application/json"


def test_durations_and_a_token_are_written_alike(peer) -> None:
    made = peer.json("PUT", "auth/token/create", {"ttl": "90m"})["auth"]
    mine = envelope.Auth(
        client_token=made["client_token"],
        accessor=made["accessor"],
        policies=["root"],
        token_policies=["root"],
        lease_duration=scalars.seconds("90m"),
        renewable=True,
    )
    assert json.loads(envelope.writer(lambda _: None)(mine)) == made


# --- the document


def test_the_document_says_what_the_server_does(peer) -> None:
    document = OpenApi(peer.openapi())
    role = document.at("write", "auth/approle/role/{role_name}")
    for kind in (Kind.BOOL, Kind.INT, Kind.DURATION, Kind.COMMA_STRINGS):
        assert kind in role.parameters[PLACES[kind].field].kinds
    assert role.asks_existence and not role.needs_sudo
    assert document.at("write", "auth/approle/login").is_open
    assert document.at("list", "auth/token/accessors/?").needs_sudo
    assert document.at("write", "transit/encrypt/{name}").parameters["name"].place == "path"
    assert Kind.TIME in document.at("write", "sys/policies/acl/{name}").parameters["expiration"].kinds
    assert document.at("read", "kv2/data/{path:path?}").parameters["path"].required
    with pytest.raises(KeyError):
        document.at("patch", "transit/encrypt/{name}")
    assert sum(1 for _ in document.operations()) > 400


def test_every_parameter_of_the_document_has_a_kind(peer) -> None:
    document = OpenApi(peer.openapi())
    verbs = {method: verb for verb, method in METHODS.items() if verb != "list"}
    for method, path in document.operations():
        assert all(p.kinds for p in document.at(verbs[method], path).parameters.values())
