"""Keys counted without decoding: never fewer than there are, or a repeated key would hide one of its values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.json_record import key_signs, read_object

TEXTS = st.text('":\\ a,{', max_size=5)
PAIRS = st.lists(st.tuples(TEXTS, st.one_of(TEXTS, st.integers(0, 9))), min_size=1, max_size=5)


def written(pairs: list[tuple[str, str | int]], comma: str, colon: str) -> bytes:
    return ("{" + comma.join(json.dumps(key) + colon + json.dumps(value) for key, value in pairs) + "}").encode()


@given(PAIRS, st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]))
def test_keys_are_never_undercounted(pairs, signs):
    found = key_signs(written(pairs, *signs))
    assert found == -1 or found >= len(pairs) or signs[1] == " : "


@given(PAIRS, TEXTS, TEXTS, st.sampled_from([(",", ":"), (", ", ": ")]))
def test_no_value_of_a_repeated_key_is_hidden(pairs, one, other, signs):
    value, why = read_object(written([*pairs, ("twice", one), ("twice", other)], *signs), {})
    assert not why
    assert value["twice"] == ([one, other] if one != other else one)


@pytest.mark.parametrize("raw", [b'{"QueryResults":"::ffff:10.0.0.1;"}', b'{"QueryResults": "::ffff:10.0.0.1;"}'])
def test_a_value_that_begins_with_a_colon_is_no_key(raw):
    assert key_signs(raw) == 1
