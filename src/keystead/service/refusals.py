"""How a refusal is told: by whom, to do what, on which resource, and no more than they may hear."""

from __future__ import annotations

from keystead.core.actions import ACTIONS, Action
from keystead.core.entities import PrincipalKind
from keystead.core.errors import Denied
from keystead.core.operations import KeyRef, SecretRef
from keystead.core.policy.arn import arn_of_caller, resource_arn, tenant_of
from keystead.core.policy.decision import Verdict
from keystead.core.policy.request import Request

OF_CIPHERTEXT = (
    "The ciphertext refers to a customer master key that does not exist, "
    "does not exist in this region, or you are not allowed to access."
)  # one sentence for both, so that absence stays a secret


def denied(request: Request, verdict: Verdict) -> Denied:
    if _is_hidden(request):
        return Denied(OF_CIPHERTEXT, request.action)
    word = ACTIONS[request.action].aws or request.action.value
    if request.caller.principal.principal_kind is PrincipalKind.WEB_IDENTITY:
        return Denied(f"Not authorized to perform {word}", request.action)
    return Denied(
        f"User: {arn_of_caller(request.caller)} is not authorized to perform: {word} on resource: "
        f"{as_told(request)} {verdict.why_not.format(action=word)}".rstrip(),
        request.action,
    )


def _is_hidden(request: Request) -> bool:
    """Whether a ciphertext names the key, and the caller may not hear whether it is there."""
    target, held = request.target, request.held
    if not isinstance(target, KeyRef):
        return False
    return target.by_ciphertext or (target.in_ciphertext and (held is None or target.namespace not in held.addresses))


def as_told(request: Request) -> str:
    """The resource; another tenant's as the caller wrote it, so that nobody hears which key a name means."""
    target = request.target
    if isinstance(target, SecretRef) or request.action is Action.LIST_SECRETS:
        return "*"  # a path is nobody's to write down
    if isinstance(target, KeyRef) and tenant_of(target.namespace) != request.caller.principal.tenant:
        return resource_arn(target.namespace, target.name or f"key/{target.id}")
    return request.resource
