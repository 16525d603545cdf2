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
from keystead.core.operations import CreateName, DeleteName, Demand, KeyRef, Operation, UpdateName
from keystead.core.policy import dialect, own
from keystead.core.policy.arn import resource_arn
from keystead.core.policy.decision import ELSEWHERE, Prepared, Verdict, prepare, unasked
from keystead.core.policy.form import Document, Own
from keystead.core.policy.grants import check_tokens
from keystead.core.policy.kept import within
from keystead.core.policy.request import Request, Subject, line_of
from keystead.core.rights import Rights
from keystead.service.held import Held, HeldKey, HeldPrincipal, HeldReplica
from keystead.service.held.secrets import HeldCubby, HeldSecret
from keystead.service.refusals import denied
from keystead.service.resources import (
    address_of,
    boundary_of,
    has_arns,
    is_elsewhere,
    is_secret,
    resource_of,
    secret_resource,
    tags_of,
)

C = TypeVar("C")
K = TypeVar("K")
V = TypeVar("V")
MAX_PRINCIPALS = 256  # whose decisions are kept per key
MAX_ALONE = 4096  # decisions without a key
HEAVY = 16 * 1024  # characters of policies: to compile more takes too long for the event loop
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


# STS API Reference, GetSessionToken, "Permissions": what a session of a user may not, whatever the user may.
_NOT_IN_A_SESSION = ABOUT_IDENTITIES | {Action.LOCATE_ACCESS_KEY}
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
            secret_resource(caller.rights, held, op) or resource_of(demand, held, op),
            demand.target,
            key or like,
            op,
            exists=held is not None and not (isinstance(held, HeldSecret | HeldCubby) and held.is_absent),
            boundary=boundary_of(held),
            tags=tags_of(held),
        )
        if (caller.principal.principal_kind is PrincipalKind.WEB_IDENTITY) is not (action is _WITH_A_TOKEN):
            raise denied(request, _NOBODY)  # whoever comes with a token can do one thing, and nobody else can
        if rule := unasked(caller.principal, action):
            return rule
        if action in _NOT_IN_A_SESSION and caller.ends_at is not None and not caller.is_role:
            raise denied(request, _OF_A_SESSION)
        sayable = (row.aws or row.vault) and row.scope is not Scope.SYSTEM
        if caller.principal.principal_kind is PrincipalKind.SYSTEM or not sayable:
            raise denied(request, _NOBODY)
        if action in {Action.ASSUME_ROLE, Action.TAG_SESSION, _WITH_A_TOKEN}:
            return _assumed(request, held)  # on a thread already, since roles are not held
        if key is not None:
            rule = self._on_key(request, key)
        elif is_elsewhere(demand.target, held, caller.principal.tenant) or is_secret(demand.target, held, row.scope):
            raise denied(request, ELSEWHERE)
        else:
            prepared = self._prepared(request)
            if type(held) is HeldSecret and not has_arns(caller.rights):
                _bounded(self._of_secrets)[caller.rights.key, action] = (caller.rights, prepared)
            rule = _answer(request, prepared)
        return self._with_name(request, rule, held)

    def _with_name(self, request: Request, rule: str, held: Held | None) -> str:
        """`rule`, once an identity policy allows the action on the name too."""
        if (named := _NAME.get(request.action)) is not None:
            target = cast("KeyRef", request.target)
            resource = resource_arn(address_of(target, held), named(request.op))
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


def _answer(request: Request, prepared: Prepared) -> str:
    verdict = prepared.decide(request)
    if not verdict.allowed:
        raise denied(request, verdict)
    return verdict.rule


_WITH_A_TOKEN = Action.ASSUME_ROLE_WITH_WEB_IDENTITY
_UNTRUSTED = Verdict()  # AWS gives no reason, for a role that is not there as for one that does not trust


def _assumed(request: Request, held: Held | None) -> str:
    """STS API Reference, AssumeRole: the role's trust policy, as a key policy is a key's, and identity policies."""
    if request.caller.principal.principal_kind is PrincipalKind.ROOT:
        raise Denied("Roles may not be assumed by root accounts.", request.action)
    role = held.principal if isinstance(held, HeldPrincipal) else None
    if role is None or role.trust is None or not role.enabled or role.principal_kind is not PrincipalKind.ROLE:
        raise denied(request, _UNTRUSTED)
    asked = replace(request, owner=role.tenant)
    verdict = prepare(asked, _trust(role.trust), _own(request.caller.rights)).decide(asked)
    if not verdict.allowed:
        raise denied(request, _UNTRUSTED)
    return verdict.rule.replace("key policy", "trust policy")
