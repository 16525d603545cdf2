"""Whatever is asked of IAM in whatever order: nothing is left dangling, every count is right, nobody holds what was."""

import random
import re
from collections import Counter
from urllib.parse import urlencode

import botocore.loaders
import pytest
from tests.doors.aws_kms.managing import EVERYTHING, NOTHING
from tests.doors.aws_kms.test_iam import FORM, TRUST
from tests.harness import TENANT, stack

from keystead.core.entities import Attachment, ManagedPolicy, Membership, Principal, PrincipalKind
from keystead.doors.aws_kms.iam import OPERATIONS
from keystead.service.rights import gather

MODEL = botocore.loaders.Loader().load_service_model("iam", "service-2")
SHAPES, ACTIONS = MODEL["shapes"], [op.name.partition(":")[2] for op in OPERATIONS]
SPARED = {"DeleteAccessKey", "UpdateAccessKey"}  # without a user's name they are about the administrator's own
NOT_OFFERED = {"Marker", "MaxSigninSessionDuration"}
TYPES = {"boolean": ("true", "false"), "integer": ("1", "100")}
STEPS = 1000


def value(rng: random.Random, member: str, shape: dict) -> str:
    ways = {
        "AssumeRolePolicyDocument": (TRUST,),
        "PolicyDocument": (EVERYTHING, NOTHING, TRUST),
        "PermissionsBoundary": arns(),
        "PolicyArn": arns(),
        "VersionId": tuple(f"v{n}" for n in range(1, 5)),
        "MaxSessionDuration": ("3600", "43200"),
        "RoleName": ("r", "s"),  # users and roles share their names
    }
    if member in ways:
        return rng.choice(ways[member])
    if "Path" in member:
        return rng.choice(("/", "/p/"))
    return rng.choice(shape.get("enum") or TYPES.get(shape["type"], "ab"))


def arns() -> tuple[str, ...]:
    return tuple(f"arn:aws:iam::{TENANT}:policy{path}{name}" for path in ("/", "/p/") for name in "ab")


def request(rng: random.Random, action: str) -> bytes:
    shape = SHAPES[MODEL["operations"][action]["input"]["shape"]]
    form = {"Action": action, "Version": "2010-05-08"}
    for member, of in shape["members"].items():
        required = member in shape.get("required", ())
        if member in NOT_OFFERED or (not required and rng.random() < 0.6):
            continue
        if SHAPES[of["shape"]]["type"] != "list":
            form[member] = value(rng, member, SHAPES[of["shape"]])
        elif member == "Tags":
            form |= {"Tags.member.1.Key": rng.choice("kK"), "Tags.member.1.Value": "v"}
        else:
            form[f"{member}.member.1"] = rng.choice("kK")
    return urlencode(form).encode()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_is_asked(seed) -> None:
    rng, office = random.Random(seed), stack(seed=seed)
    done = Counter()
    for _ in range(STEPS):
        action = rng.choice(ACTIONS)
        if action not in SPARED:
            reply = office.admin.send(FORM, request(rng, action), service="iam")
            code = re.search(rb"<Code>(\w+)<", reply.body)
            assert reply.status < 500, (action, reply.body)
            done[action] += code is None
    assert len(done - Counter()) > len(ACTIONS) * 3 // 4, "most of them have to come to something"
    whole(office)


def whole(office) -> None:
    everybody = {one.id: one for one in office.barrier.every(Principal)}
    policies = {one.id: one for one in office.barrier.every(ManagedPolicy)}
    ties = office.barrier.every(Attachment)
    for one in office.barrier.every(Membership):
        kinds = (everybody[one.group_id].principal_kind, everybody[one.user_id].principal_kind)
        assert kinds == (PrincipalKind.GROUP, PrincipalKind.USER)
    assert {tie.holder_id for tie in ties} <= everybody.keys() and {tie.policy_id for tie in ties} <= policies.keys()
    for id_, policy in policies.items():
        counted = Counter(tie.as_boundary for tie in ties if tie.policy_id == id_)
        assert (policy.n_attached, policy.n_bounded) == (counted[False], counted[True])
        assert policy.version(policy.default) and len(policy.versions) <= 5
    for id_, one in everybody.items():
        assert [tie.policy_id for tie in ties if tie.holder_id == id_ and tie.as_boundary] == [one.boundary] * bool(
            one.boundary
        )
        held, fresh = office.view.rights(id_), gather(office.barrier, id_)
        assert (held is None) is (fresh is None) is one.is_group
        if held is not None:
            assert (held.policies, held.boundary, held.tags) == (fresh.policies, fresh.boundary, fresh.tags)
