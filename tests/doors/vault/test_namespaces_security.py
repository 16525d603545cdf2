"""What an attacker in one namespace comes to in another: nothing, and not even whether it is there."""

from __future__ import annotations

import itertools

import pytest
from tests import harness
from tests.doors.vault.test_namespaces import ALL, of
from tests.harness import TENANT, Bearer

from keystead.core import operations as ops
from keystead.core.entities import Namespace, Tenant, Token
from keystead.core.errors import Denied, KeysteadError

NOBODY = 'path "nothing/at/all" { capabilities = ["read"] }'


@pytest.fixture
def tree(root) -> Bearer:
    """victim and victim/inner, each with everything worth having; attacker beside them."""
    for name, at in (("victim", ""), ("inner", "victim"), ("attacker", "")):
        assert root.ask("POST", f"sys/namespaces/{name}", x_vault_namespace=at).status == 200
    for at in ("victim", "victim/inner", "attacker"):
        for path, kind in (("kv", "kv"), ("kv2", "kv-v2"), ("tr", "transit")):
            assert root.ask("POST", f"sys/mounts/{path}", {"type": kind}, x_vault_namespace=at).status == 204
        root.ask("POST", "sys/auth/ar", {"type": "approle"}, x_vault_namespace=at)
        root.ask("POST", "sys/auth/up", {"type": "userpass"}, x_vault_namespace=at)
    for at in ("victim", "victim/inner"):
        root.ask("POST", "kv/a", {"secret": "hers"}, x_vault_namespace=at)
        root.ask("POST", "kv2/data/a", {"data": {"secret": "hers"}}, x_vault_namespace=at)
        root.ask("POST", "tr/keys/k", {"exportable": True}, x_vault_namespace=at)
        root.ask("POST", "auth/up/users/bob", {"password": "pw", "policies": "p"}, x_vault_namespace=at)
        root.ask("POST", "auth/ar/role/r", {"policies": "p"}, x_vault_namespace=at)
    return root


REQUESTS = [
    ("GET", "kv/a", None),
    ("LIST", "kv", None),
    ("POST", "kv/a", {"a": 1}),
    ("DELETE", "kv/a", None),
    ("GET", "kv2/data/a", None),
    ("GET", "kv2/metadata/a", None),
    ("POST", "tr/encrypt/k", {"plaintext": "YQ=="}),
    ("GET", "tr/keys/k", None),
    ("GET", "tr/export/encryption-key/k", None),
    ("LIST", "tr/keys", None),
    ("GET", "sys/mounts", None),
    ("GET", "sys/auth", None),
    ("LIST", "sys/policies/acl", None),
    ("GET", "sys/policies/acl/p", None),
    ("PUT", "sys/policies/acl/p", {"policy": ALL}),
    ("LIST", "sys/namespaces", None),
    ("SCAN", "sys/namespaces", None),
    ("GET", "sys/namespaces/inner", None),
    ("POST", "sys/namespaces/new", {}),
    ("DELETE", "sys/namespaces/inner", None),
    ("POST", "sys/namespaces/api-lock/lock", {}),
    ("POST", "sys/namespaces/api-lock/unlock", {"unlock_key": "x"}),
    ("GET", "sys/internal/ui/namespaces", None),
    ("GET", "sys/internal/ui/mounts", None),
    ("GET", "sys/internal/ui/mounts/kv/a", None),
    ("GET", "sys/internal/ui/resultant-acl", None),
    ("GET", "sys/internal/specs/openapi", None),
    ("POST", "sys/capabilities-self", {"paths": ["kv/a"]}),
    ("POST", "auth/token/create", {"policies": ["p"]}),
    ("LIST", "auth/token/accessors", None),
    ("LIST", "auth/up/users", None),
    ("GET", "auth/ar/role/r/role-id", None),
    ("POST", "auth/ar/role/r/secret-id", {}),
    ("GET", "cubbyhole/a", None),
    ("POST", "cubbyhole/a", {"a": 1}),
    ("POST", "sys/wrapping/wrap", {"a": 1}),
    ("POST", "sys/tools/random", {}),
    ("POST", "sys/mounts/mine", {"type": "kv"}),
    ("POST", "sys/leases/lookup", {"lease_id": "x"}),
]
SPELLINGS = ["victim", "/victim/", "victim/inner", "victim/./", "victim//inner", "attacker/../victim", "VICTIM"]


def everything(bearer: Bearer, at: str, *, by_path: bool) -> list[tuple[int, bytes]]:
    """(status, body) of each of the requests, asked of that namespace."""
    answers = []
    for method, path, body in REQUESTS:
        where = f"{at}/{path}" if by_path else path
        reply = bearer.ask(method, where, body, **({} if by_path else {"x_vault_namespace": at}))
        answers.append((reply.status, reply.body))
    return answers


def shown(bearer: Bearer, at: str) -> tuple[int, bytes]:
    """What a user interface is told of a path that leads there."""
    reply = bearer.ask("GET", f"sys/internal/ui/mounts/{at}/kv/a")
    return reply.status, reply.body


@pytest.mark.parametrize("by_path", [False, True], ids=["header", "path"])
def test_who_is_elsewhere_comes_to_nothing_and_cannot_tell_what_is_there(tree, by_path) -> None:
    """Of her namespace and of one that is not there the same, for the mightiest beside it and the poorest above."""
    beside, above = of(tree, "attacker"), tree.child(NOBODY)
    within = of(tree, "victim/inner")
    for bearer in (beside, above, within):
        hers, none = ([*everything(bearer, at, by_path=by_path), shown(bearer, at)] for at in ("victim", "nothere"))
        for request, one, other in zip([*REQUESTS, ("GET", "as shown")], hers, none, strict=True):
            said = other[1].replace(b"nothere", b"victim")  # some say the path back
            assert one == (403, said) and other[0] == 403, request


@pytest.mark.parametrize("header", SPELLINGS)
def test_no_spelling_of_her_name_lets_anybody_in(tree, header) -> None:
    for bearer in (of(tree, "attacker"), tree.child(NOBODY), Bearer(tree.stack, "hvs.unknown"), Bearer(tree.stack, "")):
        for status, body in everything(bearer, header, by_path=False):
            own = b'{"errors":["namespace not found"]}\n'  # what lies in her own is for her to know
            assert status == 403 or (status == 404 and header.startswith("attacker/") and body == own)


@pytest.mark.parametrize(
    "path", ["attacker/%2e%2e/victim/kv/a", "victim%2Fkv/a", "%76ictim/kv/a", "attacker/../victim/kv/a"]
)
def test_no_spelling_of_her_path_does(tree, path) -> None:
    """CVE-2026-3605: nor one with dots in it."""
    reply = of(tree, "attacker").ask("GET", path)
    assert reply.status in {307, 400, 403} and b"hers" not in reply.body


def test_header_and_path_do_not_add_up_to_elsewhere(tree) -> None:
    attacker = of(tree, "attacker")
    for header, path in itertools.product(("attacker", "", "victim"), ("victim/kv/a", "attacker/kv/a", "inner/kv/a")):
        reply = attacker.ask("GET", path, x_vault_namespace=header)
        assert b"hers" not in reply.body
        assert reply.status in ({404} if (header, path) == ("", "attacker/kv/a") else {403, 404}), (header, path)


def test_a_policy_reaches_no_further_than_the_namespace_it_is_written_in(tree) -> None:
    rules = "\n".join(
        f'path "{path}" {{ capabilities = ["read", "list", "sudo", "update"] }}'
        for path in ("victim/*", "../victim/*", "+/kv/*", "root/victim/*", "/victim/*", "*", "kv/a")
    )
    attacker = of(tree, "attacker", rules)
    for status, _ in everything(attacker, "victim", by_path=False) + everything(attacker, "victim", by_path=True):
        assert status == 403
    within = of(tree, "victim/inner", rules)
    assert within.ask("GET", "kv/a", x_vault_namespace="victim").status == 403
    assert within.ask("GET", "kv/a").status == 403


def test_policies_of_one_name_are_two(tree) -> None:
    hers = of(tree, "victim", 'path "kv/a" { capabilities = ["read"] }')
    of(tree, "attacker", ALL)
    tree.ask("PUT", "sys/policies/acl/p", {"policy": ALL})
    assert hers.ask("GET", "kv/a", x_vault_namespace="victim").status == 200
    assert hers.ask("GET", "kv2/data/a", x_vault_namespace="victim").status == 403


@pytest.mark.parametrize("name", ["../p", "../victim/p", "victim/p", "/p", "./p", "victim/../p", "../root", "p\x00"])
def test_the_name_of_a_policy_leads_to_no_other_namespace(tree, name) -> None:
    """CVE-2026-105820, CVE-2026-115365: whoever may name any in her own has those of her own alone."""
    for at in ("", "victim"):
        assert tree.ask("PUT", "sys/policies/acl/p", {"policy": ALL}, x_vault_namespace=at).status == 204
    at = {"x_vault_namespace": "attacker"}
    tree.ask("DELETE", "sys/policies/acl/p", **at)
    made = tree.ask("POST", "auth/token/create", {"policies": [name], "no_default_policy": True}, **at)
    if made.status == 400:
        return
    token = Bearer(tree.stack, made.json["auth"]["client_token"])
    for where in ("attacker", "victim", ""):
        assert token.ask("GET", "kv/a", x_vault_namespace=where).status == 403
        assert token.ask("GET", "sys/mounts", x_vault_namespace=where).status == 403


def test_no_lease_of_hers_is_of_use_elsewhere(tree) -> None:
    """CVE-2026-45808, CVE-2026-55774."""
    at, there = {"x_vault_namespace": "attacker"}, {"x_vault_namespace": "victim"}
    nobody, attacker = Bearer(tree.stack, ""), of(tree, "attacker")
    login = nobody.ask("POST", "auth/up/login/bob", {"password": "pw"}, **there)
    hers = Bearer(tree.stack, login.json["auth"]["client_token"])
    (name,) = tree.ask("LIST", "sys/leases/lookup/auth/up/login/bob", **there).json["data"]["keys"]
    lease = f"auth/up/login/bob/{name}"
    assert tree.ask("PUT", "sys/leases/lookup", {"lease_id": lease}, **there).status == 200
    for verb in ("lookup", "renew", "revoke"):
        for path in ("leases/", ""):
            attacker.ask("PUT", f"sys/{path}{verb}", {"lease_id": lease}, **at)
            attacker.ask("PUT", f"sys/{path}{verb}/{lease}", {}, **at)
            attacker.ask("PUT", f"sys/{path}{verb}", {"lease_id": f"victim/{lease}"}, **at)
    for verb in ("revoke-prefix", "revoke-force"):
        attacker.ask("PUT", f"sys/leases/{verb}/auth/up", {}, **at)
    assert attacker.ask("PUT", "sys/leases/lookup", {"lease_id": lease}, **at).status == 400
    assert hers.ask("GET", "auth/token/lookup-self", **there).status == 200
    assert tree.ask("PUT", "sys/leases/revoke", {"lease_id": lease}, **there).status == 204
    assert hers.ask("GET", "auth/token/lookup-self", **there).status == 403


def test_no_handle_of_hers_is_of_use_elsewhere(tree) -> None:
    """CVE-2026-40264."""
    hers, attacker = of(tree, "victim"), of(tree, "attacker")
    accessor = hers.data("GET", "auth/token/lookup-self")["accessor"]
    at = {"x_vault_namespace": "attacker"}
    for name in ("lookup-accessor", "renew-accessor"):
        assert attacker.ask("POST", f"auth/token/{name}", {"accessor": accessor}, **at).status == 400
    known = attacker.ask("POST", "auth/token/revoke-accessor", {"accessor": accessor}, **at)
    assert known.json["warnings"] == ["No token found with this accessor"]
    body = {"accessor": accessor, "paths": ["kv/a"]}
    assert attacker.ask("POST", "sys/capabilities-accessor", body, **at).status == 400
    for name, status in (("lookup", 403), ("renew", 400), ("revoke-orphan", 400)):
        assert attacker.ask("POST", f"auth/token/{name}", {"token": hers.token}, **at).status == status
    attacker.ask("POST", "auth/token/revoke", {"token": hers.token}, **at)
    assert hers.ask("GET", "auth/token/lookup-self").status == 200
    wrapped = hers.ask("GET", "kv/a", x_vault_namespace="victim", x_vault_wrap_ttl="60").json["wrap_info"]["token"]
    for name in ("lookup", "unwrap", "rewrap"):
        assert attacker.ask("POST", f"sys/wrapping/{name}", {"token": wrapped}, **at).status == 400
    assert hers.ask("POST", "sys/wrapping/unwrap", {"token": wrapped}, x_vault_namespace="victim").status == 200


def test_who_is_below_has_no_handle_of_what_is_above(tree) -> None:
    above, within = of(tree, "victim"), of(tree, "victim/inner")
    at = {"x_vault_namespace": "victim/inner"}
    for token in (above.token, tree.token):
        assert within.ask("POST", "auth/token/lookup", {"token": token}, **at).status == 403
        within.ask("POST", "auth/token/revoke", {"token": token}, **at)
        assert Bearer(tree.stack, token).ask("GET", "auth/token/lookup-self").status == 200
    accessors = within.ask("LIST", "auth/token/accessors", **at).json["data"]["keys"]
    assert above.data("GET", "auth/token/lookup-self")["accessor"] not in accessors


def test_logins_of_one_are_no_logins_of_another(tree) -> None:
    nobody = Bearer(tree.stack, "")
    role = tree.ask("GET", "auth/ar/role/r/role-id", x_vault_namespace="victim").json["data"]["role_id"]
    secret = tree.ask("POST", "auth/ar/role/r/secret-id", {}, x_vault_namespace="victim").json["data"]["secret_id"]
    body = {"role_id": role, "secret_id": secret}
    for at in ("attacker", "victim/inner", ""):
        assert nobody.ask("POST", "auth/ar/login", body, x_vault_namespace=at).status in {400, 403}
    assert nobody.ask("POST", "auth/ar/login", body, x_vault_namespace="victim").status == 200
    assert nobody.ask("POST", "auth/up/login/bob", {"password": "pw"}, x_vault_namespace="attacker").status == 400
    for at in ("victim", "nothere"):  # without a mount there: whether or not there is such a namespace
        reply = nobody.ask("POST", "auth/none/login/bob", {"password": "pw"}, x_vault_namespace=at)
        assert (reply.status, reply.json) == (403, {"errors": ["permission denied"]})


def test_her_ciphertexts_open_nowhere_else(tree) -> None:
    tree.ask("POST", "tr/keys/k", {}, x_vault_namespace="attacker")
    ciphertext = tree.ask("POST", "victim/tr/encrypt/k", {"plaintext": "YQ=="}).json["data"]["ciphertext"]
    attacker, within = of(tree, "attacker"), of(tree, "victim/inner")
    for bearer, at in ((attacker, "attacker"), (within, "victim/inner"), (tree, "attacker")):
        reply = bearer.ask("POST", "tr/decrypt/k", {"ciphertext": ciphertext}, x_vault_namespace=at)
        assert reply.status == 400 and b"YQ==" not in reply.body


def test_the_administrator_of_the_account_above_has_no_key_below(tree) -> None:
    """A namespace is an account of its own at the AWS door: to stand above is nothing there."""
    stack = tree.stack
    stack.view.loop_thread = None
    (space,) = (one for one in stack.barrier.every(Namespace) if one.name == "victim")
    for op in (
        ops.Encrypt(key=ops.KeyRef(f"vault:{space.id}:tr", name="k"), plaintext=b"a"),
        ops.ReadSecret(secret=ops.SecretRef(f"vault:{space.id}:kv", "a")),
        ops.ListTokens(tenant=ops.TenantRef(space.id)),
        ops.ListNamespaces(tenant=ops.TenantRef(space.id)),
        ops.EndNamespace(tenant=ops.TenantRef(space.id), name="inner"),
    ):
        with pytest.raises(Denied):
            stack.perform(op)


def test_what_a_token_keeps_for_itself_it_keeps_for_each_namespace(tree) -> None:
    tree.ask("POST", "cubbyhole/a", {"at": "home"})
    assert tree.ask("GET", "cubbyhole/a", x_vault_namespace="victim").status == 404
    tree.ask("POST", "cubbyhole/a", {"at": "victim"}, x_vault_namespace="victim")
    assert tree.data("GET", "cubbyhole/a") == {"at": "home"}
    assert tree.data("GET", "victim/cubbyhole/a") == {"at": "victim"}
    assert tree.data("LIST", "victim/cubbyhole/") == {"keys": ["a"]}
    hers = of(tree, "victim")
    assert hers.ask("GET", "cubbyhole/a", x_vault_namespace="victim").status == 404


def test_what_is_gone_is_let_in_nowhere(tree) -> None:
    """Every token, login and handle of it, at once with the acknowledgement, and once its name is made anew."""
    hers = of(tree, "victim/inner")
    wrapped = hers.ask("GET", "kv/a", x_vault_namespace="victim/inner", x_vault_wrap_ttl="60").json["wrap_info"][
        "token"
    ]
    assert tree.ask("DELETE", "sys/namespaces/inner", x_vault_namespace="victim").status == 200
    nobody = Bearer(tree.stack, "")
    for _ in range(2):
        for header in ("victim/inner", "", "victim"):
            for path in ("kv/a", "auth/token/lookup-self", "sys/mounts"):
                assert hers.ask("GET", path, x_vault_namespace=header).status == 403
        assert Bearer(tree.stack, wrapped).ask("POST", "sys/wrapping/unwrap", {}).status == 400
        login = nobody.ask("POST", "victim/inner/auth/up/login/bob", {"password": "pw"})
        assert login.status == 403
        tree.ask("POST", "sys/namespaces/inner", {}, x_vault_namespace="victim")
        assert tree.ask("GET", "victim/inner/kv/a").status == 404


def test_every_request_is_on_record_with_the_tenant_it_is_about(tree) -> None:
    stack, attacker = tree.stack, of(tree, "attacker")
    (victim,) = (one for one in stack.barrier.every(Namespace) if one.name == "victim")
    tree.ask("GET", "victim/kv/a")
    assert stack.record().namespace == f"vault:{victim.id}:kv" and stack.record().outcome == "performed"
    attacker.ask("GET", "victim/kv/a")
    assert stack.record().outcome == "refused: Denied"


def test_a_token_is_within_its_own_namespace_and_those_below_and_in_no_other(tree) -> None:
    """Over all pairs there are: what authentication lets a Caller be made of."""
    stack = tree.stack
    stack.view.loop_thread = None
    stack.keyring(harness.OTHER_TENANT)
    for at in ("victim", "victim/inner", "attacker"):
        of(tree, at)
    above = {one.id: one.above for one in stack.barrier.every(Namespace)}

    def stands_in(tenant: str) -> list[str]:
        return [tenant, *(stands_in(above[tenant]) if tenant in above else ())]

    tenants = [one.id for one in stack.barrier.every(Tenant)]
    tokens = stack.barrier.every(Token)
    assert len(tenants) == 5 and {one.tenant for one in tokens} == {TENANT, *above}
    for token, tenant in itertools.product(tokens, tenants):
        rights = stack.view.token(token.id).rights
        if token.tenant in stands_in(tenant):
            found = stack.view.within(rights, tenant)
            assert found.principal.tenant == tenant and found.token == token
        else:
            with pytest.raises(KeysteadError):
                stack.view.within(rights, tenant)
