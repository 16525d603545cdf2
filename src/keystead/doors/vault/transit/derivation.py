"""derive-key: a key that two parties agree on. OpenBao, transit/path_derive_key.go."""

from __future__ import annotations

from msgspec.structs import replace

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.algorithms import Family
from keystead.core.operations import Breach, KeyRef
from keystead.core.states import KeyState
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.transit.keys import terms_of
from keystead.doors.vault.transit.names import TYPES, key_ref, keyring_ref, type_of
from keystead.doors.vault.transit.words import SOFT_DELETED, Named, asked_first, said
from keystead.kit import Call
from keystead.wire import Malformed
from keystead.wire.pem import blocks
from keystead.wire.vault.kinds import Int
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.request import Verb

ECDH = "ecdh"
NO_BASE = "specified base key not found"
UNPARSED = "failed to parse supplied peer public key PEM: data does not contain any valid public keys "
OTHER_CURVE = "base private key type {kind} does not match peer public key curve"
_WORDS: dict[object, str] = {
    Breach.NEGATIVE: "requested version of the base key is negative",
    Breach.TOO_NEW: "requested version of the base key is higher than the latest key version",
    Breach.TOO_OLD: "requested version of the base key is less than the minimum available key version",
    Breach.NO_PRIVATE_HALF: "the base key's private key is not imported",
    KeyState.SUSPENDED: SOFT_DELETED,
    "public_key": OTHER_CURVE,
}


class DeriveRequest(Named, frozen=True, kw_only=True):
    key_derivation_algorithm: str = ECDH
    peer_public_key: str = ""
    base_key_name: str = ""
    base_key_version: Int = 0
    derived_key_type: str = "aes256-gcm96"


def _peer(text: str) -> bytes:
    """DER. Raises Said."""
    try:
        return blocks(text)[0].content
    except (Malformed, IndexError):
        raise Said(500, multierror(UNPARSED)) from None


@endpoint("transit", Verb.WRITE, "derive-key/{name}")
@asked_first
def derive(req: DeriveRequest, call: Call) -> None:
    ref = key_ref(req.name, call)
    if req.key_derivation_algorithm != ECDH:
        raise Said(400, f"key derivation algorithm {req.key_derivation_algorithm} not supported")
    if not req.peer_public_key:
        raise Said(400, "peer public key not provided")
    spec = TYPES.get(req.derived_key_type.lower())
    if spec is None or spec.family is not Family.AES:
        raise Said(400, f"unknown key type {req.derived_key_type}")
    base = _base(req.base_key_name, call)
    kind = _type_of_base(base, call)
    peer = _peer(req.peer_public_key)
    try:
        call(
            ops.AgreeOnKey(
                keyring=keyring_ref(call),
                name=ref.name,
                spec=spec,
                base=base,
                version=req.base_key_version,
                peer_public_key=peer,
                terms=replace(terms_of(derived=False), imports_only=True),
            )
        )
    except e.AlreadyExists as error:
        raise said(500, multierror(f"a key named {ref.name} is there already"), error) from error
    except (e.InvalidArgument, e.WrongState) as error:
        if error.detail not in _WORDS:
            raise
        raise said(500, multierror(_WORDS[error.detail].format(kind=kind)), error) from error


def _base(name: str, call: Call) -> KeyRef:
    """Raises Said, for what is no name of a key as for one that is not there."""
    try:
        return key_ref(name, call)
    except Said:
        raise Said(400, NO_BASE) from None


def _type_of_base(base: KeyRef, call: Call) -> str:
    try:
        key = call(ops.DescribeKey(key=base)).key
    except e.NotFound as error:
        raise said(400, NO_BASE, error) from error
    if key.spec.family is not Family.EC:
        raise Said(400, f"base key type {type_of(key)} does not support key agreement")
    return type_of(key)


OPERATIONS = (derive,)
