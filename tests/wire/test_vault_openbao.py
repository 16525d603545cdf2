"""The codec beside a real OpenBao: the same odd requests to both, and what each makes of them.

MEANT names what we refuse and it takes (docs/adr/0019). Everything else has to agree: whether, which status, which
words, and which value arrived.
"""

import json

import pytest
from tests.openbao import METHODS, OpenApi, openbao
from tests.wire.vault_cases import ASKED, PLACES, name_of, recorded
from tests.wire.vault_cases import said as said_of

from keystead.wire.vault import Refused, envelope, headers, scalars
from keystead.wire.vault.kinds import Kind
from keystead.wire.vault.reader import CAPTURED, Parameters, reader
from keystead.wire.vault.request import arguments, ask
from keystead.wire.vault.tree import tree

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    with openbao(tmp_path_factory.mktemp("openbao")) as peer:
        peer.json("PUT", "kv2/data/doc", {"data": {"a": 1}})
        yield peer


# --- values into fields, request lines, base64


@pytest.mark.parametrize("topic", ASKED)
def test_the_codec_says_what_openbao_says_and_it_still_says_what_was_recorded(peer, topic: str) -> None:
    cases, ask_it, disagreement = ASKED[topic]
    wrong, before = [], recorded()[topic]
    for case in cases:
        answer = ask_it(peer, *case)
        if (mine := disagreement(*case, *answer)) or answer != before[name_of(case)]:
            wrong.append((case, answer, before[name_of(case)], mine))
    assert not wrong, "\n".join(map(str, wrong))


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
    theirs = said_of(answer)
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
        theirs = said_of(answer)
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

ONLY_WE_REFUSE = {"/v1/kv/%ff", "/v1/kv/a?x=%zz", "/v1/kv/a?x=1;y=2", "/v1/kv/a?x=%ff"}


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


# --- headers


@pytest.mark.parametrize("said", ["-5", "-1s", "x", "999999999h", "9223372037", "1", "0.5s"])
def test_a_wrap_ttl_is_refused_in_the_same_words(peer, said: str) -> None:
    status, _, answer = peer.ask("GET", "/v1/sys/mounts/kv/tune", b"", {"X-Vault-Wrap-TTL": said})
    try:
        words = "" if headers.wrap_for({b"x-vault-wrap-ttl": said.encode()}) else "not wrapped"
    except Refused as error:
        words = str(error)
    assert (status, words) == ((200, "") if json.loads(answer).get("wrap_info") else (400, said_of(answer)))


@pytest.mark.parametrize("scheme", ["Bearer ", "Bearer  ", "bearer ", "BEARER ", "Basic ", ""])
def test_a_token_is_found_where_it_is_found(peer, scheme: str) -> None:
    sent = {"X-Vault-Token": "", "Authorization": scheme + peer.token}
    status = peer.ask("GET", "/v1/auth/token/lookup-self", b"", sent)[0]
    found = headers.token({b"authorization": sent["Authorization"].encode()})
    assert (status == 200) is (found.decode() == peer.token)


# --- warnings, answers


class Encrypt(Parameters):
    name: str = CAPTURED
    plaintext: str | None = None


def test_what_is_left_out_is_said_in_the_same_words(peer) -> None:
    body = b'{"plaintext":"","zz":1,"aa":2,"name":"q"}'
    theirs = json.loads(peer.ask("PUT", "/v1/transit/encrypt/app", body)[2])
    assert list(reader(Encrypt)({"name": "app"}, body)[1]) == theirs["warnings"]


def test_the_envelope_has_their_members_in_their_order_and_mount_type_behind(peer) -> None:
    _, sent, answer = peer.ask("GET", "/v1/kv2/data/doc")
    theirs = json.loads(answer)
    mine = envelope.writer(lambda _: None)(envelope.Envelope(request_id=theirs["request_id"], data=theirs["data"]))
    assert mine.rstrip() == answer.rstrip().replace(b'"auth":null}', b'"auth":null,"mount_type":""}')
    for line in envelope.HEAD.decode().splitlines():
        name, _, value = line.partition(": ")
        assert sent[name] == value


def test_refusals_and_doubled_answers_look_alike(peer) -> None:
    assert peer.ask("GET", "/v1/kv/none")[2] == envelope.errors()
    assert peer.ask("GET", "/v1/transit/nope")[2] == envelope.errors(envelope.UNSUPPORTED_PATH)
    assert peer.ask("GET", "/v1/transit/encrypt/app")[2] == envelope.errors(envelope.UNSUPPORTED_OPERATION)
    theirs = peer.json("GET", "sys/mounts/kv/tune")
    mine = envelope.doubled(envelope.Envelope(request_id=theirs["request_id"], data=theirs["data"]))
    assert {**theirs, "mount_type": ""} == mine
    status, sent, answer = peer.ask("PUT", "/v1/kv/x", b'{"a":1}')
    assert (status, answer, sent.get("Content-Length")) == (204, b"", None)
    assert sent["Content-Type"] == "application/json"


BOTH = """sys/auth sys/auth/token sys/auth/token/tune sys/config/cors sys/config/auditing/request-headers sys/key-status
sys/mounts sys/mounts/kv sys/mounts/kv/tune sys/policy sys/policy/default sys/ha-status"""
ONE = """sys/policies/acl/default sys/rotate/config sys/internal/ui/mounts sys/internal/ui/mounts/kv2
sys/plugins/catalog
sys/quotas/config sys/host-info sys/locked-users kv/below kv2/config auth/token/lookup-self transit/keys/app"""


@pytest.mark.parametrize("path", BOTH.split() + ONE.split())
def test_which_answers_have_their_data_at_both_levels(peer, path: str) -> None:
    peer.json("PUT", "kv/below", {"a": 1})
    answer = peer.json("GET", path)
    assert answer["data"]
    assert (answer["data"].items() <= answer.items()) is (path in BOTH.split())


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
