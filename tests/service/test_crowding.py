"""Which of those that wait give way, where there are too many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from keystead.core.entities import OidcCode
from keystead.service.handlers.crowding import gone, neighbourhood

NOW, MOST = datetime(2026, 11, 25, 12, tzinfo=UTC), 20


def code(name: str, entity: str, ends_in: int = 100) -> OidcCode:
    return OidcCode(
        id=sha256(name.encode()).hexdigest(),
        tenant="t",
        client="c",
        issuer="i",
        entity=entity,
        redirect_uri="",
        expires_at=NOW + timedelta(seconds=ends_in),
    )


def going(every: list[OidcCode], new: str = "new") -> tuple[OidcCode, ...]:
    return gone(every, code(new, "bob"), MOST, lambda one: one.entity, NOW)


def test_while_there_is_room_only_what_is_over_goes() -> None:
    over, left = code("over", "ann", 0), [code(f"{n}", "ann") for n in range(MOST - 1)]
    assert going([over, *left]) == (over,)
    assert going(left) == ()


def test_then_one_of_whoever_has_most_and_none_of_the_newer_half() -> None:
    many, few = [code(f"m{n}", "eve", 50 + n) for n in range(17)], [code(f"f{n}", "ann", 1) for n in range(3)]
    taken = {one.id for new in range(200) for one in going([*few, *many], f"{new}")}
    assert taken == {one.id for one in many[:8]}  # whoever comes at the same moment hardly wants the same


def test_of_one_that_is_it() -> None:
    assert gone([code("a", "ann")], code("b", "bob"), 1, lambda one: one.entity, NOW) == (code("a", "ann"),)


def test_whoever_has_a_network_to_choose_addresses_from_is_one() -> None:
    """With an address for each login whoever has a /64 was as many as came from everywhere else together."""
    assert neighbourhood("192.0.2.7") == neighbourhood("::ffff:192.0.2.7") == "192.0.2.7"
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff:1:2:3") != neighbourhood("2001:db8:0:1::1")
    assert neighbourhood("fe80::1%eth0") == neighbourhood("fe80::2%eth1")
    assert neighbourhood("uid:0") == "uid:0"
