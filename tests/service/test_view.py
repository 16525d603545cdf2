"""The view: what it holds is dropped by every change, however it came to hold it."""

import pytest
from msgspec.structs import replace
from tests import harness

from keystead.core import operations as ops
from keystead.core.entities import Credential
from keystead.core.errors import Sealed, WrongState
from keystead.core.ports import WouldBlock
from keystead.core.sensitive import Sensitive
from keystead.service.barrier import Commit

NAMESPACE = f"aws:{harness.TENANT}:{harness.REGION}"


def encrypt(stack: harness.Stack, key_id: str, name: str = "") -> None:
    ref = ops.KeyRef(NAMESPACE, name=name) if name else ops.KeyRef(NAMESPACE, id=key_id)
    stack.perform(ops.Encrypt(key=ref, plaintext=Sensitive(b"x")), stack.admin)


def test_two_threads_that_missed_a_key_at_once_leave_nothing_a_change_cannot_drop() -> None:
    """Found by tests/clients/test_rotation_under_load: the second one's entry hid the refs of the first."""
    stack = harness.stack()
    key = stack.key()
    view, ref = stack.service.view, ops.KeyRef(NAMESPACE, id=key.id)
    view.forget()
    view.refresh()
    first = view._load_key(key.id)  # what either thread does once it has missed
    assert view.find(ref) is first
    assert view._load_key(key.id) is first
    stack.perform(ops.DisableKey(key=ref), stack.admin)
    with pytest.raises(WrongState):
        encrypt(stack, key.id)


def test_a_name_that_moves_takes_its_ref_along() -> None:
    stack = harness.stack()
    one, other = stack.key(), stack.key()
    stack.perform(ops.CreateName(key=ops.KeyRef(NAMESPACE, id=one.id), name="alias/x"), stack.admin)
    encrypt(stack, "", "alias/x")
    moved = ops.KeyRef(NAMESPACE, name="alias/x")
    stack.perform(ops.UpdateName(name=moved, key=ops.KeyRef(NAMESPACE, id=other.id)), stack.admin)
    stack.perform(ops.DisableKey(key=ops.KeyRef(NAMESPACE, id=other.id)), stack.admin)
    with pytest.raises(WrongState):
        encrypt(stack, "", "alias/x")


def test_a_closed_barrier_serves_nothing_from_what_is_held() -> None:
    stack = harness.stack()
    key = stack.key()
    encrypt(stack, key.id)
    stack.barrier.close()
    with pytest.raises(Sealed):
        encrypt(stack, key.id)


def test_row_66_a_stranger_gets_a_thread_once_and_not_for_every_request() -> None:
    """An access key that was deleted, in a client that goes on trying, must not keep the threads from others."""
    stack = harness.stack()
    alice = stack.user("alice", harness.ALLOW_ALL)
    stack.by_system(ops.DeleteCredential(tenant=ops.TenantRef(harness.TENANT), credential_id=alice.access_key_id))
    view = stack.on_the_loop().view
    assert alice.call("ListKeys").code == "UnrecognizedClientException"  # on a thread
    assert view.credential(alice.access_key_id) is None  # on the loop
    with pytest.raises(WouldBlock):
        view.credential(alice.access_key_id + "A")
    stack.generation.announce()  # whatever has changed
    with pytest.raises(WouldBlock):
        view.credential(alice.access_key_id)


def test_an_access_key_is_known_as_soon_as_it_is_made() -> None:
    stack = harness.stack()
    alice = stack.user("alice", harness.ALLOW_ALL)
    kept = stack.barrier.get(Credential, alice.access_key_id)
    assert kept is not None
    stack.barrier.commit(Commit(delete=(kept,)))
    stack.generation.announce()
    assert alice.call("ListKeys").code == "UnrecognizedClientException"
    stack.put(replace(kept, revision=0))
    assert alice.call("ListKeys").status == 200


def test_rights_are_gathered_again_where_what_they_rest_on_changed_meanwhile() -> None:
    """Several reads: no mixture of two states is kept or served. A deny that moved between policies always held."""
    stack = harness.stack()
    alice, iam = stack.user("alice", harness.ALLOW_ALL), stack.admin.client("iam")
    no = harness.ALLOW_ALL.replace("Allow", "Deny")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=harness.ALLOW_ALL)["Policy"]["Arn"]
    iam.attach_user_policy(UserName="alice", PolicyArn=arn)
    iam.put_user_policy(UserName="alice", PolicyName="no", PolicyDocument=no)
    view, linked, moved = stack.view, stack.barrier.linked, []

    def overtaken(of, link, **more):
        if not moved:  # the principal has been read, what is attached to it has not
            moved.append(link)
            iam.create_policy_version(PolicyArn=arn, PolicyDocument=no, SetAsDefault=True)
            iam.delete_user_policy(UserName="alice", PolicyName="no")
        return linked(of, link, **more)

    stack.generation.announce()
    view.forget()
    view.refresh()
    stack.barrier.linked = overtaken
    rights = view.rights(alice.principal.id)
    stack.barrier.linked = linked
    assert moved and sorted(one.name for one in rights.policies) == ["default", "p"]
    assert [one.text for one in rights.policies if one.name == "p"] == [no]


def test_rights_do_not_wait_for_changes_of_others() -> None:
    stack = harness.stack()
    alice, iam = stack.user("alice", harness.ALLOW_ALL), stack.admin.client("iam")
    linked, made = stack.barrier.linked, []

    def busy(of, link, **more):
        if link == alice.principal.id and len(made) < 100:
            made.append(link)
            iam.create_group(GroupName=f"g{len(made)}")
        return linked(of, link, **more)

    stack.view.forget()
    stack.view.refresh()
    stack.barrier.linked = busy
    assert stack.view.rights(alice.principal.id) is not None
    assert len(made) <= 2, "read once"
