"""Condition keys: what a policy can ask about a request. One row each; an unknown key has no value, as in AWS.

KMS Developer Guide, "AWS KMS condition keys"; IAM User Guide, "AWS global condition context keys". Names are
kept in lower case, for they are not case-sensitive. A fact is a tuple of texts, empty where it has no value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.algorithms import KeySpec, MessageForm, Purpose, Word
from keystead.core.entities import Key, Origin, PrincipalKind
from keystead.core.errors import WrongUsage
from keystead.core.family import in_header
from keystead.core.federation import CLAIMS, WebIdentity
from keystead.core.operations import KeyRef, PolicyRef, PutPolicy, ReadPolicy, ReEncrypt
from keystead.core.policy.arn import arn_of, policy_arn
from keystead.core.policy.fold import lower
from keystead.core.policy.grants import CONTEXTUAL, asked_context, grant_in_question
from keystead.core.policy.request import Held, Request
from keystead.core.wrapping import Wrapping

Values = tuple[str, ...]
Read = Callable[[Request], Values]


class Fact(Struct, frozen=True):
    read: Read
    stable: bool = False  # the same for every request with this principal, key and action


KEY_USAGE = {
    Purpose.CIPHER: "ENCRYPT_DECRYPT",
    Purpose.SIGNATURE: "SIGN_VERIFY",
    Purpose.MAC: "GENERATE_VERIFY_MAC",
    Purpose.AGREEMENT: "KEY_AGREEMENT",
    Purpose.ENCAPSULATION: "ENCAPSULATE_DECAPSULATE",
}
KEY_ORIGIN = {
    Origin.GENERATED: "AWS_KMS",
    Origin.EXTERNAL: "EXTERNAL",
    Origin.HSM: "AWS_CLOUDHSM",
    Origin.EXTERNAL_STORE: "EXTERNAL_KEY_STORE",
}
MESSAGE_TYPE = {MessageForm.RAW: "RAW", MessageForm.DIGEST: "DIGEST", MessageForm.EXTERNAL_MU: "EXTERNAL_MU"}
PRINCIPAL_TYPE = {PrincipalKind.ROOT: "Account", PrincipalKind.USER: "User", PrincipalKind.ROLE: "AssumedRole"}
_SPELT: dict[type, Callable[[Any], str | None]] = {
    str: str,
    bool: lambda value: "true" if value else "false",
    int: str,
    datetime: lambda value: value.isoformat(),
    Word: lambda word: word.text,
    KeySpec: lambda spec: spec.aws,
    Purpose: KEY_USAGE.get,
    Origin: KEY_ORIGIN.get,
    MessageForm: MESSAGE_TYPE.get,
    Wrapping: lambda wrapping: wrapping.aws,
}


def _texts(value: object) -> Values:
    """Any value of a field, as the dialect spells it; () if there is none, or no word for it."""
    spell = _SPELT.get(type(value))
    text = spell(value) if spell is not None else None
    return () if text is None else (text,)


def _field(*names: str) -> Fact:
    """The first of these fields that the operation has a value in."""

    def read(request: Request) -> Values:
        values = (_texts(getattr(request.op, name, None)) for name in names)
        return next((v for v in values if v), ())

    return Fact(read)


def _of_key(read: Callable[[Key], object], field: str) -> Fact:
    """A property of the key; of the key to be, where the request is to create one."""

    def values(request: Request) -> Values:
        return _texts(read(request.held.key) if request.held is not None else getattr(request.op, field, None))

    return Fact(values)


def _named(pairs: Mapping[str, str] | None, name: str) -> Values:
    """The value under `name`, or, as names in conditions are not case-sensitive, all that differ from it by case."""
    if not pairs:
        return ()
    if name in pairs:
        return (pairs[name],)
    return tuple(value for key, value in pairs.items() if lower(key) == lower(name))


def _pairs(value: object) -> Mapping[str, str]:
    return value if isinstance(value, Mapping) else {}


def _of_action(actions: Iterable[Action], read: Read) -> Fact:
    among = frozenset(actions)
    return Fact(lambda request: read(request) if request.action in among else ())


def _policy_name(request: Request) -> Values:
    """As PutKeyPolicy has it, or GetKeyPolicy; nothing else has one (KMS API Reference)."""
    match request.op:
        case PutPolicy(policy=policy):
            return (policy.name,)
        case ReadPolicy(name=name):
            return (name,)
        case _:
            return ()


_ALGORITHM_FIELD = {
    Action.RE_ENCRYPT_FROM: "source_algorithm",
    Action.RE_ENCRYPT_TO: "destination_algorithm",
}


def _algorithm(purpose: Purpose) -> Read:
    """As asked for, or the key's default: the condition holds for defaults too."""

    def read(request: Request) -> Values:
        word = getattr(request.op, _ALGORITHM_FIELD.get(request.action, "algorithm"), None)
        if request.held is None:
            return _texts(word)
        spec = request.held.key.spec
        try:
            row = spec.default(purpose) if word is None else spec.algorithm(word, purpose)
        except WrongUsage:
            return _texts(word)
        return () if row.aws is None else (row.aws,)

    return read


def _key_type(request: Request) -> Values:
    """PRIMARY or REPLICA: the key's, or what the key to be will be."""
    if request.held is None:
        return ("PRIMARY",) if getattr(request.op, "multi_region", False) else ()
    key = request.held.key
    return () if not key.multi_region else ("PRIMARY",) if key.is_primary else ("REPLICA",)


def _grant_operations(request: Request) -> Values:
    grant = grant_in_question(request)
    return () if grant is None else grant.operations


def _of_grant(field: str) -> Fact:
    return Fact(lambda request: _texts(getattr(grant_in_question(request), field, None)))


def _aliases(request: Request) -> Values:
    held = request.held
    return () if held is None else tuple(n.name for n in held.names if n.namespace.startswith("aws:"))


def _request_alias(request: Request) -> Values:
    target = request.target
    return (target.name,) if isinstance(target, KeyRef) and target.name else ()


def _user_only(text: Callable[[Request], str]) -> Fact:
    return Fact(lambda r: (text(r),) if r.caller.principal.principal_kind is PrincipalKind.USER else (), stable=True)


def _of_account(read: Read) -> Fact:
    """Of those who belong to an account: a web identity comes from elsewhere."""
    return Fact(lambda r: () if isinstance(r.caller.principal, WebIdentity) else read(r), stable=True)


def _user_id(request: Request) -> Values:
    principal = request.caller.principal
    if request.caller.is_role and request.caller.session:
        return (f"{principal.id}:{request.caller.session}",)
    return (principal.tenant if principal.principal_kind is PrincipalKind.ROOT else principal.id,)


def _issued(request: Request) -> Values:
    began = request.caller.began_at
    return () if began is None else (datetime.fromtimestamp(began, UTC).isoformat(),)


def _region(request: Request) -> Values:
    """Where it is done: in another region than the caller's, for a copy there."""
    return _texts((getattr(request.target, "namespace", "") or request.caller.namespace).rpartition(":")[2] or None)


def _tag_keys(request: Request) -> Values:
    tags = _pairs(getattr(request.op, "tags", None))
    return tuple(tags) if request.action not in _UNTAGGING else tuple(getattr(request.op, "names", ()))


def _stable(read: Read) -> Fact:
    return Fact(read, stable=True)


def _period(request: Request) -> Values:
    """What the request says, or what the rotation will be without it."""
    asked = getattr(request.op, "period_days", None)
    kept = request.held.key.rotation if request.held is not None else None
    return _texts(asked or (kept.period_days if kept else 365))


def _days_unused(request: Request) -> Values:
    """Whole days since the last use; of a key that was never used since it was made: all of its uses are on record."""
    if request.held is None:
        return ()
    last = request.held.last_use()
    since = request.held.key.created_at if last is None else last.at
    return (str(max(request.caller.now - since, timedelta()) // timedelta(days=1)),)


def _on_same_key(request: Request) -> Values:
    """Whether both keys of a ReEncrypt are one: each of them is asked about with the other one's name at hand."""
    op, held = request.op, request.held
    if held is None or not isinstance(op, ReEncrypt):
        return ()
    other = op.destination if request.action is Action.RE_ENCRYPT_FROM else op.source
    return _texts(_means(other, held))


def _means(ref: KeyRef, held: Held) -> bool:
    """`ref` may have been read out of a ciphertext, where the id of a family looks like any other."""
    if ref.id:
        is_here = not held.key.multi_region or ref.namespace in held.addresses
        return is_here and in_header(ref.id) == in_header(held.key.id)
    return any((name.namespace, name.name) == (ref.namespace, ref.name) for name in held.names)


def _expiration_model(request: Request) -> Values:
    expires = getattr(request.op, "expires_at", None) is not None
    return ("KEY_MATERIAL_EXPIRES" if expires else "KEY_MATERIAL_DOES_NOT_EXPIRE",)


def _policy(request: Request) -> Values:
    named = getattr(request.op, "policy", None)
    return (policy_arn(named),) if isinstance(named, PolicyRef) else ()


def _boundary(request: Request) -> Values:
    """The one that is asked for, where the request gives one; otherwise the one that there is."""
    asked = getattr(request.op, "boundary", None)
    text = policy_arn(asked) if isinstance(asked, PolicyRef) else request.boundary
    return (text,) if text else ()


_SIGN, _MAC = (Action.SIGN, Action.VERIFY), (Action.GENERATE_MAC, Action.VERIFY_MAC)
_ASSUMING = (Action.ASSUME_ROLE, Action.ASSUME_ROLE_WITH_WEB_IDENTITY)
_UNTAGGING = frozenset({Action.UNTAG_KEY, Action.UNTAG_USER, Action.UNTAG_ROLE, Action.UNTAG_POLICY})
_ATTACHING = (
    Action.ATTACH_USER_POLICY,
    Action.DETACH_USER_POLICY,
    Action.ATTACH_ROLE_POLICY,
    Action.DETACH_ROLE_POLICY,
    Action.ATTACH_GROUP_POLICY,
    Action.DETACH_GROUP_POLICY,
)
_GRANTING = (Action.CREATE_GRANT, Action.LIST_GRANTS, Action.REVOKE_GRANT)

FACTS: dict[str, Fact] = {
    # the circumstances
    "aws:sourceip": Fact(lambda r: (r.caller.source,) if r.caller.source else ()),
    "aws:currenttime": Fact(lambda r: (r.caller.now.isoformat(),)),
    "aws:epochtime": Fact(lambda r: (str(int(r.caller.now.timestamp())),)),
    "aws:securetransport": Fact(lambda r: _texts(r.caller.secure)),
    "aws:requestedregion": Fact(_region),
    "aws:viaawsservice": _stable(lambda _: ("false",)),
    # the principal
    "aws:principalarn": _of_account(lambda r: (arn_of(r.caller.principal),)),
    "aws:principalaccount": _of_account(lambda r: (r.caller.principal.tenant,)),
    "aws:principaltype": _stable(lambda r: _texts(PRINCIPAL_TYPE.get(r.caller.principal.principal_kind))),
    "aws:principalisawsservice": _stable(lambda _: ("false",)),
    "aws:userid": Fact(_user_id),  # another one in every session of a role
    "aws:tokenissuetime": Fact(_issued),
    "aws:federatedprovider": Fact(lambda r: (r.caller.provider,) if r.caller.provider else ()),
    "aws:multifactorauthpresent": Fact(lambda r: () if r.caller.ends_at is None else ("false",)),
    "sts:externalid": _of_action([Action.ASSUME_ROLE], lambda r: _texts(getattr(r.op, "external_id", None))),
    "sts:rolesessionname": _of_action(_ASSUMING, lambda r: _texts(getattr(r.op, "session_name", None))),
    "aws:username": _user_only(lambda r: r.caller.principal.name),
    "kms:calleraccount": _of_account(lambda r: (r.caller.principal.tenant,)),
    "kms:viaservice": _stable(lambda _: ()),  # no service calls on another's behalf
    # the key
    "aws:resourceaccount": _stable(lambda r: (r.held.key.tenant if r.held else r.owner or r.caller.principal.tenant,)),
    "kms:keyspec": _of_key(lambda key: key.spec, "spec"),
    "kms:keyusage": _of_key(lambda key: key.purpose, "purpose"),
    "kms:customermasterkeyspec": _of_key(lambda key: key.spec, "spec"),  # as these two were called before
    "kms:customermasterkeyusage": _of_key(lambda key: key.purpose, "purpose"),
    "kms:keyorigin": _of_key(lambda key: key.origin, "origin"),
    "kms:multiregion": _of_key(lambda key: key.multi_region, "multi_region"),
    "kms:multiregionkeytype": Fact(_key_type),
    "kms:replicaregion": _of_action([Action.REPLICATE_KEY], lambda r: _texts(getattr(r.op, "region", None))),
    "kms:primaryregion": _of_action([Action.CHANGE_PRIMARY], lambda r: _texts(getattr(r.op, "region", None))),
    "kms:resourcealiases": _stable(_aliases),
    "kms:requestalias": Fact(_request_alias),
    # the request
    "kms:encryptioncontextkeys": Fact(lambda r: tuple(asked_context(r) or ())),
    "kms:reencryptonsamekey": Fact(_on_same_key),
    "kms:encryptionalgorithm": _of_action(CONTEXTUAL, _algorithm(Purpose.CIPHER)),
    "kms:signingalgorithm": _of_action(_SIGN, _algorithm(Purpose.SIGNATURE)),
    "kms:macalgorithm": _of_action(_MAC, _algorithm(Purpose.MAC)),
    "kms:keyagreementalgorithm": _of_action([Action.DERIVE_SHARED_SECRET], _algorithm(Purpose.AGREEMENT)),
    "kms:messagetype": _field("form"),
    "kms:datakeypairspec": _field("pair_spec"),
    "kms:schedulekeydeletionpendingwindowindays": _field("after_days"),
    "kms:trailingdayswithoutkeyusage": _of_action((Action.SCHEDULE_DESTRUCTION, Action.DISABLE_KEY), _days_unused),
    "kms:rotationperiodindays": _of_action([Action.ENABLE_ROTATION], _period),
    "kms:bypasspolicylockoutsafetycheck": _field("bypass_lockout_check"),
    "kms:wrappingalgorithm": _field("wrapping"),
    "kms:wrappingkeyspec": _field("wrapping_spec"),
    "kms:expirationmodel": _of_action([Action.IMPORT_MATERIAL], _expiration_model),
    "kms:validto": _of_action([Action.IMPORT_MATERIAL], lambda r: _texts(getattr(r.op, "expires_at", None))),
    "kms:policyname": Fact(_policy_name),
    "kms:grantisforawsresource": _of_action(_GRANTING, lambda _: ("false",)),  # no AWS service creates grants here
    "kms:grantoperations": Fact(_grant_operations),
    "kms:granteeprincipal": _of_grant("grantee"),
    "kms:retiringprincipal": _of_grant("retiree"),
    "kms:grantconstrainttype": _of_grant("constraint_type"),
    "aws:tagkeys": Fact(_tag_keys),
    "iam:permissionsboundary": Fact(_boundary),
    "iam:policyarn": _of_action(_ATTACHING, _policy),
}

_FAMILIES: dict[str, Callable[[str], Fact]] = {
    "kms:encryptioncontext:": lambda name: Fact(lambda r: _named(asked_context(r), name)),
    "aws:principaltag/": lambda name: _stable(lambda r: _named(r.caller.rights.tags, name)),
    "aws:resourcetag/": lambda name: _stable(lambda r: _named(r.held.key.tags if r.held else r.tags, name)),
    "iam:resourcetag/": lambda name: _stable(lambda r: () if r.held else _named(r.tags, name)),
    "aws:requesttag/": lambda name: Fact(lambda r: _named(_pairs(getattr(r.op, "tags", None)), name)),
}
_NOTHING = Fact(lambda _: (), stable=True)


def _claim(issuer: str, claim: str) -> Fact:
    """IAM User Guide, "Available keys for AWS OIDC federation": <issuer>:aud and others, of its own tokens."""
    of = CLAIMS[claim]

    def read(request: Request) -> Values:
        who = request.caller.principal
        return of(who) if isinstance(who, WebIdentity) and lower(who.issuer) == issuer else ()

    return Fact(read, stable=True)


def fact(name: str) -> Fact:
    """The row of a condition key, in any case of letters."""
    folded = lower(name)
    for family, made in _FAMILIES.items():
        if folded.startswith(family):
            return made(name[len(family) :])
    issuer, _, claim = folded.rpartition(":")
    return FACTS.get(folded) or (_claim(issuer, claim) if claim in CLAIMS else _NOTHING)
