"""Grant tokens: whatever is not one says so in one way."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.core.errors import InvalidArgument
from keystead.core.grant_token import INVALID, RANDOM_BYTES, address_of, grant_token

ADDRESS = ("aws:111122223333:us-east-1", "00000000-0000-4000-8000-000000000000", "0" * 64)
TOKEN = grant_token(ADDRESS, bytes(RANDOM_BYTES))


@given(st.tuples(st.text(), st.text(), st.text()), st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES))
def test_a_token_says_where_its_grant_is(address, random) -> None:
    assert address_of(grant_token(address, random)) == address


@given(st.one_of(st.text(), st.binary().map(lambda raw: b64encode(raw).decode()), st.text().map(lambda t: TOKEN + t)))
def test_what_is_no_token(text) -> None:
    if text == TOKEN:
        return
    with pytest.raises(InvalidArgument) as caught:
        address_of(text)
    assert caught.value.detail == INVALID


@pytest.mark.parametrize("cut", range(0, len(TOKEN), 3))
def test_a_part_of_a_token(cut) -> None:
    with pytest.raises(InvalidArgument):
        address_of(TOKEN[:cut])
