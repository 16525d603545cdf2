"""What a token keeps for itself. HashiCorp Vault documentation, "Cubbyhole secrets engine"."""

from __future__ import annotations

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Cubby
from keystead.core.errors import Denied, InvalidArgument, LimitExceeded, NotFound
from keystead.core.operations import Nothing
from keystead.service.handlers.secrets import MAX_PATH, MAX_VALUE
from keystead.service.heldsecret import HeldCubby
from keystead.service.pipeline import Act, Handler, Outcome


def _own(held: HeldCubby, act: Act) -> HeldCubby:
    """Whatever a policy says: a token reaches what is its own, and nobody else does."""
    token = act.caller.rights.token
    if token is None or token.id != held.ref.token:
        raise Denied("a cubbyhole is its token's own", "cubbyhole")
    if token.is_batch:
        raise InvalidArgument("cubbyhole operations are only supported by 'service' type tokens", "token")
    return held


def read_cubby(_op: ops.ReadCubby, targets: tuple[HeldCubby], act: Act) -> Outcome[Cubby]:
    held = _own(targets[0], act)
    if held.cubby is None:
        raise NotFound("nothing is kept there", "cubby")
    return Outcome(answer=held.cubby)


def write_cubby(op: ops.WriteCubby, targets: tuple[HeldCubby], act: Act) -> Outcome[Nothing]:
    held = _own(targets[0], act)
    if len(op.value) > MAX_VALUE:
        raise LimitExceeded(f"a secret has at most {MAX_VALUE} bytes", "value")
    if not held.ref.path or len(held.ref.path) > MAX_PATH:
        raise InvalidArgument(f"a path has at most {MAX_PATH} characters", "path")
    made = held.cubby or Cubby(id=held.id, token_id=held.ref.token, tenant=held.tenant, path=held.ref.path, value=b"")
    return Outcome(answer=Nothing(), put=(replace(made, value=op.value.reveal()),))


def delete_cubby(_op: ops.DeleteCubby, targets: tuple[HeldCubby], act: Act) -> Outcome[Nothing]:
    held = _own(targets[0], act)
    return Outcome(answer=Nothing(), delete=() if held.cubby is None else (held.cubby,))


def list_cubbies(_op: ops.ListCubbies, targets: tuple[HeldCubby], act: Act) -> Outcome[tuple[str, ...]]:
    held = _own(targets[0], act)
    inside = f"{held.ref.path}/" if held.ref.path else ""
    below = (path[len(inside) :] for path in held.paths() if path.startswith(inside))
    names = {head + slash for head, slash, _ in (path.partition("/") for path in below)}
    return Outcome(answer=tuple(sorted(names)))


HANDLERS: dict[type, Handler] = {
    ops.ReadCubby: read_cubby,
    ops.WriteCubby: write_cubby,
    ops.DeleteCubby: delete_cubby,
    ops.ListCubbies: list_cubbies,
}
