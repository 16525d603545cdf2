"""Odd requests, and what is made of them: by us, and by an OpenBao that is asked the same (tests/wire/SOURCES.md).

python -m tests.wire.vault_cases     asks a real server again, and writes vault_answers.json
"""

import json
import random
import re
import tempfile
from base64 import b64encode
from pathlib import Path

from tests.openbao import openbao

from keystead.wire import Malformed
from keystead.wire.vault import VALIDATION, FieldError, Refused, envelope, scalars
from keystead.wire.vault.kinds import CommaInts, CommaStrings, Duration, Int, Kind, Map, Pairs, Time
from keystead.wire.vault.reader import CAPTURED, Parameters, reader
from keystead.wire.vault.request import Redirect, ask

ANSWERS = Path(__file__).with_name("vault_answers.json")
SEED, N_SPELLINGS = 20261125, 300


def said(answer: bytes) -> str:
    """The one text of an error, "" of an empty list or of no JSON. Without the values that it shows."""
    try:
        text = (json.loads(answer).get("errors") or [""])[0]
    except ValueError:
        return ""
    return re.sub(r", value: '.*?'(?=$|\n)", "", text)


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
    Kind.COMMA_STRINGS: Place(Role, "auth/approle/role/r", "token_policies", {"role_name": "r"}, shown=sorted),
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
        "1.s2m" "00030" "-1d" "1\\u00b5sd" "1\\"d"
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


def body_of(place: Place, value: str) -> bytes:
    text = value.replace("_", " ") if value in BLANKS else value
    return (json.dumps(place.beside)[:-1] + (", " if place.beside else "") + f'"{place.field}": {text}}}').encode()


def ours(place: Place, body: bytes):
    """(words, message): of the refusal, or of what was read."""
    try:
        message, _ = place.read(place.captures, body)
    except FieldError as error:
        return place.prefix + error.text, None
    except Refused as error:
        return str(error), None
    return "", message


def asked_of_a_field(peer, kind: Kind, value: str):
    """[status, words, what the server then shows]: of one value in the place for its kind."""
    place = PLACES[kind]
    status, _, answer = peer.ask("PUT", f"/v1/{place.path}", body_of(place, value))
    shown = peer.json("GET", place.path)["data"].get(place.field) if place.shown and status < 300 else None
    return [status, said(answer), sorted(shown) if isinstance(shown, list) else shown]


def disagreement(kind: Kind, value: str, status: int, theirs: str, shown) -> str:
    """ "" where the codec makes of it what the server made of it, else what it made."""
    place = PLACES[kind]
    words, message = ours(place, body_of(place, value))
    if status < 300 or any(later in theirs for later in LATER):
        if words:
            return words
    elif status != 400 or words != theirs:
        return words or "taken"
    if message is None or not place.shown or status >= 300:
        return ""
    mine = place.shown(getattr(message, place.field))
    return "" if mine == shown else repr(mine)


# --- request lines

TARGETS = """
/v1//kv/a /v1/kv//a /v1/kv/../kv/a /v1/kv/./a /v1/kv/%2e%2e/kv/a /v1/kv/..%2fkv/a /v1/kv/a/ /v1/kv/a%2fb /v1/kv/a%zz
/v1/kv/a%00b /v1/kv/a%0ab /v1/kv/a?list=tRUE /v1/kv?list=True /v1/kv/?list=t /v1/kv/?list=0 /v1/kv?scan=1
/v1/kv?scan=1&list=1 /v2/kv/a /v1 /v1/nope/x /v1/kv/a../b /v1/kv/%2e%2e /v1/kv/a/..%2f /v1/kv/x/%2e/b
/v1/kv//a?x=1&y=%2f /v1/kv//a/ /v1/kv/a%20b//c /v1/kv/a/.
/v1/kv/a/./ /v1// /v1/kv/a%7f /v1/kv/a%c2%85 /v1/kv/a%e2%80%8b /v1/kv/%ef%bb%bf
/v1/kv/%c2%a0x /v1/kv/a+b /v1/kv/a?list=1&list=0 /v1/kv?list= /v1/kv/a% /v1/kv/a\\b /v1/kv/a%5cb /v1/kv/a%25zz
/v1/kv/... /v1/kv/a..b /v1/kv/..a /v1/kv/%c3%a9 /v1/kv2/data/a/.. /v1/kv/a?x=%41+b /v1/kv/%F0%9F%98%80 /v1/kv/%ee%80%80
/v1/kv//a? /v1/kv//a%0d /v1/kv//a% /v1/kv/.%2f..//
"""
VERBS = ("GET", "PUT", "LIST", "DELETE", "HEAD", "SCAN")


def asked_of_a_line(peer, method: str, target: str):
    """[status, Location or words]."""
    status, headers, answer = peer.ask(method, target)
    return [status, headers.get("Location", "") or said(answer)]


def line_disagreement(method: str, target: str, status: int, theirs: str) -> str:
    try:
        found = ask(method.encode(), target.encode())
    except Refused as error:
        agreed = error.status == status and (str(error) == theirs or method == "HEAD")
        return "" if agreed else f"refused: {error.status} {error}"
    if isinstance(found, Redirect):
        return "" if (status, theirs) == (307, found.location.decode()) else f"redirected: {found.location!r}"
    if found.path.startswith("nope") and method != "HEAD":
        return "" if theirs == envelope.no_route(found.path) else "taken"
    return "taken" if status in {307, 400} and theirs not in {"missing data fields", "missing path"} else ""


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


def asked_of_base64(peer, text: str):
    """[status, words, the same in its one spelling]."""
    status, _, answer = peer.ask("PUT", "/v1/transit/encrypt/app", json.dumps({"plaintext": text}).encode())
    if status != 200:
        return [status, said(answer), None]
    sealed = json.loads(answer)["data"]["ciphertext"]
    return [200, "", peer.json("PUT", "transit/decrypt/app", {"ciphertext": sealed})["data"]["plaintext"]]


def base64_disagreement(text: str, status: int, theirs: str, opened: str | None) -> str:
    try:
        mine = scalars.base64_decoded(text)
    except Malformed as error:
        return "" if (status, theirs) == (400, str(error)) else str(error)
    return "" if status == 200 and b64encode(mine).decode() == opened else repr(mine)


# --- all of them

ASKED = {
    "fields": (CASES, asked_of_a_field, disagreement),
    "lines": ([(verb, target) for verb in VERBS for target in TARGETS.split()], asked_of_a_line, line_disagreement),
    "base64": ([(text,) for text in spellings(SEED, N_SPELLINGS)], asked_of_base64, base64_disagreement),
}


def name_of(case) -> str:
    return "\t".join(part.name if isinstance(part, Kind) else part for part in case)


def recorded() -> dict[str, dict[str, list]]:
    """Topic -> name_of(case) -> what the server answered."""
    return json.loads(ANSWERS.read_text())


def record(peer) -> dict[str, dict[str, list]]:
    return {topic: {name_of(c): ask_it(peer, *c) for c in cases} for topic, (cases, ask_it, _) in ASKED.items()}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory, openbao(Path(directory)) as peer:
        answers = {topic: [json.dumps(row) for row in rows.items()] for topic, rows in record(peer).items()}
    text = ",\n".join(
        f"{json.dumps(t)}: {{\n" + ",\n".join(r[1:-1].replace(", ", ": ", 1) for r in rows) + "\n}"
        for t, rows in answers.items()
    )
    ANSWERS.write_text("{\n" + text + "\n}\n")
