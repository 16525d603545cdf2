"""From a first factor that holds to a token: at once, with the second that was shown, or once it is.

Vault documentation, "Login MFA"; OpenBao, vault/request_handling.go, vault/login_mfa.go.

Rule 1: no token is made before each enforcement that the login fits is met, and none is kept anywhere until then.
Rule 2: a login rests on the rules of its tenant and of those above: one that was under way when they changed begins
        again, and an enforcement that was acknowledged is asked about by every worker.
Rule 3: what a try has cost is kept whatever the login comes to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.caller import Factor
from keystead.core.entities import (
    Account,
    Entity,
    IdentityGroup,
    LoginSettings,
    MfaEnforcement,
    MfaMethod,
    MfaRules,
    Mount,
    SecretId,
    WaitingLogin,
)
from keystead.core.errors import Denied, InvalidArgument
from keystead.core.identifiers import new_id
from keystead.core.operations import Capped, LoggedIn, MadeToken, MfaRequired, NotProven
from keystead.core.sensitive import Sensitive
from keystead.service.credentials.token import digest, is_within
from keystead.service.handlers.joining import Joined
from keystead.service.handlers.lockouts import forgiven, is_locked
from keystead.service.handlers.logintokens import Drawn, kept_of, made_of
from keystead.service.handlers.mfasecrets import check
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.wire.vault.multierror import multierror

LASTS = timedelta(minutes=5)
MOST_WAITING, MOST_SWEPT = 16, 4  # of an entity; of a mount, with each that begins
NO_LOGIN = "invalid request ID"


class Entering(Struct, frozen=True, kw_only=True):
    """Somebody whose first factor holds. `put`, `delete`: what that costs, whatever becomes of it."""

    mount: Mount
    account: Account
    settings: LoginSettings | None = None
    drawn: Drawn
    whose: Joined
    shown: SecretId | None = None
    put: tuple[Entity, ...] = ()
    delete: tuple[Entity, ...] = ()
    seen: tuple[Entity, ...] = ()


def let_in(tenant: HeldTenant, one: Entering, act: Act) -> Outcome[Any]:
    """Answers LoggedIn."""
    rules, whose = tenant.mfa_rules_above(), one.whose
    asking = fitting(rules, one.mount, whose.ids, whose.groups)
    by_group = whose.groups if any(each.groups for of in rules for each in of.enforcements) else ()
    put, delete = (*one.put, *whose.put), (*one.delete, *whose.delete)
    seen = (*one.seen, *whose.seen, *by_group, *rules)
    factors = act.caller.factors
    if asking and not factors:
        waits = _waiting(one, asking, tenant, act)
        return replace(waits, put=(*waits.put, *put), delete=(*waits.delete, *delete), seen=seen)
    proof = _proven(tenant, asking, whose.id, factors, act)
    if proof.words:
        return Outcome(answer=NotProven(proof.words), put=(*put, *proof.put), delete=delete, seen=seen, why=proof.why)
    made = made_of(tenant, one.drawn, act, whose.policies)
    if factors and not asking:
        made = replace(made, unasked=True)
    return Outcome(
        answer=made,
        put=(*kept_of(made), *put, *_cleared(one.account), *proof.put),
        delete=delete,
        seen=seen,
        made=made.token.bearer,
    )


def _cleared(account: Account) -> tuple[Account, ...]:
    """Whoever has come in has failed no more."""
    has_failed = bool(account.n_failed or account.locked_until)
    return (forgiven(account),) if has_failed else ()


def fitting(
    rules: Iterable[MfaRules], mount: Mount, entity: frozenset[str], groups: Iterable[IdentityGroup]
) -> tuple[tuple[MfaEnforcement, tuple[MfaMethod, ...]], ...]:
    """The enforcements that such a login fits, each with the methods of which it asks for one."""
    every = tuple(rules)
    methods = {method.id: method for each in every for method in each.methods}
    in_groups = frozenset(one.id for one in groups)
    return tuple(
        (one, tuple(methods[id_] for id_ in one.methods if id_ in methods))
        for each in every
        for one in each.enforcements
        if one.fits(mount.accessor, mount.engine, entity, in_groups)
    )


# --- what was shown


class Proof(Struct, frozen=True):
    """`words`: why it is none, "" where it is."""

    words: str = ""
    why: str = ""
    put: tuple[Entity, ...] = ()


class _Proving:
    """Each method is tried once in a login, however many enforcements ask for it."""

    def __init__(self, tenant: HeldTenant, entity: str, factors: Any, act: Act) -> None:
        self._tenant, self._entity, self._factors, self._act = tenant, entity, factors, act
        self._tried: dict[str, str] = {}
        self.why = "none shown"
        self.put: list[Entity] = []

    def shown(self, method: MfaMethod) -> Factor | None:
        """By its id, or by the path of its namespace and its name."""
        found: Factor | None = self._factors.get(method.id)
        if found is None and method.name:
            found = self._factors.get(f"{self._tenant.path_to(method)}{method.name}")
        return found

    def wrong(self, enforcement: MfaEnforcement, methods: tuple[MfaMethod, ...]) -> str:
        """ "" where one of the methods holds."""
        shown = [(method, factor) for method in methods if (factor := self.shown(method)) is not None]
        if methods and not shown:
            return f"failed to sanitize MFA creds, {multierror(*map(self._missing, methods))}"
        words: list[str] = []
        for method, factor in shown:
            if not (said := self._try(method, factor)):
                return ""
            words.append(said)
        return multierror(*words, f"login MFA validation failed for methodID: [{' '.join(enforcement.methods)}]")

    def _missing(self, method: MfaMethod) -> str:
        name = f"{self._tenant.path_to(method)}{method.name}"
        return f"failed to find MFA credentials associated with an MFA method ID {method.id}, method name {name}"

    def _try(self, method: MfaMethod, factor: Factor) -> str:
        if method.id not in self._tried:
            checked = check(self._tenant, self._entity, method, factor, self._act)
            self._tried[method.id] = checked.words
            self.why = checked.why or self.why
            if checked.put is not None:
                self.put.append(checked.put)
        return self._tried[method.id]


def _proven(tenant: HeldTenant, asking: Any, entity: str, factors: Any, act: Act) -> Proof:
    proving = _Proving(tenant, entity, factors, act)
    for enforcement, methods in asking:
        if words := proving.wrong(enforcement, methods):
            said = f"failed to satisfy enforcement {enforcement.name}. error: {words}"
            return Proof(said, f"second factor: {proving.why}", tuple(proving.put))
    return Proof(put=tuple(proving.put))


# --- waiting


def _waiting(one: Entering, asking: Any, tenant: HeldTenant, act: Act) -> Outcome[LoggedIn]:
    text = Sensitive(new_id(act.entropy).encode())
    capped = one.drawn.capped
    waiting = WaitingLogin(
        id=digest(text),
        tenant=tenant.id,
        mount=one.mount.uuid,
        account=one.account.name,
        alias=one.whose.name,
        entity=one.whose.id,
        standing=standing(one.mount, one.account, one.settings),
        secret_id="" if one.shown is None else one.shown.id,
        token=one.drawn.token,
        capped=None if capped is None else (capped.what, capped.asked, capped.most),
        begun_at=act.now,
        expires_at=act.now + LASTS,
    )
    methods = {enforcement.name: methods for enforcement, methods in asking}
    return Outcome(
        answer=MfaRequired(text, methods),
        put=(waiting,),
        delete=_gone(tenant, waiting, act),
        made=waiting.id[:32],
        why="second factor wanted",
    )


def _gone(tenant: HeldTenant, new: WaitingLogin, act: Act) -> tuple[WaitingLogin, ...]:
    """Of the mount some that are over; of the entity those that are, and the oldest where too many wait.

    Which some is drawn by the new one's id, a digest: two logins at one moment hardly want the same gone.
    """
    own = sorted(tenant.waiting_logins_of(new.entity), key=lambda one: one.begun_at)
    some = tenant.some_waiting_logins(new.mount, new.id, MOST_SWEPT)
    gone = {one.id: one for one in (*own, *some) if one.is_over(act.now)}
    left = [one for one in own if one.id not in gone]
    gone |= {one.id: one for one in left[: max(0, len(left) + 1 - MOST_WAITING)]}
    return tuple(gone.values())


def standing(mount: Mount, account: Account, settings: LoginSettings | None) -> str:
    """A digest of what lets an account in, and of what it is let do; not of how often it has failed.

    Of the settings it is the revision, which moves with every list of revoked certificates, too.
    """
    fixed = (replace(mount, revision=0), replace(forgiven(account), revision=0))
    told = (*fixed, None if settings is None else settings.revision)
    return hashlib.sha256(msgspec.msgpack.encode(told)).hexdigest()


def validate_login(op: ops.ValidateLogin, targets: tuple[HeldTenant], act: Act) -> Outcome[MadeToken | NotProven]:
    """By the rules, the account and the entity of now, with the policies of then."""
    (tenant,) = targets
    if not op.request_id:
        raise InvalidArgument("missing request ID", "request_id")
    waiting = tenant.waiting_login(digest(op.request_id))
    if waiting is None or waiting.is_over(act.now):
        raise InvalidArgument(NO_LOGIN, "request_id")
    mount = next((one for one in tenant.mounts() if one.uuid == waiting.mount), None)
    account = tenant.account(mount, waiting.account) if mount is not None else None
    settings = tenant.login_settings(mount) if mount is not None else None
    entity = tenant.entity(waiting.entity)
    if mount is None or account is None or entity is None or entity.disabled:
        raise Denied("permission denied", "who logs in is there no more")
    alias = tenant.alias_at(mount.accessor, waiting.alias)
    has_moved = alias is None or alias.holder != entity.id or standing(mount, account, settings) != waiting.standing
    if has_moved or is_locked(account, act.now) or not is_within(waiting.token.bound_cidrs, act.caller.source):
        raise Denied("permission denied", "what let them in has changed")
    rules, whose = tenant.mfa_rules_above(), tenant.belonging(entity.id, tenant.id)
    ids = frozenset({entity.id, *entity.merged_ids})
    asking = fitting(rules, mount, ids, whose.groups)
    if not asking:
        raise Denied("permission denied", "nothing asks for a second factor any more")
    seen = (mount, account, *([] if settings is None else [settings]), *whose.rests_on, *rules)
    proof = _proven(tenant, asking, entity.id, op.factors, act)
    if proof.words:
        return Outcome(answer=NotProven(proof.words), put=proof.put, seen=(*seen, waiting), why=proof.why)
    capped = None if waiting.capped is None else Capped(*waiting.capped)
    made = made_of(tenant, Drawn(waiting.token, capped), act, whose.policies)
    return Outcome(
        answer=made,
        put=(*kept_of(made), *_cleared(account), *proof.put),
        delete=(waiting,),
        seen=seen,
        made=made.token.bearer,
    )


HANDLERS: dict[type, Handler] = {ops.ValidateLogin: validate_login}
