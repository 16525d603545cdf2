"""The core's own operations, as they are: the message is the operation, the answer is the answer."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS, Purpose
from keystead.core.entities import Origin
from keystead.core.errors import InvalidArgument
from keystead.core.limits import Limits
from keystead.core.wrapping import WRAPPINGS
from keystead.doors.control.codec import write
from keystead.doors.control.errors import EVERY
from keystead.kit import Call, Message, WireOperation, operation
from keystead.wire.json import reader


class CreateKeyRequest(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key spec and a purpose go by name, so that nobody sends one that is not in the table."""

    keyring: ops.KeyringRef
    spec: str
    purpose: str | None = None  # None: the first that the spec allows
    description: str = ""
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    multi_region: bool = False
    limits: Limits = Limits()
    origin: Origin = Origin.GENERATED
    hsm: str | None = None  # as CreateKey has it


@operation("CreateKey", errors=EVERY)
def create_key(req: CreateKeyRequest, call: Call) -> ops.Described:
    if (spec := KEY_SPECS.get(req.spec)) is None:
        raise InvalidArgument(f"no key spec {req.spec!r}; there are {', '.join(KEY_SPECS)}", "spec")
    purposes = {purpose.name.lower(): purpose for purpose in Purpose}
    purpose = spec.purposes[0] if req.purpose is None else purposes.get(req.purpose)
    if purpose is None:
        raise InvalidArgument(f"no purpose {req.purpose!r}; there are {', '.join(purposes)}", "purpose")
    return call(
        ops.CreateKey(
            keyring=req.keyring,
            spec=spec,
            purpose=purpose,
            description=req.description,
            tags=req.tags,
            multi_region=req.multi_region,
            limits=req.limits,
            origin=req.origin,
            hsm=req.hsm,
        )
    )


class PrepareImportRequest(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The wrapping and the kind of its key go by name."""

    key: ops.KeyRef
    wrapping: str
    wrapping_spec: str


@operation("PrepareImport", errors=EVERY)
def prepare_import(req: PrepareImportRequest, call: Call) -> ops.ImportParameters:
    wrapping, spec = WRAPPINGS.get(req.wrapping), KEY_SPECS.get(req.wrapping_spec)
    if wrapping is None or spec is None:
        raise InvalidArgument(f"no wrapping {req.wrapping!r} under {req.wrapping_spec!r}", "wrapping")
    return call(ops.PrepareImport(key=req.key, wrapping=wrapping, wrapping_spec=spec))


def _as_it_is(kind: type[ops.Operation[Any]]) -> WireOperation[Any, Any]:
    return WireOperation(
        name=kind.__name__,
        request=kind,
        response=object,
        errors=EVERY,
        run=lambda message, call: call(message),
        read=reader(kind),
        write=write,
    )


AS_THEY_ARE: tuple[type[ops.Operation[Any]], ...] = (
    ops.DescribeKey,
    ops.AttestKey,
    ops.CertifyDestruction,
    ops.SetSlotMode,
    ops.ReportErased,
    ops.GiveUpObjects,
    ops.TakeUpObjects,
    ops.ListKeys,
    ops.EnableKey,
    ops.DisableKey,
    ops.PutLimits,
    ops.LoosenLimits,
    ops.ReadUsage,
    ops.ImportMaterial,
    ops.ScheduleDestruction,
    ops.CancelDestruction,
    ops.RotateKey,
    ops.ReplicateKey,
    ops.ChangePrimary,
    ops.ReadRotation,
    ops.ListRotations,
    ops.ReadPolicy,
    ops.PutPolicy,
    ops.CreateName,
    ops.DeleteName,
    ops.ListNames,
    ops.ListGrants,
    ops.RevokeGrant,
    ops.ReadLastUse,
    ops.CreatePrincipal,
    ops.DeletePrincipal,
    ops.SetPrincipalEnabled,
    ops.ListPrincipals,
    ops.PutPrincipalPolicy,
    ops.DeletePrincipalPolicy,
    ops.CreateAccessKey,
    ops.CreateXksCredential,
    ops.IssueSession,
    ops.SetCredentialEnabled,
    ops.DeleteCredential,
    ops.ListCredentials,
    ops.IssueToken,
    ops.RevokeToken,
    ops.ListTokens,
    ops.CreateNamespace,
    ops.ListNamespaces,
    ops.EndNamespace,
    ops.ClearNamespace,
    ops.CreateKeyring,
    ops.BindKeyring,
    ops.ListKeyrings,
    ops.LocateKey,
    ops.PutApprovalRule,
    ops.DeleteApprovalRule,
    ops.ListApprovalRules,
    ops.ListApprovals,
    ops.ShowApproval,
    ops.Approve,
    ops.Deny,
    ops.ReadStatus,
    ops.NoteCeremony,
)

OPERATIONS: tuple[WireOperation[Any, Any], ...] = (
    replace(create_key, write=write),
    replace(prepare_import, write=write),
    *[_as_it_is(kind) for kind in AS_THEY_ARE],
)
