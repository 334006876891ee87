"""Keys counted without decoding: never fewer than there are, or a repeated key would hide one of its values."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.json_record import Flattening, flatten, key_signs, parents_of, read_object, read_objects

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


KEYS = st.sampled_from(["a", "b", "c", "a.b", "b.c", "a.b.c"])
LEAVES = st.one_of(st.integers(0, 3), st.none(), st.sampled_from(["x", '"', ":", '":', "\\"]))
NESTED = st.dictionaries(
    KEYS,
    st.recursive(
        LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3))
    ),
    max_size=4,
)


@settings(deadline=None)
@given(NESTED, st.frozensets(KEYS, min_size=1))
def test_flattening_what_is_wanted_is_flatten(value: dict[str, object], wanted: frozenset[str]) -> None:
    assert Flattening(wanted).fields(value) == flatten(value, wanted, parents_of(wanted))


@settings(deadline=None)
@given(NESTED, NESTED, st.sampled_from(["a", "b", "a.b"]))
def test_a_repeated_key_is_seen_whatever_stands_around_it(one: object, other: object, key: str) -> None:
    plain, inner, again = json.dumps(other), json.dumps(one), json.dumps({key: one})[1:-1]
    whole = f'{{"p": {plain}, "q": {{{again}, "{key}": {inner}}}, "r": {{}}}}'.encode()
    read = read_objects([b'{"n": {}}', whole], {})
    assert read.changed == {1} and read.values[0] == {"n": {}}
    assert read_objects([f'{{"p": {plain}, "q": {inner}}}'.encode()], {}).changed == frozenset()
