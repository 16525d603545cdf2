"""sys/namespaces: tenants below this one, made, told of, locked and taken away. Held to OpenBao 2.7.2's answers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from keystead.core import operations as ops
from keystead.core.entities import path_of_chain
from keystead.core.errors import InvalidArgument, NotFound
from keystead.core.operations import ToldNamespace
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.wire.vault.kinds import Map, Slashless, Strings
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb

ABSENT = "requested namespace does not exist"
NUMBER = "json.Number"
_GO = {bool: "bool", dict: "map[string]interface {}", list: "[]interface {}"}
STEPS_AT_ONCE = 64
"""Commits that one request makes; what is left then is the scheduler's."""


class PathRequest(Parameters, frozen=True, kw_only=True):
    path: Slashless = CAPTURED


class SealRequest(PathRequest, frozen=True, kw_only=True):
    """What would give a namespace a seal of its own: refused, since nothing would be sealed by it."""

    seal: str = ""
    pgp_keys: Strings = ()


class WriteRequest(SealRequest, frozen=True, kw_only=True):
    custom_metadata: Map = msgspec.field(default_factory=dict)


class SealKeyRequest(PathRequest, frozen=True, kw_only=True):
    key: str = ""
    reset: bool = False


class PatchRequest(SealRequest, frozen=True, kw_only=True):
    custom_metadata: Map | None = None


def told(one: ToldNamespace) -> dict[str, Any]:
    space = one.namespace
    return {
        "custom_metadata": space.custom,
        "id": space.suffix,
        "locked": one.is_locked,
        "path": path_of_chain(one.chain),
        "tainted": space.ends,
        "uuid": space.uuid,
    }


def _name(req: PathRequest) -> str:
    if isinstance(req, SealRequest) and (req.seal or req.pgp_keys):
        raise Said(400, "namespaces with seals of their own are not offered")
    name = req.path.strip("/")
    if "/" in name:
        raise Said(400, "namespace name cannot contain /")
    return name


def _texts(given: Mapping[str, Any]) -> dict[str, str]:
    if not all(isinstance(value, str) for value in given.values()):
        raise Said(400, "custom_metadata values must be strings")
    return dict(given)


@endpoint("system", Verb.LIST, "namespaces/?")
def list_namespaces(_req: Nothing, call: Call) -> dict[str, Any]:
    return _listed(call, deep=False)


@endpoint("system", Verb.SCAN, "namespaces/?")
def scan_namespaces(_req: Nothing, call: Call) -> dict[str, Any]:
    return _listed(call, deep=True)


def _listed(call: Call, *, deep: bool) -> dict[str, Any]:
    """Keyed by the path from here, as it is asked for."""
    found = call(ops.ListNamespaces(tenant=here(call), deep=deep))
    if not found:
        raise Said(404, "")
    depth = min(len(one.chain) for one in found) - 1
    info = {path_of_chain(one.chain[depth:]): told(one) for one in found}
    return {"keys": sorted(info), "key_info": info}


@endpoint("system", Verb.READ, "namespaces/{path:path}")
def read_namespace(req: PathRequest, call: Call) -> dict[str, Any]:
    return told(call(ops.ReadNamespace(tenant=here(call), name=_name(req))))


@endpoint("system", Verb.WRITE, "namespaces/{path:path}")
def write_namespace(req: WriteRequest, call: Call) -> dict[str, Any]:
    op = ops.CreateNamespace(tenant=here(call), name=_name(req), custom=_texts(req.custom_metadata))
    return told(call(op))


@endpoint("system", Verb.PATCH, "namespaces/{path:path}")
def patch_namespace(req: PatchRequest, call: Call) -> dict[str, Any]:
    """A name with null goes; null in place of all names leaves none, and is not the same as no word of them."""
    asked = call.caller.asked
    emptied = asked is not None and asked.parameters.get("custom_metadata", "") is None
    custom = None if emptied else _changes(req.custom_metadata or {})
    try:
        return told(call(ops.PatchNamespace(tenant=here(call), name=_name(req), custom=custom)))
    except NotFound as error:
        raise Said(400, "namespace not found") from error


def _changes(given: Mapping[str, Any]) -> dict[str, str | None]:
    for value in given.values():
        if value is not None and not isinstance(value, str):
            raise Said(400, f"metadata patch can only have string or null values, got {_GO.get(type(value), NUMBER)}")
    return dict(given)


@endpoint("system", Verb.DELETE, "namespaces/{path:path}")
def delete_namespace(req: PathRequest, call: Call) -> Answer:
    """Nobody comes in any more from the first commit on. What is in it goes now, as far as it goes in one request."""
    name, at = _name(req), here(call)
    try:
        call(ops.EndNamespace(tenant=at, name=name))
    except NotFound:
        return Answer(warnings=(ABSENT,))
    after = ""
    with suppress(NotFound):  # somebody else has taken the last of it away
        for _ in range(STEPS_AT_ONCE):
            step = call(ops.ClearNamespace(tenant=at, name=name, after=after))
            if step.after is None:
                break
            after = step.after
        else:
            return Answer(data={"status": "in-progress"})
    return Answer(data={"status": "completed"})


# --- what is there to be shown


@endpoint("system", Verb.READ, "internal/ui/namespaces")
def reachable_namespaces(_req: Nothing, call: Call) -> dict[str, Any]:
    names = call(ops.ListReachableNamespaces(tenant=here(call)))
    return {"keys": [f"{name}/" for name in names]} if names else {}


# --- locking


class UnlockRequest(Parameters, frozen=True, kw_only=True):
    unlock_key: str = ""


class UnlockPathRequest(PathRequest, frozen=True, kw_only=True):
    unlock_key: str = ""


def _lock(path: str, call: Call) -> dict[str, Any]:
    asked = call.caller.asked
    if not path.strip("/") and asked is not None and asked.wrap_for:  # then nothing can be wrapped here any more
        raise Said(400, "the key of a lock cannot be wrapped in the namespace that it locks")
    try:
        return {"unlock_key": call(ops.LockNamespace(tenant=here(call), path=path.strip("/")))}
    except NotFound as error:
        raise Said(400, ABSENT) from error


def _unlock(path: str, key: str, call: Call) -> Answer | None:
    given = Sensitive(key.encode()) if key else None
    try:
        by_sudo = call(ops.UnlockNamespace(tenant=here(call), path=path.strip("/"), key=given))
    except NotFound as error:
        raise Said(400, ABSENT) from error
    except InvalidArgument as error:
        if key or error.detail != "unlock_key":
            raise
        raise Said(500, multierror("provided empty key")) from error
    return Answer(warnings=("Namespace unlocked using sudo capabilities",)) if by_sudo else None


@endpoint("system", Verb.WRITE, "namespaces/api-lock/lock")
def lock_namespace(_req: Nothing, call: Call) -> dict[str, Any]:
    """Its own: a policy is about the path, so no body names another."""
    return _lock("", call)


@endpoint("system", Verb.WRITE, "namespaces/api-lock/lock/{path:path}")
def lock_namespace_below(req: PathRequest, call: Call) -> dict[str, Any]:
    return _lock(req.path, call)


@endpoint("system", Verb.WRITE, "namespaces/api-lock/unlock")
def unlock_namespace(req: UnlockRequest, call: Call) -> Answer | None:
    return _unlock("", req.unlock_key, call)


@endpoint("system", Verb.WRITE, "namespaces/api-lock/unlock/{path:path}")
def unlock_namespace_below(req: UnlockPathRequest, call: Call) -> Answer | None:
    return _unlock(req.path, req.unlock_key, call)


# --- seals of their own: not offered


def _unsealable(call: Call) -> None:
    """Raises Said; Denied for whoever may not even ask."""
    call(ops.UseTools(tenant=here(call)))
    raise Said(400, "namespace is not sealable")


@endpoint("system", Verb.WRITE, "namespaces/{path}/seal")
def seal_namespace(_req: PathRequest, call: Call) -> None:
    _unsealable(call)


@endpoint("system", Verb.READ, "namespaces/{path}/seal-status")
def read_seal_status(_req: PathRequest, call: Call) -> None:
    _unsealable(call)


@endpoint("system", Verb.WRITE, "namespaces/{path}/unseal")
def unseal_namespace(_req: SealKeyRequest, call: Call) -> None:
    _unsealable(call)


@endpoint("system", Verb.DELETE, "namespaces/{path}/delete-sealed")
def delete_sealed_namespace(_req: PathRequest, call: Call) -> None:
    _unsealable(call)


OPERATIONS = (
    list_namespaces,
    scan_namespaces,
    read_namespace,
    write_namespace,
    patch_namespace,
    delete_namespace,
    reachable_namespaces,
    lock_namespace,
    lock_namespace_below,
    unlock_namespace,
    unlock_namespace_below,
    seal_namespace,
    read_seal_status,
    unseal_namespace,
    delete_sealed_namespace,
)
