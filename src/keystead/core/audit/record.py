"""The canonical audit record: one act, one JSON object, one line of printable ASCII.

    {"v":1,"t":…,"req":…,"tenant":…,"ns":…,"who":{"id","kind","via","name","session"},"src":…,"door":…,"op":…,
     "targets":[{"action","key","version","of","at"}],"ctx":…,"made":…,"rule":…,"outcome":…,"why":…,"n":…}

Rule 1: the fields are these and no others, in this order, without white space; an absent fact is left out.
Rule 2: every character of a text outside U+0020…U+007E is written as a JSON escape, so that no record can
        break a line, move a cursor or colour a terminal (research/security.md §4, check 71).
Rule 3: a text is a `str` and a number an `int`: a Sensitive, or bytes, raises TypeError and is never printed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring_ascii as quote

import msgspec
from msgspec import Struct

from keystead.core.caller import Caller
from keystead.core.errors import Malformed

PERFORMED = "performed"
DRY_RUN = "dry run"
NO_OFFSET = timedelta(0)


def refused(kind: type[Exception]) -> str:
    """The outcome of an act that an error of this kind stood in the way of."""
    return f"refused: {kind.__name__}"


class Target(Struct, frozen=True, omit_defaults=True, cache_hash=True, rename={"tenant": "of"}):
    """What was authorized, on which object; `key` and `version` where there is one.

    `tenant` is the object's, and stands on record where it is not the caller's own. `at` is the address, where a change
    is one at another place than the caller's too.
    """

    action: str = ""
    key: str = ""
    version: int = 0
    tenant: str = ""
    at: str = ""


class Who(Struct, frozen=True, omit_defaults=True):
    """Principal id, its kind, the id of the credential it came with, its name with its path, and its session's.

    An id keeps its name for ever.
    """

    id: str = ""
    kind: str = ""
    via: str = ""
    name: str = ""
    session: str = ""


class Record(
    Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    rename={
        "at": "t",
        "request_id": "req",
        "namespace": "ns",
        "source": "src",
        "operation": "op",
        "context": "ctx",
    },
):
    """One audit record, typed. The empty value of a field means that there is no such fact."""

    v: int = 1
    at: datetime
    request_id: str = ""
    tenant: str = ""
    namespace: str = ""  # the address the caller's door stood for
    who: Who = Who()
    source: str = ""
    door: str = ""
    operation: str = ""  # as the wire names it
    targets: tuple[Target, ...] = ()
    context: str = ""  # hex: a keyed digest of the typed AAD
    made: str = (
        ""  # the id of what the act brought into being; of a part of its target (a tie, a grant, a key) that it changed
    )
    rule: str = ""  # what decided
    outcome: str
    why: str = ""  # of a refusal: KeysteadError.reason; of an answer that is a no: what does not verify
    n: int = 0  # how many, for a record that stands for many acts

    def encode(self) -> bytes:
        """The line, without its line feed. Raises TypeError for a value of another type, ValueError for a time zone."""
        way = (self.source, self.door, self.operation)
        middle = _beginning((self.tenant, self.namespace), self.who, way) + _things(self.targets, self.tenant)
        head = f'{{"v":1,"t":"{timestamp(self.at)}"{_member("req", self.request_id)}{middle}'
        own = _member("ctx", self.context) + _member("made", self.made)
        return (head + own + _tail(self.rule, self.outcome, self.why, self.n)).encode()


_DECODER = msgspec.json.Decoder(Record)


def parse(line: bytes) -> Record:
    """The record of a line. Raises Malformed unless the line is exactly what `encode` would write."""
    try:
        record = _DECODER.decode(line)
        if record.v == 1 and record.encode() == line:
            return record
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        pass
    raise Malformed("not a canonical audit record")


def is_of_a_stranger(line: bytes) -> bool:
    """Whether that is the record of a request that was nobody's: a sealed process makes no other."""
    try:
        record = parse(line)
    except Malformed:
        return False
    claim = Record(
        at=record.at,
        request_id=record.request_id,
        who=Who(via=record.who.via),
        source=record.source,
        door=record.door,
        operation=record.operation,
        outcome=record.outcome,
        why=record.why,
    )
    return record == claim


def in_ascii(told: bytes) -> bytes:
    """JSON in the characters of Rule 2: for whoever tells a record in another form."""
    return told if told.isascii() else json.dumps(json.loads(told), separators=(",", ":")).encode()


def timestamp(at: datetime) -> str:
    """RFC 3339, UTC, always six digits of fraction. Raises ValueError for a naive time or another offset."""
    if at.utcoffset() != NO_OFFSET:
        raise ValueError("an audit record needs a time in UTC")
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


Facts = tuple[str, str, str, str, str, str, tuple[Target, ...], str, str, str, int]
"""What a prepared part stands for: principal, credential, namespace, source, door, operation, targets, rule, outcome,
why, n."""


class Recorder:
    """Encodes the records of one worker's requests; what does not change from one to the next is kept ready.

    Of the form of `Record.encode`, to the byte. Prepared parts are bounded by `capacity` and dropped together. A record
    that names a new version each time has its beginning ready: who, from where, by what.
    Not for several threads at once on the same datetime: a race costs time, never correctness.
    """

    def __init__(self, *, capacity: int = 4096) -> None:
        self._capacity = capacity
        self._parts: dict[Facts, tuple[str, str]] = {}
        self._beginnings: dict[tuple[str, ...], str] = {}
        self._time = (datetime.min.replace(tzinfo=UTC), "")

    def encode(  # noqa: PLR0913 - each is a fact of the record
        self,
        caller: Caller,
        targets: tuple[Target, ...],
        *,
        context: bytes = b"",
        made: str = "",
        rule: str = "",
        outcome: str = PERFORMED,
        why: str = "",
        n: int = 0,
        once: bool = False,
    ) -> bytes:
        """One record of one request. `context` is the keyed digest of its typed AAD, if it has one.

        `once`: there will hardly be another like it, and nothing is kept for it.
        """
        # The hot path: flat on purpose. What it may cost is in HOUSE §6.
        facts = (
            caller.principal.id,
            caller.credential_id,
            caller.namespace,
            caller.source,
            caller.door,
            caller.wire_operation,
            targets,
            rule,
            outcome,
            why,
            n,
        )
        try:
            middle, tail = self._parts[facts]
        except KeyError:
            middle, tail = self._prepared(facts, caller)
            if not once:
                self._parts[facts] = middle, tail
        now = caller.now
        at, time = self._time
        if at is not now:
            time = timestamp(now)
            self._time = (now, time)
        own = f',"ctx":"{context.hex()}"' if context else ""
        if made:
            own += _member("made", made)
        request_id = caller.request_id
        if request_id and request_id.isascii():
            return f'{{"v":1,"t":"{time}","req":{quote(request_id)}{middle}{own}{tail}'.encode()
        return f'{{"v":1,"t":"{time}"{_member("req", request_id)}{middle}{own}{tail}'.encode()

    def _prepared(self, facts: Facts, caller: Caller) -> tuple[str, str]:
        id_, via, namespace, source, door, operation, targets, rule, outcome, why, n = facts
        principal = caller.principal
        if max(len(self._parts), len(self._beginnings)) >= self._capacity:
            self._parts, self._beginnings = {}, {}
        way = (id_, via, namespace, source, door, operation)
        if (beginning := self._beginnings.get(way)) is None:
            kind = principal.principal_kind.value
            who = Who(id=id_, kind=kind, via=via, name=principal.full_name, session=caller.session)
            beginning = _beginning((principal.tenant, namespace), who, (source, door, operation))
            self._beginnings[way] = beginning
        return beginning + _things(targets, principal.tenant), _tail(rule, outcome, why, n)


# --- the parts of a line


def _beginning(where: tuple[str, str], who: Who, way: tuple[str, str, str]) -> str:
    tenant, namespace = where
    known = (("id", who.id), ("kind", who.kind), ("via", who.via), ("name", who.name), ("session", who.session))
    person = _object(*known)
    source, door, operation = way
    return (
        _member("tenant", tenant)
        + _member("ns", namespace)
        + (f',"who":{person}' if person != "{}" else "")
        + _member("src", source)
        + _member("door", door)
        + _member("op", operation)
    )


def _things(targets: Sequence[Target], tenant: str) -> str:
    things = ",".join([_target(target, tenant) for target in targets])
    return f',"targets":[{things}]' if targets else ""


def _target(target: Target, tenant: str) -> str:
    of = "" if target.tenant == tenant else target.tenant
    who = (("action", target.action), ("key", target.key), ("version", target.version), ("of", of), ("at", target.at))
    return _object(*who)


def _tail(rule: str, outcome: str, why: str, n: int) -> str:
    return f'{_member("rule", rule)},"outcome":{_text(outcome)}{_member("why", why)}{_member("n", n)}}}'


def _member(name: str, value: str | int) -> str:
    """`,"name":value`, or nothing for an absent fact. The type is looked at before the truth of the value."""
    text = str(value) if type(value) is int else _text(value)  # type: ignore[arg-type]  # it raises TypeError itself
    return f',"{name}":{text}' if value else ""


def _object(*members: tuple[str, str | int]) -> str:
    return "{" + "".join([_member(name, value) for name, value in members])[1:] + "}"


def _text(value: str) -> str:
    if not str.isascii(value):  # a lone surrogate is no character (research/security.md §4, check 11)
        value = value.encode("utf-8", "replace").decode("utf-8")
    return quote(value)
