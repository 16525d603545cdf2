"""Generated: every operation, in every key state, with every key spec and usage, answers what AWS documents.

The answers are computed from tables: KMS Developer Guide, "Key states of AWS KMS keys" (of management operations:
test_management_states.py), "Key spec reference" (usages and algorithms), "Grant operations"; KMS API Reference,
each operation's "InvalidKeyUsageException", "UnsupportedOperationException", and CreateKey.

Order of checks, as recorded from AWS: the key's usage and algorithm, then its state, then cryptography; for rotation
and GetPublicKey the state comes before the kind.
"""

from __future__ import annotations

import itertools
from typing import Any

import botocore.loaders
import pytest
from msgspec.structs import replace
from tests.doors.aws_kms.asking import AGREEING
from tests.doors.aws_kms.managing import ask, made
from tests.doors.aws_kms.test_management_states import (
    DISABLED,
    GONE,
    GRANT,
    IMPORT,
    PENDING,
    STATES,
    TABLE,
    WITHOUT_A_KEY,
    put_into,
)
from tests.harness import Stack, b64, stack

from keystead.core.entities import Key
from keystead.doors.aws_kms import DOOR
from keystead.doors.aws_kms.errors import PREFIX

_SERVICE = botocore.loaders.Loader().load_service_model("kms", "service-2")
MODEL, MODEL_OPERATIONS = _SERVICE["shapes"], set(_SERVICE["operations"])
DATA, DIGEST = b64(b"attack at dawn"), b64(bytes(32))
ED, SIGN, MACS = "ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "GENERATE_VERIFY_MAC"
CIPHER, AGREE, KEM = "ENCRYPT_DECRYPT", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"
RSA = ("RSA_2048", "RSA_3072", "RSA_4096")
CURVES = {"ECC_NIST_P256": 256, "ECC_NIST_P384": 384, "ECC_NIST_P521": 512}
ML_DSA, ML_KEM = ("ML_DSA_44", "ML_DSA_65", "ML_DSA_87"), ("ML_KEM_512", "ML_KEM_768", "ML_KEM_1024")
HMAC = ("HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512")
NOT_MADE = {"SM2", "ML_KEM_512"}  # SPEC.md: the words are known, and the keys are not made here

# KMS API Reference, CreateKey, KeyUsage
USAGES: dict[str, tuple[str, ...]] = {
    "SYMMETRIC_DEFAULT": (CIPHER,),
    **dict.fromkeys(RSA, (CIPHER, SIGN)),
    **dict.fromkeys(CURVES, (SIGN, AGREE)),
    "ECC_SECG_P256K1": (SIGN,),
    ED: (SIGN,),
    **dict.fromkeys(HMAC, (MACS,)),
    "SM2": (CIPHER, SIGN, AGREE),
    **dict.fromkeys(ML_DSA, (SIGN,)),
    **dict.fromkeys(ML_KEM, (KEM,)),
}
# Developer Guide, "Key spec reference": the algorithms of each spec, for each usage
_RSA_SIGNS = tuple(f"RSASSA_{way}_SHA_{bits}" for way in ("PSS", "PKCS1_V1_5") for bits in (256, 384, 512))
ALGORITHMS: dict[tuple[str, str], tuple[str, ...]] = {
    ("SYMMETRIC_DEFAULT", CIPHER): ("SYMMETRIC_DEFAULT",),
    **dict.fromkeys([(spec, CIPHER) for spec in RSA], ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")),
    **dict.fromkeys([(spec, SIGN) for spec in RSA], _RSA_SIGNS),
    **{(curve, SIGN): (f"ECDSA_SHA_{bits}",) for curve, bits in CURVES.items()},
    **dict.fromkeys([(curve, AGREE) for curve in CURVES], ("ECDH",)),
    ("ECC_SECG_P256K1", SIGN): ("ECDSA_SHA_256",),
    (ED, SIGN): ("ED25519_SHA_512", "ED25519_PH_SHA_512"),
    **{(spec, MACS): (spec.replace("HMAC_", "HMAC_SHA_"),) for spec in HMAC},
    **dict.fromkeys([(spec, SIGN) for spec in ML_DSA], ("ML_DSA_SHAKE_256",)),
    **dict.fromkeys([(spec, KEM) for spec in ML_KEM], ("ML_KEM",)),
}
KINDS = [(spec, usage) for spec, usages in USAGES.items() if spec not in NOT_MADE for usage in usages]

# operation -> what the key must be: its usage, and whether it must be a symmetric encryption key
USES: dict[str, tuple[str, bool]] = {
    "Encrypt": (CIPHER, False),
    "Decrypt": (CIPHER, False),
    "ReEncrypt": (CIPHER, False),
    "GenerateDataKey": (CIPHER, True),
    "GenerateDataKeyWithoutPlaintext": (CIPHER, True),
    "GenerateDataKeyPair": (CIPHER, True),
    "GenerateDataKeyPairWithoutPlaintext": (CIPHER, True),
    "Sign": (SIGN, False),
    "Verify": (SIGN, False),
    "GenerateMac": (MACS, False),
    "VerifyMac": (MACS, False),
    "DeriveSharedSecret": (AGREE, False),
    "Encapsulate": (KEM, False),
    "Decapsulate": (KEM, False),
}
OF_OTHER_KEYS = {name for name in MODEL_OPERATIONS if name.endswith(("KeyStore", "KeyStores"))}
OF_OTHER_KEYS |= {"ReplicateKey", "UpdatePrimaryRegion"}  # neither is about a key of one Region
OF_ANY_KEY = (*USES, "GetPublicKey", *TABLE)
SYMMETRIC = {"SYMMETRIC_DEFAULT", *HMAC}
ROTATES = ("EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand", "ListKeyRotations")

USAGE, WRONG = ("InvalidKeyUsageException", None), ("UnsupportedOperationException", None)
IN_USE = dict(zip(STATES, (None, DISABLED, PENDING, IMPORT, GONE), strict=True))
Answer = tuple[str, str | None] | None


def answer(operation: str, state: str, spec: str, usage: str) -> Answer:
    """What AWS documents: (code, words if they are fixed), None where it is done."""
    if operation in USES:
        wanted, symmetric = USES[operation]
        fits = usage == wanted and (not symmetric or spec == "SYMMETRIC_DEFAULT")
        return IN_USE[state] if fits or state == "Destroyed" else USAGE
    if operation == "GetPublicKey":
        return IN_USE[state] or (WRONG if spec in SYMMETRIC else None)
    by_state: Answer = TABLE[operation][1][STATES.index(state)]
    if operation in ROTATES and by_state is None and spec != "SYMMETRIC_DEFAULT":
        return WRONG  # recorded: of a disabled RSA key that it is disabled is told first
    return by_state


# the members of a request; OWN: the first algorithm of the key, or any of its kind where the usage is another one
ANY = {CIPHER: "SYMMETRIC_DEFAULT", SIGN: "ECDSA_SHA_256", MACS: "HMAC_SHA_256", AGREE: "ECDH", KEM: "ML_KEM"}
OWN = "{own}"
MEMBERS: dict[str, dict[str, Any]] = {
    "Encrypt": {"Plaintext": DATA, "EncryptionAlgorithm": OWN},
    "Decrypt": {"CiphertextBlob": DATA, "EncryptionAlgorithm": OWN},
    "ReEncrypt": {"CiphertextBlob": DATA, "SourceEncryptionAlgorithm": OWN, "DestinationEncryptionAlgorithm": OWN},
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "GenerateDataKeyWithoutPlaintext": {"NumberOfBytes": 64},
    "GenerateDataKeyPair": {"KeyPairSpec": "ECC_NIST_P256"},
    "GenerateDataKeyPairWithoutPlaintext": {"KeyPairSpec": "ECC_NIST_EDWARDS25519"},
    "Sign": {"Message": DATA, "SigningAlgorithm": OWN},
    "Verify": {"Message": DATA, "Signature": DATA, "SigningAlgorithm": OWN},
    "GenerateMac": {"Message": DATA, "MacAlgorithm": OWN},
    "VerifyMac": {"Message": DATA, "Mac": DATA, "MacAlgorithm": OWN},
    "DeriveSharedSecret": {"KeyAgreementAlgorithm": OWN, "PublicKey": b64(AGREEING)},
    "Encapsulate": {"EncapsulationAlgorithm": OWN},
    "Decapsulate": {"EncapsulationAlgorithm": OWN, "SharedSecretCiphertextBlob": DATA},
    "GetPublicKey": {},
    **{operation: row[0] for operation, row in TABLE.items()},
    "CreateGrant": {**GRANT, "Operations": ["DescribeKey"]},
}


def members(operation: str, spec: str, usage: str) -> dict[str, Any]:
    wanted = USES.get(operation, ("", False))[0]
    own = ALGORITHMS[spec, usage][0] if wanted == usage else ANY.get(wanted)
    asked = {name: own if value == OWN else value for name, value in MEMBERS[operation].items()}
    if (
        operation == "GetParametersForImport" and spec not in SYMMETRIC
    ):  # "Supported for wrapping RSA and ECC key material"
        asked["WrappingAlgorithm"] = "RSA_AES_KEY_WRAP_SHA_256"
    return asked


BEFORE = {  # what must have been made with the key: member, operation, member of its answer
    "Decrypt": ("CiphertextBlob", "Encrypt", "CiphertextBlob"),
    "ReEncrypt": ("CiphertextBlob", "Encrypt", "CiphertextBlob"),
    "Verify": ("Signature", "Sign", "Signature"),
    "VerifyMac": ("Mac", "GenerateMac", "Mac"),
    "Decapsulate": ("SharedSecretCiphertextBlob", "Encapsulate", "SharedSecretCiphertextBlob"),
}


NAMED = {  # what names the key, or its alias
    "ReEncrypt": ("SourceKeyId", "DestinationKeyId"),
    "CreateAlias": ("AliasName", "TargetKeyId"),
    "UpdateAlias": ("AliasName", "TargetKeyId"),
    "DeleteAlias": ("AliasName",),
}


class Bench:
    """A key of each kind; RSA keys, which take long, are made once and put back into their state."""

    def __init__(self) -> None:
        self.stack: Stack = stack()
        self.numbers = itertools.count()
        self.kept: dict[tuple[str, str], Key] = {}
        self.peers: dict[str, str] = {}

    def key(self, spec: str, usage: str) -> Key:
        if spec not in RSA:
            return self.made(spec, usage)
        if (spec, usage) not in self.kept:
            self.kept[spec, usage] = self.made(spec, usage)
        key = self.kept[spec, usage]
        self.stack.put(replace(key, revision=self.stack.stored(key).revision))
        return key

    def made(self, spec: str, usage: str) -> Key:
        key = self.stack.barrier.get(Key, made(self.stack.admin, KeySpec=spec, KeyUsage=usage))
        assert key is not None
        return key

    def request(self, operation: str, key: Key, spec: str, usage: str) -> dict[str, Any]:
        """Members for this key, while it is in service."""
        asked, alias = members(operation, spec, usage), f"alias/{next(self.numbers)}"
        if operation in BEFORE and USES[operation][0] == usage:
            member, other, theirs = BEFORE[operation]
            asked[member] = ask(self.stack.admin, other, KeyId=key.id, **members(other, spec, usage))[theirs]
        if operation == "DeriveSharedSecret" and usage == AGREE:
            asked["PublicKey"] = self.peer(spec)
        if operation in ("DeleteAlias", "UpdateAlias"):
            ask(self.stack.admin, "CreateAlias", AliasName=alias, TargetKeyId=key.id)
        if operation in ("RetireGrant", "RevokeGrant"):
            granted = ask(self.stack.admin, "CreateGrant", KeyId=key.id, **members("CreateGrant", spec, usage))
            asked["GrantId"] = granted["GrantId"]
        named = {name: alias if name == "AliasName" else key.id for name in NAMED.get(operation, ("KeyId",))}
        return {**asked, **named}

    def peer(self, spec: str) -> str:
        """The public key of another key of that curve."""
        if spec not in self.peers:
            self.peers[spec] = ask(self.stack.admin, "GetPublicKey", KeyId=self.made(spec, AGREE).id)["PublicKey"]
        return self.peers[spec]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def test_the_tables_are_of_every_spec_usage_state_and_operation() -> None:
    assert set(USAGES) == set(MODEL["KeySpec"]["enum"])
    assert {usage for usages in USAGES.values() for usage in usages} == set(MODEL["KeyUsageType"]["enum"])
    assert set(STATES) - {"Destroyed"} <= set(MODEL["KeyState"]["enum"])
    offered = {op.name.removeprefix(PREFIX) for op in DOOR.operations if op.name.startswith(PREFIX)}
    assert set(OF_ANY_KEY) | WITHOUT_A_KEY | OF_OTHER_KEYS >= offered >= set(OF_ANY_KEY)
    assert len(OF_ANY_KEY) * len(STATES) * len(KINDS) > 4000


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("operation", OF_ANY_KEY)
def test_operation_in_state_with_every_kind_of_key(bench, operation, state) -> None:
    wrong = {}
    for spec, usage in KINDS:
        if state == "PendingImport" and spec in ML_KEM:
            continue  # none are made for import: below
        key = bench.key(spec, usage)
        request = bench.request(operation, key, spec, usage)
        put_into(bench.stack, key, state)
        reply = bench.stack.admin.call(operation, **request)
        code, words = answer(operation, state, spec, usage) or (None, None)
        arn = bench.stack.arn(key)
        if reply.code != code or (words is not None and reply.message != words.format(arn)):
            wrong[spec, usage] = (reply.code, reply.message, "wanted", code, words)
    assert wrong == {}


@pytest.mark.parametrize("spec", ML_KEM)
def test_no_key_of_these_specs_waits_for_material(bench, spec) -> None:
    """SPEC.md, "What it leaves out"."""
    reply = bench.stack.admin.call("CreateKey", KeySpec=spec, KeyUsage=KEM, Origin="EXTERNAL")
    assert reply.code == "UnsupportedOperationException"


# --- which usages a spec has, which algorithms, and which operations a grant for it may have


@pytest.mark.parametrize("spec", USAGES)
def test_usages_of_a_spec(bench, spec) -> None:
    """CreateKey: "For … KMS keys, specify …"; a usage must be said, but for symmetric encryption keys."""
    for usage in MODEL["KeyUsageType"]["enum"]:
        if spec in RSA and usage in USAGES[spec]:
            continue  # they are made above
        reply = bench.stack.admin.call("CreateKey", KeySpec=spec, KeyUsage=usage)
        if usage not in USAGES[spec]:
            words = f"KeyUsage {usage} is not compatible with KeySpec {spec}"
            assert (reply.code, reply.message) == ("ValidationException", words)
        elif spec in NOT_MADE:
            assert reply.code == "UnsupportedOperationException"
        else:
            assert reply.json["KeyMetadata"]["KeyUsage"] == usage
    reply = bench.stack.admin.call("CreateKey", KeySpec=spec)
    assert reply.code == (None if spec == "SYMMETRIC_DEFAULT" else "ValidationException")


ASKED_WITH = {
    SIGN: ("Sign", "SigningAlgorithm", "SigningAlgorithmSpec"),
    CIPHER: ("Encrypt", "EncryptionAlgorithm", "EncryptionAlgorithmSpec"),
    MACS: ("GenerateMac", "MacAlgorithm", "MacAlgorithmSpec"),
}
FORMS = {"ED25519_PH_SHA_512": ("DIGEST", 64)}  # the others take a RAW message


@pytest.mark.parametrize(("spec", "usage"), [kind for kind in KINDS if kind[1] in ASKED_WITH])
def test_algorithms_of_a_spec(bench, spec, usage) -> None:
    """Every algorithm there is, with every key of its usage: done, or InvalidKeyUsageException; and DescribeKey."""
    operation, member, shape = ASKED_WITH[usage]
    key = bench.key(spec, usage)
    told = ask(bench.stack.admin, "DescribeKey", KeyId=key.id)["KeyMetadata"]
    lists = {SIGN: "SigningAlgorithms", CIPHER: "EncryptionAlgorithms", MACS: "MacAlgorithms"}
    assert set(told[lists[usage]]) == set(ALGORITHMS[spec, usage])
    assert not any(name in told for other, name in lists.items() if other != usage)
    for algorithm in MODEL[shape]["enum"]:
        form, length = FORMS.get(algorithm, ("RAW", 32))
        data = {"Plaintext": DATA} if usage == CIPHER else {"Message": b64(bytes(length))}
        data |= {"MessageType": form} if usage == SIGN else {}
        reply = bench.stack.admin.call(operation, KeyId=key.id, **{member: algorithm}, **data)
        fits = algorithm in ALGORITHMS[spec, usage]
        assert reply.code == (None if fits else "InvalidKeyUsageException"), (algorithm, reply.message)


ALWAYS = {"CreateGrant", "DescribeKey", "RetireGrant"}


@pytest.mark.parametrize(("spec", "usage"), KINDS)
def test_operations_of_a_grant(bench, spec, usage) -> None:
    """Developer Guide, "Grant operations": a grant may have what its key can be used for, and no more."""
    key = bench.key(spec, usage)
    for operation in MODEL["GrantOperation"]["enum"]:
        wanted, symmetric = USES.get(operation.removesuffix("From").removesuffix("To"), ("", False))
        fits = operation in ALWAYS or (wanted == usage and (not symmetric or spec == "SYMMETRIC_DEFAULT"))
        fits |= operation == "GetPublicKey" and spec not in SYMMETRIC
        asked = {**GRANT, "Operations": [operation]}
        if operation == "CreateGrant":
            reply = bench.stack.admin.call("CreateGrant", KeyId=key.id, **asked)
            words = "Grants must not contain only the CreateGrant operation."
            assert (reply.code, reply.message) == ("ValidationException", words)
            asked["Operations"] += ["DescribeKey"]
        reply = bench.stack.admin.call("CreateGrant", KeyId=key.id, **asked)
        assert reply.code == (None if fits else "ValidationException"), operation
