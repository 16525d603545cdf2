"""Principals, their policies and credentials: IAM User Guide, "IAM object quotas", "IAM identifiers"."""

import re
from datetime import timedelta

import pytest
from tests.harness import ALLOW_ALL, OTHER_TENANT, TENANT, Person, stack

from keystead.core import operations as ops
from keystead.core.entities import Kind, PolicyText, PrincipalKind
from keystead.core.errors import AlreadyExists, Denied, InvalidArgument, LimitExceeded, NotFound
from keystead.core.operations import TenantRef

AT = TenantRef(TENANT)


@pytest.fixture
def office():
    return stack()


def test_a_user_comes_and_goes_with_every_credential(office) -> None:
    alice = office.user("alice", ALLOW_ALL)
    assert alice.call("ListKeys").status == 200
    before = office.store.count(Kind.CREDENTIAL)
    listed = office.by_system(ops.ListPrincipals(tenant=AT)).items
    assert {p.name: p.principal_kind for p in listed} == {
        "root": PrincipalKind.ROOT,
        "admin": PrincipalKind.USER,
        "alice": PrincipalKind.USER,
    }
    office.by_system(ops.DeletePrincipal(tenant=AT, name="alice"))
    assert alice.call("ListKeys").code == "UnrecognizedClientException"
    assert office.store.count(Kind.CREDENTIAL) == before - 1
    with pytest.raises(NotFound):
        office.by_system(ops.ListCredentials(tenant=AT, name="alice"))
    assert len(office.by_system(ops.ListPrincipals(tenant=AT)).items) == 2


def test_the_form_of_an_access_key(office) -> None:
    """IAM User Guide, "IAM identifiers", "Understanding unique ID prefixes": AKIA is an access key."""
    made = office.by_system(ops.CreateAccessKey(tenant=AT, name="admin"))
    assert re.fullmatch("AKIA[A-Z2-7]{16}", made.credential.id)
    assert re.fullmatch("[A-Za-z0-9+/]{40}", made.secret.reveal().decode())
    assert made.secret.reveal().decode() not in repr(made) + repr(made.credential)
    with pytest.raises(LimitExceeded):  # two for each: one to use and one to change to
        office.by_system(ops.CreateAccessKey(tenant=AT, name="admin"))
    listed = office.by_system(ops.ListCredentials(tenant=AT, name="admin")).items
    assert len(listed) == 2 and all(one.secret == b"" for one in listed)
    office.by_system(ops.DeleteCredential(tenant=AT, credential_id=made.credential.id))
    assert office.by_system(ops.CreateAccessKey(tenant=AT, name="admin")).credential.id != made.credential.id


def test_an_access_key_is_turned_off_and_on(office) -> None:
    alice = office.user("alice", ALLOW_ALL)
    for enabled in (False, True):
        change = ops.SetCredentialEnabled(tenant=AT, credential_id=alice.access_key_id, enabled=enabled)
        office.by_system(change)
        assert alice.call("ListKeys").code == (None if enabled else "UnrecognizedClientException")
    for enabled in (False, True):
        office.by_system(ops.SetPrincipalEnabled(tenant=AT, name="alice", enabled=enabled))
        assert alice.call("ListKeys").code == (None if enabled else "UnrecognizedClientException")
    office.by_system(ops.DeleteCredential(tenant=AT, credential_id=alice.access_key_id))
    assert alice.call("ListKeys").code == "UnrecognizedClientException"


def test_a_session_lasts_as_long_as_it_says(office) -> None:
    alice = office.user("alice", ALLOW_ALL)
    made = office.by_system(ops.IssueSession(tenant=AT, name="alice", seconds=900))
    assert made.credential.id.startswith("ASIA") and made.session_token is not None
    token = made.session_token.reveal().decode()
    guest = Person(office, alice.principal, made.credential.id, made.secret.reveal(), token)
    assert guest.call("ListKeys").status == 200
    office.clock.forward(timedelta(seconds=899))
    assert guest.call("ListKeys").status == 200
    office.by_system(ops.SetPrincipalEnabled(tenant=AT, name="alice", enabled=False))
    assert guest.call("ListKeys").status == 400
    office.by_system(ops.SetPrincipalEnabled(tenant=AT, name="alice", enabled=True))
    office.clock.forward(timedelta(seconds=2))
    assert guest.call("ListKeys").code == "ExpiredTokenException"
    for seconds in (899, 129_601):
        with pytest.raises(InvalidArgument):
            office.by_system(ops.IssueSession(tenant=AT, name="alice", seconds=seconds))


@pytest.mark.parametrize("name", ["", "a" * 65, "a b", "a/b", "ä", "a\n", "\u0430lice", "a\u200d", "*"])
def test_names_that_no_principal_has(office, name) -> None:
    """Rows 4, 5, 12 and 13: a homoglyph cannot be written."""
    with pytest.raises(InvalidArgument):
        office.by_system(ops.CreatePrincipal(tenant=AT, name=name))


def test_names_are_taken_once_whatever_the_kind(office) -> None:
    office.user("alice")
    for kind in (PrincipalKind.USER, PrincipalKind.ROLE):
        with pytest.raises(AlreadyExists):
            office.by_system(ops.CreatePrincipal(tenant=AT, name="alice", principal_kind=kind))
    office.by_system(ops.CreatePrincipal(tenant=AT, name="Alice"))  # another name
    for kind in (PrincipalKind.ROOT, PrincipalKind.SYSTEM, PrincipalKind.SERVICE):
        with pytest.raises(InvalidArgument):
            office.by_system(ops.CreatePrincipal(tenant=AT, name="bob", principal_kind=kind))


def test_the_root_principal_stays_as_it_is(office) -> None:
    text = PolicyText("p", "aws", ALLOW_ALL)
    for change in (
        ops.DeletePrincipal(tenant=AT, name="root"),
        ops.SetPrincipalEnabled(tenant=AT, name="root", enabled=False),
        ops.PutPrincipalPolicy(tenant=AT, name="root", policy=text),
    ):
        with pytest.raises(InvalidArgument):
            office.by_system(change)


def test_identity_policies_are_put_replaced_and_taken_away(office) -> None:
    alice = office.user("alice")
    assert alice.call("ListKeys").code == "AccessDeniedException"
    allow = PolicyText("p", "aws", ALLOW_ALL)
    office.by_system(ops.PutPrincipalPolicy(tenant=AT, name="alice", policy=allow))
    assert alice.call("ListKeys").status == 200
    shut = PolicyText("p", "aws", ALLOW_ALL.replace("Allow", "Deny"))
    office.by_system(ops.PutPrincipalPolicy(tenant=AT, name="alice", policy=shut))
    assert alice.call("ListKeys").code == "AccessDeniedException"
    for number in range(19):
        other = PolicyText(f"n{number}", "aws", ALLOW_ALL)
        office.by_system(ops.PutPrincipalPolicy(tenant=AT, name="alice", policy=other))
    with pytest.raises(LimitExceeded):
        office.by_system(ops.PutPrincipalPolicy(tenant=AT, name="alice", policy=PolicyText("more", "aws", ALLOW_ALL)))
    office.by_system(ops.DeletePrincipalPolicy(tenant=AT, name="alice", policy_name="p"))
    assert alice.call("ListKeys").status == 200
    with pytest.raises(NotFound):
        office.by_system(ops.DeletePrincipalPolicy(tenant=AT, name="alice", policy_name="p"))
    bad = PolicyText("bad", "aws", '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*"}]}')
    with pytest.raises(InvalidArgument):
        office.by_system(ops.PutPrincipalPolicy(tenant=AT, name="alice", policy=bad))


def test_row_36_credentials_and_principals_of_another_tenant(office) -> None:
    office.keyring(OTHER_TENANT)
    carol = office.user("carol", tenant=OTHER_TENANT)
    for change in (
        ops.DeleteCredential(tenant=AT, credential_id=carol.access_key_id),
        ops.SetCredentialEnabled(tenant=AT, credential_id=carol.access_key_id, enabled=False),
        ops.ListCredentials(tenant=AT, name="carol"),
        ops.DeletePrincipal(tenant=AT, name="carol"),
    ):
        with pytest.raises(NotFound):
            office.by_system(change)
    elsewhere = TenantRef(OTHER_TENANT)
    for attempt in (
        ops.ListPrincipals(tenant=elsewhere),
        ops.CreatePrincipal(tenant=elsewhere, name="mole"),
        ops.CreateAccessKey(tenant=elsewhere, name="carol"),
    ):
        with pytest.raises(Denied):
            office.perform(attempt)  # the administrator of TENANT


def test_the_administrator_manages_principals_and_a_user_of_kms_does_not(office) -> None:
    office.perform(ops.CreatePrincipal(tenant=AT, name="bob"))
    alice = office.user("alice", ALLOW_ALL)  # kms:* only
    with pytest.raises(Denied):
        office.perform(ops.CreatePrincipal(tenant=AT, name="eve"), alice)
    with pytest.raises(Denied):
        office.perform(ops.CreateAccessKey(tenant=AT, name="admin"), alice)


def test_long_lists_come_in_pages(office) -> None:
    for number in range(7):
        office.by_system(ops.CreatePrincipal(tenant=AT, name=f"u{number}"))
    names, after = [], ""
    while after is not None:
        page = office.by_system(ops.ListPrincipals(tenant=AT, after=after, limit=2))
        assert len(page.items) <= 2
        names += [principal.name for principal in page.items]
        after = page.after
    assert len(names) == len(set(names)) == 9


def test_row_40_the_right_to_manage_principals_is_no_right_to_be_the_root(office) -> None:
    """Nor to shut it out: what no policy of the tenant can refuse, no policy of the tenant gives."""
    everything = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    delegate = office.user("delegate", everything)
    owner = office.by_system(ops.CreateAccessKey(tenant=AT, name="root"))
    root = Person(office, office.first.root, owner.credential.id, owner.secret.reveal(), None)
    assert office.perform(ops.CreateAccessKey(tenant=AT, name="admin"), delegate)
    attempts = (
        ops.CreateAccessKey(tenant=AT, name="root"),
        ops.IssueSession(tenant=AT, name="root", seconds=900),
        ops.SetCredentialEnabled(tenant=AT, credential_id=owner.credential.id, enabled=False),
        ops.DeleteCredential(tenant=AT, credential_id=owner.credential.id),
    )
    for attempt in attempts:
        with pytest.raises(Denied):
            office.perform(attempt, delegate)
        assert office.record().outcome == "refused: Denied"
    assert root.call("ListKeys").status == 200
    assert office.perform(attempts[1], root).session_token is not None
    office.perform(attempts[3], root)
    assert root.call("ListKeys").code == "UnrecognizedClientException"
