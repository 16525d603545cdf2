"""A backup that has become the database: what the log has been taken away since is taken away again (docs/adr/0047)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.doors.aws_kms.managing import allow, policy
from tests.doors.vault.factors import Site
from tests.harness import TENANT
from tests.service.restored import Office, Past, become

from keystead.core import operations as ops
from keystead.core.actions.takings import TAKES_AWAY
from keystead.core.audit.record import parse
from keystead.core.entities import (
    Attachment,
    Credential,
    Cubby,
    Entity,
    Grant,
    Key,
    ManagedPolicy,
    Membership,
    MfaSecret,
    Name,
    OidcClientSecret,
    Principal,
    SecretId,
    Token,
)
from keystead.core.states import KeyState
from keystead.service.inspection import inspect
from keystead.service.since import NOBODY_KNOWS
from keystead.service.undone import LOOKS, Undone, undo


@pytest.fixture
def office() -> Office:
    return Office()


def undone(past: Past, since: Any = None) -> tuple[Any, Undone]:
    known = past.since() if since is None else since
    barrier = become(past)
    done = undo(barrier, known, past.stack.clock.now())
    assert inspect(barrier, past.store).whole
    return barrier, done


def test_a_key_is_out_of_service_and_another_is_not(office) -> None:
    key, other = office.stack.key(), office.stack.key()
    past = office.keep()
    office.ask("DisableKey", KeyId=key.id)
    office.ask("Encrypt", KeyId=other.id, Plaintext="AAAA")
    barrier, done = undone(past)
    assert (done.suspended, done.revoked) == ((key.id,), ())
    shut, still = barrier.get(Key, key.id), barrier.get(Key, other.id)
    assert (shut.lifecycle.state, still.lifecycle.state) == (KeyState.SUSPENDED, KeyState.ACTIVE)
    assert shut.restored_at == office.stack.clock.now() and still.restored_at is None
    assert [one.action for one in done.since] == ["key:disable"]
    record = parse(past.store.records(0, 1_000_000)[-1][1])
    assert [(one.action, one.key) for one in record.targets] == [("key:disable", key.id)]


def test_what_nobody_knows_is_as_it_was(office) -> None:
    key = office.stack.key()
    past = office.keep()
    office.ask("DisableKey", KeyId=key.id)
    barrier, done = undone(past, NOBODY_KNOWS)
    assert done == Undone() and barrier.get(Key, key.id).lifecycle.state is KeyState.ACTIVE


@pytest.mark.parametrize("how", ["RevokeGrant", "RetireGrant"])
def test_a_grant(office, how) -> None:
    key = office.stack.key()
    asked = {"KeyId": key.id, "GranteePrincipal": office.admin.arn, "Operations": ["Encrypt"]}
    gone, kept = (office.ask("CreateGrant", **asked, Name=name)["GrantId"] for name in "ab")
    past = office.keep()
    office.ask(how, KeyId=key.id if how == "RevokeGrant" else office.stack.arn(key), GrantId=gone)
    barrier, done = undone(past)
    assert [one.id for one in barrier.every(Grant)] == [kept]
    assert (done.suspended, done.revoked) == ((), (f"grant {gone}",))
    assert barrier.get(Key, key.id).lifecycle.state is KeyState.ACTIVE


def test_a_name(office) -> None:
    key = office.stack.key()
    for alias in ("alias/a", "alias/b"):
        office.stack.name(key, alias)
    past = office.keep()
    office.ask("DeleteAlias", AliasName="alias/a")
    barrier, _ = undone(past)
    assert [one.name for one in barrier.every(Name)] == ["alias/b"]


# --- identities: (what is made before the backup, what is done since, what has to hold)


class People(Office):
    def __init__(self) -> None:
        super().__init__()
        self.iam = self.admin.client("iam")
        self.iam.create_user(UserName="ann")
        self.key = self.iam.create_access_key(UserName="ann")["AccessKey"]["AccessKeyId"]
        self.iam.create_group(GroupName="g")
        self.iam.add_user_to_group(UserName="ann", GroupName="g")
        trust = json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{TENANT}:root"}}
                ],
            }
        )
        self.iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
        made = self.iam.create_policy(PolicyName="p", PolicyDocument=policy(allow("kms:*")))
        self.policy = made["Policy"]["Arn"]
        self.iam.attach_user_policy(UserName="ann", PolicyArn=self.policy)
        self.iam.attach_role_policy(RoleName="r", PolicyArn=self.policy)
        self.iam.attach_group_policy(GroupName="g", PolicyArn=self.policy)

    def free_of_all(self) -> None:
        self.iam.detach_user_policy(UserName="ann", PolicyArn=self.policy)
        self.iam.remove_user_from_group(UserName="ann", GroupName="g")
        self.iam.delete_access_key(UserName="ann", AccessKeyId=self.key)
        self.iam.delete_user(UserName="ann")

    def free_the_role(self) -> None:
        self.iam.detach_role_policy(RoleName="r", PolicyArn=self.policy)
        self.iam.delete_role(RoleName="r")


def enabled(barrier: Any, kind: type[Entity], name: str) -> bool:
    return next(one for one in barrier.every(kind) if name in {one.id, getattr(one, "name", "")}).enabled


def n_attached(barrier: Any) -> tuple[int, int]:
    (one,) = barrier.every(ManagedPolicy)
    return one.n_attached, len(barrier.every(Attachment))


TAKEN: dict[str, tuple[Callable[[People], Any], Callable[[Any, People], bool]]] = {
    "access key deleted": (
        lambda p: p.iam.delete_access_key(UserName="ann", AccessKeyId=p.key),
        lambda b, p: not enabled(b, Credential, p.key) and enabled(b, Principal, "ann"),
    ),
    "access key inactive": (
        lambda p: p.iam.update_access_key(UserName="ann", AccessKeyId=p.key, Status="Inactive"),
        lambda b, p: not enabled(b, Credential, p.key),
    ),
    "out of the group": (
        lambda p: p.iam.remove_user_from_group(UserName="ann", GroupName="g"),
        lambda b, _p: b.every(Membership) == [],
    ),
    "detached from the user": (
        lambda p: p.iam.detach_user_policy(UserName="ann", PolicyArn=p.policy),
        lambda b, _p: n_attached(b) == (2, 2),
    ),
    "detached from the role": (
        lambda p: p.iam.detach_role_policy(RoleName="r", PolicyArn=p.policy),
        lambda b, _p: n_attached(b) == (2, 2),
    ),
    "detached from the group": (
        lambda p: p.iam.detach_group_policy(GroupName="g", PolicyArn=p.policy),
        lambda b, _p: n_attached(b) == (2, 2),
    ),
    "user deleted": (
        People.free_of_all,
        lambda b, p: not enabled(b, Principal, "ann") and not enabled(b, Credential, p.key) and n_attached(b) == (2, 2),
    ),
    "role deleted": (People.free_the_role, lambda b, _p: not enabled(b, Principal, "r") and n_attached(b) == (2, 2)),
}


@pytest.mark.parametrize("what", TAKEN)
def test_what_was_taken_from_somebody(what) -> None:
    people = People()
    past = people.keep()
    take, holds = TAKEN[what]
    take(people)
    barrier, _ = undone(past)
    assert holds(barrier, people)


def test_what_the_operator_has_shut_out(office) -> None:
    at = ops.TenantRef(TENANT)
    for name in ("off", "gone", "keyless", "well"):
        office.stack.user(name)
    (lost,) = (one for one in office.stack.barrier.every(Principal) if one.name == "keyless")
    (key,) = office.stack.barrier.children(Credential, lost.id)
    past = office.keep()
    office.stack.by_system(ops.SetPrincipalEnabled(tenant=at, name="off", enabled=False))
    office.stack.by_system(ops.DeletePrincipal(tenant=at, name="gone"))
    office.stack.by_system(ops.DeleteCredential(tenant=at, credential_id=key.id))
    barrier, done = undone(past)
    assert len(done.since) == 3
    assert [enabled(barrier, Principal, name) for name in ("off", "gone", "keyless", "well")] == [0, 0, 1, 1]
    assert not enabled(barrier, Credential, key.id)


# --- Vault's


def test_tokens_secret_ids_and_what_is_wrapped_come_to_life_by_no_backup() -> None:
    site = Site()
    root = site.root
    child = root.token(ttl="1h")
    child.token(ttl="10m")
    other = root.token(ttl="1h")
    accessor = child.data("GET", "auth/token/lookup-self")["accessor"]
    child.data("POST", "cubbyhole/a", {"x": "1"})
    root.data("POST", "sys/auth/approle", {"type": "approle"})
    root.data("POST", "auth/approle/role/r", {})
    secret = root.data("POST", "auth/approle/role/r/secret-id", {})
    root.data("POST", "auth/approle/role/r/secret-id", {})
    root.data("POST", "identity/oidc/key/k", {"allowed_client_ids": "*"})
    root.data("POST", "identity/oidc/client/app", {"redirect_uris": "https://a.test/cb", "key": "k"})
    past = Past(site.stack)
    n_tokens, n_ids = (len(past.stack.barrier.every(kind)) for kind in (Token, SecretId))
    root.data("POST", "auth/token/revoke-accessor", {"accessor": accessor})
    found = {"secret_id_accessor": secret["secret_id_accessor"]}
    root.data("POST", "auth/approle/role/r/secret-id-accessor/destroy", found)
    root.data("POST", "identity/mfa/method/totp/admin-destroy", {"method_id": site.method, "entity_id": site.entity})
    root.data("DELETE", "identity/oidc/client/app")
    barrier, done = undone(past)
    assert len(barrier.every(Token)) == n_tokens - 2
    assert not barrier.linked(Token, accessor) and barrier.every(Cubby) == []
    assert other.is_good()
    assert len(barrier.every(SecretId)) == n_ids - 1
    assert not barrier.linked(SecretId, secret["secret_id_accessor"])
    assert [one.wrapped for one in barrier.every(MfaSecret)] == [b""]
    assert [one.wrapped for one in barrier.every(OidcClientSecret)] == [b""]
    assert any(one.startswith("token ") for one in done.revoked)


def test_the_table_is_of_acts_that_take_something_away() -> None:
    assert set(LOOKS) <= TAKES_AWAY
