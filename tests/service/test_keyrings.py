"""Keyrings, bindings, and the first objects of an installation."""

import pytest
from tests.fakes import FakeClock, MemorySlot, SeededEntropy
from tests.harness import OTHER_TENANT, TENANT, stack
from tests.memorystore import MemoryStore

from keystead.core import operations as ops
from keystead.core.audit.record import parse
from keystead.core.entities import Binding, Credential, CredentialKind, Keyring, Principal, PrincipalKind, Tenant
from keystead.core.errors import AlreadyExists, Conflict, Denied, InvalidArgument, NotFound
from keystead.core.sensitive import Sensitive
from keystead.service.barrier import Barrier
from keystead.service.bootstrap import bootstrap, principal_digest


@pytest.fixture
def office():
    return stack()


def test_a_keyring_at_two_addresses_answers_at_both(office) -> None:
    ring = office.by_system(ops.CreateKeyring(tenant=TENANT, name="both", namespaces=(f"aws:{TENANT}:eu-west-3",)))
    made = office.admin.call("CreateKey", region="eu-west-3").json["KeyMetadata"]
    assert office.admin.call("DescribeKey", region="eu-north-1", KeyId=made["KeyId"]).status == 400
    office.by_system(ops.BindKeyring(keyring=ring.id, namespace=f"aws:{TENANT}:eu-north-1"))
    found = office.admin.call("DescribeKey", region="eu-north-1", KeyId=made["KeyId"]).json["KeyMetadata"]
    assert found["Arn"] == f"arn:aws:kms:eu-north-1:{TENANT}:key/{made['KeyId']}"
    assert (
        office.admin.call("CreateAlias", AliasName="alias/a", TargetKeyId=made["KeyId"], region="eu-west-3").status
        == 200
    )
    # A name is of one address: the same key has none at the other.
    assert office.admin.call("ListAliases", region="eu-north-1").json["Aliases"] == []
    assert len(office.admin.call("ListAliases", region="eu-west-3").json["Aliases"]) == 1


def test_an_address_is_bound_once_and_to_its_own_tenant(office) -> None:
    """Row 36: whoever could bind another tenant's address would answer in its place."""
    office.keyring(OTHER_TENANT)
    (ring,) = [r.keyring for r in office.by_system(ops.ListKeyrings()).items if r.keyring.tenant == OTHER_TENANT]
    for namespace, error in (
        (f"aws:{TENANT}:us-east-1", InvalidArgument),
        (f"aws:{TENANT}:ap-south-1", InvalidArgument),
        (f"aws:{OTHER_TENANT}:us-east-1", AlreadyExists),
        ("aws::us-east-1", InvalidArgument),
        (f"aws:{OTHER_TENANT}", InvalidArgument),
        (f"aws:{OTHER_TENANT}:a b", InvalidArgument),
        (f"aws:{OTHER_TENANT}:", InvalidArgument),
    ):
        with pytest.raises(error):
            office.by_system(ops.BindKeyring(keyring=ring.id, namespace=namespace))
        with pytest.raises(error):
            office.by_system(ops.CreateKeyring(tenant=OTHER_TENANT, name="n", namespaces=(namespace,)))
    with pytest.raises(NotFound):
        office.by_system(ops.BindKeyring(keyring="none", namespace=f"aws:{TENANT}:ap-south-1"))
    for tenant in ("1", "1111222233334", "11112222333x"):
        with pytest.raises(InvalidArgument):
            office.by_system(ops.CreateKeyring(tenant=tenant, name="n"))


def test_a_tenant_begins_with_its_first_keyring_and_a_root(office) -> None:
    office.keyring(OTHER_TENANT)
    office.keyring(OTHER_TENANT, "eu-west-2")
    listed = office.by_system(ops.ListPrincipals(tenant=ops.TenantRef(OTHER_TENANT))).items
    assert [(p.principal_kind, p.name) for p in listed] == [(PrincipalKind.ROOT, "root")]


def test_only_the_system_makes_keyrings_and_reads_the_status(office) -> None:
    for op in (
        ops.CreateKeyring(tenant=OTHER_TENANT, name="n"),
        ops.ListKeyrings(),
        ops.BindKeyring(keyring="x", namespace="y"),
        ops.ReadStatus(),
    ):
        with pytest.raises(Denied):
            office.perform(op)


def test_the_status_counts(office) -> None:
    before = office.by_system(ops.ReadStatus())
    office.key()
    after = office.by_system(ops.ReadStatus())
    assert (after.n_keys, after.n_commits, after.epoch) == (before.n_keys + 1, before.n_commits + 1, before.epoch)
    assert after.at == office.clock.now()


# --- the first objects


def begin(barrier, **changes):
    options = {
        "tenant": TENANT,
        "regions": ("us-east-1", "eu-west-2"),
        "administrator": "admin",
        "uid": 1000,
        "now": FakeClock().now(),
        "entropy": SeededEntropy(7),
    }
    return bootstrap(barrier, **(options | changes))


@pytest.fixture
def empty():
    store = MemoryStore()
    barrier = Barrier(store, MemorySlot(), SeededEntropy(1))
    barrier.initialise(Sensitive(bytes(32)))
    return store, barrier


def test_what_an_installation_begins_with(empty) -> None:
    store, barrier = empty
    first = begin(barrier)
    assert [tenant.id for tenant in barrier.every(Tenant)] == [TENANT]
    assert {binding.id for binding in barrier.every(Binding)} == {f"aws:{TENANT}:us-east-1", f"aws:{TENANT}:eu-west-2"}
    assert {ring.name for ring in barrier.children(Keyring, TENANT)} == {"us-east-1", "eu-west-2"}
    for principal in (first.root, first.administrator, first.system):
        digest = principal_digest(barrier, principal.tenant, principal.principal_kind, principal.name)
        (found,) = barrier.linked(Principal, digest)
        assert found.id == principal.id
    peer = barrier.get(Credential, "uid:1000")
    assert (peer.principal_id, peer.credential_kind) == (first.system.id, CredentialKind.PEER)
    key = barrier.get(Credential, first.access_key.credential.id)
    assert (key.principal_id, key.secret) == (first.administrator.id, first.access_key.secret.reveal())
    assert first.access_key.secret.reveal().decode() not in repr(first)
    ((_, line),) = store.records(0, 10)
    record = parse(line)
    assert (record.operation, record.outcome, record.who.id) == ("initialise", "performed", first.system.id)


def test_it_begins_once(empty) -> None:
    _, barrier = empty
    begin(barrier)
    with pytest.raises(Conflict):
        begin(barrier, tenant=OTHER_TENANT)


@pytest.mark.parametrize("changes", [{"tenant": "1"}, {"tenant": TENANT + "\n"}, {"administrator": "a b"}])
def test_it_does_not_begin_wrong(empty, changes) -> None:
    store, barrier = empty
    with pytest.raises(InvalidArgument):
        begin(barrier, **changes)
    assert not barrier.every(Tenant) and not store.records(0, 10)


def test_without_a_user_of_this_machine(empty) -> None:
    _, barrier = empty
    begin(barrier, uid=None)
    assert [c.credential_kind for c in barrier.every(Credential)] == [CredentialKind.ACCESS_KEY]
