"""Generated: every management operation in every key state; the table is in keystates.py."""

import pytest
from tests.doors.aws_kms.keystates import GRANT, OK, STATES, TABLE, WITHOUT_A_KEY, members_of, put_into
from tests.doors.aws_kms.managing import ask
from tests.harness import stack

from keystead.doors.aws_kms import aliases, deletion, grants, imports, keys, policies, rotation, tags


@pytest.mark.parametrize("state", range(len(STATES)), ids=STATES)
@pytest.mark.parametrize("operation", TABLE)
def test_operation_in_state(operation, state) -> None:
    office = stack()
    key, (members, expected) = office.key(), TABLE[operation]
    ask(office.admin, "CreateAlias", AliasName="alias/old", TargetKeyId=key.id)
    office.grant_id = ask(office.admin, "CreateGrant", KeyId=key.id, **GRANT)["GrantId"]
    put_into(office, key, STATES[state])
    before = office.stored(key)
    reply = office.admin.call(operation, **members_of(office, key, operation, members))
    if expected[state] is OK:
        assert reply.status == 200, (reply.code, reply.message)
        return
    code, words = expected[state]
    assert reply.code == code
    assert reply.message == (words.format(office.arn(key)) if words else reply.message)
    assert office.stored(key) == before
    assert office.record().outcome.startswith("refused: ")


def test_the_table_is_of_every_operation_of_management() -> None:
    managed = {
        operation.name.removeprefix("TrentService.")
        for topic in (aliases, deletion, grants, imports, keys, policies, rotation, tags)
        for operation in topic.OPERATIONS
    }
    assert set(TABLE) == managed - WITHOUT_A_KEY
