"""What may not be done to a name may not be done to it in another spelling: CVE-2026-89322, HCSEC-2026-43 (CWE-178)."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from tests import vaultstack
from tests.certificates import Issued

from keystead.doors import vault as door
from keystead.doors.vault.endpoint import Endpoint
from keystead.wire.vault.request import Verb

ENGINES = ("userpass", "approle", "cert", "kubernetes", "jwt")
# method, where it is denied, where it is asked, body
SPELT = [
    ("POST", "auth/userpass/users/admin", "auth/userpass/users/ADMIN", {"password": "hers"}),
    ("POST", "auth/userpass/users/admin/password", "auth/userpass/users/Admin/password", {"password": "hers"}),
    ("DELETE", "auth/userpass/users/admin", "auth/userpass/users/aDmin", None),
    ("POST", "auth/approle/role/admin", "auth/approle/role/Admin", {"token_policies": "all"}),
    ("POST", "auth/approle/role/admin/secret-id", "auth/approle/role/Admin/secret-id", {}),
    ("LIST", "auth/approle/role/admin/secret-id/", "auth/approle/role/Admin/secret-id", None),
    ("POST", "auth/approle/role/admin/token-ttl", "auth/approle/role/Admin/token-ttl", {"token_ttl": 5}),
    ("POST", "auth/cert/certs/admin", "auth/cert/certs/Admin", {"certificate": Issued("anybody", ca=True).pem}),
    ("DELETE", "auth/cert/crls/admin", "auth/cert/crls/Admin", None),
    ("DELETE", "auth/kubernetes/role/admin", "auth/kubernetes/role/Admin", None),
    ("DELETE", "auth/jwt/role/admin", "auth/jwt/role/Admin", None),
    ("PUT", "sys/policies/acl/admin", "sys/policies/acl/Admin", {"policy": 'path "*" { capabilities = ["read"] }'}),
    ("DELETE", "sys/policies/acl/admin", "sys/policies/acl/ADMIN", None),
    ("PUT", "sys/policy/admin", "sys/policy/Admin", {"policy": 'path "*" { capabilities = ["read"] }'}),
    ("POST", "identity/entity/name/admin", "identity/entity/name/Admin", {"policies": "all"}),
    ("DELETE", "identity/entity/name/admin", "identity/entity/name/Admin", None),
    ("POST", "identity/group/name/admin", "identity/group/name/Admin", {"policies": "all"}),
    ("DELETE", "sys/mounts/kv", "sys/mounts/kv/", None),
    ("DELETE", "sys/mounts/kv", "sys/mounts/%2Fkv", None),
    ("POST", "sys/mounts/kv/tune", "sys/mounts/kv%2F/tune", {"description": "x"}),
    ("GET", "sys/mounts/kv/tune", "sys/mounts/kv%2F/tune", None),
    ("DELETE", "sys/auth/userpass", "sys/auth/userpass/", None),
    ("POST", "sys/namespaces/ns1", "sys/namespaces/%2Fns1", {}),
    ("DELETE", "sys/namespaces/ns1", "sys/namespaces/ns1/", None),
    ("DELETE", "sys/audit/file", "sys/audit/file/", None),
    ("GET", "identity/oidc/config", "identity/oidc/config/", None),
]


@pytest.fixture(scope="module")
def vault() -> vaultstack.Vault:
    vault = vaultstack.door()
    assert vault.root("POST", "sys/mounts/kv", {"type": "kv"}).status == 204
    for engine in ENGINES:
        assert vault.root("POST", f"sys/auth/{engine}", {"type": engine}).status == 204
    assert vault.root("POST", "auth/approle/role/admin", {}).status == 204
    assert vault.root("POST", "auth/userpass/users/admin", {"password": "pw"}).status == 204
    return vault


def who(vault: vaultstack.Vault, *rules: str) -> vaultstack.Bearer:
    """Whoever may do everything, but for what these say."""
    every = 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }'
    vault.root.policy("most", "\n".join((every, *rules)))
    return vault.root.token(policies=["most"], no_default_policy=True)


@pytest.mark.parametrize(("method", "path", "spelt", "body"), SPELT, ids=[f"{m} {s}" for m, _, s, _ in SPELT])
def test_what_is_denied_is_denied_in_every_spelling(vault, method, path, spelt, body) -> None:
    denied = who(vault, f'path "{path}" {{ capabilities = ["deny"] }}')
    assert denied(method, path, body).status == 403
    assert denied(method, spelt, body).status == 403
    assert denied(method, spelt, body, x_vault_wrap_ttl="60").status == 403


@pytest.mark.parametrize(("method", "path", "spelt", "body"), SPELT, ids=[f"{m} {s}" for m, _, s, _ in SPELT])
def test_so_is_what_a_rule_of_its_own_does_not_let(vault, method, path, spelt, body) -> None:
    """The most specific rule decides, alone."""
    assert who(vault, f'path "{path}" {{ capabilities = ["patch"] }}')(method, spelt, body).status == 403


@pytest.mark.parametrize(("method", "path", "spelt", "body"), SPELT, ids=[f"{m} {s}" for m, _, s, _ in SPELT])
def test_capabilities_are_told_as_requests_are_decided(vault, method, path, spelt, body) -> None:
    """Of any token, by its text, its accessor, and of oneself."""
    spelt = unquote(spelt) + ("/" if method == "LIST" else "")
    denied = who(vault, f'path "{path}" {{ capabilities = ["deny"] }}')
    assert denied.data("POST", "sys/capabilities-self", {"path": spelt})[spelt] == ["deny"]
    assert denied.data("POST", "sys/capabilities-self", {"path": f"/{spelt}"})[f"/{spelt}"] == ["deny"]
    less = who(vault, f'path "{path}" {{ capabilities = ["patch", "read"] }}')
    accessor = less.data("GET", "auth/token/lookup-self")["accessor"]
    by_text = vault.root.data("POST", "sys/capabilities", {"token": less.text, "paths": [spelt]})
    by_accessor = vault.root.data("POST", "sys/capabilities-accessor", {"accessor": accessor, "paths": [spelt]})
    assert by_text[spelt] == by_accessor[spelt]
    assert {"read"} <= set(by_text[spelt]) <= {"patch", "read"}  # a list's path counts without its slash


def test_capabilities_of_a_spelling_that_a_rule_is_for(vault) -> None:
    """And of one that none is for, and of many at once."""
    token = who(
        vault,
        'path "auth/userpass/users/Joe" { capabilities = ["read"] }',
        'path "auth/userpass/users/ada*" { capabilities = ["update", "list"] }',
    )
    users = {f"auth/userpass/users/{name}": name for name in ("Joe", "joe", "Ada", "Eve")}
    told = token.data("POST", "sys/capabilities-self", {"paths": list(users)})
    every = ["create", "delete", "list", "read", "sudo", "update"]
    assert {name: told[path] for path, name in users.items()} == {
        "Joe": ["read"],
        "joe": every,
        "Ada": ["list", "update"],
        "Eve": every,
    }
    many = [f"auth/userpass/users/A{n}" for n in range(1001)]
    assert token.refused("POST", "sys/capabilities-self", {"paths": many})[0] == 400


def test_of_which_no_rule_is_is_as_it_was_written(vault) -> None:
    """Whoever is let in by the spelling that they use, and by no rule of another, is let in."""
    one = vault.root.token
    vault.root.policy("exact", 'path "auth/userpass/users/Joe" { capabilities = ["create", "update", "read"] }')
    joe = one(policies=["exact"], no_default_policy=True)
    assert joe("POST", "auth/userpass/users/Joe", {"password": "pw"}).status == 204
    assert joe("GET", "auth/userpass/users/Joe").status == 200
    assert joe("GET", "auth/userpass/users/joe").status == 403
    vault.root.policy(
        "exact", 'path "sys/mounts/kv/" { capabilities = ["read"] } path "sys/*" { capabilities = ["list"] }'
    )
    assert joe("GET", "sys/mounts/kv/").status == 200, "as Vault's own command spells it"
    assert joe("GET", "sys/mounts/kv").status == 403


def test_a_rule_for_the_name_lets_it_through_in_every_spelling_that_a_rule_lets(vault) -> None:
    every = who(vault, 'path "auth/userpass/users/admin" { capabilities = ["read"] }')
    assert every("GET", "auth/userpass/users/ADMIN").status == 200
    assert every("POST", "auth/userpass/users/ADMIN", {"token_ttl": 5}).status == 403
    assert every("POST", "auth/userpass/users/OTHER", {"password": "pw"}).status == 204


def test_in_a_namespace_too(vault) -> None:
    vault.root("POST", "sys/namespaces/inner", {})
    vault.root("POST", "sys/auth/userpass", {"type": "userpass"}, x_vault_namespace="inner")
    denied = who(vault, 'path "inner/auth/userpass/users/admin" { capabilities = ["deny"] }')
    for path, at in (("auth/userpass/users/Admin", "inner"), ("inner/auth/userpass/users/Admin", "")):
        assert denied("POST", path, {"password": "pw"}, x_vault_namespace=at).status == 403
    assert denied("POST", "inner/auth/userpass/users/Other", {"password": "pw"}).status == 204
    for path, at in (("auth/userpass/users/Admin", "inner"), ("inner/auth/userpass/users/Admin", "")):
        told = denied("POST", "sys/capabilities-self", {"path": path}, x_vault_namespace=at).json["data"]
        assert told[path] == ["deny"]


def test_what_was_allowed_once_is_asked_again_in_another_spelling(vault) -> None:
    """A decision that is kept for a line is not one for another (test_decisions_kept)."""
    some = who(vault, 'path "auth/userpass/users/admin" { capabilities = ["deny"] }')
    for _ in range(3):
        assert some("GET", "auth/userpass/users/other").status in {200, 404}
        assert some("GET", "auth/userpass/users/ADMIN").status == 403


def test_a_path_means_itself_where_it_is_spelt_as_it_is_kept() -> None:
    spelt = [one for one in door.DOOR.operations if isinstance(one, Endpoint) and one.spelling is not None]
    assert len(spelt) > 60
    for one in spelt:
        captures = dict.fromkeys(re.findall(r"\{(\w+)", one.path), "a")
        filled = re.sub(r"\{\w+(:path\??)?\}", "a", one.path.removesuffix("/?"))
        slash = "/" if one.verb in {Verb.LIST, Verb.SCAN} else ""
        assert one.spelling.meant(f"mount/{filled}{slash}", captures) == ""
