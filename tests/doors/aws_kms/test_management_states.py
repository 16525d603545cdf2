"""Generated: every management operation in every key state. KMS Developer Guide, "Key states of AWS KMS keys", table.

[1] DisabledException: <key ARN> is disabled.          [3] KMSInvalidStateException: <key ARN> is pending deletion.
[4] KMSInvalidStateException: <key ARN> is not pending deletion.   [5] … <key ARN> is pending import.
A key that is destroyed is to AWS no key at all.
"""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.doors.aws_kms.managing import ROOT_MAY, ask, policy
from tests.harness import stack

from keystead.core.entities import Origin
from keystead.core.states import KeyState
from keystead.doors.aws_kms import aliases, deletion, grants, imports, keys, policies, rotation, tags

OK = None
DISABLED = ("DisabledException", "{} is disabled.")
PENDING = ("KMSInvalidStateException", "{} is pending deletion.")
NOT_PENDING = ("KMSInvalidStateException", "{} is not pending deletion.")
IMPORT = ("KMSInvalidStateException", "{} is pending import.")
INVALID = ("KMSInvalidStateException", "{} is not in a valid state.")
EXTERNAL = ("UnsupportedOperationException", "{} origin is EXTERNAL which is not valid for this operation.")
GONE = ("NotFoundException", "Key '{}' does not exist")
STATES = ("Enabled", "Disabled", "PendingDeletion", "PendingImport", "Destroyed")
LIKE = {**{state: n for n, state in enumerate(STATES)}, "PendingReplicaDeletion": STATES.index("PendingDeletion")}

GRANT = {"GranteePrincipal": "arn:aws:iam::111122223333:user/admin", "Operations": ["Encrypt"]}
WRAPPED = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
LENT = {"ImportToken": "eA==", "EncryptedKeyMaterial": "eA==", "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
ORIGIN = ("UnsupportedOperationException", "{} origin is AWS_KMS which is not valid for this operation.")
TICKET = ("InvalidImportTokenException", None)
TAG = [{"TagKey": "a", "TagValue": "b"}]
KEPT = (OK, OK, OK, OK, GONE)
UNLESS_DOOMED = (OK, OK, PENDING, OK, GONE)
IN_SERVICE = (OK, DISABLED, PENDING, EXTERNAL, GONE)
# fmt: off
TABLE = {  # the members of the request, and what comes of it in each of STATES
    "CancelKeyDeletion":    ({}, (NOT_PENDING, NOT_PENDING, OK, NOT_PENDING, GONE)),
    "CreateAlias":          ({"AliasName": "alias/new"}, UNLESS_DOOMED),
    "CreateGrant":          (GRANT, (OK, DISABLED, PENDING, IMPORT, GONE)),
    "DescribeKey":          ({}, KEPT),
    "DisableKey":           ({}, (OK, OK, PENDING, IMPORT, GONE)),
    "DisableKeyRotation":   ({}, IN_SERVICE),
    "EnableKey":            ({}, (OK, OK, PENDING, IMPORT, GONE)),
    "EnableKeyRotation":    ({}, IN_SERVICE),
    "GetKeyLastUsage":      ({}, KEPT),
    "GetKeyPolicy":         ({}, KEPT),
    "GetKeyRotationStatus": ({}, (OK, OK, OK, EXTERNAL, GONE)),
    "ListAliases":          ({}, KEPT),
    "ListGrants":           ({}, KEPT),
    "ListKeyPolicies":      ({}, KEPT),
    "ListKeyRotations":     ({}, (OK, OK, OK, OK, GONE)),
    "ListResourceTags":     ({}, KEPT),
    "PutKeyPolicy":         ({"Policy": policy(ROOT_MAY)}, KEPT),
    "RotateKeyOnDemand":    ({}, (OK, DISABLED, PENDING, IMPORT, GONE)),
    "ScheduleKeyDeletion":  ({}, UNLESS_DOOMED),
    "TagResource":          ({"Tags": TAG}, UNLESS_DOOMED),
    "UntagResource":        ({"TagKeys": ["a"]}, UNLESS_DOOMED),
    "UpdateKeyDescription": ({"Description": "d"}, UNLESS_DOOMED),
    "GetParametersForImport":    (WRAPPED, (ORIGIN, ORIGIN, ORIGIN, OK, GONE)),
    "ImportKeyMaterial":         (LENT, (ORIGIN, ORIGIN, ORIGIN, TICKET, GONE)),
    "DeleteImportedKeyMaterial": ({}, (ORIGIN, ORIGIN, ORIGIN, OK, GONE)),
    # of a grant and of an alias that the key has already
    "RetireGrant":          ({}, KEPT),
    "RevokeGrant":          ({}, KEPT),
    "DeleteAlias":          ({}, (OK, OK, OK, OK, OK)),
    "UpdateAlias":          ({}, UNLESS_DOOMED),
}
# fmt: on
WITHOUT_A_KEY = {"CreateKey", "ListKeys", "ListRetirableGrants", "GenerateRandom"}


def put_into(office, key, state: str) -> None:
    life = office.stored(key).lifecycle
    match state:
        case "Disabled":
            office.change(key, lifecycle=replace(life, state=KeyState.SUSPENDED))
        case "PendingDeletion":
            due = office.clock.now() + timedelta(days=7)
            office.change(key, lifecycle=replace(life, state=KeyState.SUSPENDED, destroy_at=due))
        case "PendingReplicaDeletion":
            office.change(key, lifecycle=replace(life, state=KeyState.SUSPENDED, destroy_in_days=7))
        case "PendingImport":
            waiting = replace(life, state=KeyState.PRE_ACTIVE)
            office.change(key, lifecycle=waiting, origin=Origin.EXTERNAL, n_versions=0, current=0)
        case "Destroyed":
            office.change(key, lifecycle=replace(life, state=KeyState.DESTROYED))


def members_of(office, key, operation: str, members: dict) -> dict:
    if operation in ("RetireGrant", "RevokeGrant"):
        return {"KeyId": key.id, "GrantId": office.grant_id}
    if operation == "DeleteAlias":
        return {"AliasName": "alias/old"}
    if operation == "UpdateAlias":
        return {"AliasName": "alias/old", "TargetKeyId": key.id}
    if operation == "CreateAlias":
        return {"TargetKeyId": key.id, **members}
    return {"KeyId": key.id, **members}


@pytest.mark.parametrize("state", LIKE)
@pytest.mark.parametrize("operation", TABLE)
def test_operation_in_state(operation, state) -> None:
    office = stack()
    key, (members, expected) = office.key(), TABLE[operation]
    ask(office.admin, "CreateAlias", AliasName="alias/old", TargetKeyId=key.id)
    office.grant_id = ask(office.admin, "CreateGrant", KeyId=key.id, **GRANT)["GrantId"]
    put_into(office, key, state)
    before = office.stored(key)
    reply = office.admin.call(operation, **members_of(office, key, operation, members))
    if expected[LIKE[state]] is OK:
        assert reply.status == 200, (reply.code, reply.message)
        return
    code, words = expected[LIKE[state]]
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
