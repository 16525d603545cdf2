"""Audit records of this door as CloudTrail records.

AWS CloudTrail User Guide, "CloudTrail record contents for management, data, and network activity events" (version
1.11) and "CloudTrail userIdentity element"; KMS Developer Guide, "Examples of AWS KMS log entries".

Rule 1: a member is there if our record holds what it tells; nothing is made up, and what is not known is left out.
Rule 2: what is rendered is a function of the record and its number alone: two exports of a log are the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from keystead.core import errors as e
from keystead.core.audit.merkle import leaf_hash
from keystead.core.audit.record import DRY_RUN, PERFORMED, Record, Target, in_ascii, parse
from keystead.core.entities import PrincipalKind
from keystead.core.errors import said_of
from keystead.core.family import known_as
from keystead.core.operations import KeyRef
from keystead.core.policy.arn import principal_arn
from keystead.doors.aws_kms import errors, sts
from keystead.doors.aws_kms.approvals import OWN
from keystead.doors.aws_kms.iam import errors as iam_errors
from keystead.doors.aws_kms.names import event_id
from keystead.kit import ErrorTable, Fault

DOOR = "aws_kms"
EVENT_VERSION = "1.11"
KEY = "AWS::KMS::Key"
REFUSED = "refused: "
HIDDEN = KeyRef("", by_ciphertext=True).reason
UNSIGNED = frozenset({"AssumeRoleWithWebIdentity"})  # what is named by whoever was not known is a subject
ITSELF = "kms.amazonaws.com"
SESSION = "ASIA"  # IAM User Guide, "Unique identifiers": the prefix of temporary access key ids

# --- the operations

READS = frozenset(
    {
        "Decapsulate",
        "Decrypt",
        "DeriveSharedSecret",
        "DescribeCustomKeyStores",
        "DescribeKey",
        "Encapsulate",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "GenerateRandom",
        "GetKeyLastUsage",
        "GetKeyPolicy",
        "GetKeyRotationStatus",
        "GetParametersForImport",
        "GetPublicKey",
        "ListAliases",
        "ListGrants",
        "ListKeyPolicies",
        "ListKeyRotations",
        "ListKeys",
        "ListResourceTags",
        "ListRetirableGrants",
        "ReEncrypt",
        "Sign",
        "Verify",
        "VerifyMac",
    }
)
"""KMS operations that CloudTrail calls read-only: those that change no key. The others are not."""


Faults = Mapping[tuple[str, str], Fault]


def by_words(table: ErrorTable) -> Faults:
    """A door's table of errors by the words of audit records: (kind, why) -> row."""
    return {
        (key[0].__name__, said_of(key[1])) if isinstance(key, tuple) else (key.__name__, ""): row
        for key, row in table.items()
    }


class Service(Struct, frozen=True):
    """One service of AWS: how a request for it stands in our record, what CloudTrail calls it, what it answers."""

    prefix: str  # of the operation on record
    source: str
    faults: Faults
    reads: Callable[[str], bool]

    def fault(self, record: Record) -> Fault | None:
        """The row for (kind, why), for (kind, type of why), for the kind; None for a success."""
        if record.outcome == PERFORMED:  # "it does not verify" is an answer of ours, and an error of AWS's
            return self.faults.get((e.InvalidArgument.__name__, record.why)) if record.why else None
        kind = e.DryRun.__name__ if record.outcome == DRY_RUN else record.outcome.removeprefix(REFUSED)
        for why in (record.why, record.why.partition(".")[0], ""):
            if found := self.faults.get((kind, why)):
                return found
        return None


_KMS = {**by_words(errors.ERRORS), (e.NotFound.__name__, HIDDEN): errors.HIDDEN_KEY}
SERVICES = (
    Service(errors.PREFIX, "kms.amazonaws.com", _KMS, READS.__contains__),
    Service(OWN, "keystead", _KMS, lambda name: name.startswith(("List", "Describe"))),
    Service("sts:", "sts.amazonaws.com", by_words(sts.ERRORS), lambda _: True),
    Service("iam:", "iam.amazonaws.com", by_words(iam_errors.ERRORS), lambda name: name.startswith(("Get", "List"))),
)

# --- who


class Identity(Struct, frozen=True):
    """What CloudTrail calls a kind of principal, and what it calls it with temporary credentials."""

    type: str
    in_session: str


IDENTITIES: Mapping[PrincipalKind, Identity] = {
    PrincipalKind.ROOT: Identity("Root", "Root"),
    PrincipalKind.USER: Identity("IAMUser", "IAMUser"),
    PrincipalKind.ROLE: Identity("Role", "AssumedRole"),
    PrincipalKind.SERVICE: Identity("AWSService", "AWSService"),
    PrincipalKind.WEB_IDENTITY: Identity("WebIdentityUser", "WebIdentityUser"),
    PrincipalKind.GROUP: Identity("Unknown", "Unknown"),  # it does nothing
    PrincipalKind.TOKEN: Identity("Unknown", "Unknown"),  # of another door; AWS has none
    PrincipalKind.SYSTEM: Identity("Unknown", "Unknown"),  # the installation's own; it has no AWS credentials
}
UNKNOWN = "Unknown"  # "an identity type that CloudTrail can't determine"
KINDS = {kind.value: kind for kind in PrincipalKind}
NAMED = frozenset({PrincipalKind.USER, PrincipalKind.ROLE})


class Seen(Struct, frozen=True):
    """One record, looked at once."""

    index: int
    line: bytes
    record: Record
    service: Service | None  # None: no operation of any
    verb: str
    fault: Fault | None  # the row of the error that was answered; None for none, or where the service is not known
    region: str
    keys: tuple[tuple[str, str], ...]  # (account, ARN) of those there it was about, as asked for, and of one made there
    made: str = ""  # the ARN of a key that was made
    caused: bool = False  # in another region than the one that was asked


def look(index: int, line: bytes, record: Record) -> Seen:
    service = next((one for one in SERVICES if record.operation.startswith(one.prefix)), None)
    region = _region(record.namespace)
    if service is None:
        return Seen(index, line, record, None, "", None, region, ())
    verb = record.operation.removeprefix(service.prefix)
    elsewhere = next((_region(target.at) for target in record.targets if target.at), region)
    made = _arn(elsewhere, record.tenant, record.made) if record.made and verb in MAKES_KEYS else ""
    keys = _keys(record, "", region)
    if made and verb == "CreateKey":
        keys += ((record.tenant, made),)
    return Seen(index, line, record, service, verb, service.fault(record), region, keys, made)


def caused(seen: Seen) -> Iterator[Seen]:
    """What a change of one region's key did in another one, as CloudTrail has it: an event of that region.

    KMS Developer Guide, "Examples of AWS KMS log entries": ReplicateKey, UpdatePrimaryRegion.
    """
    verb = CAUSES.get(seen.verb)
    if verb is None or seen.record.outcome != PERFORMED:
        return
    for at in dict.fromkeys(target.at for target in seen.record.targets if target.at):
        keys = ((seen.record.tenant, seen.made),) if seen.made else _keys(seen.record, at, _region(at))
        yield replace(seen, verb=verb, region=_region(at), keys=keys, caused=True)


MAKES_KEYS = frozenset({"CreateKey", "ReplicateKey"})
MAKES_SESSIONS = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity", "GetSessionToken"})
CAUSES = {"ReplicateKey": "CreateKey", "UpdatePrimaryRegion": "UpdatePrimaryRegion"}


def _region(namespace: str) -> str:
    return namespace.rpartition(":")[2]


def _arn(region: str, tenant: str, id_: str) -> str:
    return f"arn:aws:kms:{region}:{tenant}:key/{known_as(id_)}" if region else ""


def _keys(record: Record, at: str, region: str) -> tuple[tuple[str, str], ...]:
    """The keys at the address `at`; "": where the caller was."""
    owned = [(t.tenant or record.tenant, t.key) for t in record.targets if _is_key(t) and t.at == at]
    return tuple([(tenant, _arn(region, tenant, id_)) for tenant, id_ in owned]) if region else ()


def _is_key(target: Target) -> bool:
    return bool(target.key) and target.action.startswith("key:")


# --- the members that are more than one fact


def _identity(seen: Seen) -> dict[str, Any]:
    record, who = seen.record, seen.record.who
    kind = KINDS.get(who.kind)
    if kind is None:  # nobody was known to ask; the access key id, or the token's subject, is what the request claimed
        claimed = "principalId" if seen.verb in UNSIGNED else "accessKeyId"
        return _there({"type": UNKNOWN, claimed: who.via})
    if kind is PrincipalKind.WEB_IDENTITY:
        of = {"principalId": who.id, "userName": who.name, "identityProvider": who.via}
        return _there({"type": IDENTITIES[kind].type, **of})
    in_session = who.via.startswith(SESSION)
    type_ = IDENTITIES[kind].in_session if in_session else IDENTITIES[kind].type
    account, name = record.tenant, who.name.rpartition("/")[2]
    arn = principal_arn(account, kind, who.name) if kind is PrincipalKind.ROOT or (kind in NAMED and name) else ""
    id_ = account if kind is PrincipalKind.ROOT else who.id
    friendly = name if kind in NAMED else ""
    own = {"principalId": id_, "arn": arn, "accountId": account}
    if type_ == "AssumedRole":  # its own id and ARN end with the session's name
        issuer = _there({"type": "Role", **own, "userName": friendly})
        named = bool(name and who.session)
        return _there(
            {
                "type": type_,
                "principalId": f"{id_}:{who.session}" if named else "",
                "arn": f"arn:aws:sts::{account}:assumed-role/{name}/{who.session}" if named else "",
                "accountId": account,
                "accessKeyId": who.via,
                "sessionContext": {"sessionIssuer": issuer},
            }
        )
    invoked_by = name if kind is PrincipalKind.SERVICE else ITSELF if seen.caused else ""
    return _there({"type": type_, **own, "accessKeyId": who.via, "userName": friendly, "invokedBy": invoked_by})


def _address(seen: Seen) -> str | None:
    try:
        return str(ip_address(seen.record.source))
    except ValueError:  # the other end of a unix socket
        return None


def _message(seen: Seen) -> str | None:
    """The words of a refusal, where the record is enough to say them again."""
    words = getattr(seen.fault, "words", None)
    if isinstance(words, errors.Fixed):
        return words.text
    return words.of(seen.keys[0][1]) if isinstance(words, errors.OfKey) and seen.keys else None


def _resources(seen: Seen) -> list[dict[str, str]]:
    return [{"accountId": account, "type": KEY, "ARN": arn} for account, arn in seen.keys]


def _response(seen: Seen) -> dict[str, Any] | None:
    """Of what was made: what it is called. The rest of the answer is not on record."""
    if seen.verb in MAKES_SESSIONS and seen.record.made:
        return {"credentials": {"accessKeyId": seen.record.made}}
    made = RESPONSES.get(seen.verb)
    return made(seen) if made and seen.record.made and seen.keys else None


def _metadata(seen: Seen) -> dict[str, str]:
    return {"aWSAccountId": seen.record.tenant, "keyId": known_as(seen.record.made), "arn": seen.made}


RESPONSES: Mapping[str, Callable[[Seen], dict[str, Any]]] = {
    "CreateKey": lambda seen: {"keyMetadata": _metadata(seen)},
    "ReplicateKey": lambda seen: {"replicaKeyMetadata": _metadata(seen)},
    "CreateGrant": lambda seen: {"grantId": seen.record.made, "keyId": seen.keys[-1][1]},
}


def _additional(seen: Seen) -> dict[str, Any]:
    """Ours: the record's number for `keystead audit prove`, and what else it says."""
    record = seen.record
    refused = record.outcome.partition(REFUSED)[2]
    return _there(
        {
            "logIndex": seen.index,
            "decidedBy": record.rule,
            "refusedFor": f"{refused}: {record.why}" if refused and record.why else refused,
            "keyVersions": [target.version for target in record.targets if target.version],
            "encryptionContextDigest": record.context,
            "count": record.n,
        }
    )


def _there(members: dict[str, Any]) -> dict[str, Any]:
    """Those that there is something of; the number 0 of a record is something."""
    return {name: value for name, value in members.items() if value or name == "logIndex"}


MEMBERS: Mapping[str, Callable[[Seen], Any]] = {
    "eventVersion": lambda _: EVENT_VERSION,
    "userIdentity": _identity,
    "eventTime": lambda seen: f"{seen.record.at:%Y-%m-%dT%H:%M:%SZ}",
    "eventSource": lambda seen: seen.service and seen.service.source,
    "eventName": lambda seen: seen.verb or None,
    "awsRegion": lambda seen: seen.region or None,
    "sourceIPAddress": _address,
    "errorCode": lambda seen: seen.fault and seen.fault.code,
    "errorMessage": _message,
    "responseElements": _response,
    "additionalEventData": _additional,
    "requestID": lambda seen: seen.record.request_id or None,
    "eventID": lambda seen: event_id(leaf_hash(seen.line + (seen.region.encode() if seen.caused else b""))),
    "readOnly": lambda seen: seen.service.reads(seen.verb) if seen.service else None,
    "resources": lambda seen: _resources(seen) or None,
    "eventType": lambda _: "AwsApiCall",
    "managementEvent": lambda _: True,
    "recipientAccountId": lambda seen: seen.record.tenant or None,
    "eventCategory": lambda _: "Management",
}
"""Each member that a record of ours can tell, in the order AWS writes them; None: left out."""

NEVER_SAID = frozenset(
    {
        "userAgent",
        "requestParameters",
        "apiVersion",
        "serviceEventDetails",
        "sharedEventID",
        "vpcEndpointId",
        "vpcEndpointAccountId",
        "addendum",
        "sessionCredentialFromConsole",
        "eventContext",
        "edgeDeviceDetails",
        "tlsDetails",
    }
)
"""Documented members that nothing on record tells of."""


# --- a log of them

FORMATS: Mapping[str, tuple[bytes, bytes, bytes]] = {
    "cloudtrail": (b'{"Records":[', b",", b"]}\n"),
    "jsonl": (b"", b"\n", b"\n"),
}
"""What stands before, between and after the events: a CloudTrail log file, or one event a line."""


def events(index: int, line: bytes) -> Iterator[dict[str, Any]]:
    """The events of record number `index`: one, or none of another door's; two of what touched two regions.

    Raises Malformed.
    """
    record = parse(line)
    if record.door != DOOR:
        return
    seen = look(index, line, record)
    for one in (seen, *caused(seen)):
        yield {name: value for name, of in MEMBERS.items() if (value := of(one)) is not None}


def export(records: Iterable[tuple[int, bytes]], format_: str) -> Iterator[bytes]:
    """The events of numbered records, in pieces, in one of FORMATS. Holds one event at a time. Raises Malformed."""
    before, between, after = FORMATS[format_]
    yield before
    n = 0
    for index, line in records:
        for told in events(index, line):
            yield (between if n else b"") + in_ascii(msgspec.json.encode(told))
            n += 1
    if n or before:
        yield after
