"""How declared formats are read beyond a JSON object a line: envelopes, columns, headers, named lists, picks."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.cutting import Cutter
from collectors.declared import load_declared
from collectors.envelope import Envelope
from collectors.nested_values import NamedList, named_values, text_at
from collectors.pick import Pick, part_of_url
from collectors.record_reader import Reading, reader_of
from soc_model.problem import Problem

OBJECTS = st.lists(
    st.dictionaries(st.text(max_size=4), st.recursive(st.text(max_size=6), st.lists), max_size=3), max_size=4
)
HEAD = "description: x\ntime: [{field: t}]\n"


@given(OBJECTS, st.sampled_from(["Records", "list", "lines", "page"]), st.sampled_from([None, 1]), st.data())
def test_envelopes_in_pieces_give_their_objects(objects, shape, indent, data):
    shapes = {"Records": {"Records": objects}, "list": objects, "page": {"@a.b": "c", "n": 3, "value": objects, "z": 1}}
    lines = [objects] if shape != "lines" else objects
    written = "".join(
        json.dumps(shapes.get(shape, one), indent=(shape != "lines" and indent) or None) + "\n" for one in lines
    )
    raw, envelope = written.encode(), Envelope(("Records", "value"))
    cutter, records = Cutter(envelope, {}), []
    ends = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    for start, end in zip([0, *ends], [*ends, len(raw)], strict=True):
        records += [record for part in cutter.feed(raw[start:end]) for record in part.records]
    records += [record for part in cutter.feed(b"", final=True) for record in part.records]
    if shape != "list" or (objects and all(objects)):
        assert [json.loads(record) for record in records] == objects


def test_a_header_stands_for_the_lines_of_as_many_columns():
    reader = reader_of(Reading(kind="header", mark="#Fields:", separator=" "))
    cut = reader.cut(b"#Software: x\n#Fields: a b\n1 2\n#Fields: a b c\n1 - 3\n4 5\n6\n", {}, True)
    read = reader.read(cut.records, cut.context)
    assert cut.records == [b"1 2", b"1 - 3", b"4 5", b"6"]
    assert read.values == [{"a": "1", "b": "2"}, {"a": "1", "c": "3"}, {"a": "4", "b": "5"}, None]
    assert read.broken == {3: "1 columns, and no header of so many"}


def test_columns_in_quotes_and_brackets_and_the_rest_of_the_line():
    reader = reader_of(Reading(kind="columns", names=("a", "-", "b", "c*")))
    read = reader.read([rb'1 x "b \" b" [c] d "e"', b"1 2 3"], {})
    assert read.values == [{"a": "1", "b": r"b \" b", "c": '[c] d "e"'}, None] and 1 in read.broken


def test_lists_of_named_values_become_fields():
    record = {
        "p": [{"m": [{"n": "x", "v": '"1"'}, {"n": "x", "v": [2, 3]}]}, {"m": {"n": "y", "w": {"k": 1}}}, {"m": 4}]
    }
    said = named_values(record, (NamedList(("p", "m"), "n", ("v", "w"), "q."),))
    assert said == {"q.x": ["1", 2, 3], "q.y": '{"k": 1}'}
    assert text_at(record, ("p",)).startswith('[{"m":[{"n":"x"') and text_at(record, ("p", "z")) is None


@pytest.mark.parametrize(
    ("pick", "fields", "value"),
    [
        (Pick("a", join=" "), {"a": ["x", 1]}, "x 1"),
        (Pick("a", more=("b",), join="/"), {"a": "x", "b": "y"}, "x/y"),
        (Pick("a", more=("b",), join="/"), {"a": "x"}, None),
        (Pick("a", words=(("0", "ok"),), otherwise="bad"), {"a": 0}, "ok"),
        (Pick("a", words=(("true", "ok"),)), {"a": True}, "ok"),
        (Pick("a", otherwise="bad", absent="none"), {"a": "e"}, "bad"),
        (Pick("a", otherwise="bad", absent="none"), {}, "none"),
        (Pick("a", first=2), {"a": "x y z"}, "x y"),
        (Pick("a", blank="+"), {"a": "x+y"}, "x y"),
        (Pick("a", part="host"), {"a": "www.example.cn:443"}, "www.example.cn"),
        (Pick("a", part="extension"), {"a": "http://h/x.d/run.tar.gz?a=b.c"}, "gz"),
        (Pick("a", part="extension"), {"a": "http://h.example/x"}, None),
        (Pick("a", part="query"), {"a": "/x?y=z"}, "y=z"),
        (Pick("a", word=1), {"a": ["x"]}, None),
    ],
)
def test_picks(pick, fields, value):
    assert pick.of(fields) == value


@given(st.text(max_size=60), st.sampled_from(["host", "path", "query", "extension"]))
def test_any_text_has_parts_or_none(text, part):
    assert isinstance(part_of_url(text, part), str | None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("read: {as: xml}", "'as' must be one of"),
        ("read: {as: columns}", "columns need 'names'"),
        ("read: {mark: a}", "header needs 'mark', and others neither"),
        ("lists: [{at: a}]", "must have 'at', 'name' and 'value'"),
        ("fields: {a: {field: b, part: port}}", "'part' must be one of"),
        ("fields: {a: {fields: [b, c]}}", "several 'fields' need 'join'"),
        ("fields: {a: {field: b, first: 99}}", "'first' must be a number"),
        ("logsource: {service: {field: a, word: b}}", "unknown key 'word', did you mean 'words'"),
    ],
)
def test_wrong_declarations_are_told_with_their_line(text, said, tmp_path):
    path = tmp_path / "wrong.yml"
    path.write_text(HEAD + text, "utf-8")
    with pytest.raises(Problem, match=said) as told:
        load_declared(path)
    assert "wrong.yml:3" in str(told.value)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("fields: {a: b, c: {field: d, after: '#'}}", True),
        ("fields: {a: {field: b, words: {'0': ok}}}", False),
        ("fields: {a: {fields: [b, c], join: ' '}}", False),
        ("fields: {a: {field: b, absent: none}}", False),
        ("texts: [o]", False),
        ("lists: [{at: a, name: b}]", False),
        ("read: {as: pairs}", False),
    ],
)
def test_a_declaration_knows_whether_its_values_stand_in_the_record(text, written, tmp_path):
    path = tmp_path / "made.yml"
    path.write_text(HEAD + text, "utf-8")
    assert load_declared(path).declaration.as_written is written


def test_a_field_is_made_only_where_it_is_asked_for(tmp_path):
    path = tmp_path / "made.yml"
    path.write_text(HEAD + "fields: {a: b, c: d}\nheader: {message: a}\ntexts: [o]\n", "utf-8")
    form, raw = load_declared(path), [b'{"t":"2026-03-02T09:20:00Z","b":"1","d":"2","o":{"x":[1]}}']
    few = form.parse(raw, {}, lambda type_: frozenset({"e"}))[0]
    assert "c" not in few.fields[0] and few.header["message"] == ["1"]
    asked = form.parse(raw, {}, lambda type_: frozenset({"c", "o"}))[0]
    assert asked.fields[0]["c"] == "2" and asked.fields[0]["o"] == '{"x":[1]}'
