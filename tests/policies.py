"""Two accounts, their people and a key: what a policy decision is asked about in tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from keystead.core import operations as o
from keystead.core.actions import Action
from keystead.core.algorithms import KEY_SPECS, MessageForm, Purpose, Word
from keystead.core.caller import Caller
from keystead.core.entities import (
    Grant,
    Key,
    KeyPolicy,
    Keyring,
    Name,
    Origin,
    PolicyText,
    Principal,
    PrincipalKind,
    Rotation,
)
from keystead.core.errors import Denied
from keystead.core.grant_token import grant_token
from keystead.core.policy import aws
from keystead.core.policy.arn import arn_of
from keystead.core.policy.grants import token_digest
from keystead.core.rights import Rights
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState, Lifecycle
from keystead.core.wrapping import WRAPPINGS
from keystead.service.authorize import Authorizer
from keystead.service.held import HeldKey, HeldKeyring

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HERE, ABROAD = "111122223333", "444455556666"
AT, AT_ABROAD = f"aws:{HERE}:us-east-1", f"aws:{ABROAD}:us-east-1"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = f"arn:aws:kms:us-east-1:{HERE}:key/{KEY_ID}"
K = PrincipalKind


def _person(id_: str, tenant: str, kind: PrincipalKind, name: str) -> Principal:
    return Principal(
        id=id_, tenant=tenant, principal_kind=kind, name=name, name_digest=id_, created_at=NOW, tags={"Team": "blue"}
    )


PEOPLE = {
    "root": _person("p-root", HERE, K.ROOT, "root"),
    "alice": _person("p-alice", HERE, K.USER, "alice"),
    "bob": _person("p-bob", HERE, K.USER, "bob"),
    "app": _person("p-app", HERE, K.ROLE, "app"),
    "eve": _person("p-eve", ABROAD, K.USER, "eve"),
    "far-root": _person("p-far-root", ABROAD, K.ROOT, "root"),
    "far-app": _person("p-far-app", ABROAD, K.ROLE, "app"),
    "logs": _person("p-logs", HERE, K.SERVICE, "logs.amazonaws.com"),
    "system": _person("p-system", "", K.SYSTEM, "scheduler"),
}
ROOT, FAR_ROOT = f"arn:aws:iam::{HERE}:root", f"arn:aws:iam::{ABROAD}:root"
ALICE, BOB, APP, EVE = (arn_of(PEOPLE[name]) for name in ("alice", "bob", "app", "eve"))
IDS = {arn_of(p): p.id for p in PEOPLE.values()} | {ROOT: HERE, FAR_ROOT: ABROAD, HERE: HERE, ABROAD: ABROAD}

Statement = dict[str, Any]


def statement(effect: str, principal: Any, action: Any, resource: Any, condition: Any, **more: Any) -> Statement:
    made = {"Effect": effect, "Principal": principal, "Action": action, "Resource": resource, "Condition": condition}
    made |= more
    return {name: value for name, value in made.items() if value is not None}


def allow(to: Any = None, action: Any = "kms:*", *, resource: Any = "*", when: Any = None, **more: Any) -> Statement:
    return statement("Allow", {"AWS": to} if to is not None else None, action, resource, when, **more)


def deny(to: Any = None, action: Any = "kms:*", *, resource: Any = "*", when: Any = None, **more: Any) -> Statement:
    return statement("Deny", {"AWS": to} if to is not None else None, action, resource, when, **more)


def document(*statements: Statement, version: str | None = "2012-10-17") -> str:
    frame = {} if version is None else {"Version": version}
    return json.dumps(frame | {"Statement": list(statements)})


def key_policy(text: str) -> KeyPolicy:
    ids = {name.text: IDS[name.text] for name in aws.principals_of(text) if name.text in IDS}
    return KeyPolicy(id=KEY_ID, dialect="aws", text=text, principals=ids)


def key(**changes: Any) -> Key:
    made = Key(
        id=KEY_ID,
        tenant=HERE,
        keyring="ring",
        spec_name="AES_256",
        purpose=Purpose.CIPHER,
        origin=Origin.GENERATED,
        lifecycle=Lifecycle(state=KeyState.ACTIVE, since=NOW),
        created_at=NOW,
        created_by="p-root",
        tags={"Env": "prod"},
        rotation=Rotation(period_days=180, next_at=NOW),
    )
    return replace(made, **changes)


TOKEN = grant_token((AT, KEY_ID, "g1"), bytes(32))
RING = HeldKeyring(Keyring(id="ring", tenant=HERE, name="ring", created_at=NOW), (AT,), None)
NAMES = (
    Name(
        id="n1",
        keyring="ring",
        key_id=KEY_ID,
        namespace=AT,
        name="alias/billing",
        created_at=NOW,
        updated_at=NOW,
    ),
)


def held(
    *statements: Statement, text: str | None = None, grants: tuple[Grant, ...] = (), kept: Key | None = None
) -> HeldKey:
    """A key under a policy of these statements; with none, the default policy."""
    body = text or (document(*statements) if statements else aws.default_key_policy(HERE))
    return HeldKey(kept or key(), RING, key_policy(body), grants, NAMES, None)


def grant(to: str, *actions: Action, **changes: Any) -> Grant:
    made = Grant(
        id="g1",
        key_id=KEY_ID,
        keyring="ring",
        grantee=arn_of(PEOPLE[to]) if to in PEOPLE else to,
        grantee_id=IDS[arn_of(PEOPLE[to])] if to in PEOPLE else to,
        actions=tuple(a.value for a in actions),
        issued_by=HERE,
        created_at=NOW,
        token_digests=(token_digest(TOKEN),),
    )
    return replace(made, **changes)


def caller(who: str, *identity: Statement, **changes: Any) -> Caller:
    principal = PEOPLE[who]
    if identity:
        principal = replace(principal, policies=(PolicyText(name="p", dialect="aws", text=document(*identity)),))
    made = Caller(
        principal=principal,
        rights=Rights.alone(principal),
        credential_id="AKIAEXAMPLE",
        namespace=f"aws:{principal.tenant}:us-east-1",
        door="aws_kms",
        wire_operation="TrentService.Any",
        request_id="r",
        source="203.0.113.7",
        now=NOW,
        secure=True,
    )
    return replace(made, **changes)


def now_as(asker: Caller, principal: Principal) -> Caller:
    """The same caller, being `principal`, who has nothing but its own policies."""
    return replace(asker, principal=principal, rights=Rights.alone(principal))


def limited(
    asker: Caller, *, boundary: list[Statement] | None = None, session: list[Statement] | None = None
) -> Caller:
    """The same caller, with a permissions boundary, and in a session with policies of its own."""

    def text(statements: list[Statement]) -> PolicyText:
        return PolicyText(name="limit", dialect="aws", text=document(*statements))

    limits = {
        "boundary": None if boundary is None else text(boundary),
        "session": None if session is None else (text(session),),
    }
    return replace(asker, rights=replace(asker.rights, **{name: one for name, one in limits.items() if one}))


REF = o.KeyRef(AT, id=KEY_ID)
ALIAS = o.KeyRef(AT, name="alias/billing")
CONTEXT = {"app": "billing", "Tier": "gold"}
POLICY = PolicyText(name="default", dialect="aws", text=aws.default_key_policy(HERE))
_P = Sensitive(b"plaintext")
RING_REF = o.KeyringRef(AT)
OPERATIONS: dict[Action, o.Operation[Any]] = {
    op.action: op
    for op in (
        o.Encrypt(key=REF, plaintext=_P, aad=CONTEXT),
        o.Decrypt(key=REF, ciphertext=b"c", aad=CONTEXT),
        o.GenerateDataKey(key=REF, n_bytes=32, aad=CONTEXT),
        o.GenerateDataKeyBlind(key=REF, n_bytes=32, aad=CONTEXT),
        o.GenerateDataKeyPair(key=REF, pair_spec=Word("aws", "RSA_2048"), aad=CONTEXT),
        o.GenerateDataKeyPairBlind(key=REF, pair_spec=Word("aws", "RSA_2048"), aad=CONTEXT),
        o.Sign(key=REF, message=b"m", form=MessageForm.DIGEST, algorithm=Word("aws", "ECDSA_SHA_256")),
        o.Verify(key=REF, message=b"m", signature=b"s", algorithm=Word("aws", "ECDSA_SHA_256")),
        o.ReadPublicKey(key=REF),
        o.ReplicateKey(key=REF, namespace=f"aws:{HERE}:eu-west-2"),
        o.ChangePrimary(key=REF, namespace=f"aws:{HERE}:eu-west-2"),
        o.GenerateMac(key=REF, message=b"m", algorithm=Word("aws", "HMAC_SHA_256")),
        o.VerifyMac(key=REF, message=b"m", tag=b"t", algorithm=Word("aws", "HMAC_SHA_256")),
        o.DeriveSharedSecret(key=REF, peer_public_key=b"k", algorithm=Word("aws", "ECDH")),
        o.Encapsulate(key=REF, algorithm=Word("aws", "ML_KEM_768")),
        o.Decapsulate(key=REF, ciphertext=b"c", algorithm=Word("aws", "ML_KEM_768")),
        o.DescribeKey(key=REF),
        o.UpdateKey(key=REF, description="d"),
        o.EnableKey(key=REF),
        o.DisableKey(key=REF),
        o.ScheduleDestruction(key=REF, after_days=7),
        o.CancelDestruction(key=REF),
        o.DestroyKey(key=REF),
        o.PutOffDestruction(key=REF, until=datetime(2026, 12, 1, tzinfo=UTC)),
        o.ReadLastUse(key=REF),
        o.ReadPolicy(key=REF),
        o.PutPolicy(key=REF, policy=POLICY),
        o.ListPolicies(key=REF),
        o.CreateName(key=REF, name="alias/new"),
        o.DeleteName(name=ALIAS),
        o.TagKey(key=REF, tags={"Cost": "low", "Env": "test"}),
        o.UntagKey(key=REF, names=("Env",)),
        o.ListTags(key=REF, limit=1),
        o.EnableRotation(key=REF, period_days=90),
        o.DisableRotation(key=REF),
        o.ReadRotation(key=REF),
        o.RotateKey(key=REF),
        o.ListRotations(key=REF, limit=1),
        o.PrepareImport(key=REF, wrapping=WRAPPINGS["RSA_OAEP_SHA256"], wrapping_spec=KEY_SPECS["RSA_4096"]),
        o.ImportMaterial(key=REF, ticket=b"t", wrapped=b"w", expires_at=datetime(2026, 12, 1, tzinfo=UTC)),
        o.DeleteMaterial(key=REF),
        o.CreateGrant(key=REF, grantee=BOB, retiree=APP, actions=(Action.ENCRYPT, Action.DECRYPT)),
        o.ListGrants(key=REF, limit=1),
        o.RetireGrant(key=REF, grant_id="g1"),
        o.RevokeGrant(key=REF, grant_id="g1"),
        o.CreateKey(keyring=RING_REF, spec=KEY_SPECS["RSA_2048"], purpose=Purpose.SIGNATURE, tags={"Cost": "low"}),
        o.ListKeys(keyring=RING_REF, limit=1),
        o.ListNames(keyring=RING_REF, limit=1),
        o.GenerateRandom(keyring=RING_REF, n_bytes=1),
        o.ListRetirableGrants(tenant=o.TenantRef(HERE), retiree=ALICE, namespace=AT, limit=1),
        o.WhoAmI(tenant=o.TenantRef(HERE)),
        o.CreatePrincipal(tenant=o.TenantRef(HERE), name="new"),
        o.ListPrincipals(tenant=o.TenantRef(HERE)),
        o.CreateKeyring(tenant=HERE, name="ring"),
        o.ReadStatus(),
    )
}
KEYLESS = {a for a, op in OPERATIONS.items() if not isinstance(op.demands()[0].target, o.KeyRef)}

DENIED_KEY = "with an explicit deny in a resource-based policy"
DENIED_ID = "with an explicit deny in an identity-based policy"
DENIED_BOUNDARY = "with an explicit deny in a permissions boundary"
DENIED_SESSION = "with an explicit deny in a session policy"
NO_BOUNDARY = "because no permissions boundary allows"
NO_SESSION = "because no session policy allows"
NO_KEY = "because no resource-based policy allows"
NO_ID = "because no identity-based policy allows"
NOBODY = "because no policy can allow"
LIMITS = (DENIED_BOUNDARY, DENIED_SESSION, NO_BOUNDARY, NO_SESSION)
ENDS = (DENIED_KEY, DENIED_ID, NO_KEY, NO_ID, NOBODY, *LIMITS)
ELSEWHERE = "because the resource does not exist in this Region"  # what other tenants are told for the first or third


def decide(asker: Caller, target: HeldKey | None, op: o.Operation[Any], *, demand: int = 0) -> str:
    """The rule that allowed, or the end of AWS's sentence; asked twice, for what is kept must not change it."""
    authorizer = Authorizer()
    answers = []
    for _ in range(2):
        try:
            answers.append(authorizer.require(asker, op.demands()[demand], target, op))
        except Denied as denied:
            words = str(denied).replace(ELSEWHERE, NO_KEY)
            answers.append(next((end for end in ENDS if f" {end}" in words), words))
    assert answers[0] == answers[1]
    return answers[0]


def decide_on(action: Action, asker: Caller, target: HeldKey) -> str:
    return decide(asker, None if action in KEYLESS else target, OPERATIONS[action])
