"""RFC 7396, its Appendix A, and numbers that stay as they were written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.core.errors import InvalidArgument
from keystead.core.merge import merged

# RFC 7396 Appendix A, of those where both are objects
ROWS = [
    ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
    ('{"a":"b"}', '{"a":null}', "{}"),
    ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
    ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
    ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
    ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
    ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
    ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
    ('{"n":1.50,"m":123456789012345678901234567890}', '{"o":-0,"p":1E5}', None),
]


@pytest.mark.parametrize(("target", "patch", "result"), ROWS)
def test_rows(target, patch, result) -> None:
    found = merged(target.encode(), patch.encode()).decode()
    assert found == (result or '{"n":1.50,"m":123456789012345678901234567890,"o":-0,"p":1E5}')


@pytest.mark.parametrize(("target", "patch"), [("{}", "[]"), ("{}", "x"), ("x", "{}"), ("{}", "1"), ("\xff", "{}")])
def test_what_is_no_object_is_refused(target, patch) -> None:
    with pytest.raises(InvalidArgument):
        merged(target.encode("latin-1"), patch.encode("latin-1"))


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(max_size=3), inside),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=2), TREES)


@given(OBJECTS, OBJECTS)
def test_a_patch_is_applied_once_or_twice_and_is_in_what_comes_of_it(target, patch) -> None:
    once = merged(json.dumps(target).encode(), json.dumps(patch).encode())
    assert merged(once, json.dumps(patch).encode()) == once
    found = json.loads(once)
    assert all(name not in found for name, value in patch.items() if value is None)
    assert {name: found[name] for name in target.keys() - patch.keys()} == {
        name: target[name] for name in target.keys() - patch.keys()
    }
