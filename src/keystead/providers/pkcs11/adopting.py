"""Key pairs in a token that somebody else has named: found by their label or id, and made where that is allowed.

Rule 1: an object of another's is used and never erased: its life is that of whoever made it.
Rule 2: the public half is read of the private object (RSA), or of the public one of the same name (EC).
Rule 3: it has to sign: by that it is proved, each time that a process first uses it, to be the key it was taken for.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from keystead.core.algorithms import KeySpec
from keystead.core.errors import Conflict, Internal, InvalidArgument, NotFound
from keystead.cryptoki.mechanisms import Mechanism
from keystead.cryptoki.session import Session
from keystead.cryptoki.templates import Template
from keystead.cryptoki.words import Cka, Ckm, Cko
from keystead.providers.pkcs11 import making, objects
from keystead.providers.pkcs11.handle import LABEL
from keystead.providers.pkcs11.making import KINDS, USES


class Found(Struct, frozen=True):
    spec: KeySpec
    handle: int
    id: bytes
    label: str
    public_key: bytes  # DER SubjectPublicKeyInfo


def find(session: Session, specs: Sequence[KeySpec], label: str, its_id: bytes) -> Found | None:
    """The private key that is called so, if it is of one of these specs; None: there is none.

    Raises Conflict (there are several), InvalidArgument (it is another kind of key, or one of ours).
    """
    named = _named(label, its_id)
    handles = session.find({Cka.TOKEN: True, Cka.CLASS: Cko.PRIVATE_KEY, **named}, 2)
    if not handles:
        return None
    if len(handles) > 1:
        raise Conflict("several keys in the HSM are called so: say the id too", "key_label")
    (handle,) = handles
    told = session.attributes(handle, (Cka.ID, Cka.LABEL, Cka.SIGN))
    own_id, own_label = told.get(Cka.ID, b""), told.get(Cka.LABEL, b"")
    if not isinstance(own_id, bytes) or not isinstance(own_label, bytes):
        raise Internal("an object in an HSM has no name")
    text = own_label.decode("utf-8", "replace")
    if text == LABEL:
        raise InvalidArgument("the key in the HSM is one of this installation's own", "key_label")
    if not told.get(Cka.SIGN):
        raise InvalidArgument("the key in the HSM does not sign", "key_label")
    for spec in specs:
        if (public := _public_key(session, spec, handle, {Cka.ID: own_id, Cka.LABEL: text})) is not None:
            return Found(spec, handle, own_id, text, public)
    raise InvalidArgument("the key in the HSM is of another kind or size", "mechanism")


def make(session: Session, spec: KeySpec, by: Ckm, label: str, its_id: bytes) -> Found:
    """With its public half beside it, for whoever else looks for the key."""
    kind, uses = KINDS[spec.family], USES[spec.family]
    more: dict[str, int | bytes] = {"ec_params": making.parameters(spec, "")}
    if spec.bits is not None and by in {Ckm.RSA_PKCS_KEY_PAIR_GEN, Ckm.RSA_X9_31_KEY_PAIR_GEN}:
        more = {"modulus_bits": spec.bits, "public_exponent": making.EXPONENT}
    name: Template = {Cka.LABEL: label}
    public: Template = {**objects.public(kind, its_id, uses, **more), **name}
    private: Template = {**objects.private(kind, its_id, uses), **name}
    one, other = session.generate_pair(Mechanism(by), public, private)
    return Found(spec, other, its_id, label, making.public_key(session, spec, one))


def _named(label: str, its_id: bytes) -> dict[Cka, bytes | str]:
    named: dict[Cka, bytes | str] = {Cka.LABEL: label} if label else {}
    return {**named, Cka.ID: its_id} if its_id else named


def _public_key(session: Session, spec: KeySpec, private: int, named: Template) -> bytes | None:
    """None: it is no key of that spec."""
    of = session.attributes(private, (Cka.KEY_TYPE, Cka.EC_PARAMS))
    if of.get(Cka.KEY_TYPE) != KINDS[spec.family]:
        return None
    told = private
    if of.get(Cka.EC_PARAMS):
        if of[Cka.EC_PARAMS] != making.parameters(spec, ""):
            return None
        beside = session.find({Cka.TOKEN: True, Cka.CLASS: Cko.PUBLIC_KEY, **named}, 2)
        if len(beside) != 1:
            raise NotFound("the public half of the key is not in the HSM", "public_key")
        (told,) = beside
    try:
        return making.public_key(session, spec, told)
    except Internal:  # of another size
        return None
