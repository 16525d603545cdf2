"""What is sent to and fro of PCRs that are to be approved (seals.approved): read whole, or InvalidArgument."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.core.errors import InvalidArgument
from keystead.seals.approved import APPROVAL, LONGEST, REQUEST, parsed, spelled
from keystead.tpm import Approval

digests = st.binary(min_size=32, max_size=32)
asked = st.sets(st.integers(0, 23), min_size=1, max_size=24).flatmap(
    lambda pcrs: st.builds(
        Approval,
        st.just(tuple(sorted(pcrs))),
        st.tuples(*[digests] * len(pcrs)),
        digests,
        st.sampled_from((b"", bytes(64))),
    )
)


@given(asked)
def test_what_is_spelled_is_read_as_what_it_is(approval) -> None:
    text = spelled(approval)
    right, wrong = (APPROVAL, REQUEST) if approval.signature else (REQUEST, APPROVAL)
    assert parsed(f" {text}\n", right) == approval
    with pytest.raises(InvalidArgument):
        parsed(text, wrong)


@given(asked, st.integers(0, 4000), st.characters())
def test_another_letter_is_another_message_or_none(approval, at, letter) -> None:
    text = spelled(approval)
    prefix = APPROVAL if approval.signature else REQUEST
    at %= len(text)
    changed = text[:at] + letter + text[at + 1 :]
    try:
        found = parsed(changed, prefix)
    except InvalidArgument:
        return
    assert found != approval or changed.strip() == text


@given(
    st.binary(max_size=200)
    | st.lists(st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=40), max_size=5).map(msgspec.msgpack.encode)
)
def test_junk_is_no_message(junk) -> None:
    with pytest.raises(InvalidArgument):
        parsed(REQUEST + urlsafe_b64encode(junk).rstrip(b"=").decode(), REQUEST)


@pytest.mark.parametrize(
    "wrong",
    [
        Approval((), (), bytes(32)),
        Approval((7, 7), (bytes(32),) * 2, bytes(32)),
        Approval((24,), (bytes(32),), bytes(32)),
        Approval((7,), (bytes(31),), bytes(32)),
        Approval((7,), (bytes(32),), bytes(31)),
        Approval((7,), (bytes(32),), bytes(32), bytes(LONGEST)),
    ],
)
def test_what_nobody_could_sign_is_not_read(wrong) -> None:
    with pytest.raises(InvalidArgument):
        parsed(spelled(wrong), APPROVAL if wrong.signature else REQUEST)
