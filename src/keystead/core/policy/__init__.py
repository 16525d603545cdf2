"""Policies: one decision form, one decide(), and a compiler per dialect.

A dialect is a row of DIALECTS. What it compiles to is core.policy.form; what it may ask about is core.policy.facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.caller import Caller
from keystead.core.entities import Key, KeyPolicy, PolicyText, TrustPolicy
from keystead.core.errors import InvalidArgument, Unsupported
from keystead.core.family import known_as
from keystead.core.operations import KeyRef, PutPolicy
from keystead.core.policy import aws
from keystead.core.policy.arn import PrincipalName, resource_arn
from keystead.core.policy.form import Document, Own, decide, unasked
from keystead.core.policy.request import Request, Subject
from keystead.core.rights import Rights


class Dialect(Struct, frozen=True):
    principals_of: Callable[[str], tuple[PrincipalName, ...]]
    compile_key_policy: Callable[[str, Mapping[str, str]], Document]
    compile_identity_policy: Callable[[str], Document]
    compile_trust_policy: Callable[[str, Mapping[str, str]], Document]
    default_key_policy: Callable[[str], str]


DIALECTS: dict[str, Dialect] = {
    "aws": Dialect(
        aws.principals_of,
        aws.compile_key_policy,
        aws.compile_identity_policy,
        aws.compile_trust_policy,
        aws.default_key_policy,
    ),
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
    dialect(policy.dialect).compile_identity_policy(policy.text)


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
    if not decide(request, document, _own(caller.rights)).allowed:
        raise InvalidArgument("The new key policy will not allow you to update the key policy in the future.", "Policy")


def _own(rights: Rights) -> Own:
    def compiled(policy: PolicyText) -> Document:
        return dialect(policy.dialect).compile_identity_policy(policy.text)

    return Own(
        tuple(compiled(one) for one in rights.policies),
        None if rights.boundary is None else compiled(rights.boundary),
        None if rights.session is None else tuple(compiled(one) for one in rights.session),
    )
