"""Keystead's kinds of error, as AWS KMS says them: code, status, and words.

KMS API Reference, "Common Errors" and each operation's "Errors"; KMS Developer Guide, "Key states of AWS KMS keys",
notes [1] to [5]; the words as recorded from AWS in LocalStack's snapshots (SPEC.md). The JSON protocol answers 400 to
everything that is the caller's doing, AccessDenied included; 5xx means: try again. Where AWS has no words, the
member `message` is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.algorithms import Algorithm, Family, MessageForm, Purpose, Word
from keystead.core.caller import Caller
from keystead.core.cutoffs import NEVER, Withdrawn
from keystead.core.entities import Key, Origin
from keystead.core.grant_token import INVALID as INVALID_TOKEN
from keystead.core.keystores import Failure, kind_of
from keystead.core.limits import Limit
from keystead.core.operations import KeyRef, KeyringRef, KeyStoreRef, ReplicaRef
from keystead.core.policy.aws import BAD_ARN
from keystead.core.quotas import OverQuota
from keystead.core.states import Event, KeyState
from keystead.doors.aws_kms import outside
from keystead.doors.aws_kms.credential import REASONS
from keystead.doors.aws_kms.names import NO_ALIAS, arn_at, key_arn, ref_arn, region_of
from keystead.doors.aws_kms.shapes import KEY_USAGES, ORIGINS
from keystead.kit import Fault
from keystead.service.damaged import DAMAGED
from keystead.service.handlers.grants import GRANTS_ALONE
from keystead.service.handlers.names import OTHER_KIND
from keystead.service.handlers.resolve import NoPrincipal
from keystead.service.handlers.standing import NOT_APPOINTED
from keystead.service.refusals import OF_CIPHERTEXT
from keystead.wire.http import Refusal

PREFIX = "TrentService."
UNKNOWN_OPERATION = "X-Amz-Target"
"""detail of the Unsupported for an operation that AWS does not know either."""
BAD_TAG, BAD_ALIAS, BAD_GRANT_ID = "Tags", "invalid alias name", "invalid grant id"
"""details of InvalidArgument: faults that AWS has a code of their own for."""
RESERVED_ALIAS = "reserved alias"
"""detail of the Denied for an alias that only AWS may give."""


class Said(Struct, frozen=True):
    """What the words of an error may be made of: the error, who asked (as far as known), and what was asked."""

    error: e.KeysteadError
    caller: Caller | None
    request: Any = None

    @property
    def key(self) -> Key:
        """The key the error is about."""
        key: Key = self.error.about.key
        return key

    @property
    def arn(self) -> str:
        return key_arn(self.key, self._place(self.caller.namespace)) if self.caller else ""

    def _place(self, asked: str) -> str:
        """Where the caller has asked for the key; of a related one, where that is."""
        ring = self.error.about.keyring
        here = region_of(asked)
        return asked if any(region_of(n) == here for n in ring.namespaces) else ring.by_dialect.get("aws", asked)

    @property
    def alias_arn(self) -> str:
        return arn_at(self.caller.namespace, self.request.alias_name) if self.caller else ""

    @property
    def verb(self) -> str:
        return self.caller.wire_operation.removeprefix(PREFIX) if self.caller else ""


Words = Callable[[Said], str | None]


class Row(Fault, frozen=True):
    words: Words = lambda said: str(said.error)


class Fixed(Struct, frozen=True):
    """Words that are always the same; an audit record is enough to say them again (cloudtrail)."""

    text: str

    def __call__(self, _: Said) -> str:
        return self.text


class OfKey(Struct, frozen=True):
    """Words that need the key's ARN alone; an audit record is enough for them too."""

    before: str
    after: str

    def __call__(self, said: Said) -> str:
        return self.of(said.arn)

    def of(self, arn: str) -> str:
        return f"{self.before}{arn}{self.after}"


def _about(rest: str) -> Words:
    return OfKey("", f" {rest}")


def _silent(_: Said) -> None:
    """AWS has no words."""


def _wrong_purpose(said: Said) -> str:
    usage = KEY_USAGES[said.key.purpose]
    return f"{said.arn} key usage is {usage} which is not valid for {said.verb}."


def _wrong_word(said: Said) -> str:
    detail = said.error.detail
    text = detail.text if isinstance(detail, Word) else getattr(detail, "aws", None)
    return f"Algorithm {text} is incompatible with key spec {said.key.spec.aws}."


def _wraps_nothing(said: Said) -> str:
    if said.key.spec.family is Family.RSA:
        return "You cannot generate a data key with an asymmetric CMK"
    return _wrong_word(said)


def _too_long(said: Said) -> str:
    detail = said.error.detail
    assert isinstance(detail, ops.TooLong)  # noqa: S101 - its row
    return (
        f"Algorithm {detail.algorithm.aws} and key spec {detail.spec.aws} "
        f"cannot encrypt data larger than {detail.limit} bytes."
    )


def _bad_digest(said: Said) -> str:
    return f"Digest is invalid length for algorithm {said.request.signing_algorithm}."


def _bad_form(said: Said) -> str:
    spec, request = said.key.spec, said.request
    what = f"key spec {spec.aws}" if spec.family is Family.ML_DSA else f"algorithm {request.signing_algorithm}"
    return f"Message type {request.message_type or 'RAW'} is incompatible with {what}."


def _absent(said: Said) -> str:
    ref = said.error.detail
    assert isinstance(ref, KeyRef)  # noqa: S101 - its row
    return f"Alias {ref_arn(ref)} is not found." if ref.name else f"Key '{ref_arn(ref)}' does not exist"


def _no_region(said: Said) -> str:
    """As AWS answers in a Region that an account has not enabled (IAM User Guide, "Managing AWS STS in a Region")."""
    region = region_of(said.caller.namespace) if said.caller else ""
    return f"The security token included in the request is invalid: the account has no keyring in {region}."


def _no_such_region(said: Said) -> str:
    ref = said.error.detail
    assert isinstance(ref, ReplicaRef)  # noqa: S101 - its row
    return f"The account has no keyring in {region_of(ref.namespace)}."


def _copy_there(said: Said) -> str:
    return f"A multi-Region key related to {said.arn} already exists in {said.request.replica_region}."


def _taken(said: Said) -> str | None:
    return f"An alias with the name {said.alias_arn} already exists"


def _no_grant(said: Said) -> str:
    return f"Grant ID {said.request.grant_id} not found"


def _bad_principal(said: Said) -> str:
    detail = said.error.detail
    assert isinstance(detail, NoPrincipal)  # noqa: S101 - its row
    return f"ARN does not refer to a valid principal: {detail.text}"


_OTHER_KIND = Fixed("The alias can be moved only between KMS keys of the same type and key usage.")


def _bad_operations(said: Said) -> str:
    return f"{said.arn} does not support every one of Operations: {', '.join(said.request.operations)}"


_BAD_CONSTRAINTS = _about("does not support grants with encryption context constraints.")


_NO_ROTATION_LEFT = OfKey(
    "The on-demand rotations limit has been reached for the given keyId. "
    "No more on-demand rotations can be performed for this key: ",
    "",
)


def _other_waits(said: Said) -> str:
    detail = said.error.detail
    assert isinstance(detail, ops.Waiting)  # noqa: S101 - its row
    return (
        f"New key material (id: {detail.given}) cannot be imported into KMS key {said.arn}, "
        f"because another key material (id: {detail.pending}) is pending rotation."
    )


def _nothing_waits(said: Said) -> str:
    return f"No available key material pending rotation for the key: {said.arn}."


def _wrong_origin(said: Said) -> str:
    return f"{said.arn} origin is {ORIGINS[said.key.origin]} which is not valid for this operation."


_QUOTAS: Mapping[str, str] = {
    "keys": "Key quota for this account in this region is {} but the current usage is {}.",
    "aliases": "Aliases per key quota for this account in this region is {}, current usage is {}.",
    "grants": "Grants per key quota for this account in this region is {}, current usage is {}.",
}


def _over_quota(said: Said) -> str:
    detail = said.error.detail
    assert isinstance(detail, OverQuota)  # noqa: S101 - its row
    return _QUOTAS[detail.of].format(detail.most, detail.used)


def _withdrawn(said: Said) -> str:
    """AWS has no such dates. Of its codes: the request is in order, and this is a thing not supported here any more."""
    detail = said.error.detail
    assert isinstance(detail, Withdrawn)  # noqa: S101 - its row
    what = f"Algorithm {detail.algorithm.aws} and key spec {detail.spec.aws}"
    if detail.cutoff.last == NEVER:
        return f"{what} are not supported for protecting data here ({detail.cutoff.source})."
    return f"{what} are not supported for protecting data after {detail.cutoff.last} ({detail.cutoff.source})."


# KMS Developer Guide, "Throttling AWS KMS requests"
_TOO_FAST = "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."


# AWS has no limits of this kind. Of its codes: the state of the key is not valid for the request, and no retry helps.
_LIMITS: Mapping[Limit, str] = {
    Limit.USES: "has reached the limit of its uses.",
    Limit.BYTES: "has reached the limit of its bytes.",
    Limit.TOO_EARLY: "is not to be used for this yet.",
    Limit.TOO_LATE: "is not to be used for this any more.",
}


def _no_material(said: Said) -> str:
    return f"Key material {said.request.key_material_id} is not associated with {said.arn}."


TAKEN: Mapping[ops.Taken, str] = {
    ops.NAME_TAKEN: "CustomKeyStoreNameInUseException",
    ops.URI_TAKEN: "XksProxyUriInUseException",
    ops.ENDPOINT_TAKEN: "XksProxyUriEndpointInUseException",
    ops.SERVICE_TAKEN: "XksProxyVpcEndpointServiceInUseException",
    ops.KEY_TAKEN: "XksKeyAlreadyInUseException",
    ops.CLUSTER_TAKEN: "CloudHsmClusterInUseException",
}

ERRORS: Mapping[type[e.KeysteadError] | tuple[type[e.KeysteadError], Any], Row] = {
    e.Malformed: Row("SerializationException", 400, _silent),
    e.InvalidArgument: Row("ValidationException", 400),
    (e.InvalidArgument, ops.WRONG_KEY): Row(
        "IncorrectKeyException",
        400,
        Fixed("The key ID in the request does not identify a CMK that can perform this operation."),
    ),
    (e.InvalidArgument, ops.TooLong): Row("ValidationException", 400, _too_long),
    (e.InvalidArgument, MessageForm.DIGEST.value): Row("ValidationException", 400, _bad_digest),
    (e.InvalidArgument, MessageForm.EXTERNAL_MU.value): Row("ValidationException", 400, _bad_digest),
    (e.InvalidArgument, "form"): Row("ValidationException", 400, _bad_form),
    (e.InvalidArgument, "aad"): Row(
        "ValidationException", 400, Fixed("EncryptionContext is valid only with a symmetric encryption KMS key.")
    ),
    (e.InvalidArgument, ops.NOT_SIGNED): Row("KMSInvalidSignatureException", 400, _silent),
    (e.InvalidArgument, ops.NOT_AUTHENTIC): Row("KMSInvalidMacException", 400, _silent),
    (e.InvalidArgument, "public_key"): Row("ValidationException", 400, _silent),
    (e.InvalidArgument, ops.BAD_TICKET): Row("InvalidImportTokenException", 400, _silent),
    (e.InvalidArgument, ops.OLD_TICKET): Row("ExpiredImportTokenException", 400, _silent),
    (e.InvalidArgument, ops.OTHER_MATERIAL): Row("IncorrectKeyMaterialException", 400, _silent),
    (e.InvalidArgument, "key_material"): Row("IncorrectKeyMaterialException", 400),
    (e.InvalidArgument, "Marker"): Row("InvalidMarkerException", 400, _silent),
    (e.InvalidArgument, "Policy"): Row("MalformedPolicyDocumentException", 400),
    (e.InvalidArgument, BAD_ARN): Row("InvalidArnException", 400),
    (e.InvalidArgument, NO_ALIAS): Row("InvalidArnException", 400),
    (e.InvalidArgument, INVALID_TOKEN): Row("InvalidGrantTokenException", 400, _silent),
    (e.InvalidArgument, NoPrincipal): Row("InvalidArnException", 400, _bad_principal),
    (e.InvalidArgument, OTHER_KIND): Row("ValidationException", 400, _OTHER_KIND),
    (e.InvalidArgument, "actions"): Row("ValidationException", 400, _bad_operations),
    (e.InvalidArgument, GRANTS_ALONE): Row(
        "ValidationException", 400, Fixed("Grants must not contain only the CreateGrant operation.")
    ),
    (e.InvalidArgument, "constraints"): Row("ValidationException", 400, _BAD_CONSTRAINTS),
    (e.InvalidArgument, ops.BAD_ANCHOR): Row("IncorrectTrustAnchorException", 400, _silent),
    (e.InvalidArgument, BAD_TAG): Row("TagException", 400),
    (e.InvalidArgument, BAD_ALIAS): Row("InvalidAliasNameException", 400),
    (e.InvalidArgument, BAD_GRANT_ID): Row("InvalidGrantIdException", 400),
    e.Unauthenticated: Row("UnrecognizedClientException", 400),
    **{(e.Unauthenticated, reason): Row(*said) for reason, said in REASONS.items()},
    e.Denied: Row("AccessDeniedException", 400),
    e.NotApproved: Row("AccessDeniedException", 400),
    (e.Denied, RESERVED_ALIAS): Row("NotAuthorizedException", 400, _silent),
    e.NotFound: Row("NotFoundException", 400),
    (e.NotFound, KeyRef): Row("NotFoundException", 400, _absent),
    (e.NotFound, KeyringRef): Row("UnrecognizedClientException", 400, _no_region),
    (e.NotFound, KeyStoreRef): Row("CustomKeyStoreNotFoundException", 400, _silent),
    (e.NotFound, ops.NO_STORE): Row("CustomKeyStoreNotFoundException", 400, _silent),
    (e.NotFound, ops.NO_CLUSTER): Row("CloudHsmClusterNotFoundException", 400, _silent),
    (e.NotFound, "material"): Row("NotFoundException", 400, _no_material),
    (e.NotFound, "grant_id"): Row("NotFoundException", 400, _no_grant),
    (e.NotFound, ReplicaRef): Row("UnsupportedOperationException", 400, _no_such_region),
    e.AlreadyExists: Row("AlreadyExistsException", 400, _taken),
    (e.AlreadyExists, ops.COPY_THERE): Row("AlreadyExistsException", 400, _copy_there),
    **{(e.AlreadyExists, taken): Row(code, 400, _silent) for taken, code in TAKEN.items()},
    e.Conflict: Row("ConflictException", 400),
    (e.Conflict, ops.NOT_RELATED): Row("CloudHsmClusterNotRelatedException", 400, _silent),
    e.WrongState: Row("KMSInvalidStateException", 400, _about("is not in a valid state.")),
    (e.WrongState, KeyState.SUSPENDED): Row("DisabledException", 400, _about("is disabled.")),
    (e.WrongState, KeyState.DESTROYED): Row("NotFoundException", 400, OfKey("Key '", "' does not exist")),
    (e.WrongState, NOT_APPOINTED): Row("KMSInvalidStateException", 400, _about("is not pending deletion.")),
    (e.WrongState, ops.NOTHING_WAITS): Row("KMSInvalidStateException", 400, _nothing_waits),
    (e.WrongState, ops.Waiting): Row("KMSInvalidStateException", 400, _other_waits),
    (e.WrongState, ops.NOT_SO): Row("CustomKeyStoreInvalidStateException", 400, _silent),
    (e.WrongState, ops.HAS_KEYS): Row("CustomKeyStoreHasCMKsException", 400, _silent),
    **{
        (kind_of(trouble), Failure(trouble, moment)): Row(code, 400, Fixed(outside.WORDS[trouble]))
        for moment, codes in outside.CODES.items()
        for trouble, code in codes.items()
    },
    (e.WrongState, Event.DESTROY): Row("KMSInvalidStateException", 400, _about("is pending deletion.")),
    (e.WrongState, Origin.EXTERNAL): Row("KMSInvalidStateException", 400, _about("is pending import.")),
    **{(e.WrongState, limit): Row("KMSInvalidStateException", 400, _about(words)) for limit, words in _LIMITS.items()},
    e.WrongUsage: Row("InvalidKeyUsageException", 400),
    (e.WrongUsage, Purpose): Row("InvalidKeyUsageException", 400, _wrong_purpose),
    (e.WrongUsage, Word): Row("InvalidKeyUsageException", 400, _wrong_word),
    (e.WrongUsage, Algorithm): Row("InvalidKeyUsageException", 400, _wraps_nothing),
    e.Unsupported: Row("UnsupportedOperationException", 400),
    (e.Unsupported, UNKNOWN_OPERATION): Row("UnknownOperationException", 400, _silent),
    (e.Unsupported, Origin): Row("UnsupportedOperationException", 400, _wrong_origin),
    (e.Unsupported, Withdrawn): Row("UnsupportedOperationException", 400, _withdrawn),
    (e.Unsupported, ops.NOT_PRIMARY): Row(
        "UnsupportedOperationException", 400, _about("is not a multi-Region primary key.")
    ),
    (e.Unsupported, ops.NOT_REPLICA): Row(
        "UnsupportedOperationException", 400, _about("is not a multi-Region replica key.")
    ),
    (e.Unsupported, "rotation"): Row("UnsupportedOperationException", 400, _silent),
    (e.Unsupported, ops.NO_PUBLIC_KEY): Row("UnsupportedOperationException", 400, _silent),
    **{
        (e.Unsupported, spec): Row(
            "UnsupportedOperationException", 400, Fixed(f"KeySpec {spec} is not supported in this Region")
        )
        for spec in ("SM2", "ML_KEM_512")
    },
    e.DecryptionFailed: Row("InvalidCiphertextException", 400, _silent),
    e.LimitExceeded: Row("LimitExceededException", 400),
    (e.LimitExceeded, OverQuota): Row("LimitExceededException", 400, _over_quota),
    (e.LimitExceeded, "tags"): Row("TagException", 400, Fixed("Too many tags")),
    (e.LimitExceeded, "rotations"): Row("LimitExceededException", 400, _NO_ROTATION_LEFT),
    e.RateLimited: Row("ThrottlingException", 400, Fixed(_TOO_FAST)),
    e.Sealed: Row("KeyUnavailableException", 500, Fixed("Keystead is sealed.")),
    e.Unavailable: Row("DependencyTimeoutException", 500),
    (e.Unavailable, DAMAGED): Row("KeyUnavailableException", 500),
    (e.Unavailable, ops.NOT_ACTIVE): Row("CloudHsmClusterNotActiveException", 400, _silent),
    e.Internal: Row("KMSInternalException", 500, _silent),
    e.DryRun: Row(
        "DryRunOperationException", 400, Fixed("The request would have succeeded, but the DryRun option is set.")
    ),
}

HIDDEN_KEY = Row("AccessDeniedException", 400, Fixed(OF_CIPHERTEXT))


class WireFault(Exception):
    """An answer of the core that this protocol says as an error, without words. It is on record as performed."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def row(error: e.KeysteadError) -> Row:
    """The row for (kind, detail), else for (kind, type of detail), else for the kind."""
    kind, detail = type(error), error.detail
    if isinstance(detail, KeyRef) and detail.by_ciphertext:
        return HIDDEN_KEY
    return ERRORS.get((kind, detail)) or ERRORS.get((kind, type(detail))) or ERRORS[kind]


# What any operation may answer; the service model lists only the others. Sealed and Unavailable may meet any request.
COMMON = frozenset(code for code, _ in REASONS.values()) | frozenset(
    {
        "SerializationException",
        "ValidationException",
        "AccessDeniedException",
        "ThrottlingException",
        "UnsupportedOperationException",
        "UnknownOperationException",
        "KeyUnavailableException",
        "DependencyTimeoutException",
        "KMSInternalException",
    }
)
UNLISTED = frozenset({"NotAuthorizedException", "InvalidGrantTokenException", "KMSInvalidStateException"})
"""What AWS answers, or must answer (DescribeKey takes grant tokens; CreateKey in an external key store that denies it:
XKS Proxy API, "Error codes"), and its model does not list everywhere."""

# What Create- and UpdateCustomKeyStore may answer of an XKS proxy beside them.
PROXY = frozenset(outside.SETTING_UP.values()) | frozenset(
    code for code in TAKEN.values() if code.startswith("XksProxy")
)

# What every operation that uses a key may answer beside them.
OF_A_KEY = COMMON | {
    "NotFoundException",
    "DisabledException",
    "KMSInvalidStateException",
    "InvalidKeyUsageException",
    "InvalidGrantTokenException",
    "DryRunOperationException",
}

# Requests that the listener refuses (kit.listener): they have no operation, and nobody is known to have sent them.
REFUSALS: Mapping[Refusal, str] = {
    **dict.fromkeys(Refusal, "MalformedHttpRequestException"),
    Refusal.TIMEOUT: "RequestTimeoutException",
    Refusal.BODY_TOO_LARGE: "RequestEntityTooLargeException",
    Refusal.OVERLOADED: "ThrottlingException",
    Refusal.UNRECORDED: "KMSInternalException",
}
