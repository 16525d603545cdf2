"""Policies: one decision form, one decide(), and a compiler per dialect.

A dialect is a row of DIALECTS. What it compiles to is core.policy.form, by which core.policy.decision decides; what it
may ask about is core.policy.facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.caller import Caller
from keystead.core.entities import Key, KeyPolicy, PolicyText, TrustPolicy
from keystead.core.errors import InvalidArgument, Unsupported
from keystead.core.family import known_as
from keystead.core.operations import KeyRef, PutPolicy
from keystead.core.policy import aws
from keystead.core.policy.arn import PrincipalName, resource_arn
from keystead.core.policy.decision import decide, unasked
from keystead.core.policy.form import Document, Own
from keystead.core.policy.kept import Kept, within
from keystead.core.policy.paths import compile_together
from keystead.core.policy.request import Request, Subject
from keystead.core.rights import Rights


class Dialect(Struct, frozen=True):
    """`compile_identity_policies` takes all that a principal has of this dialect: in some, they only count together."""

    principals_of: Callable[[str], tuple[PrincipalName, ...]]
    compile_key_policy: Callable[[str, Mapping[str, str]], Document]
    compile_identity_policies: Callable[[tuple[PolicyText, ...]], tuple[Document, ...]]
    compile_trust_policy: Callable[[str, Mapping[str, str]], Document]
    default_key_policy: Callable[[str], str]


_aws_identity_policy = Kept(aws.compile_identity_policy, len)


def _none(*_: object) -> NoReturn:
    raise Unsupported("policies of keys and of trust have no form in this dialect", "vault")


DIALECTS: dict[str, Dialect] = {
    "aws": Dialect(
        aws.principals_of,
        aws.compile_key_policy,
        lambda policies: tuple(_aws_identity_policy(one.text) for one in policies),
        aws.compile_trust_policy,
        aws.default_key_policy,
    ),
    "vault": Dialect(_none, _none, lambda policies: (compile_together(policies),), _none, _none),
}


def dialect(name: str) -> Dialect:
    """Raises Unsupported."""
    if (found := DIALECTS.get(name)) is None:
        raise Unsupported("no such policy dialect", name)
    return found


def principals_of(policy: PolicyText) -> tuple[PrincipalName, ...]:
    """Every principal that a key policy names; each must exist, those of kind SERVICE excepted.

    Raises InvalidArgument(detail "Policy"), Unsupported.
    """
    return dialect(policy.dialect).principals_of(policy.text)


def check_identity_policy(policy: PolicyText) -> None:
    """Raises InvalidArgument(detail "Policy"), Unsupported."""
    identity_documents((policy,))


def weight(policies: Iterable[PolicyText]) -> int:
    return sum(len(one.text) for one in policies)


@within(weight)
def identity_documents(policies: tuple[PolicyText, ...]) -> tuple[Document, ...]:
    """All identity policies of a principal, compiled: of each dialect together. Raises InvalidArgument, Unsupported."""
    of: dict[str, list[PolicyText]] = {}
    for policy in policies:
        of.setdefault(policy.dialect, []).append(policy)
    return tuple(one for name, own in of.items() for one in dialect(name).compile_identity_policies(tuple(own)))


def check_trust_policy(policy: TrustPolicy) -> None:
    """Raises InvalidArgument(detail "Policy"), Unsupported."""
    dialect(policy.dialect).compile_trust_policy(policy.text, policy.principals)


def check_key_policy(policy: KeyPolicy) -> None:
    """Raises InvalidArgument(detail "Policy"), Unsupported."""
    dialect(policy.dialect).compile_key_policy(policy.text, policy.principals)


def check_lockout(policy: KeyPolicy, key: Key, caller: Caller, namespace: str) -> None:
    """Raise InvalidArgument(detail "Policy") if under `policy` the caller could not put the next one.

    `namespace`: the address of the key's keyring ("aws:<tenant>:<region>"). API Reference, PutKeyPolicy.
    """
    if unasked(caller.principal, Action.PUT_POLICY):
        return
    text = PolicyText(name="default", dialect=policy.dialect, text=policy.text)
    target = KeyRef(namespace, id=key.id)
    op = PutPolicy(key=target, policy=text)
    resource = resource_arn(namespace, f"key/{known_as(key.id)}")
    request = Request(caller, Action.PUT_POLICY, resource, target, Subject(key=key), op)
    document = dialect(policy.dialect).compile_key_policy(policy.text, policy.principals)
    if not decide(request, document, own(caller.rights)).allowed:
        raise InvalidArgument("The new key policy will not allow you to update the key policy in the future.", "Policy")


def own(rights: Rights) -> Own:
    """What a caller comes with, compiled. Raises InvalidArgument, Unsupported."""
    (boundary,) = (None,) if rights.boundary is None else identity_documents((rights.boundary,))
    session = None if rights.session is None else identity_documents(rights.session)
    return Own(identity_documents(rights.policies), boundary, session)
