"""Who may do what: the policy decision for the pipeline, prepared once and kept per principal, key and action.

What is kept for a key lies in the key's own target (HeldKey.compiled), so it goes when anything about the key
changes; it names the rights it was made for, as an object, so it goes when anything about those changes.
A decision that rests on the request itself (a condition, a grant's constraint) is made every time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

from msgspec.structs import replace

from keystead.core.actions import ABOUT_IDENTITIES, ACTIONS, Action, Scope
from keystead.core.caller import Caller
from keystead.core.entities import KeyPolicy, PrincipalKind, TrustPolicy
from keystead.core.errors import Denied, Internal, InvalidArgument, Unsupported
from keystead.core.family import known_as
from keystead.core.operations import (
    AccessKeyRef,
    CreateName,
    DeleteName,
    Demand,
    KeyRef,
    ListSecrets,
    Operation,
    PolicyRef,
    PrincipalRef,
    ProviderRef,
    Ref,
    SecretRef,
    SystemRef,
    TenantRef,
    UpdateName,
)
from keystead.core.policy import dialect, own
from keystead.core.policy.arn import (
    AWS,
    arn_of,
    arn_of_caller,
    policy_arn,
    principal_arn,
    provider_arn,
    resource_arn,
    secret_arn,
    tenant_of,
)
from keystead.core.policy.form import ELSEWHERE, Document, Own, Prepared, Verdict, prepare, unasked
from keystead.core.policy.grants import check_tokens
from keystead.core.policy.kept import within
from keystead.core.policy.paths import DIALECT as PATHS
from keystead.core.policy.request import Request, Subject, line_of
from keystead.core.rights import Rights
from keystead.service.held import Held, HeldKey, HeldKeyring, HeldPolicy, HeldPrincipal, HeldReplica
from keystead.service.held.secrets import HeldCubby, HeldSecret

C = TypeVar("C")
K = TypeVar("K")
V = TypeVar("V")
MAX_PRINCIPALS = 256  # whose decisions are kept per key
MAX_ALONE = 4096  # decisions without a key
HEAVY = 16 * 1024  # characters of policies: to compile more takes too long for the event loop
OF_CIPHERTEXT = (
    "The ciphertext refers to a customer master key that does not exist, "
    "does not exist in this region, or you are not allowed to access."
)  # one sentence for both, so that absence stays a secret
Decisions = dict[Action, "str | Prepared"]
Tags = tuple[tuple[str, str], ...]


@within(lambda _name, text, _ids: len(text))
def _key_document(name: str, text: str, ids: tuple[tuple[str, str], ...]) -> Document:
    return dialect(name).compile_key_policy(text, dict(ids))


def _kept(compiled: Callable[..., C], *args: Any) -> C:
    """A policy that was put had been checked; one that does not compile now allows nothing and hides nothing."""
    try:
        return compiled(*args)
    except (InvalidArgument, Unsupported) as error:
        raise Internal("a policy that is kept does not compile") from error


def _key_policy(policy: KeyPolicy) -> Document:
    return _kept(_key_document, policy.dialect, policy.text, tuple(sorted(policy.principals.items())))


@within(lambda _name, text, _ids: len(text))
def _trust_document(name: str, text: str, ids: tuple[tuple[str, str], ...]) -> Document:
    return dialect(name).compile_trust_policy(text, dict(ids))


def _trust(policy: TrustPolicy) -> Document:
    return _kept(_trust_document, policy.dialect, policy.text, tuple(sorted(policy.principals.items())))


def _own(rights: Rights) -> Own:
    return _kept(own, rights)


# The name that an operation makes, moves or takes away. It needs a right of its own, by identity policy: KMS
# Developer Guide, "Controlling access to aliases".
_NAME: Mapping[Action, Callable[[Any], str]] = {
    Action.CREATE_NAME: lambda op: cast("CreateName", op).name,
    Action.UPDATE_NAME: lambda op: cast("UpdateName", op).name.name,
    Action.DELETE_NAME: lambda op: cast("DeleteName", op).name.name,
}


def _tenant(target: Ref, held: Held | None) -> str:
    if held is not None:
        return held.tenant
    if isinstance(target, TenantRef | PrincipalRef | PolicyRef | AccessKeyRef | ProviderRef):
        return target.tenant
    return "" if isinstance(target, SystemRef) else tenant_of(target.namespace)


def _is_elsewhere(target: Ref, held: Held | None, tenant: str) -> bool:
    """Another tenant's. The managed policies that AWS gives to every account are everybody's."""
    of = _tenant(target, held)
    return of != tenant and not (isinstance(target, PolicyRef) and of == AWS)


def _denied(request: Request, verdict: Verdict) -> Denied:
    if isinstance(request.target, KeyRef) and request.target.by_ciphertext:
        return Denied(OF_CIPHERTEXT, request.action)
    word = ACTIONS[request.action].aws or request.action.value
    if request.caller.principal.principal_kind is PrincipalKind.WEB_IDENTITY:
        return Denied(f"Not authorized to perform {word}", request.action)
    return Denied(
        f"User: {arn_of_caller(request.caller)} is not authorized to perform: {word} on resource: "
        f"{_as_told(request)} {verdict.why_not.format(action=word)}".rstrip(),
        request.action,
    )


def _as_told(request: Request) -> str:
    """The resource; another tenant's as the caller wrote it, so that nobody hears which key a name means."""
    target = request.target
    if isinstance(target, SecretRef) or request.action is Action.LIST_SECRETS:
        return "*"  # a path is nobody's to write down
    if isinstance(target, KeyRef) and tenant_of(target.namespace) != request.caller.principal.tenant:
        return resource_arn(target.namespace, target.name or f"key/{target.id}")
    return request.resource


_OF_A_SESSION = Verdict(why_not="because a session of a user without multi-factor authentication may not")
_NOBODY = Verdict(why_not="because no policy can allow the {action} action")


class Authorizer:
    """One per process; safe to use from any thread. What it keeps never outlives what it was made from.

    `may_block` raises WouldBlock on the event loop (service.view).
    """

    def __init__(self, may_block: Callable[[], None] = lambda: None) -> None:
        self._may_block = may_block
        self._alone: dict[tuple[str, Action, str, Tags], tuple[Rights, Prepared]] = {}
        self._of_secrets: dict[tuple[str, Action], tuple[Rights, Prepared]] = {}

    def forget(self) -> None:
        """Drop the decisions that no key holds; those about secrets hang on rights alone."""
        self._alone.clear()

    def require(self, caller: Caller, demand: Demand, held: Held | None, op: Operation[Any]) -> str:
        """The rule that allows it: "key policy", "identity policy", "grant <id>", "root", "system", "anyone"…

        Raises WouldBlock; Denied, also for an absent target; Internal for a kept policy that does not compile.
        """
        rights = caller.rights
        if type(held) is HeldKey:
            kept = held.compiled.get(rights.key)
            if kept is not None and kept[0] is rights:
                found: str | Prepared | None = kept[1].get(demand.action)
                if isinstance(found, str):
                    return found
                if found is not None:
                    line = line_of(caller, exists=True)
                    if (by_line := found.kept.get(line)) is not None:
                        return by_line
                    request = Request(caller, demand.action, found.resource, demand.target, held, op)
                    rule = self._with_name(request, _answer(request, found), held)
                    is_new = held.key.created_at == caller.now  # then who has made it counts, too
                    if line is not None and not is_new and demand.action not in _NAME:
                        found.keep(line, request, rule)
                    return rule
        elif type(held) is HeldSecret and held.tenant == caller.principal.tenant:
            alike = self._of_secrets.get((rights.key, demand.action))
            if alike is not None and alike[0] is rights:
                prepared, exists = alike[1], not held.is_absent
                line = line_of(caller, exists=exists)
                if (by_line := prepared.kept.get(line)) is not None:
                    return by_line
                request = Request(caller, demand.action, prepared.resource, demand.target, None, op, exists=exists)
                rule = _answer(request, prepared)
                if line is not None:
                    prepared.keep(line, request, rule)
                return rule
        return self._decide(caller, demand, held, op)

    def check_tokens(self, op: Operation[Any], found: Iterable[Held | None]) -> None:
        """Raise InvalidArgument (grant_token.INVALID) unless every grant token of `op` is of a grant on a target."""
        if op.grant_tokens:
            grants = [grant for held in found if isinstance(held, HeldKey) for grant in held.grants]
            check_tokens(op.grant_tokens, grants)

    def _decide(self, caller: Caller, demand: Demand, held: Held | None, op: Operation[Any]) -> str:
        action, row = demand.action, ACTIONS[demand.action]
        key = held if isinstance(held, HeldKey) and row.scope is Scope.KEY else None
        like = Subject(key=held.key) if isinstance(held, HeldReplica) else None
        request = Request(
            caller,
            action,
            _secret(caller.rights, held, op) or _resource(demand, held),
            demand.target,
            key or like,
            op,
            exists=held is not None and not (isinstance(held, HeldSecret | HeldCubby) and held.is_absent),
            boundary=_boundary(held),
            tags=_tags(held),
        )
        if (caller.principal.principal_kind is PrincipalKind.WEB_IDENTITY) is not (action is _WITH_A_TOKEN):
            raise _denied(request, _NOBODY)  # whoever comes with a token can do one thing, and nobody else can
        if rule := unasked(caller.principal, action):
            return rule
        if action in ABOUT_IDENTITIES and caller.ends_at is not None and not caller.is_role:
            raise _denied(request, _OF_A_SESSION)
        sayable = (row.aws or row.vault) and row.scope is not Scope.SYSTEM
        if caller.principal.principal_kind is PrincipalKind.SYSTEM or not sayable:
            raise _denied(request, _NOBODY)
        if action in {Action.ASSUME_ROLE, Action.TAG_SESSION, _WITH_A_TOKEN}:
            return _assumed(request, held)  # on a thread already, since roles are not held
        if key is not None:
            rule = self._on_key(request, key)
        elif _is_elsewhere(demand.target, held, caller.principal.tenant) or _is_secret(demand.target, held, row.scope):
            raise _denied(request, ELSEWHERE)
        else:
            prepared = self._prepared(request)
            if type(held) is HeldSecret and not _has_arns(caller.rights):
                _bounded(self._of_secrets)[caller.rights.key, action] = (caller.rights, prepared)
            rule = _answer(request, prepared)
        return self._with_name(request, rule, held)

    def _with_name(self, request: Request, rule: str, held: Held | None) -> str:
        """`rule`, once an identity policy allows the action on the name too."""
        if (named := _NAME.get(request.action)) is not None:
            target = cast("KeyRef", request.target)
            resource = resource_arn(_address(target, held), named(request.op))
            self._on_its_own(Request(request.caller, request.action, resource, target, None, request.op))
        return rule

    def _on_key(self, request: Request, held: HeldKey) -> str:
        rights = request.caller.rights
        kept = held.compiled.get(rights.key)
        if kept is None or kept[0] is not rights:
            if len(held.compiled) >= MAX_PRINCIPALS:
                held.compiled.clear()
            kept = held.compiled[rights.key] = (rights, {})
        decisions: Decisions = kept[1]
        self._weigh(rights, held.policy.text)
        prepared = prepare(request, _key_policy(held.policy), _own(rights))
        settled = prepared.settled
        at_once = settled is not None and settled.allowed and request.action not in _NAME
        decisions[request.action] = settled.rule if settled is not None and at_once else prepared
        return _answer(request, prepared)

    def _on_its_own(self, request: Request) -> str:
        return _answer(request, self._prepared(request))

    def _prepared(self, request: Request) -> Prepared:
        rights = request.caller.rights
        # Its tags too: one found before they changed may come to be judged after what was kept has been dropped.
        key = (rights.key, request.action, request.resource, tuple(request.tags.items()))
        kept = self._alone.get(key)
        if kept is None or kept[0] is not rights:
            self._weigh(rights)
            kept = _bounded(self._alone)[key] = (rights, prepare(request, None, _own(rights)))
        return kept[1]

    def _weigh(self, rights: Rights, beside: str = "") -> None:
        """Before policies are compiled. Raises WouldBlock."""
        texts = (*rights.policies, *(rights.session or ()), *(() if rights.boundary is None else (rights.boundary,)))
        if len(beside) + sum(len(policy.text) for policy in texts) > HEAVY:
            self._may_block()


def _bounded(kept: dict[K, V]) -> dict[K, V]:
    """With room for one more."""
    if len(kept) >= MAX_ALONE:
        kept.clear()
    return kept


def _boundary(held: Held | None) -> str:
    """The ARN of the permissions boundary of whoever the request is about."""
    found = held.boundary() if isinstance(held, HeldPrincipal) else None
    return "" if found is None else policy_arn(found)


def _tags(held: Held | None) -> Mapping[str, str]:
    """Of what the request is about, where that is no key."""
    if isinstance(held, HeldPrincipal):
        return held.principal.tags
    return held.policy.tags if isinstance(held, HeldPolicy) else {}


def _answer(request: Request, prepared: Prepared) -> str:
    verdict = prepared.decide(request)
    if not verdict.allowed:
        raise _denied(request, verdict)
    return verdict.rule


_WITH_A_TOKEN = Action.ASSUME_ROLE_WITH_WEB_IDENTITY
_UNTRUSTED = Verdict()  # AWS gives no reason, for a role that is not there as for one that does not trust


def _assumed(request: Request, held: Held | None) -> str:
    """STS API Reference, AssumeRole: the role's trust policy, as a key policy is a key's, and identity policies."""
    if request.caller.principal.principal_kind is PrincipalKind.ROOT:
        raise Denied("Roles may not be assumed by root accounts.", request.action)
    role = held.principal if isinstance(held, HeldPrincipal) else None
    if role is None or role.trust is None or not role.enabled or role.principal_kind is not PrincipalKind.ROLE:
        raise _denied(request, _UNTRUSTED)
    asked = replace(request, owner=role.tenant)
    verdict = prepare(asked, _trust(role.trust), _own(request.caller.rights)).decide(asked)
    if not verdict.allowed:
        raise _denied(request, _UNTRUSTED)
    return verdict.rule.replace("key policy", "trust policy")


def _is_secret(target: Ref, held: Held | None, scope: Scope) -> bool:
    """An absent key that a ciphertext names: forbidden to everybody, as it would be if it were another's.

    So is an absent access key, whose principal a policy would have to name.
    """
    if held is None and isinstance(target, AccessKeyRef):
        return True
    return scope is Scope.KEY and isinstance(target, KeyRef) and target.by_ciphertext


def _address(target: KeyRef, held: Held | None) -> str:
    """The key's address in the aws dialect, whatever door it was asked for at."""
    if isinstance(held, HeldKey):
        return held.keyring.by_dialect.get("aws", f"aws:{held.tenant}:")
    return target.namespace


def _secret(rights: Rights, held: Held | None, op: Operation[Any]) -> str:
    """The ARN of a secret, or of a folder that is listed; "" for whoever has no policy that could name it.

    A path of the vault dialect sees the request as it came, and decisions are then kept by action, not by path.
    """
    if type(held) is HeldSecret and _has_arns(rights):
        return secret_arn(held.tenant, held.ring.id, held.path)
    if isinstance(op, ListSecrets) and isinstance(held, HeldKeyring) and _has_arns(rights):
        return secret_arn(held.tenant, held.id, f"{op.folder}/" if op.folder else "")
    return ""


def _has_arns(rights: Rights) -> bool:
    policies = (*rights.policies, *(rights.session or ()), *(() if rights.boundary is None else (rights.boundary,)))
    return any(policy.dialect != PATHS for policy in policies)


def _resource(demand: Demand, held: Held | None) -> str:
    target = demand.target
    named = target if demand.to_be is None else demand.to_be
    if isinstance(named, PrincipalRef):
        path = named.path or (held.principal.path if isinstance(held, HeldPrincipal) else "/")
        return principal_arn(named.tenant, named.kind, f"{path[1:]}{named.name}")
    if isinstance(named, PolicyRef):
        return policy_arn(named)
    if isinstance(named, ProviderRef):
        return provider_arn(named.tenant, named.issuer)
    if isinstance(named, AccessKeyRef) and isinstance(held, HeldPrincipal):
        return arn_of(held.principal)
    if ACTIONS[demand.action].scope is not Scope.KEY or not isinstance(target, KeyRef):
        return "*"
    id_ = known_as(held.id if isinstance(held, HeldKey) else target.id)
    return resource_arn(_address(target, held), f"key/{id_}" if id_ else target.name)
