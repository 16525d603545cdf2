"""Markers, request ids, wire operations, the error table."""

import timeit
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.fakes import SeededEntropy

from keystead.core.caller import Caller
from keystead.core.entities import Principal, PrincipalKind
from keystead.core.errors import InvalidArgument, NotFound, WrongState
from keystead.core.rights import Rights
from keystead.core.sensitive import Sensitive
from keystead.core.states import KeyState
from keystead.kit import Call, Door, Fault, Markers, Message, RequestIds, fault, operation
from keystead.service.credentials import keyed
from keystead.wire import Malformed, Misfit

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def caller(tenant: str = "111122223333", namespace: str = "aws:111122223333:us-east-1") -> Any:
    principal = Principal(
        id="p", tenant=tenant, principal_kind=PrincipalKind.USER, name="a", name_digest="d", created_at=NOW
    )
    fields = {"credential_id": "k", "door": "d", "wire_operation": "o", "request_id": "r", "source": "s", "now": NOW}
    return Caller(principal=principal, rights=Rights.alone(principal), namespace=namespace, **fields)


MARKERS = Markers(keyed(Sensitive(b"m" * 32)))


@given(st.text(max_size=60))
def test_row_64_a_marker_opens_for_whom_it_was_made(after: str) -> None:
    try:
        after.encode()
    except UnicodeEncodeError:
        return
    marker = MARKERS.make(after, caller(), "ListKeys")
    assert MARKERS.open(marker, caller(), "ListKeys") == after
    assert marker.replace("-", "").replace("_", "").isalnum()


def no_marker(marker: str, markers: Markers = MARKERS, who: Any = None, op: str = "ListKeys") -> None:
    with pytest.raises(InvalidArgument) as caught:
        markers.open(marker, who or caller(), op)
    assert caught.value.detail == "Marker"


def test_row_64_a_foreign_marker() -> None:
    marker = MARKERS.make("after", caller(), "ListKeys")
    no_marker(marker, op="ListAliases")
    no_marker(marker, who=caller(tenant="999999999999"))
    no_marker(marker, who=caller(namespace="aws:111122223333:eu-west-1"))
    no_marker(marker, Markers(keyed(Sensitive(b"n" * 32))))


def test_row_64_a_forged_marker() -> None:
    marker = MARKERS.make("after", caller(), "ListKeys")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for i, c in enumerate(marker):
        no_marker(marker[:i] + alphabet[alphabet.index(c) ^ 1] + marker[i + 1 :])
    for other in ("", "A", marker[:-1], marker + "A", marker + "=", marker + "\n", "é", "A" * 2000, marker[:22]):
        no_marker(other)


@given(st.text(max_size=100))
def test_row_64_noise_is_no_marker(noise: str) -> None:
    no_marker(noise)


def test_row_64_parts_cannot_be_moved_between_fields() -> None:
    raw = urlsafe_b64decode(MARKERS.make("after--", caller(), "List") + "==")
    assert raw.endswith(b"after--")
    moved = urlsafe_b64encode(raw[:16] + b"--").decode().rstrip("=")
    no_marker(moved, op="Listafter")


def test_request_ids_look_like_uuids_and_differ() -> None:
    import uuid  # noqa: PLC0415 - the shape is its

    ids = RequestIds(SeededEntropy(1))
    made = [ids() for _ in range(1000)]
    assert len(set(made)) == 1000
    for text in made[:3]:
        parsed = uuid.UUID(text)
        assert (parsed.version, parsed.variant, str(parsed)) == (4, uuid.RFC_4122, text)
    assert RequestIds(SeededEntropy(2))()[:23] != made[0][:23]


def test_request_ids_turn_over_at_the_end_of_their_space() -> None:
    ids = RequestIds(lambda n: b"\xff" * n)
    assert [ids()[-12:] for _ in range(2)] == ["f" * 12, "0" * 12]


def test_request_ids_are_cheap() -> None:
    """A uuid4 costs ten times that; the bound is loose, for a busy machine."""
    ids = RequestIds(SeededEntropy(1))
    assert min(timeit.repeat(ids, number=10_000, repeat=5)) / 10_000 < 3e-6


class Ask(Message, frozen=True, rename="pascal"):
    key_id: str


class Tell(Message, frozen=True, rename="pascal", omit_defaults=True):
    key_id: str
    note: str | None = None


@operation("Service.Ask", errors=frozenset({"NotFoundException"}))
def ask(req: Ask, call: Call) -> Tell:
    return Tell(req.key_id + call.namespace)


@operation("Service.Forget", errors=frozenset())
def forget(req: Ask, call: Call) -> None:
    call(req.key_id)


class Performer:
    def perform(self, who: Any, op: Any) -> Any:
        return who, op


def test_a_wire_operation_is_read_run_and_written() -> None:
    assert (ask.name, ask.request, ask.response, ask.errors) == ("Service.Ask", Ask, Tell, {"NotFoundException"})
    assert forget.response is type(None)
    call = Call(Performer(), caller(), MARKERS)
    assert ask.write(ask.run(ask.read(b'{"KeyId":"a-"}'), call)) == b'{"KeyId":"a-aws:111122223333:us-east-1"}'
    with pytest.raises(Malformed, match="twice"):
        ask.read(b'{"KeyId":"a","KeyId":"b"}')
    with pytest.raises(Misfit):
        ask.read(b'{"KeyId":1}')


def test_a_call_performs_as_its_caller() -> None:
    who = caller()
    assert Call(Performer(), who, MARKERS)("op") == (who, "op")


def test_a_message_shows_its_fields_and_none_of_them() -> None:
    assert repr(Tell("hunter2")) == "Tell(key_id, note)"


def test_the_most_exact_row_of_an_error_table_is_used() -> None:
    table = {
        NotFound: Fault("NotFoundException", 400),
        WrongState: Fault("KMSInvalidStateException", 400),
        (WrongState, KeyState.SUSPENDED): Fault("DisabledException", 400),
    }
    assert fault(table, WrongState("no", KeyState.SUSPENDED)).code == "DisabledException"
    assert fault(table, WrongState("no", KeyState.DESTROYED)).code == "KMSInvalidStateException"
    assert fault(table, NotFound("no")).code == "NotFoundException"


def test_a_door_knows_its_operations_by_name() -> None:
    door = Door(name="d", operations=(ask, forget), errors={}, front=lambda door, means: (door, means))
    assert door.table() == {"Service.Ask": ask, "Service.Forget": forget}
    assert door.open("means") == (door, "means")
    with pytest.raises(ValueError, match="twice"):
        replace(door, operations=(ask, ask)).table()
