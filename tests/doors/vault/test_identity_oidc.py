"""identity/oidc: tokens of identity, and the keys that sign them. Vault HTTP API, "Identity secrets engine: tokens".

Words and shapes are held to OpenBao's by test_identity_openbao.py, which has its own server verify our tokens, too.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from datetime import timedelta

import msgspec
import pytest
from tests import vaultstack
from tests.vaultstack import DENIED, Bearer

from keystead.core.entities import Key, KeyVersion, OidcKey
from keystead.core.states import KeyState
from keystead.crypto.jwk import usable
from keystead.service.handlers import oidctemplates
from keystead.service.scheduler import Scheduler
from keystead.wire.jose import Jwk, token
from keystead.wire.jws import encoded

HOUR = timedelta(hours=1)
ISSUER = "https://id.test:8200"
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA")


@pytest.fixture
def vault():
    made = vaultstack.door()
    made.root.data("POST", "sys/auth/userpass", {"type": "userpass"})
    made.root.data("POST", "identity/oidc/config", {"issuer": ISSUER})
    made.root.policy("o", 'path "identity/oidc/token/*" { capabilities = ["read"] }')
    made.root.data("POST", "auth/userpass/users/bob", {"password": "pw", "token_policies": "o"})
    auth = made.nobody("POST", "auth/userpass/login/bob", {"password": "pw"}).json["auth"]
    made.bob, made.entity = Bearer(made.stack, auth["client_token"]), auth["entity_id"]
    return made


def key(vault, name: str = "k", ttl: str = "30m", **fields) -> None:
    body = {"algorithm": "ES256", "allowed_client_ids": "*", **fields}
    vault.root.data("POST", f"identity/oidc/key/{name}", body)
    vault.root.data("POST", f"identity/oidc/role/{name}", {"key": name, "ttl": ttl, "client_id": "us"})


def issued(vault, name: str = "k") -> str:
    return vault.bob.data("GET", f"identity/oidc/token/{name}")["token"]


def key_set(vault) -> dict[str, Jwk]:
    """As anybody gets it."""
    found = vault.nobody("GET", "identity/oidc/.well-known/keys")
    assert found.status == 200
    keys = [msgspec.convert(one, Jwk) for one in found.json["keys"]]
    return {one.kid: one for one in keys}


def verifies(vault, text: str) -> bool:
    """By the key that it names, as a stranger would."""
    said = token(text)
    jwk = key_set(vault).get(said.header.kid)
    found = usable(jwk) if jwk is not None else None
    return (
        found is not None and found.fits(said.header.alg) and found.verify(said.header.alg, said.signed, said.signature)
    )


def is_active(vault, text: str) -> bool:
    return vault.root("POST", "identity/oidc/introspect", {"token": text}).json["active"]


def claims(text: str) -> dict:
    return json.loads(urlsafe_b64decode(text.split(".")[1] + "=="))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_is_verified_by_the_key_set_that_anybody_gets(vault, algorithm) -> None:
    key(vault, algorithm=algorithm)
    text = issued(vault)
    said = token(text)
    assert said.header.alg == algorithm and verifies(vault, text) and is_active(vault, text)
    now = int(vault.stack.clock.now().timestamp())
    expected = {
        "iss": f"{ISSUER}/v1/identity/oidc",
        "sub": vault.entity,
        "aud": "us",
        "iat": now,
        "exp": now + 1800,
        "namespace": "root",
    }
    assert claims(text) == expected
    assert len(key_set(vault)) == 2


def test_a_signature_is_on_record_as_any_other_use_of_a_key(vault) -> None:
    key(vault)
    issued(vault)
    (made,) = vault.stack.barrier.every(OidcKey, limit=10)
    used = [t for one in vault.stack.records() for t in one.targets if t.action == "key:sign"]
    assert [(one.key, one.version) for one in used] == [(made.key_id, 1)]


def test_what_signs_next_is_published_before_and_what_signed_last_for_a_while(vault) -> None:
    key(vault, verification_ttl="1h", rotation_period="24h")
    first = issued(vault)
    waiting = key_set(vault).keys() - {token(first).header.kid}
    vault.root.data("POST", "identity/oidc/key/k/rotate", {})
    second = issued(vault)
    assert {token(second).header.kid} == waiting
    assert len(key_set(vault)) == 3 and verifies(vault, first)
    vault.stack.clock.forward(HOUR - timedelta(seconds=1))
    assert verifies(vault, first)
    vault.stack.clock.forward(timedelta(seconds=1))
    assert not verifies(vault, first) and not is_active(vault, first)
    vault.root.data("POST", "identity/oidc/key/k/rotate", {"verification_ttl": "0s"})
    assert token(second).header.kid not in key_set(vault) and len(key_set(vault)) == 2
    vault.root.data("POST", "identity/oidc/key/k/rotate", {"verification_ttl": "10m"})
    vault.root.data("POST", "identity/oidc/key/k/rotate", {})
    assert token(second).header.kid not in key_set(vault)  # what has been taken back stays so


def test_a_stranger_s_question_costs_no_more_however_often_a_key_was_rotated(vault) -> None:
    """security.md §4-D row 66."""
    key(vault, algorithm="EdDSA")
    for _ in range(70):
        vault.root.data("POST", "identity/oidc/key/k/rotate", {})
    assert len(key_set(vault)) == 64
    vault.stack.clock.forward(timedelta(days=2))
    assert len(key_set(vault)) == 2


@pytest.mark.parametrize("template", ['{"a": NaN}', '{"a": 1, "a": 2}', "[1]", '"x"', "{" * 200, '{"a": 1e999}'])
def test_a_template_is_a_json_object(vault, template) -> None:
    """security.md §4-D rows 50 to 52."""
    key(vault)
    assert vault.root("POST", "identity/oidc/role/k", {"template": template}).status == 400


def test_a_map_may_stand_in_a_template_but_not_without_end(vault) -> None:
    """16 KiB of template have room for it hundreds of times, and it may have 40 KiB."""
    key(vault)
    metadata = {f"k{n}": "v" * 500 for n in range(60)}
    vault.root.data("POST", f"identity/entity/id/{vault.entity}", {"metadata": metadata})
    template = ",".join(f'"c{n}":{{{{identity.entity.metadata}}}}' for n in range(300))
    vault.root.data("POST", "identity/oidc/role/k", {"template": f"{{{template}}}"})
    seen: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(oidctemplates, "_object", lambda text: seen.append(len(text)) or {})
        status, words = vault.bob.refused("GET", "identity/oidc/token/k")
    assert (status, seen) == (400, []) and "at most" in words


def test_a_key_is_rotated_when_its_period_is_over(vault) -> None:
    key(vault, ttl="1m", rotation_period="90s", verification_ttl="15m", algorithm="EdDSA")
    stack = vault.stack
    stack.view.loop_thread = None
    scheduler = Scheduler(stack.barrier, stack.store, stack.clock, stack.by_system)
    first = token(issued(vault)).header.kid
    assert scheduler.step() == 0
    stack.clock.forward(timedelta(seconds=90))
    assert scheduler.step() == 1
    assert token(issued(vault)).header.kid != first and len(key_set(vault)) == 3


def test_another_algorithm_is_another_key_and_the_old_one_s_tokens_count_on(vault) -> None:
    key(vault, verification_ttl="1h")
    old = issued(vault)
    vault.root.data("POST", "identity/oidc/key/k", {"algorithm": "RS256"})
    new = issued(vault)
    assert token(new).header.alg == "RS256" and verifies(vault, new) and verifies(vault, old) and is_active(vault, old)
    vault.root.data("POST", "identity/oidc/key/k", {"algorithm": "EdDSA"})
    assert verifies(vault, new) and verifies(vault, old)
    vault.stack.clock.forward(HOUR)
    assert not verifies(vault, old) and not verifies(vault, new) and len(key_set(vault)) == 2
    vault.root.data("POST", "identity/oidc/key/k", {"algorithm": "ES512"})
    states = sorted(one.lifecycle.state.name for one in vault.stack.barrier.every(Key, limit=10))
    assert states == ["ACTIVE", "ACTIVE", "DESTROYED", "DESTROYED"]


def test_what_was_taken_back_does_not_come_back_with_another_algorithm(vault) -> None:
    key(vault)
    text = issued(vault)
    vault.root.data("POST", "identity/oidc/key/k/rotate", {"verification_ttl": 0})
    assert not verifies(vault, text)
    vault.root.data("POST", "identity/oidc/key/k", {"algorithm": "EdDSA"})
    assert not verifies(vault, text) and not is_active(vault, text)


def test_a_key_that_is_deleted_is_destroyed(vault) -> None:
    key(vault)
    text = issued(vault)
    words = 'unable to delete key "k" because it is currently referenced by these roles: k'
    assert vault.root.refused("DELETE", "identity/oidc/key/k") == (400, words)
    vault.root.data("DELETE", "identity/oidc/role/k")
    assert vault.root("DELETE", "identity/oidc/key/k").status == 204
    (gone,) = vault.stack.barrier.every(Key, limit=10)
    assert gone.lifecycle.state is KeyState.DESTROYED and gone.rotation is None
    assert not any(one.wrapped for one in vault.stack.barrier.every(KeyVersion, limit=10))
    assert key_set(vault) == {} and not is_active(vault, text)


def test_keys_that_no_role_names_are_not_published(vault) -> None:
    vault.root.data("POST", "identity/oidc/key/k", {"algorithm": "ES256"})
    assert key_set(vault) == {}


def test_what_is_said_of_somebody_is_a_value_and_no_more(vault) -> None:
    """CVE-2025-49828: security.md §4-I row 130."""
    key(vault)
    template = (
        '{"team": {{identity.entity.metadata.team}}, "all": {{identity.entity.metadata}}, "t": {{time.now.plus.1h}}}'
    )
    vault.root.data("POST", "identity/oidc/role/k", {"template": template})
    evil = 'x", "aud": "everybody", "a": "{{identity.entity.id}}'
    vault.root.data("POST", f"identity/entity/id/{vault.entity}", {"metadata": {"team": evil}})
    said = claims(issued(vault))
    assert (said["team"], said["all"], said["aud"]) == (evil, {"team": evil}, "us")
    assert said["t"] == said["iat"] + 3600
    for name in ("iss", "sub", "exp", "namespace"):
        body = {"template": json.dumps({name: "mine"})}
        assert vault.root.refused("POST", "identity/oidc/role/k", body)[0] == 400


def test_what_is_too_large_is_refused(vault) -> None:
    key(vault)
    assert vault.root("POST", "identity/oidc/role/k", {"template": "{" + " " * 17000 + "}"}).status == 400
    vault.root.data("POST", "identity/oidc/role/k", {"template": '{"m": {{identity.entity.metadata}}}'})
    full = {f"key{n}": "x" * 500 for n in range(20)}
    vault.root.data("POST", f"identity/entity/id/{vault.entity}", {"metadata": full})
    assert vault.bob("GET", "identity/oidc/token/k").status == 400


def forged(text: str, **header) -> str:
    """The same claims and signature below another header."""
    _, payload, signature = text.split(".")
    return f"{encoded(json.dumps(header).encode()).decode()}.{payload}.{signature}"


@pytest.mark.parametrize(
    "header",
    [{"alg": "none"}, {"alg": "HS256"}, {"alg": "RS256"}, {"alg": "ES384"}, {"alg": "ES256", "kid": "other"}],
    ids=str,
)
def test_a_token_with_another_header_is_none_of_ours(vault, header) -> None:
    """security.md §4-B row 25."""
    key(vault)
    text = issued(vault)
    kid = token(text).header.kid
    assert is_active(vault, forged(text, alg="ES256", kid=kid)) is False  # the header is signed, too
    assert not is_active(vault, forged(text, **{"kid": kid, **header}))
    assert is_active(vault, text)


def test_a_token_of_another_key_of_ours_is_no_token_of_this_one(vault) -> None:
    key(vault, "k")
    key(vault, "other")
    ours, other = issued(vault, "k"), issued(vault, "other")
    mixed = f"{ours.rpartition('.')[0]}.{other.rpartition('.')[2]}"
    assert not is_active(vault, mixed) and is_active(vault, ours)


@pytest.mark.parametrize("seconds", [1800 + 60, 1800 + 61])
def test_a_token_ends(vault, seconds) -> None:
    key(vault, verification_ttl="24h")
    text = issued(vault)
    vault.stack.clock.forward(timedelta(seconds=seconds))
    assert is_active(vault, text) is (seconds == 1860)


def test_who_may_have_one(vault) -> None:
    key(vault, allowed_client_ids="them")
    words = 'the key "k" does not list the client ID of the role "k" as an allowed client ID'
    assert vault.bob.refused("GET", "identity/oidc/token/k") == (400, words)
    assert vault.bob.refused("GET", "identity/oidc/key/k") == (403, DENIED)
    assert vault.bob.refused("POST", "identity/oidc/introspect", {"token": "x"}) == (403, DENIED)
    for path in ("identity/oidc/token/k", "identity/oidc/config", "identity/oidc/.well-known/other"):
        assert vault.nobody("GET", path).status == 403
    root = "no entity associated with the request's token"
    vault.root.data("POST", "identity/oidc/key/k", {"allowed_client_ids": ["us"]})
    assert vault.root.refused("GET", "identity/oidc/token/k") == (400, root)
    assert verifies(vault, issued(vault))


def test_the_token_is_in_no_record(vault) -> None:
    """security.md §4-E row 67."""
    key(vault)
    text = issued(vault)
    vault.root("POST", "identity/oidc/introspect", {"token": text})
    written = b"".join(line for _, line in vault.stack.store.records(0, 10_000)) + b"".join(vault.stack.journal.lines)
    assert text.rpartition(".")[2].encode() not in written and text.split(".")[1].encode() not in written


@pytest.mark.parametrize(
    "issuer", ["https://a.test/", "https://u@a.test", "https://a.test:x", "a.test", "https://a\u200b.test"]
)
def test_an_issuer_is_an_origin(vault, issuer) -> None:
    assert vault.root("POST", "identity/oidc/config", {"issuer": issuer}).status == 400
