"""What our server says and does under a Vault policy, and what a real OpenBao does under the same one.

tests/cross/test_vault_policy_peer.py compares the dialect; here the policies are written, the tokens made and the
requests sent at both doors: sys/capabilities of random paths, and real requests below a mount, with parameters,
wrapping and pages. `KEYSTEAD_PEER_ROUNDS` and `KEYSTEAD_PEER_SEED` as there.
"""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import quote

import pytest
from tests import harness
from tests.cross.test_vault_policy_peer import (
    N_PATHS,
    N_REQUESTS,
    ROUNDS,
    SEED,
    Peer,
    a_request,
    asked_path,
    kv_path,
    limited,
    peer,
    rule_path,
    some_policies,
)
from tests.vaultpolicies import as_hcl, as_json, stanza

from keystead.doors import vault

__all__ = ["peer"]  # a fixture
pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def root() -> harness.Bearer:
    bearer = harness.stack(door=vault.DOOR).on_the_loop().bearer()
    for mount in ("kv", "x/kv"):
        assert bearer.ask("PUT", f"sys/mounts/{mount}", {"type": "kv"}).status == 204
    return bearer


def put(root: harness.Bearer, peer: Peer, texts: list[str]) -> tuple[harness.Bearer, str] | None:
    """A token of ours and one of theirs with those policies; None where both refuse one, in the same words."""
    words = []
    for n, text in enumerate(texts):
        reply = root.ask("PUT", f"sys/policies/acl/p{n}", {"policy": text})
        words.append(("" if reply.status == 204 else reply.json["errors"][0], peer.put_policy(f"p{n}", text)))
    assert all(ours == theirs for ours, theirs in words), (texts, words)
    if any(ours for ours, _ in words):
        return None
    names = [f"p{n}" for n in range(len(texts))]
    made = root.call("POST", "auth/token/create", policies=names, no_default_policy=True).json
    return harness.Bearer(root.stack, made["auth"]["client_token"]), peer.token(names)


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_capabilities_are_told_alike(root: harness.Bearer, peer: Peer, seed: int) -> None:
    dice = random.Random(seed)
    texts, rules = some_policies(dice)
    tokens = put(root, peer, texts)
    assert tokens is not None
    paths = sorted({asked_path(dice, rules) for _ in range(N_PATHS)})
    ours = root.data("POST", "sys/capabilities", token=tokens[0].token, paths=paths)
    theirs = peer.capabilities(tokens[1], paths)
    assert {path: ours[path] for path in paths} == {path: theirs[path] for path in paths}, texts


def refused(who: harness.Bearer, method: str, path: str, body: Any, wrap_ttl: int | None) -> bool:
    wrapped = {} if wrap_ttl is None else {"X_Vault_Wrap_TTL": str(wrap_ttl)}
    return who.ask(method, path, body, **wrapped).status == 403


def refused_there(peer: Peer, token: str, method: str, path: str, body: Any, wrap_ttl: int | None) -> bool:
    wrapped = {} if wrap_ttl is None else {"X-Vault-Wrap-TTL": str(wrap_ttl)}
    return peer.ask(method, path, body, token, **wrapped)[0] == 403


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_what_a_request_must_keep_to_is_kept_to_alike(root: harness.Bearer, peer: Peer, seed: int) -> None:
    dice = random.Random(seed)
    tokens = put(root, peer, [as_hcl([stanza("kv/*", **limited(dice))]) for _ in range(dice.choice((1, 1, 2)))])
    if tokens is None:
        return
    for side in (root, peer):
        side.ask("PUT", "kv/here", {"it": "is"})
    for _ in range(N_REQUESTS):
        method, _, parameters, wrap_ttl = a_request(dice)
        path, body = "kv/here", parameters if method == "PUT" else None
        if method != "PUT":
            query = "&".join(f"{name}={value}" for name, value in parameters.items())
            path, method = (f"kv/?list=true&{query}" if method == "LIST" else f"kv/here?{query}"), "GET"
        asked = (method, path, body, wrap_ttl)
        assert refused(tokens[0], *asked) == refused_there(peer, tokens[1], *asked), (seed, asked)


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_what_may_be_done_below_a_mount_is_done_alike(root: harness.Bearer, peer: Peer, seed: int) -> None:
    dice = random.Random(seed)
    words = ("create", "read", "update", "delete", "list", "patch", "deny")
    paths = [rule_path(dice).lstrip("/") for _ in range(dice.randint(1, 5))]
    stanzas = [
        stanza(f"{dice.choice(('kv', 'kv', '+'))}/{path}", *dice.sample(words, dice.randint(1, 4))) for path in paths
    ]
    tokens = put(root, peer, [dice.choice((as_hcl, as_json))(stanzas)])
    assert tokens is not None
    for _ in range(N_REQUESTS):
        path = quote("kv/" + kv_path(dice, paths)) + dice.choice(("", "", "/"))
        method = dice.choice(("GET", "LIST", "PUT", "DELETE"))
        if method != "LIST":
            path = path.rstrip("/")  # what ends like a folder is no secret's: 404 to everybody (kv/SPEC.md)
        asked = (method, path, {"a": "b"} if method == "PUT" else None, None)
        assert refused(tokens[0], *asked) == refused_there(peer, tokens[1], *asked), (seed, asked)


def test_there_are_a_thousand_decisions() -> None:
    assert ROUNDS * (N_PATHS + 2 * N_REQUESTS) > 1_000
