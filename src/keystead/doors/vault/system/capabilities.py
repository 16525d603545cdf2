"""sys/capabilities: what a token may do at paths; and what user interfaces ask of it."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.errors import NotFound
from keystead.core.mounts import path_of
from keystead.doors.vault.endpoint import Answer, Said, endpoint, led_there, spelt
from keystead.doors.vault.system.mountshapes import told
from keystead.doors.vault.tokens import Nothing, here, named
from keystead.kit import Call
from keystead.service.handlers.aclpolicies import MAX_PATHS
from keystead.wire.vault.kinds import CommaStrings
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb


class SelfRequest(Parameters, frozen=True, kw_only=True):
    path: CommaStrings = ()
    paths: CommaStrings = ()
    token: str = ""


class AccessorRequest(Parameters, frozen=True, kw_only=True):
    path: CommaStrings = ()
    paths: CommaStrings = ()
    accessor: str = ""


def _answer(req: SelfRequest | AccessorRequest, call: Call, unknown: str, **which: Any) -> Answer:
    paths = req.paths or req.path
    if not paths:
        raise Said(400, "paths must be supplied")
    if "" in paths:
        raise Said(400, multierror("missing path"))
    try:
        meant = {path: other for path in paths[:MAX_PATHS] if (other := spelt(call, path))}
        held = call(ops.ReadCapabilities(tenant=here(call), paths=paths, meant=meant, **which))
    except NotFound:
        raise Said(400, multierror(unknown)) from None
    found: dict[str, Any] = dict(held)
    if len(paths) == 1:
        found["capabilities"] = next(iter(found.values()))
    return Answer(data=found, doubled=True)


@endpoint("system", Verb.WRITE, "capabilities")
def capabilities(req: SelfRequest, call: Call) -> Answer:
    if not req.token:
        raise Said(500, multierror("no token found"))
    return _answer(req, call, "invalid token", **named(req.token))


@endpoint("system", Verb.WRITE, "capabilities-self")
def capabilities_self(req: SelfRequest, call: Call) -> Answer:
    return _answer(req, call, "invalid token")


@endpoint("system", Verb.WRITE, "capabilities-accessor")
def capabilities_accessor(req: AccessorRequest, call: Call) -> Answer:
    if not req.accessor:
        raise Said(400, "missing accessor")
    return _answer(req, call, "invalid accessor", accessor=req.accessor)


@endpoint("system", Verb.READ, "internal/ui/mounts")
def reachable_mounts(_req: Nothing, call: Call) -> dict[str, Any]:
    """Those that the caller may do anything below."""
    found: dict[str, dict[str, Any]] = {"auth": {}, "secret": {}}
    for mount in call(ops.ListReachableMounts(tenant=here(call))):
        path = path_of(mount)
        head, name = ("auth", path[5:]) if path.startswith("auth/") else ("secret", path)
        found[head][f"{name}/"] = told(mount)
    return found


class PathRequest(Parameters, frozen=True, kw_only=True):
    path: str = CAPTURED


@endpoint("system", Verb.READ, "internal/ui/mounts/{path:path}")
def reachable_mount(req: PathRequest, call: Call) -> dict[str, Any]:
    """The one that the path leads into. A mount that is not there is told from none that is out of reach."""
    asked = f"{req.path.strip('/')}/"
    for mount in call(ops.ListReachableMounts(tenant=here(call))):
        path = path_of(mount)
        if asked.startswith(f"{path}/"):
            return {**told(mount), "path": f"{led_there(call)}{path}/"}
    raise unshown(f"{led_there(call)}{asked}")


def unshown(path: str) -> Said:
    words = "preflight capability check returned 403, please ensure client's policies grant access to path"
    return Said(403, f'{words} "{path.strip("/")}/"')


@endpoint("system", Verb.READ, "internal/ui/resultant-acl")
def resultant_acl(_req: Nothing, call: Call) -> dict[str, Any]:
    acl = call(ops.ReadOwnAcl(tenant=here(call)))
    if acl.is_root:
        return {"root": True}
    exact, globs = (
        {path: {"capabilities": words} for path, words in sorted(of.items())} for of in (acl.exact, acl.globs)
    )
    return {"root": False, "exact_paths": exact, "glob_paths": globs}


OPERATIONS = (
    capabilities,
    capabilities_self,
    capabilities_accessor,
    reachable_mounts,
    reachable_mount,
    resultant_acl,
)
