"""Taking a tenant away: every row of it goes, and with its keys and values no old backup opens any more (row 47)."""

from __future__ import annotations

import copy
import threading

import pytest
from tests import harness
from tests.doors.vault.test_namespaces import ALL, of
from tests.harness import ALLOW_ALL
from tests.memorystore import MemoryStore
from tests.oidcissuer import CLIENT, SECRET, StandIn
from tests.tokens import SigningKey

from keystead.core import operations as ops
from keystead.core.actions import Action
from keystead.core.algorithms import key_spec
from keystead.core.entities import (
    EndedRoot,
    Entity,
    Erasure,
    GivenUp,
    Keyring,
    Kind,
    LastUse,
    Namespace,
    PolicyText,
    Principal,
    PrincipalKind,
    ShareProof,
    SlotRule,
    Tenant,
)
from keystead.core.errors import Internal, NotApproved, WrongState
from keystead.core.keystores import Connectivity, KeyStore, Proxy
from keystead.core.limits import Allowance, Limits
from keystead.doors import vault
from keystead.service.barrier import Commit
from keystead.service.contents import BELOW
from keystead.service.endings import Endings
from keystead.service.handlers import namespaces as handlers
from keystead.service.inspection import inspect
from keystead.service.proof import WRAPPED, prove_destroyed

NOT_BELOW = {Tenant, Namespace, Erasure, GivenUp, SlotRule, EndedRoot, ShareProof}
"""What goes as the last; what has to be gone before; what outlives the key it is of; and what is the installation's."""
INSTALLATIONS = {Kind.SLOT_RULE, Kind.ENDED_ROOT, Kind.SHARE_PROOF}


def kinds() -> set[type[Entity]]:
    """Every class of what is kept."""
    found, new = set[type[Entity]](), [Entity]
    while new:
        new = [sub for one in new for sub in one.__subclasses__()]
        found |= {one for one in new if "kind" in vars(one)}
    return found


def test_every_kind_of_row_is_below_something() -> None:
    tied = {tie.of for ties in BELOW.values() for tie in ties}
    assert {one.kind for one in kinds()} == set(Kind)
    assert kinds() - tied == NOT_BELOW
    assert BELOW.keys() <= kinds()


def rows(stack) -> set[tuple[Kind, str]]:
    return {(kind, row.id) for kind in set(Kind) - INSTALLATIONS for row in stack.store.every(kind, limit=100_000)}


@pytest.fixture
def full() -> tuple[harness.Stack, harness.Bearer, set[tuple[Kind, str]]]:
    """A stack with one namespace that has something of every kind; and the rows there were before."""
    stack = harness.stack(door=vault.DOOR)
    root = stack.bearer()
    root.ask("POST", "sys/mounts/kv", {"type": "kv-v2"})
    root.ask("POST", "kv/data/mine", {"data": {"a": 1}})
    root.ask("POST", "cubbyhole/mine", {"a": 1})
    root.ask("PUT", "sys/policies/acl/p", {"policy": ALL})
    before = rows(stack)
    root.ask("POST", "sys/namespaces/ns1")
    (space,) = stack.barrier.every(Namespace)
    at = {"x_vault_namespace": "ns1"}
    for path, kind in (("kv", "kv-v2"), ("kv1", "kv"), ("tr", "transit")):
        assert root.ask("POST", f"sys/mounts/{path}", {"type": kind}, **at).status == 204
    for n in range(5):
        root.ask("POST", f"kv/data/folder/{n}", {"data": {"n": n}}, **at)
        root.ask("POST", f"kv/data/folder/{n}", {"data": {"n": n}}, **at)
        root.ask("POST", f"tr/keys/k{n}", {"type": "aes256-gcm96"}, **at)
        root.ask("POST", f"tr/keys/k{n}/rotate", {}, **at)
    root.ask("POST", "kv/config", {"max_versions": 3}, **at)
    inside = of(root, "ns1")
    inside.ask("POST", "cubbyhole/a", {"a": 1}, **at)
    root.ask("POST", "cubbyhole/a", {"a": 1}, **at)  # of a token above, and yet this namespace's
    of(inside, "ns1", no_parent=True)
    inside.ask("GET", "sys/mounts", x_vault_wrap_ttl="60", **at)
    for kind, path, body in (
        ("userpass", "users/bob", {"password": "pw", "policies": "p"}),
        ("approle", "role/r", {"policies": "p"}),
    ):
        root.ask("POST", f"sys/auth/{kind}", {"type": kind}, **at)
        assert root.ask("POST", f"auth/{kind}/{path}", body, **at).status == 204
    root.ask("POST", "auth/approle/role/r/secret-id", {}, **at)
    harness.Bearer(stack, "").ask("POST", "auth/userpass/login/bob", {"password": "pw"}, **at)
    root.ask("POST", "auth/token/roles/r", {"orphan": True}, **at)
    _to_an_application(root, at)
    _of_the_rest(root, at)
    _as_an_account(stack, space.id)
    return stack, root, before


def _of_the_rest(root: harness.Bearer, at: dict[str, str]) -> None:
    """Of whom tokens belong to, of passwords, of logins by somebody else's word, and a setting."""
    issuer = StandIn("https://people.test", SigningKey(), lambda: 0)
    root.stack.issuers[issuer.url] = issuer
    for path, body in (
        ("identity/entity", {"name": "e1"}),
        ("identity/entity", {"name": "e2"}),
        ("identity/group", {"name": "outside", "type": "external"}),
        ("identity/oidc/config", {"issuer": "https://issuer.test"}),
        ("identity/oidc/role/r", {"key": "default"}),
        ("sys/mounts/totp", {"type": "totp"}),
        ("totp/keys/k", {"generate": True, "issuer": "i", "account_name": "a"}),
        ("sys/auth/kubernetes", {"type": "kubernetes"}),
        ("auth/kubernetes/config", {"kubernetes_host": "https://cluster.test", "token_reviewer_jwt": "a.b.c"}),
        ("sys/auth/cert", {"type": "cert"}),
        ("auth/cert/crls/l", {"url": "https://lists.test/ca.crl"}),
        ("sys/auth/oidc", {"type": "oidc"}),
        (
            "auth/oidc/config",
            {"oidc_discovery_url": issuer.url, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET},
        ),
        ("auth/oidc/role/r", {"user_claim": "sub", "allowed_redirect_uris": "http://localhost/cb"}),
        ("auth/oidc/oidc/auth_url", {"role": "r", "redirect_uri": "http://localhost/cb"}),
        ("sys/policies/password/p", {"policy": 'length = 20\nrule "charset" { charset = "abcde" }'}),
    ):
        assert root.ask("POST", path, body, **at).status in {200, 204}, path
    ids = [root.data("GET", f"ns1/identity/entity/name/{name}")["id"] for name in ("e1", "e2")]
    accessor = root.data("GET", "ns1/sys/auth")["userpass/"]["accessor"]
    outside = root.data("GET", "ns1/identity/group/name/outside")["id"]
    for path, body in (
        ("identity/entity-alias", {"name": "alice", "canonical_id": ids[0], "mount_accessor": accessor}),
        ("identity/group-alias", {"name": "crew", "canonical_id": outside, "mount_accessor": accessor}),
        ("identity/group", {"name": "in", "member_entity_ids": ids}),
        ("identity/entity/merge", {"from_entity_ids": ids[1:], "to_entity_id": ids[0]}),
    ):
        assert root.ask("POST", path, body, **at).status in {200, 204}, path
    totp = "identity/mfa/method/totp"
    method = root.ask("POST", totp, {"issuer": "i"}, **at).json["data"]["method_id"]
    for path, body in (
        (f"{totp}/admin-generate", {"method_id": method, "entity_id": ids[0]}),
        ("identity/mfa/login-enforcement/e", {"mfa_method_ids": [method], "auth_method_types": ["userpass"]}),
        ("auth/userpass/login/bob", {"password": "pw"}),
    ):
        assert root.ask("POST", path, body, **at).status in {200, 204}, path
    inner = root.data("GET", "ns1/identity/group/name/in")["id"]
    assert root.ask("POST", "identity/group", {"name": "over", "member_group_ids": [inner]}, **at).status == 200


def _to_an_application(root: harness.Bearer, at: dict[str, str]) -> None:
    """Somebody logs in to one, which has not asked for its tokens yet."""
    for path, body in (
        ("identity/oidc/scope/s", {"template": "{}"}),
        ("identity/oidc/assignment/a", {}),
        ("identity/oidc/client/c", {"redirect_uris": "https://app.test", "assignments": "allow_all"}),
        ("identity/oidc/provider/p", {"scopes_supported": "s", "allowed_client_ids": "*"}),
    ):
        assert root.ask("POST", path, body, **at).status == 204, path
    login = harness.Bearer(root.stack, "").ask("POST", "auth/userpass/login/bob", {"password": "pw"}, **at)
    bob = harness.Bearer(root.stack, login.json["auth"]["client_token"])
    client = root.data("GET", "ns1/identity/oidc/client/c")["client_id"]
    asked = {"client_id": client, "redirect_uri": "https://app.test", "scope": "openid s", "response_type": "code"}
    assert bob.ask("POST", "identity/oidc/provider/p/authorize", asked, **at).status == 200


def _as_an_account(stack: harness.Stack, tenant: str) -> None:
    """What an AWS account has: the same tenant at another door."""
    here = ops.TenantRef(tenant)
    stack.keyring(tenant)
    user = stack.user("alice", ALLOW_ALL, tenant=tenant)
    spec = key_spec("aws", "SYMMETRIC_DEFAULT")
    ring = ops.KeyringRef(f"aws:{tenant}:{harness.REGION}")
    key = stack.perform(ops.CreateKey(keyring=ring, spec=spec, purpose=spec.purposes[0]), user).key
    at = ops.KeyRef(ring.namespace, id=key.id)
    stack.perform(ops.CreateName(key=at, name="alias/a"), user)
    grantee = f"arn:aws:iam::{tenant}:user/alice"
    stack.perform(ops.CreateGrant(key=at, grantee=grantee, actions=(Action.ENCRYPT,)), user)
    group, alice = (
        ops.PrincipalRef(tenant, kind, name)
        for kind, name in ((PrincipalKind.GROUP, "g"), (PrincipalKind.USER, "alice"))
    )
    stack.by_system(ops.CreateGroup(tenant=here, name="g"))
    stack.by_system(ops.AddToGroup(principal=group, user_name="alice"))
    stack.by_system(ops.CreateManagedPolicy(tenant=here, text=PolicyText("m", "aws", ALLOW_ALL)))
    stack.by_system(ops.AttachUserPolicy(principal=alice, policy=ops.PolicyRef(tenant, "m")))
    stack.by_system(ops.AttachGroupPolicy(principal=group, policy=ops.PolicyRef(tenant, "m")))
    stack.by_system(ops.CreateOidcProvider(tenant=here, issuer="issuer.test"))
    now = stack.clock.now()
    uses = (
        LastUse(id=id_, operation="Encrypt", at=now, request_id="", index=0) for id_ in (key.id, user.access_key_id)
    )
    proxy = Proxy(host="proxy.test", path="/kms/xks/v1", connectivity=Connectivity.PUBLIC)
    store = KeyStore(
        id="cks-1", tenant=tenant, keyring=key.keyring, name="s", proxy=proxy, access_key_id="A", created_at=now
    )
    stack.put(*uses, store)
    stack.perform(ops.PutLimits(key=at, limits=Limits(protect=Allowance(uses=5))), user)
    named = (ops.ApproverSaid(who="user:alice"),)
    rule = ops.PutApprovalRule(scope=tenant, name="r", actions=("disable",), n_approvals=1, approvers=named)
    stack.by_system(rule)
    with pytest.raises(NotApproved):
        stack.perform(ops.DisableKey(key=at), user)


def deleted(stack: harness.Stack, root: harness.Bearer) -> dict[str, str]:
    """What the request is answered, once the rules of the namespace have let it end."""
    stack.as_scheduler(ops.EndNamespace(tenant=ops.TenantRef(harness.TENANT), name="ns1"))
    return root.data("DELETE", "sys/namespaces/ns1")


def test_nothing_is_left_of_it(full) -> None:
    stack, root, before = full
    assert {kind for kind, _ in rows(stack) - before} == set(Kind) - INSTALLATIONS - {Kind.ERASURE, Kind.GIVEN_UP}
    assert deleted(stack, root) == {"status": "completed"}
    assert rows(stack) == before
    assert inspect(stack.barrier, stack.store).whole
    assert root.data("GET", "kv/data/mine")["data"] == {"a": 1}
    assert root.data("GET", "cubbyhole/mine") == {"a": 1}


def test_an_old_backup_opens_nothing_of_it_and_everything_else(full) -> None:
    stack, root, _ = full
    old = MemoryStore()
    old._content = copy.deepcopy(stack.store._content)
    ours = [one for kind in WRAPPED for one in stack.barrier.every(kind)]
    assert deleted(stack, root) == {"status": "completed"}
    proof = prove_destroyed(old, stack.barrier, stack.store)
    assert proof.holds and proof.n_destroyed == len(ours) - 1 and proof.n_survivors == 1
    for one in ours:
        if stack.barrier.get(type(one), one.id) is None:
            with pytest.raises((Internal, WrongState)):
                stack.barrier.material(one)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_it_is_done_in_steps_of_any_size(full, monkeypatch, n) -> None:
    """And each leaves what is left to the next: after every one of them a look at all rows finds them sound."""
    stack, root, before = full
    monkeypatch.setattr(handlers, "AT_ONCE", n)
    monkeypatch.setattr(handlers, "SCANNED", n)
    monkeypatch.setattr("keystead.doors.vault.system.namespaces.STEPS_AT_ONCE", 0)
    assert deleted(stack, root) == {"status": "in-progress"}
    endings = Endings(stack.barrier, stack.store, stack.by_system)
    n_steps = 0
    while done := endings.step():
        n_steps += done
        assert inspect(stack.barrier, stack.store).whole
    assert rows(stack) == before and n_steps > len(before) // n


def test_who_has_an_access_key_of_it_is_the_first_to_go(full, monkeypatch) -> None:
    stack, root, _ = full
    (space,) = stack.barrier.every(Namespace)
    monkeypatch.setattr("keystead.doors.vault.system.namespaces.STEPS_AT_ONCE", 0)
    monkeypatch.setattr(handlers, "AT_ONCE", 3)
    deleted(stack, root)
    endings = Endings(stack.barrier, stack.store, stack.by_system)
    while [one for one in stack.barrier.every(Principal) if one.tenant == space.id]:
        assert len(stack.barrier.children(Keyring, space.id)) == 6  # nothing of what they could use has gone before
        assert endings.step()


def test_whoever_makes_something_in_it_meanwhile_is_refused_or_it_goes_too(full, monkeypatch) -> None:
    """The operator is let in by the control socket, whatever ends: what that makes is found again, or is not made."""
    stack, root, before = full
    (space,) = stack.barrier.every(Namespace)
    monkeypatch.setattr("keystead.doors.vault.system.namespaces.STEPS_AT_ONCE", 0)
    monkeypatch.setattr(handlers, "AT_ONCE", 5)
    deleted(stack, root)
    stack.view.loop_thread = None
    made = 0

    def interfering(op: ops.ClearNamespace) -> object:
        nonlocal made
        made += 1
        if made % 3 == 0 and made < 30:
            stack.by_system(ops.CreateKeyring(tenant=space.id, name=f"r{made}"))
            stack.by_system(ops.IssueToken(tenant=ops.TenantRef(space.id), policies=("default",)))
        return stack.by_system(op)

    endings = Endings(stack.barrier, stack.store, interfering)
    while endings.step():
        pass
    assert made > 9 and rows(stack) == before


def test_the_last_commit_rests_on_there_being_nothing(full) -> None:
    """Two at once: a keyring that comes between the last look and the last commit makes it look again."""
    stack, root, before = full
    (space,) = stack.barrier.every(Namespace)
    commit, came = stack.barrier.commit, []

    def overtaken(change: Commit) -> None:
        if any(isinstance(one, Tenant) for one in change.delete) and not came:
            came.append(True)
            thread = threading.Thread(
                target=stack.by_system, args=(ops.CreateKeyring(tenant=space.id, name="late", namespaces=()),)
            )
            thread.start()
            thread.join()
        commit(change)

    stack.barrier.commit = overtaken
    assert deleted(stack, root) == {"status": "completed"}
    assert came and rows(stack) == before
