# ruff: noqa: E501 - a table
"""Two accounts at the AWS door, with the names of tests/policies.py, and a key that requests are made about."""

from __future__ import annotations

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct
from msgspec.structs import replace
from tests import policies
from tests.doors.aws_kms.managing import allow, made, policy
from tests.harness import OTHER_TENANT, TENANT, Person, Stack, b64, stack
from tests.policies import ALICE, APP, BOB, CONTEXT

from keystead.core import operations as ops
from keystead.core.actions import Action
from keystead.core.algorithms import Purpose
from keystead.core.entities import Grant, Key, Name, PolicyText, Principal, PrincipalKind
from keystead.core.policy import aws
from keystead.core.states import KeyState
from keystead.service.barrier import Commit

A, K = Action, PrincipalKind
AGREEING = (
    ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)
WHO = {
    "root": (TENANT, K.ROOT, "root"),
    "alice": (TENANT, K.USER, "alice"),
    "bob": (TENANT, K.USER, "bob"),
    "app": (TENANT, K.ROLE, "app"),
    "eve": (OTHER_TENANT, K.USER, "eve"),
    "far-root": (OTHER_TENANT, K.ROOT, "root"),
    "far-app": (OTHER_TENANT, K.ROLE, "app"),
}
ANYBODY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
)
GRANT_IDS = {"g1": "1" * 64, "g2": "2" * 64}


class Kind(Struct, frozen=True):
    """What a key must be for an operation."""

    spec: str = "SYMMETRIC_DEFAULT"
    purpose: Purpose | None = None
    origin: str = "AWS_KMS"


CIPHER = Kind()
CURVE, AGREEMENT = Kind("ECC_NIST_P256", Purpose.SIGNATURE), Kind("ECC_NIST_P256", Purpose.AGREEMENT)
MAC = Kind("HMAC_256")


DATA, DIGEST = b64(b"attack at dawn"), b64(bytes(32))
SIGNED = {"Message": DIGEST, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}
TAGGED = {"Message": DATA, "MacAlgorithm": "HMAC_SHA_256"}


class Wire(Struct, frozen=True):
    """How an action is asked for."""

    operation: str
    members: dict[str, Any] = {}
    kind: Kind | None = CIPHER  # None: there is no key
    names_key: str = "KeyId"
    before: tuple[str, str, dict[str, Any]] | None = None  # member, operation it comes of, its members
    code: str | None = None  # what it is answered where it is allowed


IN_CONTEXT = {"EncryptionContext": CONTEXT}
# fmt: off
WIRE = {
    A.ENCRYPT: Wire("Encrypt", {"Plaintext": DATA} | IN_CONTEXT),
    A.DECRYPT: Wire("Decrypt", IN_CONTEXT, before=("CiphertextBlob", "Encrypt", {"Plaintext": DATA} | IN_CONTEXT)),
    A.GENERATE_DATA_KEY: Wire("GenerateDataKey", {"KeySpec": "AES_256"} | IN_CONTEXT),
    A.GENERATE_DATA_KEY_BLIND: Wire("GenerateDataKeyWithoutPlaintext", {"KeySpec": "AES_256"} | IN_CONTEXT),
    A.GENERATE_DATA_KEY_PAIR: Wire("GenerateDataKeyPair", {"KeyPairSpec": "ECC_NIST_P256"} | IN_CONTEXT),
    A.SIGN: Wire("Sign", SIGNED, CURVE),
    A.VERIFY: Wire("Verify", SIGNED, CURVE, before=("Signature", "Sign", SIGNED)),
    A.READ_PUBLIC_KEY: Wire("GetPublicKey", kind=CURVE),
    A.GENERATE_MAC: Wire("GenerateMac", TAGGED, MAC),
    A.DERIVE_SHARED_SECRET: Wire("DeriveSharedSecret", {"KeyAgreementAlgorithm": "ECDH", "PublicKey": b64(AGREEING)}, AGREEMENT),
    A.DESCRIBE_KEY: Wire("DescribeKey"),
    A.UPDATE_KEY: Wire("UpdateKeyDescription", {"Description": "d"}),
    A.ENABLE_KEY: Wire("EnableKey"),
    A.DISABLE_KEY: Wire("DisableKey"),
    A.SCHEDULE_DESTRUCTION: Wire("ScheduleKeyDeletion", {"PendingWindowInDays": 7}),
    A.CANCEL_DESTRUCTION: Wire("CancelKeyDeletion"),
    A.READ_LAST_USE: Wire("GetKeyLastUsage"),
    A.READ_POLICY: Wire("GetKeyPolicy"),
    A.PUT_POLICY: Wire("PutKeyPolicy", {"Policy": aws.default_key_policy("111122223333"), "BypassPolicyLockoutSafetyCheck": True}),
    A.LIST_POLICIES: Wire("ListKeyPolicies"),
    A.CREATE_NAME: Wire("CreateAlias", {"AliasName": "alias/new"}, names_key="TargetKeyId"),
    A.DELETE_NAME: Wire("DeleteAlias", {"AliasName": "alias/billing"}, names_key=""),
    A.TAG_KEY: Wire("TagResource", {"Tags": [{"TagKey": "Cost", "TagValue": "low"}, {"TagKey": "Env", "TagValue": "test"}]}),
    A.UNTAG_KEY: Wire("UntagResource", {"TagKeys": ["Env"]}),
    A.LIST_TAGS: Wire("ListResourceTags"),
    A.ENABLE_ROTATION: Wire("EnableKeyRotation", {"RotationPeriodInDays": 90}),
    A.DISABLE_ROTATION: Wire("DisableKeyRotation"),
    A.READ_ROTATION: Wire("GetKeyRotationStatus"),
    A.ROTATE_KEY: Wire("RotateKeyOnDemand"),
    A.LIST_ROTATIONS: Wire("ListKeyRotations"),
    A.CREATE_GRANT: Wire("CreateGrant", {"GranteePrincipal": BOB, "RetiringPrincipal": APP, "Operations": ["Encrypt", "Decrypt"]}),
    A.LIST_GRANTS: Wire("ListGrants"),
    A.RETIRE_GRANT: Wire("RetireGrant", {"GrantId": GRANT_IDS["g1"]}),
    A.REVOKE_GRANT: Wire("RevokeGrant", {"GrantId": GRANT_IDS["g1"]}),
    A.CREATE_KEY: Wire("CreateKey", {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}, None),
    A.LIST_KEYS: Wire("ListKeys", kind=None),
    A.LIST_NAMES: Wire("ListAliases", kind=None),
    A.GENERATE_RANDOM: Wire("GenerateRandom", {"NumberOfBytes": 1}, None),
    A.LIST_RETIRABLE_GRANTS: Wire("ListRetirableGrants", {"RetiringPrincipal": ALICE}, None),
}
# fmt: on
class World:
    """Everybody of WHO, each with Team=blue; identity policies are put on them directly, the root's too."""

    def __init__(self) -> None:
        self.stack: Stack = stack()
        self.stack.keyring(OTHER_TENANT)
        self.ids = {TENANT: TENANT, OTHER_TENANT: OTHER_TENANT}
        self.principals: dict[str, Principal] = {}
        self.people: dict[str, Person] = {}
        for who, (tenant, kind, name) in WHO.items():
            self.principals[who] = self._principal(tenant, kind, name)
            self.ids[policies.PEOPLE[who].id] = self.principals[who].id

    def _principal(self, tenant: str, kind: PrincipalKind, name: str) -> Principal:
        at = ops.TenantRef(tenant)
        match kind:
            case K.ROOT:
                found = self.stack.by_system(ops.ListPrincipals(tenant=at)).items
                made = next(p for p in found if p.principal_kind is K.ROOT)
            case K.ROLE:
                made = self.stack.by_system(ops.CreatePrincipal(tenant=at, name=name, principal_kind=K.ROLE))
            case _:
                made = self.stack.by_system(ops.CreatePrincipal(tenant=at, name=name))
        return made

    def person(self, who: str, *identity: dict[str, Any]) -> Person:
        """Whoever that is, with an identity policy of these statements."""
        tenant, kind, name = WHO[who]
        if who not in self.people:
            is_role = kind is K.ROLE
            self.people[who] = self._session(who) if is_role else self._with_a_key(tenant, name, self.principals[who])
        kept = self.stack.barrier.get(Principal, self.principals[who].id)
        text = PolicyText("p", "aws", policies.document(*identity)) if identity else None
        self.stack.put(replace(kept, policies=(text,) if text else (), tags={"Team": "blue"}))
        return self.people[who]

    def _with_a_key(self, tenant: str, name: str, principal: Principal) -> Person:
        key = self.stack.by_system(ops.CreateAccessKey(tenant=ops.TenantRef(tenant), name=name))
        return Person(self.stack, principal, key.credential.id, key.secret.reveal(), None)

    def _session(self, who: str) -> Person:
        tenant, _, name = WHO[who]
        arn = f"arn:aws:iam::{tenant}:role/{name}"
        lender = self.stack.user("lender", policy(allow("iam:*", "sts:*")), tenant=tenant)
        lender.client("iam").update_assume_role_policy(RoleName=name, PolicyDocument=ANYBODY)
        made = lender.client("sts").assume_role(RoleArn=arn, RoleSessionName="s1")["Credentials"]
        secret = made["SecretAccessKey"].encode()
        return Person(self.stack, self.principals[who], made["AccessKeyId"], secret, made["SessionToken"])

    # --- the key

    def key(self, kind: Kind) -> Key:
        """A key as in tests/policies.py: alias/billing, tagged Env=prod, rotated every 180 days if it can be."""
        if kind.origin == "AWS_KMS":
            key = self.stack.key(kind.spec, kind.purpose)
        else:
            key = self.stack.barrier.get(Key, made(self.stack.admin, KeySpec=kind.spec, Origin=kind.origin))
        self.stack.name(key, "alias/billing")
        self.stack.change(key, tags={"Env": "prod"})
        return key

    def members(self, wire: Wire, key: Key) -> dict[str, Any]:
        """Of a request for this key, told by its ARN; what it rests on is made by the administrator."""
        named = {wire.names_key: self.stack.arn(key)} if wire.kind is not None and wire.names_key else {}
        if wire.before is None:
            return named | wire.members
        member, operation, others = wire.before
        made = self.stack.admin.call(operation, KeyId=key.id, **others).json[member]
        return named | wire.members | {member: made}

    def forget_alias(self) -> None:
        """So that another key can have it."""
        names = tuple(self.stack.barrier.every(Name, limit=10))
        keys = tuple(self.stack.barrier.get(Key, name.key_id) for name in names)
        self.stack.barrier.commit(Commit(delete=names, put=keys))
        self.stack.generation.announce()

    def put_policy(self, key: Key, text: str) -> None:
        at = ops.KeyRef(f"aws:{key.tenant}:us-east-1", id=key.id)
        put = ops.PutPolicy(key=at, policy=PolicyText("default", "aws", text), bypass_lockout_check=True)
        self.stack.by_system(put)

    def put_grants(self, key: Key, grants: list[Grant]) -> None:
        for one in grants:
            self.stack.put(
                replace(
                    one,
                    id=GRANT_IDS[one.id],
                    key_id=key.id,
                    keyring=key.keyring,
                    grantee_id=self.ids[one.grantee_id],
                    retiree_id=self.ids[one.retiree_id] if one.retiree_id else None,
                ),
                self.stack.stored(key),
            )

    def appoint_deletion(self, key: Key) -> None:
        life = self.stack.stored(key).lifecycle
        self.stack.change(
            key, lifecycle=replace(life, state=KeyState.SUSPENDED, destroy_at=self.stack.clock.now().replace(year=2027))
        )


def of_this_key(text: str, key: Key) -> str:
    """A document of tests/policies.py's key, for another key."""
    sample = policies.KEY_ID
    for written, meant in (
        (sample, key.id),
        (sample.replace("abcd", "ABCD"), key.id.upper()),
        (sample[:-1], key.id[:-1]),
        ("key/1234*", f"key/{key.id[:4]}*"),
    ):
        text = text.replace(written, meant)
    return text
