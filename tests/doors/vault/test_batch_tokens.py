"""Batch tokens: Vault documentation, "Tokens", "Batch tokens"; words held to OpenBao 2.7.2 (test_system_openbao.py)."""

import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta

import msgspec
import pytest
from tests import vaultstack
from tests.vaultstack import Bearer

from keystead.core.entities import OidcAccess, Token
from keystead.core.errors import Unauthenticated
from keystead.core.sensitive import Sensitive
from keystead.service.credentials import batch
from keystead.service.credentials.token import verify_token
from keystead.service.view import View

ALL = 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }'


@pytest.fixture
def vault():
    door = vaultstack.door()
    door.root.policy("all", ALL)
    return door


def token_of(bearer, path: str = "create", **wanted) -> Bearer:
    reply = bearer("POST", f"auth/token/{path}", {"type": "batch", "policies": ["all"], "ttl": "1h", **wanted})
    assert reply.status == 200, reply.body
    return Bearer(bearer.stack, reply.json["auth"]["client_token"])


def test_what_it_is(vault) -> None:
    made = vault.root(
        "POST", "auth/token/create", {"type": "batch", "policies": ["all"], "ttl": "1h", "meta": {"a": "b"}}
    )
    auth = made.json["auth"]
    assert auth["client_token"].startswith("hvb.") and auth["accessor"] == "" and auth["token_type"] == "batch"
    assert auth["policies"] == ["all", "default"] and auth["lease_duration"] == 3600 and auth["renewable"] is False
    token = Bearer(vault.stack, auth["client_token"])
    mine = token.data("GET", "auth/token/lookup-self")
    assert mine["type"] == "batch" and mine["accessor"] == "" and mine["meta"] == {"a": "b"} and mine["ttl"] == 3600
    assert mine["id"] == token.text and mine["orphan"] is False
    assert vault.root.data("POST", "auth/token/lookup", {"token": token.text}) == mine
    held = vault.root("POST", "sys/capabilities", {"token": token.text, "path": "x"}).json["capabilities"]
    assert held == ["create", "delete", "list", "read", "sudo", "update"]


def test_nothing_of_it_is_kept(vault) -> None:
    before = len(list(vault.stack.barrier.every(Token)))
    token_of(vault.root)
    assert len(list(vault.stack.barrier.every(Token))) == before


@pytest.mark.parametrize(
    ("path", "body", "refusal"),
    [
        ("auth/token/renew-self", {}, (400, "batch tokens cannot be renewed")),
        ("auth/token/revoke-self", {}, (400, "batch tokens cannot be revoked")),
        ("auth/token/create", {}, (400, "batch tokens cannot create more tokens")),
        ("auth/token/create", {"type": "batch"}, (400, "batch tokens cannot create more tokens")),
        ("auth/token/create-orphan", {}, (400, "batch tokens cannot create more tokens")),
        ("cubbyhole/x", {"a": "b"}, (400, "cubbyhole operations are only supported by 'service' type tokens")),
    ],
)
def test_what_it_cannot(vault, path, body, refusal) -> None:
    assert token_of(vault.root).refused("POST", path, body) == refusal


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("renew", (400, "batch tokens cannot be renewed")),
        ("revoke", (400, "batch tokens cannot be revoked")),
        ("revoke-orphan", (400, "batch tokens cannot be revoked")),
    ],
)
def test_nobody_else_can_either(vault, path, refusal) -> None:
    token = token_of(vault.root)
    assert vault.root.refused("POST", f"auth/token/{path}", {"token": token.text}) == refusal
    assert token.is_good()


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"period": "1h"}, 'batch tokens cannot have "period" set'),
        ({"num_uses": 2}, 'batch tokens cannot have "num_uses" set'),
        ({"explicit_max_ttl": "1h"}, 'batch tokens cannot have "explicit_max_ttl" set'),
        ({"id": "mine"}, 'batch tokens cannot have "id" set'),
        ({"policies": ["root"]}, "batch tokens cannot be root tokens"),
        ({"policies": None}, "batch tokens cannot be root tokens"),
    ],
)
def test_what_it_cannot_have(vault, wanted, words) -> None:
    body = {
        name: value for name, value in {"type": "batch", "policies": ["all"], **wanted}.items() if value is not None
    }
    assert vault.root.refused("POST", "auth/token/create", body) == (400, words)


def test_it_ends_at_its_time(vault) -> None:
    """CVE-2020-25816."""
    token = token_of(vault.root)
    vault.stack.clock.forward(timedelta(minutes=59))
    assert token.is_good()
    vault.stack.clock.forward(timedelta(minutes=1))
    assert not token.is_good()
    assert vault.root.refused("POST", "auth/token/lookup", {"token": token.text}) == (403, "bad token")


@pytest.mark.parametrize("seen_before", [True, False])
def test_it_ends_with_the_one_it_was_made_with(vault, seen_before) -> None:
    maker = vault.root.token(policies=["all"], ttl="1h")
    child, orphan = token_of(maker, ttl="2h"), token_of(maker, path="create-orphan", ttl="2h")
    if seen_before:
        assert child.is_good() and orphan.is_good()
    assert vault.root("POST", "auth/token/revoke", {"token": maker.text}).status == 204
    assert not child.is_good() and orphan.is_good()
    assert vault.root.refused("POST", "auth/token/lookup", {"token": child.text}) == (403, "bad token")


def test_it_ends_when_its_maker_does_though_the_makers_row_is_still_there(vault) -> None:
    maker = vault.root.token(policies=["all"], ttl="30m")
    child = token_of(maker, ttl="2h")
    assert child.is_good()
    vault.stack.clock.forward(timedelta(minutes=31))
    assert not child.is_good()


def test_it_writes_also_after_its_maker_has_changed(vault) -> None:
    maker = vault.root.token(policies=["all"], ttl="1h")
    child = token_of(maker)
    assert child("PUT", "sys/policies/acl/one", {"policy": ALL}).status == 204
    assert maker("POST", "auth/token/renew-self", {}).status == 200  # its row moves
    assert child("PUT", "sys/policies/acl/two", {"policy": ALL}).status == 204


def test_its_policies_count_as_they_read_today(vault) -> None:
    token = token_of(vault.root)
    assert token("GET", "sys/mounts").status == 200
    vault.root.policy("all", 'path "x" { capabilities = ["read"] }')
    assert token("GET", "sys/mounts").status == 403
    assert token_of(vault.root)("GET", "sys/mounts").status == 403
    vault.root.policy("all", ALL)
    assert token("GET", "sys/mounts").status == 200


def test_a_text_that_was_touched_is_nobodys(vault) -> None:
    token = token_of(vault.root)
    raw = urlsafe_b64decode(token.text[4:] + "=" * (-len(token.text[4:]) % 4))
    for n in range(0, len(raw), 7):
        other = raw[:n] + bytes([raw[n] ^ 1]) + raw[n + 1 :]
        assert not Bearer(vault.stack, "hvb." + urlsafe_b64encode(other).rstrip(b"=").decode()).is_good()
    for text in (token.text + "=", token.text[:-1], token.text + "A", "hvb.", "hvb.é", "hvb." + "A" * 9000):
        assert not Bearer(vault.stack, text).is_good()
    assert token.is_good()


def test_another_installations_opens_nothing_here(vault) -> None:
    mine = Sensitive(token_of(vault.root).text.encode())
    assert batch.BatchTokens(Sensitive(bytes(32))).open(mine) is None
    assert batch.BatchTokens(vault.stack.barrier.subkey(batch.SUBKEY)).open(mine) is not None


IN_THE_TEXT = {"tenant", "creator", "policies", "display_name", "meta", "path", "role", "created_at", "ttl", "mount"}
IN_THE_TEXT |= {"bound_cidrs", "entity", "behind", "access"}
NOT_OF_ONE = {"revision", "accessor", "renewed_at", "period", "explicit_max_ttl", "max_ttl", "n_uses", "renewable"}
NOT_OF_ONE |= {"bound_key"}  # of whoever renews it
MADE_OF_IT = {"id", "expires_at", "is_batch"}


def test_all_that_a_token_says_is_in_its_text(vault) -> None:
    """Whoever adds to Token says here what becomes of it; what rights are gathered by stands in Token.standing too."""
    assert set(Token.__struct_fields__) == IN_THE_TEXT | NOT_OF_ONE | MADE_OF_IT
    batches = batch.BatchTokens(Sensitive(bytes(32)))
    said = Token(
        id="",
        accessor="",
        tenant="t",
        creator="c",
        policies=("a", "b"),
        display_name="d",
        meta={"m": "n"},
        path="p",
        role="r",
        created_at=vault.stack.clock.now(),
        ttl=60,
        mount="u",
        bound_cidrs=("10.0.0.0/8",),
        entity="e",
        behind=("entity:m",),
        access=OidcAccess("i", "c", ("s",)),
    )
    sealed, text = batches.seal(said, vault.stack.entropy)
    opened = batches.open(text)
    assert opened == sealed and opened is not None
    assert all(
        getattr(opened, name) == getattr(said, name) != type(getattr(said, name))()
        for name in IN_THE_TEXT - {"created_at", "access"}
    )
    assert opened.access == said.access is not None
    assert opened.created_at == said.created_at.replace(microsecond=0)


def test_one_that_was_made_before_it_said_who_made_it_is_good(vault) -> None:
    """Twelve members, and no more: what an older version wrote."""
    batches, token = (
        batch.BatchTokens(Sensitive(bytes(32))),
        Token(id="", accessor="", tenant="t", policies=("a",), path="p", created_at=vault.stack.clock.now(), ttl=60),
    )
    said = ["t", "", ["a"], "token", {}, "p", "", int(token.created_at.timestamp()), 60, "", [], "e"]
    sealed = batches._aead.seal(vault.stack.entropy(batch.NONCE_BYTES), msgspec.msgpack.encode(said), batch._AAD)
    text = batch.BATCH_PREFIX + batch.urlsafe_b64encode(sealed).rstrip(b"=").decode()
    opened = batches.open(Sensitive(text.encode()))
    assert opened is not None
    assert (opened.entity, opened.behind) == ("e", ())


def test_one_that_would_be_too_long_is_not_made(vault) -> None:
    meta = {"a": "x" * 9000}
    status, words = vault.root.refused(
        "POST", "auth/token/create", {"type": "batch", "policies": ["all"], "meta": meta}
    )
    assert status == 413 and "too long" in words


def test_it_is_on_record_without_its_text(vault) -> None:
    token = token_of(vault.root)
    vault.stack.forget_records()
    assert token.is_good()
    record = vault.stack.record()
    assert record.who.via.startswith("batch-") and record.who.id == record.who.via
    assert token.text[4:].encode() not in record.encode()


def test_it_opens_without_the_store(vault) -> None:
    """All of the same policies, once one of them was seen: on the event loop, where reading the store would block."""
    first = token_of(vault.root)
    assert first.is_good()
    second = token_of(vault.root)
    view = vault.stack.view
    before, view.loop_thread = view.loop_thread, threading.get_ident()
    try:
        assert view.batch_token(second.text) is not None
    finally:
        view.loop_thread = before


def test_no_worker_takes_one_whose_maker_was_revoked_at_another(vault) -> None:
    stack = vault.stack
    maker = vault.root.token(policies=["all"], ttl="1h")
    child = token_of(maker)
    elsewhere = View(stack.barrier, stack.store, stack.provider, stack.generation)
    assert verify_token(elsewhere, child.text, "203.0.113.7", stack.clock.now()).token.is_batch
    assert vault.root("POST", "auth/token/revoke", {"token": maker.text}).status == 204
    with pytest.raises(Unauthenticated):
        verify_token(elsewhere, child.text, "203.0.113.7", stack.clock.now())


# --- roles


@pytest.mark.parametrize(
    ("of_role", "asked", "made"),
    [
        ("batch", None, "batch"),
        ("batch", "service", "batch"),
        ("service", None, "service"),
        ("service", "batch", "service"),
        ("default-batch", None, "batch"),
        ("default-batch", "service", "service"),
        ("default-service", None, "service"),
        ("default-service", "batch", "batch"),
    ],
)
def test_a_role_says_which_kind(vault, of_role, asked, made) -> None:
    role = {"token_type": of_role, "allowed_policies": "all", "orphan": True, "renewable": False}
    assert vault.root("POST", "auth/token/roles/r", role).status == 204
    assert vault.root.data("GET", "auth/token/roles/r")["token_type"] == of_role
    body = {"type": asked} if asked else {}
    assert vault.root("POST", "auth/token/create/r", body).json["auth"]["token_type"] == made


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"orphan": False}, "non-orphan tokens"),
        ({"token_period": "1h"}, "periodic tokens"),
        ({"renewable": True}, "renewable tokens"),
        ({"token_explicit_max_ttl": "1h"}, "tokens with an explicit max TTL"),
    ],
)
def test_what_a_role_of_batch_tokens_cannot_say(vault, more, words) -> None:
    role = {"token_type": "batch", "orphan": True, "renewable": False, **more}
    refusal = f"'token_type' cannot be 'batch' when role is set to generate {words}"
    assert vault.root.refused("POST", "auth/token/roles/r", role) == (400, refusal)


def test_uses_that_nobody_would_count_are_refused(vault) -> None:
    role = {"token_type": "batch", "orphan": True, "renewable": False, "token_num_uses": 3, "allowed_policies": "all"}
    assert vault.root("POST", "auth/token/roles/r", role).status == 204
    assert vault.root.refused("POST", "auth/token/create/r", {}) == (400, 'batch tokens cannot have "num_uses" set')


# --- logins


@pytest.fixture
def users(vault):
    assert vault.root("POST", "sys/auth/userpass", {"type": "userpass"}).status == 204
    return vault


def login(vault, **user):
    vault.root.data("POST", "auth/userpass/users/u", {"password": "pw", "policies": "all", **user})
    return vault.nobody("POST", "auth/userpass/login/u", {"password": "pw"})


@pytest.mark.parametrize(
    ("of_mount", "of_user", "made"),
    [
        ("default-service", "", "service"),
        ("default-service", "batch", "batch"),
        ("default-batch", "", "batch"),
        ("default-batch", "service", "service"),
        ("batch", "service", "batch"),
        ("service", "batch", "service"),
    ],
)
def test_a_mount_says_which_kind(users, of_mount, of_user, made) -> None:
    users.root.data("POST", "sys/auth/userpass/tune", {"token_type": of_mount})
    assert users.root.data("GET", "sys/auth/userpass/tune")["token_type"] == of_mount
    auth = login(users, token_type=of_user).json["auth"]
    assert auth["token_type"] == made and auth["orphan"] is True and auth["metadata"] == {"username": "u"}
    assert Bearer(users.stack, auth["client_token"]).is_good()


def test_it_ends_with_the_mount_that_it_was_got_at(users) -> None:
    token = Bearer(users.stack, login(users, token_type="batch").json["auth"]["client_token"])
    assert token.is_good()
    assert users.root("DELETE", "sys/auth/userpass").status == 204
    assert not token.is_good()
    assert users.root("POST", "sys/auth/userpass", {"type": "userpass"}).status == 204
    assert not token.is_good()


@pytest.mark.parametrize("more", [{"token_period": "1h"}, {"token_num_uses": 1}])
def test_what_a_user_of_batch_tokens_cannot_have(users, more) -> None:
    user = {"password": "pw", "token_type": "batch", **more}
    status, words = users.root.refused("POST", "auth/userpass/users/u", user)
    assert status == 400 and words.startswith("'token_type' cannot be 'batch' or 'default_batch' when set to generate")


def test_a_mount_of_batch_tokens_lets_nobody_in_whose_uses_are_to_be_counted(users) -> None:
    users.root.data("POST", "sys/auth/userpass/tune", {"token_type": "batch"})
    reply = login(users, token_num_uses=3)
    assert reply.status == 400 and reply.json["errors"] == ['batch tokens cannot have "num_uses" set']


def test_a_token_may_be_bound_to_where_the_login_came_from(users) -> None:
    for kind in ("service", "batch"):
        auth = login(users, token_type=kind, token_strictly_bind_ip=True).json["auth"]
        token = Bearer(users.stack, auth["client_token"])
        assert token.data("GET", "auth/token/lookup-self")["bound_cidrs"] == ["203.0.113.7"]
        users.stack.peer = "192.0.2.2"
        assert not token.is_good()
        users.stack.peer = "203.0.113.7"
    assert users.root.data("GET", "auth/userpass/users/u")["token_strictly_bind_ip"] is True


def test_approle(vault) -> None:
    assert vault.root("POST", "sys/auth/approle", {"type": "approle"}).status == 204
    role = {"token_type": "default-batch", "policies": "all", "token_ttl": "20m", "local_secret_ids": True}
    reply = vault.root("POST", "auth/approle/role/a", role)
    assert reply.json["warnings"] == ["default-batch has no useful meaning; adjusting to batch"]
    said = vault.root.data("GET", "auth/approle/role/a")
    assert said["token_type"] == "batch" and said["local_secret_ids"] is True
    assert vault.root.data("GET", "auth/approle/role/a/local-secret-ids") == {"local_secret_ids": True}
    again = vault.root.refused("POST", "auth/approle/role/a", {"local_secret_ids": False})
    assert again == (400, "local_secret_ids can only be modified during role creation")
    role_id = vault.root.data("GET", "auth/approle/role/a/role-id")["role_id"]
    secret_id = vault.root.data("POST", "auth/approle/role/a/secret-id", {})["secret_id"]
    auth = vault.nobody("POST", "auth/approle/login", {"role_id": role_id, "secret_id": secret_id}).json["auth"]
    assert auth["token_type"] == "batch" and auth["lease_duration"] == 1200
    assert Bearer(vault.stack, auth["client_token"]).is_good()


# --- whom it belongs to


def test_it_belongs_to_the_entity_of_whoever_logged_in_and_to_nobody_elses(users) -> None:
    users.root.policy("mounts", 'path "sys/mounts" { capabilities = ["read"] }')
    tokens = {}
    for name in ("a", "b"):
        user = {"password": "pw", "policies": "none", "token_type": "batch"}
        users.root.data("POST", f"auth/userpass/users/{name}", user)
        auth = users.nobody("POST", f"auth/userpass/login/{name}", {"password": "pw"}).json["auth"]
        tokens[name] = Bearer(users.stack, auth["client_token"])
    entity = tokens["a"].data("GET", "auth/token/lookup-self")["entity_id"]
    assert entity and entity != tokens["b"].data("GET", "auth/token/lookup-self")["entity_id"]
    users.root.data("POST", f"identity/entity/id/{entity}", {"policies": ["mounts"]})
    assert tokens["a"]("GET", "sys/mounts").status == 200  # the policies of their own are the same
    assert tokens["b"]("GET", "sys/mounts").status == 403
    users.root.data("POST", f"identity/entity/id/{entity}", {"disabled": True})
    assert tokens["a"]("GET", "sys/mounts").status == 403 and not tokens["a"].is_good()
    assert tokens["b"].is_good()
    users.root.data("POST", f"identity/entity/id/{entity}", {"disabled": False})
    assert tokens["a"]("GET", "sys/mounts").status == 200
    assert users.root("DELETE", f"identity/entity/id/{entity}").status == 204
    assert not tokens["a"].is_good()
