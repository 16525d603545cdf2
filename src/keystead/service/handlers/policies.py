"""The policy of a key. What its principals meant when it was put is kept with it, as ids.

KMS Developer Guide, "Key policies"; KMS API Reference, "PutKeyPolicy".
"""

from __future__ import annotations

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core import policy as dialects
from keystead.core.entities import Key, KeyPolicy, PolicyText, TrustPolicy
from keystead.core.errors import InvalidArgument, LimitExceeded, NotFound
from keystead.core.operations import Nothing, Page
from keystead.core.policy.aws import MAX_BYTES, PRINCIPALS
from keystead.service.handlers.resolve import id_of
from keystead.service.handlers.standing import existing
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome

NAME = "default"  # the one name that a key's policy can have
DEFAULT_DIALECT = "aws"


def default_policy(tenant: str) -> PolicyText:
    """The tenant's root may do everything, and so delegate everything."""
    return PolicyText(NAME, DEFAULT_DIALECT, dialects.dialect(DEFAULT_DIALECT).default_key_policy(tenant))


def fixed(text: PolicyText | None, key: Key, namespace: str, act: Act, *, bypass: bool) -> KeyPolicy:
    """The policy to put, checked, with every principal resolved to what it means now.

    Raises InvalidArgument (detail "Policy"), LimitExceeded (detail "policy"). `namespace`: the key's address.
    """
    given = default_policy(key.tenant) if text is None else text
    check_size(given, act.quotas.policy_bytes)
    policy = KeyPolicy(id=key.id, dialect=given.dialect, text=given.text, principals=_resolved(given, act))
    dialects.check_key_policy(policy)
    if text is not None and not bypass:
        dialects.check_lockout(policy, key, act.caller, namespace)
    return policy


def check_size(policy: PolicyText, most: int = MAX_BYTES) -> None:
    if len(policy.text) > most or len(policy.text.encode()) > most:
        raise LimitExceeded(f"a policy has at most {most} bytes", "policy")


def checked_identity_policy(policy: PolicyText) -> None:
    """Raises InvalidArgument (detail "Policy"), LimitExceeded."""
    check_size(policy)
    dialects.check_identity_policy(policy)


def fixed_trust(text: PolicyText, act: Act) -> TrustPolicy:
    """A trust policy to put, its principals resolved. Raises InvalidArgument (detail "Policy"), LimitExceeded."""
    check_size(text)
    policy = TrustPolicy(dialect=text.dialect, text=text.text, principals=_resolved(text, act))
    dialects.check_trust_policy(policy)
    return policy


def _resolved(text: PolicyText, act: Act) -> dict[str, str]:
    names = {name.text: id_of(name, act) for name in dialects.principals_of(text)}
    ids = {name: id_ for name, id_ in names.items() if id_ is not None}
    if len(ids) < len(names):
        raise InvalidArgument(PRINCIPALS, "Policy")
    return ids


def _known(name: str) -> None:
    """Raises NotFound."""
    if name != NAME:
        raise NotFound("No such policy exists", "policy_name")


def read_policy(op: ops.ReadPolicy, targets: tuple[HeldKey], act: Act) -> Outcome[PolicyText]:
    """To the letter, as it was put."""
    (held,) = targets
    existing(held.key, act.now)
    _known(op.name)
    return Outcome(answer=PolicyText(NAME, held.policy.dialect, held.policy.text))


def put_policy(op: ops.PutPolicy, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    (held,) = targets
    _known(op.policy.name)
    policy = fixed(op.policy, held.key, op.key.namespace, act, bypass=op.bypass_lockout_check)
    existing(held.key, act.now)
    policy = replace(policy, revision=held.policy.revision)
    return Outcome(answer=Nothing(), put=(held.key, policy))


def list_policies(_op: ops.ListPolicies, targets: tuple[HeldKey], act: Act) -> Outcome[Page[str]]:
    existing(targets[0].key, act.now)
    return Outcome(answer=Page((NAME,)))


HANDLERS: dict[type, Handler] = {
    ops.ReadPolicy: read_policy,
    ops.PutPolicy: put_policy,
    ops.ListPolicies: list_policies,
}
