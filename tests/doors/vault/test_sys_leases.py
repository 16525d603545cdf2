"""sys/leases, of tokens: HTTP API; words held to OpenBao 2.7.2."""

from datetime import timedelta

import pytest
from tests import vaultstack
from tests.vaultstack import DENIED, Bearer


@pytest.fixture
def vault():
    door = vaultstack.door()
    assert door.root("POST", "sys/auth/userpass", {"type": "userpass"}).status == 204
    door.root.data("POST", "auth/userpass/users/u", {"password": "pw", "policies": "default", "token_ttl": "1h"})
    return door


def login(vault) -> Bearer:
    auth = vault.nobody("POST", "auth/userpass/login/u", {"password": "pw"}).json["auth"]
    return Bearer(vault.stack, auth["client_token"])


def lease_of(vault) -> str:
    (key,) = vault.root.data("LIST", "sys/leases/lookup/auth/userpass/login/u")["keys"]
    return f"auth/userpass/login/u/{key}"


def test_listed_by_the_path_that_made_them(vault) -> None:
    assert vault.root.refused("LIST", "sys/leases/lookup") == (404, "")  # the root's own never ends
    login(vault)
    vault.root.token(ttl="1h", policies=["default"])
    for prefix, keys in (("", ["auth/"]), ("auth", ["token/", "userpass/"]), ("auth/userpass/login/", ["u/"])):
        assert vault.root.data("LIST", f"sys/leases/lookup/{prefix}".rstrip("/")) == {"keys": keys}
    (key,) = vault.root.data("LIST", "sys/leases/lookup/auth/token/create")["keys"]
    assert key.startswith("h")
    assert vault.root.refused("LIST", "sys/leases/lookup/zz") == (404, "")


def test_looked_up(vault) -> None:
    token = login(vault)
    lease = lease_of(vault)
    vault.stack.clock.forward(timedelta(minutes=10))
    found = vault.root.data("PUT", "sys/leases/lookup", {"lease_id": lease})
    mine = token.data("GET", "auth/token/lookup-self")
    assert found["id"] == lease and found["ttl"] == mine["ttl"] == 3000 and found["renewable"] is True
    assert found["expire_time"] == mine["expire_time"] and found["last_renewal"] is None
    token("POST", "auth/token/renew-self", {})
    assert vault.root.data("PUT", "sys/leases/lookup", {"lease_id": lease})["last_renewal"]


@pytest.mark.parametrize("lease", ["zz", "auth/userpass/login/u/hZZ", "h", "/h", "auth/token/create/"])
def test_what_is_none(vault, lease) -> None:
    login(vault)
    assert vault.root.refused("PUT", "sys/leases/lookup", {"lease_id": lease}) == (400, "invalid lease")
    assert vault.root.refused("PUT", "sys/leases/renew", {"lease_id": lease}) == (400, "lease not found")
    status, words = vault.root.refused("PUT", "sys/leases/renew", {"lease_id": lease, "increment": -1})
    assert (status, "cannot provide negative value" in words) == (400, True)
    assert vault.root("PUT", "sys/leases/revoke", {"lease_id": lease}).status == 204


def test_one_at_another_path_is_none(vault) -> None:
    token = login(vault)
    other = lease_of(vault).replace("userpass/login/u", "token/create")
    assert vault.root.refused("PUT", "sys/leases/lookup", {"lease_id": other}) == (400, "invalid lease")
    assert vault.root("PUT", "sys/leases/revoke", {"lease_id": other}).status == 204 and token.is_good()


@pytest.mark.parametrize("path", ["lookup", "renew", "revoke"])
def test_it_has_to_be_said_which(vault, path) -> None:
    assert vault.root.refused("PUT", f"sys/leases/{path}", {}) == (400, "lease_id must be specified")


@pytest.mark.parametrize("named", [True, False])
def test_a_token_is_not_renewed_here(vault, named) -> None:
    login(vault)
    lease = lease_of(vault)
    path, body = (f"sys/leases/renew/{lease}", {}) if named else ("sys/leases/renew", {"lease_id": lease})
    assert vault.root.refused("PUT", path, body) == (400, "tokens cannot be renewed through this endpoint")


@pytest.mark.parametrize("named", [True, False])
def test_revoked_with_what_was_made_with_it(vault, named) -> None:
    vault.root.policy("default", 'path "auth/token/*" { capabilities = ["update", "read"] }\n')
    token = login(vault)
    child = token.token(ttl="30m")
    lease = lease_of(vault)
    assert token.is_good() and child.is_good()
    path, body = (f"sys/leases/revoke/{lease}", {}) if named else ("sys/leases/revoke", {"lease_id": lease})
    assert vault.root("PUT", path, body).status == 204
    assert not token.is_good() and not child.is_good()
    assert vault.root("LIST", "sys/leases/lookup/auth").status == 404


@pytest.mark.parametrize("path", ["revoke-prefix", "revoke-force"])
def test_all_below_a_path(vault, path) -> None:
    tokens, other = [login(vault) for _ in range(3)], vault.root.token(ttl="1h", policies=["default"])
    assert vault.root("PUT", f"sys/leases/{path}/auth/userpass/login", {}).status == 204
    assert not any(token.is_good() for token in tokens) and other.is_good()
    assert vault.root("PUT", f"sys/leases/{path}/zz", {}).status == 204


def test_what_is_over_has_none(vault) -> None:
    login(vault)
    lease = lease_of(vault)
    vault.stack.clock.forward(timedelta(hours=1))
    assert vault.root.refused("PUT", "sys/leases/lookup", {"lease_id": lease}) == (400, "invalid lease")


def test_none_is_irrevocable(vault) -> None:
    login(vault)
    assert vault.root.data("GET", "sys/leases/count?type=irrevocable") == {"counts": {}, "lease_count": 0}
    assert vault.root.data("GET", "sys/leases?type=irrevocable") == {"lease_count": 0, "leases": []}
    assert vault.root.refused("GET", "sys/leases/count") == (404, "") == vault.root.refused("GET", "sys/leases")
    assert vault.root("POST", "sys/leases/tidy", {}).status == 202


def test_sudo(vault) -> None:
    vault.root.policy("no-sudo", 'path "sys/leases/*" { capabilities = ["update", "list", "read"] }')
    token = vault.root.token(policies=["no-sudo"])
    for method, path in (("LIST", "lookup/auth"), ("PUT", "revoke-prefix/auth"), ("PUT", "revoke-force/auth")):
        assert token.refused(method, f"sys/leases/{path}", {}) == (403, DENIED)
