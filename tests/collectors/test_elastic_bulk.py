"""Elasticsearch's bulk body: read and answered item by item, or refused whole with the line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.elastic_bulk import ITEMS, BulkProblem, TooManyItems, bulk_answer, read_bulk


def body(*lines):
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)


def test_created_and_indexed_documents_are_kept_as_they_came():
    bulk = read_bulk(body({"create": {"_index": "a"}}, b'{"x": 1}\r', {"index": {"_id": "7"}}, b'{"x":2}'), "path")
    assert bulk.documents == [b'{"x": 1}', b'{"x":2}']
    assert bulk_answer(bulk, 3) == {
        "took": 3,
        "errors": False,
        "items": [
            {"create": {"_index": "a", "status": 201}},
            {"index": {"_index": "path", "status": 201, "_id": "7"}},
        ],
    }


def test_what_cannot_be_done_is_refused_alone_and_in_order():
    bulk = read_bulk(
        body(
            {"delete": {"_id": "1"}},
            {"create": {}},
            b"{}",
            {"update": {"_id": "1"}},
            b'{"doc":{}}',
            {"index": None},
            b"",
        )
        + body({"create": {}}, b"no JSON at all")
    )
    answer = bulk_answer(bulk, 0)
    assert [(action, result["status"]) for item in answer["items"] for action, result in item.items()] == [
        ("delete", 400),
        ("create", 201),
        ("update", 400),
        ("index", 400),
        ("create", 201),
    ]
    assert answer["errors"] and "empty" in answer["items"][3]["index"]["error"]["reason"]
    assert bulk.documents == [b"{}", b"no JSON at all"]


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([b"nonsense"], 1),
        ([b"[]"], 1),
        ([{"create": {}}, b"{}", b'{"message":"a document"}'], 3),
        ([{"create": {}, "index": {}}, b"{}"], 1),
        ([{"create": 1}, b"{}"], 1),
        ([b"", {"create": {}}, b"{}", {"create": {}}], 4),
        ([b'{"a":' * 5000], 1),
    ],
)
def test_broken_framing_names_the_line(lines, line):
    with pytest.raises(BulkProblem, match=f"^line {line}: ") as caught:
        read_bulk(body(*lines))
    assert caught.value.line == line


def test_the_last_newline_may_be_missing():
    assert read_bulk(b'{"create":{}}\n{"x":1}').documents == [b'{"x":1}']
    with pytest.raises(BulkProblem, match=r"line 1: .*missing"):
        read_bulk(b'{"create":{}}')


def test_there_are_only_so_many_items():
    with pytest.raises(TooManyItems):
        read_bulk(b'{"delete":{}}\n' * (ITEMS + 1))


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([b'{"create":{}}', b'{"delete":{}}', b"{}", b"", b"x"])).map(b"\n".join)
)
def test_any_body_is_read_or_refused(text):
    try:
        bulk = read_bulk(text)
    except BulkProblem as problem:
        assert 1 <= problem.line <= text.count(b"\n") + 1
        return
    kept = [item for item in bulk.items if not item.why]
    assert len(kept) == len(bulk.documents) and all(document.strip() for document in bulk.documents)
    assert all(document in text and b"\n" not in document for document in bulk.documents)
