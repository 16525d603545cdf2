"""What the tests of multi-Region keys share: an account with three Regions, and what is asked in each of them."""

from __future__ import annotations

from tests.doors.aws_kms.managing import ask
from tests.harness import OTHER_REGION, REGION, TENANT, Stack, b64, stack

THIRD_REGION = "ap-southeast-2"
REGIONS = (REGION, OTHER_REGION, THIRD_REGION)


def three_regions() -> Stack:
    return stack(regions=REGIONS)


def arn(key_id, region=REGION, tenant=TENANT):
    return f"arn:aws:kms:{region}:{tenant}:key/{key_id}"


def entry(key_id, region):
    """As MultiRegionConfiguration has it."""
    return {"Arn": arn(key_id, region), "Region": region}


def primary(office, **members):
    """The id of a new primary key, in the first of REGIONS."""
    return ask(office.admin, "CreateKey", MultiRegion=True, **members)["KeyMetadata"]["KeyId"]


def replicated(office, key_id, region=OTHER_REGION, **members):
    return ask(office.admin, "ReplicateKey", KeyId=key_id, ReplicaRegion=region, **members)


def described(office, key_id, region=REGION):
    return ask(office.admin, "DescribeKey", KeyId=key_id, region=region)["KeyMetadata"]


def state(office, key_id, region=REGION):
    return described(office, key_id, region)["KeyState"]


def schedule(office, key_id, region=REGION, days=7):
    return ask(office.admin, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=days, region=region)


def update(office, key_id, to, region=REGION, by=None):
    return (by or office.admin).call("UpdatePrimaryRegion", KeyId=key_id, PrimaryRegion=to, region=region)


def rotations(office, key_id, region=REGION, **members):
    return ask(office.admin, "ListKeyRotations", KeyId=key_id, region=region, **members)["Rotations"]


def sealed(office, key_id, region=REGION, text=b"x"):
    return ask(office.admin, "Encrypt", KeyId=key_id, Plaintext=b64(text), region=region)["CiphertextBlob"]


def opens_everywhere(office, blob, regions=REGIONS, text=b"x"):
    for region in regions:
        assert ask(office.admin, "Decrypt", CiphertextBlob=blob, region=region)["Plaintext"] == b64(text), region


def overtaken(office, act):
    """The next commit is preceded by `act`, whole with a commit of its own."""
    commit = office.barrier.commit

    def late(change):
        office.barrier.commit = commit
        act()
        commit(change)

    office.barrier.commit = late


def only(**condition):
    """Of a statement: kms_KeySpec="…" means StringEquals kms:KeySpec."""
    return {"Condition": {"StringEquals": {name.replace("_", ":"): value for name, value in condition.items()}}}
