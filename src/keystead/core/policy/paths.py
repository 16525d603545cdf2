"""The vault dialect in the one decision form: what all of a principal's ACL policies together say of a request.

A request that came by a door of paths is asked about as it came (Caller.asked): path, capability, parameters, wrapping.
One that came by another door is looked at as the action table has it in its column `vault`, under every name that its
key has at an address of this dialect; a key that has none is out of reach of these policies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from keystead.core.actions import ACTIONS, Action
from keystead.core.caller import Asked
from keystead.core.entities import PolicyText
from keystead.core.errors import InvalidArgument
from keystead.core.naming import PATHS, name_at
from keystead.core.policy.conditions import Condition
from keystead.core.policy.form import Document, Effect, Statement
from keystead.core.policy.kept import within
from keystead.core.policy.request import Request
from keystead.core.policy.vault import (
    Acl,
    Capability,
    Facts,
    NamedPolicy,
    Policy,
    compile_acl,
    directives,
    read_policy,
)

DIALECT = "vault"
EVERYTHING = frozenset(Action)
CAPABILITIES = {one.value: one for one in Capability}


class Filled(PolicyText, frozen=True):
    """A policy with what its templates ask of whoever has it: (directive, value), sorted."""

    facts: tuple[tuple[str, str], ...] = ()


def filled(policy: PolicyText, facts: Facts) -> PolicyText:
    """The policy as it reads for one identity: the same for everybody, where it asks for nothing."""
    asked = _asks(policy.text) if "{" in policy.text else ()
    known = tuple((one, facts[one]) for one in asked if one in facts)
    return Filled(policy.name, policy.dialect, policy.text, known) if known else policy


@within(len, most=1024)
def _read(text: str) -> Policy:
    return read_policy(text)


@within(len, most=1024)
def _asks(text: str) -> tuple[str, ...]:
    """Of a text as it was read, whatever its escapes. One that cannot be read allows nothing anyway."""
    try:
        return tuple(sorted({one for stanza in _read(text).stanzas for one in directives(stanza.path)}))
    except InvalidArgument:
        return ()


_NOTHING = Acl(())


class Compiled:
    """The policies of one principal as one Acl; compiled anew once something in it has expired.

    Where what is said of the principal may not stand in a path, nothing is allowed, and everything denied: a path left
    out could be one that says no.
    """

    __slots__ = ("_acl", "_facts", "_named", "unfit")

    def __init__(self, policies: tuple[PolicyText, ...]) -> None:
        """Raises InvalidArgument (detail "Policy")."""
        self._named = [NamedPolicy(name=one.name, policy=_read(one.text)) for one in policies]
        self._facts = dict(fact for one in policies if isinstance(one, Filled) for fact in one.facts)
        self._acl: Acl | None = None
        self.unfit = False

    def acl(self, now: datetime) -> Acl:
        acl = self._acl
        if acl is None or (acl.until is not None and acl.until <= now):
            acl = self._acl = self._compiled(now)
        return acl

    def _compiled(self, now: datetime) -> Acl:
        try:
            return compile_acl(self._named, now=now, facts=self._facts)
        except InvalidArgument:
            if not self._facts:
                raise
        self.unfit = True
        return _NOTHING

    def by_line(self, request: Request) -> bool:
        """Whether its line alone decides: no parameters, no wrapping, no time, and no name that the key has."""
        asked = request.caller.asked
        if asked is None or asked.meant:
            return False
        acl = self.acl(request.caller.now)
        return all(acl.goes_by_path(asked.path, each) for each in (CAPABILITIES[asked.capability], Capability.CREATE))

    def allows(self, request: Request) -> bool:
        acl = self.acl(request.caller.now)
        for asked in _asked(request):  # on the use path: a loop is quicker than any() of a generator
            creates = asked.creates and (not request.exists or _makes(request))
            verdict = acl.decide(
                asked.path,
                Capability.CREATE if creates else CAPABILITIES[asked.capability],
                parameters=asked.parameters,
                wrap_ttl=asked.wrap_for,
                sudo=asked.needs_sudo,
                meant=asked.meant,
            )
            if not verdict.why_not:
                return True
        return False

    def denies(self, request: Request) -> bool:
        """Whether a rule for the path says `deny`: it stands against whatever another dialect allows."""
        acl = self.acl(request.caller.now)
        for asked in _asked(request):
            if acl.has_denied(asked.path, asked.meant):
                return True
        return self.unfit


def _makes(request: Request) -> bool:
    """Whether the request makes a key, or uses the one that it has just made."""
    if request.held is None:
        return request.action is Action.CREATE_KEY
    key, caller = request.held.key, request.caller
    return key.created_at == caller.now and key.created_by == caller.principal.id


@within(lambda policies: sum(len(one.text) for one in policies), most=1024)
def _together(policies: tuple[PolicyText, ...]) -> Compiled:
    return Compiled(policies)


def acl_of(policies: tuple[PolicyText, ...], now: datetime) -> Acl:
    """All policies of this dialect among these, to be asked about paths. Raises InvalidArgument."""
    return _together(tuple(one for one in policies if one.dialect == DIALECT)).acl(now)


def _asked(request: Request) -> Iterable[Asked]:
    """The request in this dialect's terms: as it came, or one for each name of its key here."""
    asked = request.caller.asked
    return _of_key(request) if asked is None else (asked,)


def _of_key(request: Request) -> Iterator[Asked]:
    word = ACTIONS[request.action].vault
    if not word or request.held is None:
        return
    capability, _, template = word.partition(" ")
    for address in request.held.addresses:
        if address.startswith(PATHS):
            mount = address.split(":", 2)[2]
            for word in sorted({name_at(name, address) for name in request.held.names} - {""}):
                yield Asked(path=template.format(mount=mount, name=word), capability=capability)


def compile_together(policies: tuple[PolicyText, ...]) -> Document:
    """Raises InvalidArgument (detail "Policy")."""
    compiled = Compiled(policies)
    allows, denies = (
        Condition(holds, stable=False, by_line=compiled.by_line) for holds in (compiled.allows, compiled.denies)
    )
    return Document(
        (
            Statement(Effect.ALLOW, None, EVERYTHING, (allows,)),
            Statement(Effect.DENY, None, EVERYTHING, (denies,)),
        )
    )
