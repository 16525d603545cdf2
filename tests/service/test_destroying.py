"""Whatever destroys keying material or a secret waits where a rule `destroy` says so: whatever it is called."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path

import pytest
from tests import harness, vaultstack
from tests.doors.aws_kms.managing import ask
from tests.doors.aws_kms.related import primary, replicated, three_regions
from tests.doors.aws_kms.wrapped import NEW, importing, parameters
from tests.doors.vault.test_control_groups import Office as VaultOffice
from tests.harness import OTHER_REGION
from tests.service.test_quorum import NAMESPACE, Office, said
from tests.service.test_quorum_ways_round import held, put
from tests.vaultstack import Bearer

import keystead.service.handlers as package
from keystead.core import operations as ops
from keystead.core.actions import Action
from keystead.core.approvals import GROUPS
from keystead.core.entities import ApprovalRules, Key, PolicyText
from keystead.core.errors import NotApproved
from keystead.service.amounts import AMOUNTS, SHARED
from keystead.service.barrier import Commit
from keystead.service.pipeline import Handler

EXCUSED = {
    ops.ClearNamespace: "what the ending has begun, which waited",
    ops.DeleteVersions: "they can be had back; the way to destroy them is another call of what it shares",
    ops.UndeleteVersions: "as DeleteVersions",
    ops.WriteLoginSettings: "a secret that somebody else has issued and has; who says whose word counts: `identities`",
    ops.RotateOidcKey: "nothing but versions that nobody counts on any more",
}
"""Reaches what destroys, and is in no need of the group."""


# --- from the source: which handlers come to where something is destroyed


class Source:
    """Functions of the handlers by module and name: what each leads to, and which give something to `destroy`."""

    def __init__(self) -> None:
        self.leads: dict[tuple[str, str], set[tuple[str, str]]] = {}
        self.destroys: set[tuple[str, str]] = set()
        for path in Path(package.__path__[0]).glob("*.py"):
            self._read(path.stem, ast.parse(path.read_text()))

    def _read(self, module: str, tree: ast.Module) -> None:
        known = {node.name: (module, node.name) for node in tree.body if isinstance(node, ast.FunctionDef)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package.__name__):
                known |= {one.asname or one.name: (node.module.rpartition(".")[2], one.name) for one in node.names}
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                self.leads[module, node.name] = _names(node, known)
                if any(isinstance(one, ast.keyword) and _gives(one) for one in ast.walk(node)):
                    self.destroys.add((module, node.name))

    def destroying(self) -> set[type]:
        """Operations whose handler comes to what destroys."""
        found = set(self.destroys)
        while more := {name for name, leads in self.leads.items() if leads & found} - found:
            found |= more
        assert all(_place(handler) in self.leads for handler in package.HANDLERS.values()), "each is a plain function"
        return {kind for kind, handler in package.HANDLERS.items() if _place(handler) in found}


def _place(handler: Handler) -> tuple[str, str]:
    return handler.__module__.rpartition(".")[2], handler.__name__


def _names(node: ast.AST, known: dict[str, tuple[str, str]]) -> set[tuple[str, str]]:
    return {known[one.id] for one in ast.walk(node) if isinstance(one, ast.Name) and one.id in known}


def _gives(keyword: ast.keyword) -> bool:
    return keyword.arg == "destroy" and not (isinstance(keyword.value, ast.Tuple) and not keyword.value.elts)


def test_whatever_destroys_is_in_the_group_or_amounts_to_what_is() -> None:
    found = Source().destroying()
    assert {ops.WriteSecret, ops.WriteOtpKey, ops.DestroyKey, ops.TrimKey, ops.ClearNamespace} <= found, "it looks"
    unheld = {kind for kind in found if kind.action not in GROUPS["destroy"] and kind not in AMOUNTS}
    assert unheld == set(EXCUSED)


# --- what amounts to it


class Door(VaultOffice):
    """The Vault door, with nobody but its root."""

    def __init__(self) -> None:
        self.vault = vaultstack.door()
        self.stack = self.vault.stack


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def vault() -> VaultOffice:
    """Without a rule."""
    made = VaultOffice()
    made.stack.barrier.commit(Commit(delete=(made.stack.barrier.get(ApprovalRules, harness.TENANT),)))
    made.stack.generation.announce()
    return made


def test_a_write_that_pushes_a_version_out_waits_and_another_does_not(door) -> None:
    root = door.vault.root
    root.data("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
    root.data("POST", "sys/mounts/one", {"type": "kv", "options": {"version": "1"}})
    put(door, "held", "uid:0")
    for path in ("kv/data/a", "one/a"):
        assert not held(door, root, "POST", path, {"data": {"x": "1"}}), "there was nothing"
    assert not held(door, root, "POST", "kv/data/a", {"data": {"x": "2"}})
    assert not held(door, root, "POST", "kv/metadata/a", {"max_versions": 1}), "which destroys nothing"
    for path in ("kv/data/a", "one/a"):
        assert held(door, root, "POST", path, {"data": {"x": "3"}})
    assert root.data("GET", "kv/data/a?version=1")["data"] == {"x": "1"}
    assert root.data("GET", "one/a") == {"data": {"x": "1"}}


def test_ten_writes_are_no_way_round(door) -> None:
    """Nobody lowers anything: the eleventh pushes the first out."""
    root = door.vault.root
    root.data("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
    put(door, "held", "uid:0")
    answers = [held(door, root, "POST", "kv/data/a", {"data": {"n": n}}) for n in range(11)]
    assert not any(answers[:10])
    assert answers[10]


def test_a_secret_of_passwords_that_is_written_over_waits(door) -> None:
    root = door.vault.root
    root.data("POST", "sys/mounts/totp", {"type": "totp"})
    put(door, "held", "uid:0")
    made = {"key": "JBSWY3DPEHPK3PXP", "issuer": "i", "account_name": "a"}
    assert not held(door, root, "POST", "totp/keys/a", made)
    assert held(door, root, "POST", "totp/keys/a", made)


def test_a_key_of_identity_tokens_that_is_deleted_or_of_another_kind_waits(door) -> None:
    root = door.vault.root
    put(door, "held", "uid:0")
    assert not held(door, root, "POST", "identity/oidc/key/k", {"algorithm": "ES256"})
    assert not held(door, root, "POST", "identity/oidc/key/k", {"rotation_period": "2h"})
    assert not held(door, root, "POST", "identity/oidc/key/k/rotate", {})
    assert held(door, root, "POST", "identity/oidc/key/k", {"algorithm": "RS256"})
    assert held(door, root, "DELETE", "identity/oidc/key/k")


def test_an_application_that_is_let_in_or_taken_away_waits(door) -> None:
    root = door.vault.root
    assert not held(door, root, "POST", "identity/oidc/client/app", {"assignments": "allow_all"})
    put(door, "held", "uid:0")
    put(door, "who", "uid:0", actions=("identities",))
    for path, body in (
        ("client/two", {"redirect_uris": "https://app.test"}),
        ("client/app", {"redirect_uris": "https://elsewhere.test"}),
        ("assignment/some", {"entity_ids": "e"}),
        ("scope/s", {"template": '{"all": {{identity.entity.metadata}}}'}),
        ("provider/default", {"allowed_client_ids": "*"}),
    ):
        assert held(door, root, "POST", f"identity/oidc/{path}", body), path
    assert held(door, root, "DELETE", "identity/oidc/client/app")
    assert root.data("GET", "identity/oidc/client/app")["redirect_uris"] == []


def test_material_that_is_to_stay_gets_no_earlier_end_by_being_imported_again() -> None:
    office = Office()
    admin, material, day = office.stack.admin, bytes(range(32)), timedelta(days=1)
    key_id = ask(admin, "CreateKey", Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    ends = office.stack.clock.now() + 2 * day

    def imported(**more) -> str:
        return importing(admin, key_id, material, **more).code

    def until(date) -> dict:
        return {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": date.timestamp()}

    assert not imported(**until(ends)), "of what had none"
    assert not imported(**until(ends + day)), "later"
    assert imported(**until(ends - day)) == "AccessDeniedException"
    assert not imported()
    assert imported(**until(ends + day)) == "AccessDeniedException"


def of_a_replica(stack) -> None:
    """A rule of nothing but a replica: of all that replicas share with their primary, and of what they do not."""
    stack.user("ann")
    replica = next(one for one in stack.barrier.every(Key) if one.multi_region and not one.is_primary)
    actions = {kind.action.value for kind in (*SHARED, ops.DisableKey)}
    put(stack, "held", "user:ann", actions=tuple(actions), keys=(replica.id,))


def test_a_rule_of_a_replica_holds_what_its_primary_does_to_it() -> None:
    """It names the replica alone; the schedule and the versions are changed at the primary, in both."""
    stack = three_regions()
    key_id = primary(stack)
    replicated(stack, key_id)
    of_a_replica(stack)
    shared = ("EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand")
    assert {stack.admin.call(name, KeyId=key_id).code for name in shared} == {"AccessDeniedException"}
    assert stack.admin.call("DisableKey", KeyId=key_id).status == 200, "of the primary alone"
    assert stack.admin.call("EnableKeyRotation", KeyId=primary(stack)).status == 200, "of another family"


def test_material_that_is_destroyed_in_a_replica_with_the_primarys_waits_for_the_replicas_rule() -> None:
    stack = three_regions()
    one, two = bytes(range(32)), bytes(range(1, 33))
    key_id = primary(stack, Origin="EXTERNAL")
    assert importing(stack.admin, key_id, one).status == 200
    replicated(stack, key_id)
    in_replica = parameters(stack.admin, key_id, region=OTHER_REGION)
    assert importing(stack.admin, key_id, one, given=in_replica, region=OTHER_REGION).status == 200
    waits = importing(stack.admin, key_id, two, **NEW).json["KeyMaterialId"]
    of_a_replica(stack)
    for reply in (
        stack.admin.call("DeleteImportedKeyMaterial", KeyId=key_id, KeyMaterialId=waits),
        importing(stack.admin, key_id, two),
    ):
        assert reply.code == "AccessDeniedException"


def test_a_policy_put_by_the_operator_is_a_policy() -> None:
    office, at = Office(), ops.TenantRef(harness.TENANT)
    office.anew(actions=("policy",))
    policy = PolicyText("p", "aws", harness.ALLOW_ALL)
    for op in (
        ops.PutPrincipalPolicy(tenant=at, name="ray", policy=policy),
        ops.DeletePrincipalPolicy(tenant=at, name="ray", policy_name="default"),
    ):
        with pytest.raises(NotApproved):
            office.stack.by_system(op)


def test_what_conditions_of_a_policy_look_at_is_held_with_policies() -> None:
    tagging = {action for action in Action if action.value.partition(":")[2].startswith(("tag", "untag"))}
    assert tagging - {Action.TAG_SESSION} <= GROUPS["policy"], "a session's tags are for its role's trust to allow"
    office = Office(actions=("policy",))
    key = ops.KeyRef(NAMESPACE, id=office.key.id)
    for op in (
        ops.TagKey(key=key, tags={"team": "red"}),
        ops.UntagKey(key=key, names=("team",)),
        ops.CreateName(key=key, name="alias/red"),
    ):
        with pytest.raises(NotApproved):
            office.stack.perform(op, office.ray)


def test_policies_are_not_attached_nor_their_paths_filled_in_otherwise(vault) -> None:
    root, ids = vault.vault.root, vault.ids
    put(vault, "held", "identity-group:managers", actions=("policy",))
    alias = root("GET", f"identity/entity/id/{ids['ray']}").json["data"]["aliases"][0]
    for path, body in (
        (f"identity/entity/id/{ids['ray']}", {"disabled": True}),
        ("identity/entity", {"name": "new"}),
        ("auth/userpass/users/zoe", {"password": "pw"}),
    ):
        assert not held(vault, root, "POST", path, body), "nothing is allowed that was not"
    assert held(vault, root, "POST", "auth/userpass/users/zoe", {"token_policies": ["may"]})
    custom = {"id": alias["id"], "custom_metadata": {"team": "red"}}
    assert held(vault, root, "POST", f"identity/entity-alias/id/{alias['id']}", custom)
    assert held(vault, root, "POST", f"identity/entity/id/{ids['ray']}", {"policies": ["may"]})
    assert held(vault, root, "POST", f"identity/entity/id/{ids['ray']}", {"name": "ann2"})
    assert held(vault, root, "POST", "auth/token/roles/r", {"allowed_policies": "may"})
    assert held(vault, root, "POST", f"identity/entity/id/{ids['ray']}", {"metadata": {"team": "red"}})
    assert held(vault, root, "POST", "identity/group", {"name": "new", "policies": ["may"]})
    assert held(vault, root, "POST", "auth/userpass/users/ray", {"policies": "root-like"})


def test_to_lock_a_namespace_is_to_disable_what_is_in_it(door) -> None:
    root = door.vault.root
    root("POST", "sys/namespaces/ns1")
    put(door, "held", "uid:0", actions=("disable",))
    assert held(door, root, "PUT", "sys/namespaces/api-lock/lock/ns1")


@pytest.mark.parametrize(
    ("made", "path", "body"),
    [
        ("totp/keys/a", "totp/keys/a", {"key": "JBSWY3DPEHPK3PXP", "issuer": "i", "account_name": "a"}),
        ("identity/oidc/key/a", "identity/oidc/key/a", {"algorithm": "ES256"}),
        ("kv/data/a", "kv/metadata/a", {"data": {"x": "y"}}),
        ("sys/policies/acl/a", "sys/policies/acl/a", {"policy": 'path "a" { capabilities = ["read"] }'}),
    ],
)
def test_what_was_approved_is_not_done_to_the_next_of_that_name(door, made: str, path: str, body) -> None:
    """Two have leave to take it away, and one of them does; then another is made."""
    root = door.vault.root
    root.data("POST", "sys/mounts/totp", {"type": "totp"})
    root.data("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
    other = Bearer(door.stack, root("POST", "auth/token/create", {"no_parent": True}).json["auth"]["client_token"])
    root.data("POST", made, body)
    put(door, "held", "uid:0", actions=("destroy", "tenant:delete-acl-policy"))
    asked = [held(door, who, "DELETE", path) for who in (root, other)]
    for one in door.by_system(ops.ListApprovals(scope=harness.TENANT)):
        door.by_system(ops.Approve(scope=harness.TENANT, id=one.request.id))
    assert not held(door, root, "DELETE", path)
    door.stack.clock.forward(timedelta(seconds=1))
    root.data("POST", made, body)
    assert held(door, other, "DELETE", path) not in {"", *asked}


def test_a_list_of_revoked_certificates_is_not_taken_away_for_another_one(door) -> None:
    root, path = door.vault.root, "auth/cert/crls/a"
    root.data("POST", "sys/auth/cert", {"type": "cert"})
    other = Bearer(door.stack, root("POST", "auth/token/create", {"no_parent": True}).json["auth"]["client_token"])
    root.data("POST", path, {"url": "https://lists.test/1"})
    put(door, "held", "uid:0", actions=(Action.DELETE_REVOCATION_LIST.value,))
    asked = [held(door, who, "DELETE", path) for who in (root, other)]
    for one in door.by_system(ops.ListApprovals(scope=harness.TENANT)):
        door.by_system(ops.Approve(scope=harness.TENANT, id=one.request.id))
    assert not held(door, root, "DELETE", path)
    root.data("POST", path, {"url": "https://lists.test/2"})
    assert held(door, other, "DELETE", path) not in {"", *asked}


# --- a namespace that ends


class Below:
    """ns1 below the tenant, with Ann and Bob in it, who approve there."""

    def __init__(self, door: VaultOffice, *actions: str) -> None:
        self.door, self.root = door, door.vault.root
        assert self.root("POST", "sys/namespaces/ns1").status == 200
        self.people = {name: self._somebody(name) for name in ("ann", "bob")}
        chain = door.by_system(ops.ReadNamespace(tenant=ops.TenantRef(harness.TENANT), name="ns1")).chain
        named = said("entity:ann", "entity:bob")
        door.by_system(
            ops.PutApprovalRule(scope=chain[-1].id, name="inner", actions=actions, n_approvals=2, approvers=named)
        )
        assert self.at("POST", "sys/mounts/transit", {"type": "transit"}).status == 204
        assert self.at("POST", "transit/keys/k", {}).status == 200

    def at(self, method: str, path: str, body=None):
        return self.root(method, path, body, x_vault_namespace="ns1")

    def _somebody(self, name: str) -> Bearer:
        self.at("POST", "sys/auth/up", {"type": "userpass"})
        self.at("PUT", "sys/policies/acl/may", {"policy": 'path "sys/control-group/*" { capabilities = ["update"] }'})
        accessor = self.at("GET", "sys/auth").json["data"]["up/"]["accessor"]
        self.at("POST", f"auth/up/users/{name}", {"password": "pw", "policies": "may"})
        made = self.at("POST", "identity/entity", {"name": name}).json["data"]["id"]
        self.at("POST", "identity/entity-alias", {"name": name, "canonical_id": made, "mount_accessor": accessor})
        nobody = self.door.vault.nobody
        login = nobody("POST", f"auth/up/login/{name}", {"password": "pw"}, x_vault_namespace="ns1")
        return Bearer(self.door.stack, login.json["auth"]["client_token"])

    def is_there(self) -> bool:
        return self.at("GET", "transit/keys/k").status == 200


@pytest.mark.parametrize("actions", [("destroy",), ("export",)])
def test_a_namespace_does_not_end_past_its_own_rules(door, actions) -> None:
    """Whatever they are about: they would end with it."""
    below = Below(door, *actions)
    waits = below.root("DELETE", "sys/namespaces/ns1").json["wrap_info"]
    assert below.is_there()
    for person in below.people.values():
        told = person("POST", "sys/control-group/authorize", {"accessor": waits["accessor"]}, x_vault_namespace="ns1")
        assert told.status == 200, told.body
    assert below.is_there()
    assert below.root("POST", "sys/wrapping/unwrap", {"token": waits["token"]}).status == 200
    assert not below.is_there()


def test_an_ending_that_was_approved_is_of_that_namespace_and_not_of_the_next(vault) -> None:
    root = vault.vault.root
    root("POST", "sys/namespaces/ns1")
    put(vault, "held", "identity-group:managers", actions=("tenant:end-namespace",))
    other = Bearer(vault.stack, root("POST", "auth/token/create", {"no_parent": True}).json["auth"]["client_token"])
    asked = {who: held(vault, who, "DELETE", "sys/namespaces/ns1") for who in (root, other)}
    for accessor in asked.values():
        assert vault.authorize(vault.ann, accessor) is True
    assert not held(vault, root, "DELETE", "sys/namespaces/ns1")
    root("POST", "sys/namespaces/ns1")
    assert held(vault, other, "DELETE", "sys/namespaces/ns1")
