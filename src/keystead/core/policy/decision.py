"""The decision about one request: `decide` is the only place that says yes or no.

KMS Developer Guide, "Policy evaluation"; IAM User Guide, "Policy evaluation logic", "Cross-account policy
evaluation logic". An explicit deny wins; otherwise something must allow; nobody has a right by default, root
included. What policies and grants say is in one form (core.policy.form).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from types import MappingProxyType

from msgspec import Struct

from keystead.core.actions import ACTIONS, Action
from keystead.core.entities import Grant, Principal, PrincipalKind
from keystead.core.policy.conditions import MOST_COMPARED, Holds
from keystead.core.policy.form import Document, Own, Says
from keystead.core.policy.grants import asked_context, is_account_grantee, is_grantee, may_retire, open_test
from keystead.core.policy.request import Line, Request


class Verdict(Struct, frozen=True):
    """`rule`: what allowed it, for the audit record. `why_not`: the end of AWS's sentence, "{action}" left open."""

    rule: str = ""
    why_not: str = ""

    @property
    def allowed(self) -> bool:
        return not self.why_not


class Rule(Struct, frozen=True):
    """Something that may be said of a request, once its tests are passed."""

    says: int
    tests: tuple[Holds, ...]
    grant: str = ""
    cost: int = 0
    by_line: tuple[Holds | None, ...] = (None,)  # of each test: conditions.Condition


class Asker(Enum):
    """What the principal is to the key."""

    __hash__ = object.__hash__  # members are single; Enum's own hash of the name costs more than the look-up

    ROOT_ALONE = "root, and no key"
    ALONE = "no key"
    ROOT = "root of the key's own tenant"
    HOME = "another principal of the key's own tenant"
    HOME_ROLE = "a role of the key's own tenant"
    ROOT_ABROAD = "root of another tenant"
    ABROAD = "another principal of another tenant"


class Prepared(Struct, frozen=True):
    """A decision taken as far as principal, action, key and resource take it."""

    resource: str
    asker: Asker
    certain: int  # Says
    grant: str  # a grant among the certain
    rules: tuple[Rule, ...]
    settled: Verdict | None  # no request can change it
    cost: int = 0  # of a request, for each value that it has (conditions.Condition)
    kept: dict[Line | None, str] = {}  # what allowed a request of that line, where nothing else counts; None is none

    def keep(self, line: Line, request: Request, rule: str) -> None:
        """That `rule` allowed it, if nothing but its line has counted."""
        if self.settled is not None or len(line[0]) > MOST_OF_A_LINE:
            return
        if all(by and by(request) for rule in self.rules for by in rule.by_line):
            if len(self.kept) >= MOST_KEPT:
                self.kept.clear()
            self.kept[line] = rule

    def decide(self, request: Request) -> Verdict:
        if self.settled is not None:
            return self.settled
        if self.cost > COST_OF_ANY and self.cost * _size(request) > MOST_TOGETHER:
            return _TOO_MUCH
        says, grant = self.certain, self.grant
        for rule in self.rules:
            for holds in rule.tests:
                if not holds(request):
                    break
            else:
                says |= rule.says
                grant = rule.grant or grant
        return _conclude(says, grant, self.asker)


MOST_KEPT, MOST_OF_A_LINE = 64, 256  # lines; characters of a path
COST_OF_ANY = 32  # comparisons for each value of a request that no request makes too many of
MOST_TOGETHER = 2 * MOST_COMPARED  # under all the documents that count, each of which has a bound of its own
A_VALUE = 64  # characters: a longer one counts as several


def _size(request: Request) -> int:
    """How many values a condition may find in the request: those that there can be many of, and what is beside them."""
    maps = (asked_context(request), getattr(request.op, "tags", None))
    pairs = [name + value for each in maps if isinstance(each, Mapping) for name, value in each.items()]
    return 1 + sum(1 + len(text) // A_VALUE for text in (*pairs, *getattr(request.op, "names", ())))


_TOO_MUCH = Verdict(why_not="because it has more values than policies of so many conditions are held against")
_DENIED = Says.DENIED_BY_KEY | Says.DENIED_BY_IDENTITY | Says.DENIED_BY_BOUNDARY | Says.DENIED_BY_SESSION
_DENY_KEY = Verdict(why_not="with an explicit deny in a resource-based policy")
# IAM User Guide, "Troubleshoot access denied error messages"
_DENIES: tuple[tuple[Says, Verdict], ...] = (
    (Says.DENIED_BY_KEY, _DENY_KEY),
    (Says.DENIED_BY_IDENTITY, Verdict(why_not="with an explicit deny in an identity-based policy")),
    (Says.DENIED_BY_BOUNDARY, Verdict(why_not="with an explicit deny in a permissions boundary")),
    (Says.DENIED_BY_SESSION, Verdict(why_not="with an explicit deny in a session policy")),
)
_NO_BOUNDARY = Verdict(why_not="because no permissions boundary allows the {action} action")
_NO_SESSION = Verdict(why_not="because no session policy allows the {action} action")
_NO_KEY_POLICY = Verdict(why_not="because no resource-based policy allows the {action} action")
ELSEWHERE = Verdict(
    why_not="because the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)  # another tenant's key, to whom its policy and grants give nothing: all that would tell that there is one
_NO_IDENTITY = Verdict(why_not="because no identity-based policy allows the {action} action")

# asker -> what must all have been said, and the rule that it is then; the first that fits.
# IAM User Guide, "Policy evaluation for requests within a single account": what a key policy gives to a user by name is
# not limited by a boundary; what it gives to a role is, and by the session's policies; what it gives to everybody, or
# to a session by name, is given to the session itself. Grants are limited alike (docs/adr/0013).
_N, _A, _G, _GA, _R = Says.NAMED, Says.ACCOUNT, Says.GRANTED, Says.GRANTED_ACCOUNT, Says.RETIRER
_W = Says.IN_BOUNDARY | Says.IN_SESSION
_I = Says.IDENTITY | _W
_BOTH = "{} and identity policy"
_AT_HOME = (
    (_A | _I, "identity policy"),
    (_G | _W, "{}"),
    (_GA | _I, _BOTH),
    (_R | _W, "{}"),
)
ALLOWED: dict[Asker, tuple[tuple[Says, str], ...]] = {
    Asker.ROOT_ALONE: ((_I, "identity policy"), (Says(0), "root")),
    Asker.ALONE: ((_I, "identity policy"),),
    Asker.ROOT: ((_N, "key policy"), (_G, "{}"), (_R, "{}")),
    Asker.HOME: ((_N, "key policy"), *_AT_HOME),
    Asker.HOME_ROLE: ((_N | _W, "key policy"), (Says.SESSION, "key policy"), *_AT_HOME),
    Asker.ROOT_ABROAD: ((_N, "key policy"), (_G, "{}"), (_R, "{}")),
    Asker.ABROAD: (
        (_N | _I, "key policy and identity policy"),
        (_A | _I, "key policy and identity policy"),
        (_G | _I, _BOTH),
        (_GA | _I, _BOTH),
        (_R | _W, "{}"),
    ),
}
_RESOURCE_SIDE = _N | _A | _G | _GA


@lru_cache(maxsize=4096)
def _conclude(says: int, grant: str, asker: Asker) -> Verdict:
    abroad = asker in {Asker.ABROAD, Asker.ROOT_ABROAD}
    if abroad and (says & Says.DENIED_BY_KEY or not says & (_RESOURCE_SIDE | _R)):
        return ELSEWHERE
    for denied, verdict in _DENIES:
        if says & denied:
            return verdict
    if (rule := _rule(says, asker)) is not None:
        return Verdict(rule=rule.format(grant))
    if _rule(says | _W, asker) is not None:
        return _NO_SESSION if says & Says.IN_BOUNDARY else _NO_BOUNDARY
    alone = asker in {Asker.ALONE, Asker.ROOT_ALONE}
    return _NO_IDENTITY if alone or says & _RESOURCE_SIDE else _NO_KEY_POLICY


def _rule(says: int, asker: Asker) -> str | None:
    return next((rule for wanted, rule in ALLOWED[asker] if says & wanted == wanted), None)


_AS_SESSION = {Says.IDENTITY: Says.IN_SESSION, Says.DENIED_BY_IDENTITY: Says.DENIED_BY_SESSION}
_AS_BOUNDARY = {Says.IDENTITY: Says.IN_BOUNDARY, Says.DENIED_BY_IDENTITY: Says.DENIED_BY_BOUNDARY}


def _rules(request: Request, document: Document, spelt: Mapping[Says, Says] = MappingProxyType({})) -> list[Rule]:
    """What `document` may still say: statements for this principal and action whose stable tests are passed.

    `spelt`: what its words come to, where it is no policy that gives a right.
    """
    rules = []
    for statement in document.statements:
        if request.action not in statement.actions:
            continue
        if not all(t.holds(request) for t in statement.tests if t.stable):
            continue
        for says, beside in statement.said(request.caller.rights):
            tests = [*beside, *(t for t in statement.tests if not t.stable)]
            cost = sum(t.cost for t in tests)
            by_line = tuple(t.by_line for t in tests)
            rules.append(Rule(int(spelt.get(says, says)), tuple(t.holds for t in tests), cost=cost, by_line=by_line))
    return rules


def _grant_says(grant: Grant, request: Request) -> Says | None:
    principal = request.caller.principal
    if request.action is Action.RETIRE_GRANT:
        return Says.RETIRER if may_retire(grant, principal) else None
    if request.action not in grant.actions:
        return None
    if is_grantee(grant, principal):
        return Says.GRANTED
    return Says.GRANTED_ACCOUNT if is_account_grantee(grant, principal) else None


def _grant_rules(request: Request) -> list[Rule]:
    rules = []
    for grant in request.held.grants if request.held is not None else ():
        if (says := _grant_says(grant, request)) is not None:
            test = open_test(grant, request.action)
            rules.append(Rule(int(says), () if test is None else (test,), f"grant {grant.id}"))
    return sorted(rules, key=lambda rule: rule.says, reverse=True)  # the account's first: the last one gives its name


def _asker(request: Request, *, alone: bool) -> Asker:
    principal = request.caller.principal
    root = principal.principal_kind is PrincipalKind.ROOT
    if alone:
        return Asker.ROOT_ALONE if root else Asker.ALONE
    owner = request.owner if request.held is None else request.held.key.tenant
    if owner == principal.tenant:
        role = principal.principal_kind is PrincipalKind.ROLE
        return Asker.ROOT if root else Asker.HOME_ROLE if role else Asker.HOME
    return Asker.ROOT_ABROAD if root else Asker.ABROAD


def prepare(request: Request, key_policy: Document | None, own: Own) -> Prepared:
    """The decision for every request with this principal, action, key and resource.

    `key_policy` is the policy of the resource, whatever it is of. It is None where there is none: then identity
    policies decide alone, and root may do what they do not deny.
    """
    asker = _asker(request, alone=key_policy is None)
    if asker in {Asker.ABROAD, Asker.ROOT_ABROAD} and not ACTIONS[request.action].abroad:
        return Prepared(request.resource, asker, 0, "", (), ELSEWHERE)
    rules = [rule for document in own.policies for rule in _rules(request, document)]
    says, grant = 0, ""
    if own.boundary is None:
        says |= Says.IN_BOUNDARY
    else:
        rules += _rules(request, own.boundary, _AS_BOUNDARY)
    if own.session is None:
        says |= Says.IN_SESSION
    else:
        rules += [rule for document in own.session for rule in _rules(request, document, _AS_SESSION)]
    if key_policy is not None:
        rules += _rules(request, key_policy) + _grant_rules(request)
    for rule in rules:
        if not rule.tests:
            says |= rule.says
            grant = rule.grant or grant
    still_open = tuple(rule for rule in rules if rule.tests)
    verdict = _conclude(says, grant, asker)
    may_be_denied = any(rule.says & _DENIED for rule in still_open)
    settled = says & _DENIED or not still_open or (verdict.allowed and not may_be_denied)
    cost = sum(rule.cost for rule in still_open)
    return Prepared(request.resource, asker, int(says), grant, still_open, verdict if settled else None, cost)


def unasked(principal: Principal, action: Action) -> str:
    """The rule that allows it without any policy, or nothing: what is free, and what the system does itself."""
    row = ACTIONS[action]
    if row.free:
        return "anyone"
    return "system" if row.system and principal.principal_kind is PrincipalKind.SYSTEM else ""


def decide(request: Request, key_policy: Document | None, own: Own) -> Verdict:
    """Whether the request is allowed, and why."""
    return prepare(request, key_policy, own).decide(request)
