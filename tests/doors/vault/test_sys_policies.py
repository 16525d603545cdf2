"""sys/policies/acl, sys/policy, sys/capabilities: Vault HTTP API; words held to OpenBao 2.7.2."""

from base64 import b64encode

import pytest
from tests import vaultstack
from tests.vaultstack import DENIED

READ = 'path "secret/*" { capabilities = ["read"] }'


@pytest.fixture
def vault():
    return vaultstack.door()


def test_a_policy_is_written_whole_and_read_back_to_the_letter(vault) -> None:
    text = READ + "\n# the end, without a newline"
    assert vault.root("PUT", "sys/policies/acl/App", {"policy": text}).status == 204
    assert vault.root.data("GET", "sys/policies/acl/aPP") == {"name": "app", "policy": text}
    old = vault.root("GET", "sys/policy/app").json
    assert old["rules"] == old["data"]["rules"] == text


def test_a_policy_may_come_in_base64(vault) -> None:
    vault.root.policy("app", b64encode(READ.encode()).decode())
    assert vault.root.data("GET", "sys/policies/acl/app")["policy"] == READ


def test_the_list_has_those_that_every_tenant_has(vault) -> None:
    vault.root.policy("zebra", READ)
    assert vault.root.data("LIST", "sys/policies/acl") == {"keys": ["default", "zebra", "root"]}
    assert vault.root("GET", "sys/policy").json["policies"] == ["default", "zebra", "root"]
    assert "auth/token/lookup-self" in vault.root.data("GET", "sys/policies/acl/default")["policy"]
    assert vault.root.data("GET", "sys/policies/acl/root") == {"name": "root", "policy": ""}


@pytest.mark.parametrize(
    ("method", "path", "body", "refusal"),
    [
        ("PUT", "acl/root", {"policy": READ}, (400, 'cannot update "root" policy')),
        ("PUT", "acl/response-wrapping", {"policy": READ}, (400, 'cannot update "response-wrapping" policy')),
        ("DELETE", "acl/root", None, (400, 'cannot delete "root" policy')),
        ("DELETE", "acl/default", None, (400, "cannot delete default policy")),
        ("PUT", "acl/x", {}, (400, "'policy' parameter not supplied or empty")),
        ("GET", "acl/x", None, (404, "")),
    ],
)
def test_what_is_refused(vault, method, path, body, refusal) -> None:
    assert vault.root.refused(method, f"sys/policies/{path}", body) == refusal


def test_a_policy_that_does_not_parse_says_where(vault) -> None:
    status, words = vault.root.refused("PUT", "sys/policies/acl/x", {"policy": 'path "a" { capabilities = ["rea"] }'})
    assert status == 400 and words.startswith("failed to parse policy: ") and '"rea"' in words
    assert vault.root.refused("GET", "sys/policies/acl/x") == (404, "")


def test_what_is_written_counts_from_the_answer_on(vault) -> None:
    """For tokens there already: granted, taken away again, deleted."""
    token = vault.root.token(policies=["app"])
    assert token.refused("GET", "sys/policies/acl/app") == (403, DENIED)
    vault.root.policy("app", 'path "sys/policies/acl/app" { capabilities = ["read"] }')
    assert token("GET", "sys/policies/acl/app").status == 200
    vault.root.policy("app", READ)
    assert token.refused("GET", "sys/policies/acl/app") == (403, DENIED)
    vault.root.policy("app", 'path "sys/policies/acl/app" { capabilities = ["read"] }')
    assert vault.root("DELETE", "sys/policies/acl/app").status == 204
    assert token.refused("GET", "sys/policies/acl/app") == (403, DENIED)


@pytest.mark.parametrize("path", ["sys/policies/acl/x", "sys/policy/x"])
@pytest.mark.parametrize(
    "given",
    [
        {"ttl": "1h"},
        {"expiration": "2120-01-01T00:00:00Z"},
        {"cas": 0},
        {"cas_required": True},
        {"allow_slashes_in_identity_templates": True},
        {"allow_wildcards_in_identity_templates": True},
    ],
    ids=lambda given: next(iter(given)),
)
def test_what_openbao_has_beside_the_text_is_not_taken_and_forgotten(vault, path, given) -> None:
    """A policy that was to end would stay."""
    (name,) = given
    assert vault.root.refused("PUT", path, {"policy": READ, **given}) == (400, f"{name} is not offered")
    assert vault.root("GET", path).status == 404
    assert vault.root("PUT", path, {"policy": READ, "cas_required": False, "ttl": None}).status == 204


def test_default_may_be_rewritten(vault) -> None:
    token = vault.root.token(policies=["app"])
    assert token.is_good()
    vault.root.policy("default", READ)
    assert not token.is_good()


def test_capabilities(vault) -> None:
    vault.root.policy("app", READ)
    token = vault.root.token(policies=["app"])
    one = token("POST", "sys/capabilities-self", {"path": "secret/a"}).json
    assert one["capabilities"] == one["secret/a"] == one["data"]["secret/a"] == ["read"]
    two = token.data("POST", "sys/capabilities-self", {"paths": ["secret/a", "other"]})
    assert two == {"secret/a": ["read"], "other": ["deny"]}
    assert token.data("POST", "sys/capabilities-self", {"paths": ["other", "other"]}) == {"other": ["deny"]}
    assert vault.root.data("POST", "sys/capabilities", {"path": "x", "token": token.text})["x"] == ["deny"]
    accessor = token.data("GET", "auth/token/lookup-self")["accessor"]
    by_accessor = vault.root.data("POST", "sys/capabilities-accessor", {"path": "secret/a", "accessor": accessor})
    assert by_accessor["capabilities"] == ["read"]
    assert vault.root.data("POST", "sys/capabilities-self", {"path": "x"})["x"] == ["root"]


@pytest.mark.parametrize(
    ("path", "body", "refusal"),
    [
        ("capabilities-self", {}, (400, "paths must be supplied")),
        ("capabilities", {"path": "a"}, (500, "1 error occurred:\n\t* no token found\n\n")),
        ("capabilities", {"path": "a", "token": "zz"}, (400, "1 error occurred:\n\t* invalid token\n\n")),
        ("capabilities-accessor", {"path": "a"}, (400, "missing accessor")),
        (
            "capabilities-accessor",
            {"path": "a", "accessor": "zz"},
            (400, "1 error occurred:\n\t* invalid accessor\n\n"),
        ),
    ],
)
def test_capabilities_of_nobody(vault, path, body, refusal) -> None:
    assert vault.root.refused("POST", f"sys/{path}", body) == refusal


def test_a_mount_is_shown_to_whoever_can_do_something_below_it(vault) -> None:
    vault.root.data("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
    vault.root.policy("app", READ)
    reader, other = vault.root.token(policies=["app"]), vault.root.token(policies=["none"])
    found = reader.data("GET", "sys/internal/ui/mounts/secret/data/a/b")
    assert found["path"] == "secret/" and found["options"] == {"version": "2"} and found["type"] == "kv"
    words = 'preflight capability check returned 403, please ensure client\'s policies grant access to path "secret/"'
    assert other.refused("GET", "sys/internal/ui/mounts/secret") == (403, words)
    assert "secret/" in reader.data("GET", "sys/internal/ui/mounts")["secret"]
    assert "secret/" not in other.data("GET", "sys/internal/ui/mounts")["secret"]


def test_what_a_token_may_is_printed(vault) -> None:
    vault.root.policy("app", 'path "a/b" { capabilities = ["read"] } path "c/*" { capabilities = ["list"] }')
    token = vault.root.token(policies=["app"])
    found = token.data("GET", "sys/internal/ui/resultant-acl")
    assert found["exact_paths"]["a/b"] == {"capabilities": ["read"]} and found["root"] is False
    assert found["glob_paths"]["c/"] == {"capabilities": ["list"]}
    assert vault.root.data("GET", "sys/internal/ui/resultant-acl") == {"root": True}
