"""What a token keeps for itself. HashiCorp Vault documentation, "Cubbyhole secrets engine".

It is sealed under a key of the token's text, which nobody keeps: once the token is lost, so is what it kept, from
every backup too.
"""

from __future__ import annotations

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Cubby
from keystead.core.errors import DecryptionFailed, Denied, InvalidArgument, LimitExceeded, NotFound
from keystead.core.keyed import KeyedHash
from keystead.core.operations import Nothing
from keystead.core.sensitive import Sensitive
from keystead.crypto.aead import NONCE_BYTES, GcmSiv
from keystead.service.handlers.secrets import MAX_PATH, MAX_VALUE
from keystead.service.held.secrets import HeldCubby
from keystead.service.pipeline import Act, Handler, Outcome

_LABEL = b"keystead/cubbyhole/v1"


def _aead(text: Sensitive) -> GcmSiv:
    return GcmSiv(KeyedHash(text.reveal())(_LABEL))


def _own(held: HeldCubby, act: Act) -> HeldCubby:
    """Whatever a policy says: a token reaches what is its own, and nobody else does."""
    token = act.caller.rights.token
    if token is None or token.id != held.ref.token:
        raise Denied("a cubbyhole is its token's own", "cubbyhole")
    if token.is_batch:
        raise InvalidArgument("cubbyhole operations are only supported by 'service' type tokens", "token")
    return held


def read_cubby(op: ops.ReadCubby, targets: tuple[HeldCubby], act: Act) -> Outcome[Sensitive]:
    held = _own(targets[0], act)
    if held.cubby is None:
        raise NotFound("nothing is kept there", "cubby")
    try:
        value = _aead(op.text).open(held.cubby.sealed, held.id.encode())
    except DecryptionFailed as error:
        raise NotFound("nothing that this text opens is kept there", "cubby") from error
    return Outcome(answer=Sensitive(value))


def write_cubby(op: ops.WriteCubby, targets: tuple[HeldCubby], act: Act) -> Outcome[Nothing]:
    held = _own(targets[0], act)
    ref = held.ref
    if len(op.value) > MAX_VALUE:
        raise LimitExceeded(f"a secret has at most {MAX_VALUE} bytes", "value")
    if not ref.path or len(ref.path) > MAX_PATH:
        raise InvalidArgument(f"a path has at most {MAX_PATH} characters", "path")
    sealed = _aead(op.text).seal(act.entropy(NONCE_BYTES), op.value.reveal(), held.id.encode())
    made = Cubby(id=held.id, token_id=ref.token, tenant=held.tenant, path=ref.path, sealed=sealed)
    return Outcome(answer=Nothing(), put=(made if held.cubby is None else replace(held.cubby, sealed=sealed),))


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
