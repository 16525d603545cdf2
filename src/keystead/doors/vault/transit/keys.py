"""keys: made, read, listed, rotated, deleted."""

from __future__ import annotations

from typing import Any

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.algorithms import KeySpec
from keystead.core.entities import Terms
from keystead.core.naming import WORD, name_at
from keystead.core.operations import Breach, KeyRef
from keystead.core.states import KeyState
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.tokens import Nothing
from keystead.doors.vault.transit.names import MANAGED, key_ref, keyring_ref, spec_of, type_of
from keystead.doors.vault.transit.shapes import told
from keystead.doors.vault.transit.words import SOFT_DELETED, Named, asked_first, said
from keystead.kit import Call
from keystead.wire import Malformed
from keystead.wire.vault.kinds import Duration, Int
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import base64_decoded

PAGE = 1000
PERIOD = "auto rotate period must be 0 to disable or at least an hour"
UNDERIVABLE: dict[object, str] = {
    Breach.NOT_DERIVABLE: "key derivation and convergent encryption not supported for keys of type {kind}",
    Breach.NOT_CONVERGENT: "convergent encryption not supported for keys of type {kind}",
}
NO_PUBLIC = "failed to derive key to return public component: "
NOT_EXTERNAL = "must provide type=external-key to use external_key_ref"
UNDERIVED = "convergent encryption requires derivation to be enabled"


class ReadRequest(Named, frozen=True, kw_only=True):
    context: str = ""


class CreateRequest(Named, frozen=True, kw_only=True):
    type: str = "aes256-gcm96"
    derived: bool = False
    convergent_encryption: bool = False
    exportable: bool = False
    allow_plaintext_backup: bool = False
    auto_rotate_period: Duration = 0
    key_size: Int = 0
    context: str = ""
    managed_key_name: str = ""
    managed_key_id: str = ""
    external_key_ref: str = ""


class RotateRequest(Named, frozen=True, kw_only=True):
    external_key_ref: str = ""


def shown(name: str, call: Call, context: bytes = b"") -> dict[str, Any]:
    return told(name, call(ops.ReadVersions(key=key_ref(name, call), in_context=context)))


def made(
    ref: KeyRef, spec: KeySpec, kind: str, call: Call, terms: Terms, rotate_every: int = 0, *, unasked: bool = False
) -> None:
    """A key of that name, unless there is one. Raises Said."""
    try:
        call(
            ops.CreateKey(
                keyring=keyring_ref(call),
                spec=spec,
                purpose=spec.purposes[0],
                name=ref.name,
                terms=terms,
                rotate_every=rotate_every,
                unasked=unasked,
            )
        )
    except e.AlreadyExists:
        return
    except e.InvalidArgument as error:
        if error.detail in UNDERIVABLE:
            raise said(500, multierror(UNDERIVABLE[error.detail].format(kind=kind)), error) from error
        raise


def terms_of(*, derived: bool, convergent: bool = False, exportable: bool = False, copyable: bool = False) -> Terms:
    """What every key that is made here begins with, and what its maker says."""
    return Terms(
        every_version=True,
        all_purposes=True,
        derived=derived,
        convergent=convergent,
        exportable=exportable,
        copyable=copyable,
    )


@endpoint("transit", Verb.WRITE, "keys/{name}")
@asked_first
def create_key(req: CreateRequest, call: Call) -> dict[str, Any]:
    """Asked twice, the key stays as it is."""
    ref = key_ref(req.name, call)
    if 0 < req.auto_rotate_period < 3600:
        raise Said(400, PERIOD)
    if req.convergent_encryption and not req.derived:
        raise Said(400, UNDERIVED)
    spec = None if req.type == MANAGED else spec_of(req.type, req.key_size)
    if req.external_key_ref:  # OpenBao's external keys are of a type that is not offered
        raise Said(400, NOT_EXTERNAL)
    if spec is None:
        _manage(req, call)
        return shown(req.name, call)
    terms = terms_of(
        derived=req.derived,
        convergent=req.convergent_encryption,
        exportable=req.exportable,
        copyable=req.allow_plaintext_backup,
    )
    made(ref, spec, req.type, call, terms, req.auto_rotate_period)
    return shown(req.name, call)


def _manage(req: CreateRequest, call: Call) -> None:
    """Vault HTTP API, "Transit secrets engine", Create Key: managed_key_name, managed_key_id."""
    managed = req.managed_key_name or req.managed_key_id
    if not managed:
        raise Said(400, "either managed_key_name or managed_key_id must be specified")
    refused = {
        "derived": req.derived,
        "exportable": req.exportable,
        "allow_plaintext_backup": req.allow_plaintext_backup,
    }
    for name, given in refused.items():
        if given:
            raise Said(400, f"{name} is not supported for managed keys")
    if req.auto_rotate_period or req.key_size:
        raise Said(400, "managed keys are not rotated here, and have the size that they have")
    try:
        call(ops.CreateManagedKey(keyring=keyring_ref(call), name=key_ref(req.name, call).name, managed=managed))
    except e.AlreadyExists:
        return
    except e.NotFound as error:
        raise said(400, str(error), error) from error


@endpoint("transit", Verb.READ, "keys/{name}")
@asked_first
def read_key(req: ReadRequest, call: Call) -> dict[str, Any]:
    try:
        context = base64_decoded(req.context)
    except Malformed:
        raise Said(400, "failed to base64-decode context") from None
    try:
        return shown(req.name, call, context)
    except e.WrongState as error:
        if error.detail is not KeyState.SUSPENDED:
            raise
        raise said(500, multierror(f"{NO_PUBLIC}{SOFT_DELETED}"), error) from error


@endpoint("transit", Verb.LIST, "keys/?")
def list_keys(_req: Nothing, call: Call) -> Answer:
    names: set[str] = set()
    after: str | None = ""
    while after is not None:
        page = call(ops.ListNames(keyring=keyring_ref(call), after=after, limit=PAGE))
        names.update(word for name in page.items if WORD.fullmatch(word := name_at(name, call.namespace)))
        after = page.after
    if not names:
        return Answer(data={"errors": []}, status=404, bare=True)
    return Answer(data={"keys": sorted(names)})


@endpoint("transit", Verb.WRITE, "keys/{name}/rotate")
@asked_first
def rotate_key(req: RotateRequest, call: Call) -> dict[str, Any]:
    ref = key_ref(req.name, call)
    try:
        if req.external_key_ref:
            kind = type_of(call(ops.DescribeKey(key=ref)).key)
            raise Said(400, f"cannot use external_key_ref on key of type {kind}")
        call(ops.RotateKey(key=ref))
    except e.NotFound as error:
        raise said(400, "key not found", error) from error
    except e.Unsupported as error:
        if error.detail is not Breach.NOT_MADE_HERE:
            raise
        text = f"imported key {req.name} does not allow rotation within Vault"
        raise said(500, multierror(text), error) from error
    except e.WrongState as error:
        if error.detail is not KeyState.SUSPENDED:
            raise
        raise said(500, multierror(SOFT_DELETED), error) from error
    return shown(req.name, call)


@endpoint("transit", Verb.DELETE, "keys/{name}/soft-delete")
@asked_first
def soft_delete(req: Named, call: Call) -> Answer | None:
    """Out of service, until it is restored: what KMS calls disabled."""
    return _moved(req, call, ops.DisableKey, KeyState.SUSPENDED, "key was already marked as soft deleted")


@endpoint("transit", Verb.WRITE, "keys/{name}/soft-delete-restore")
@asked_first
def restore_soft_deleted(req: Named, call: Call) -> Answer | None:
    return _moved(req, call, ops.EnableKey, KeyState.ACTIVE, "key was already restored")


def _moved(
    req: Named, call: Call, move: type[ops.DisableKey | ops.EnableKey], to: KeyState, already: str
) -> Answer | None:
    ref = key_ref(req.name, call)
    try:
        before = call(ops.DescribeKey(key=ref)).key.lifecycle.state
        call(move(key=ref))
    except e.NotFound:
        return None
    return Answer(data=shown(req.name, call), warnings=(already,) if before is to else ())


@endpoint("transit", Verb.DELETE, "keys/{name}")
@asked_first
def delete_key(req: Named, call: Call) -> Answer | None:
    """At once and for ever, where the key allows it."""
    before = f"error deleting policy {req.name}: "
    try:
        call(ops.EraseKey(key=key_ref(req.name, call)))
    except e.NotFound as error:
        raise said(400, f"{before}could not delete key; not found", error) from error
    except e.WrongState as error:
        if error.detail is not Breach.NOT_ERASABLE:
            raise
        raise said(400, f"{before}deletion is not allowed for this key", error) from error
    return None


OPERATIONS = (create_key, read_key, list_keys, rotate_key, soft_delete, restore_soft_deleted, delete_key)
