"""The query language: what is read, what is refused and where, and that SQL and Python agree on every row."""

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from soc_model.event import COLUMNS
from soc_model.problem import Problem
from soc_store.query_language import (
    DEPTH,
    TERMS,
    And,
    Not,
    Or,
    Term,
    Word,
    fold,
    parse,
    read_pattern,
    to_predicate,
    to_sql,
)

ROW = dict.fromkeys(COLUMNS) | {
    "raw": r'Failed password for Admin from 10.0.0.7 (C:\Windows\System32\cmd.exe) 100% a_b "quoted" 登录失败 Straße',
    "host.name": "WS-01",
    "user.name": "admin",
    "source.ip": "fe80::1",
    "source.port": 22,
    "message": "two words",
    "file.path": r"C:\Windows\System32\cmd.exe",
}


def matches(text, row=ROW):
    return to_predicate(parse(text))(row)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "failed",
        "FAILED Password",
        '"failed password"',
        "fail*admin",
        "adm?n",
        "登录失败",
        "STRAßE",
        "100%",
        "a_b",
        r"\"quoted\"",
        "host.name:ws-01",
        "host.name:WS*",
        "host.name:ws-??",
        "source.port:22",
        "source.port:2*",
        'source.ip:"fe80::1"',
        r"source.ip:fe80\:\:1",
        'message:"two words"',
        r'file.path:"C:\Windows\System32\cmd.exe"',
        r"file.path:*\\cmd.exe",
        r"C\:\\Windows",
        "user.name:(root OR admin)",
        "NOT nosuch",
        "-nosuch +failed",
        "nosuch OR (failed AND NOT missing)",
        "NOT url.domain:*",
        "user.name:*",
        "*",
        "*:*",
    ],
)
def test_it_matches(text):
    assert matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "nosuch",
        '"password failed"',
        '"fail*admin"',
        "host.name:ws",
        "host.name:ws-?",
        "url.domain:*",
        "url.domain:x",
        "NOT url.domain:x failed2",
        "failed nosuch",
        "a%b",
        "100_",
        r"adm\?n",
        "user.name:(admin AND root)",
        "NOT (failed OR nosuch)",
    ],
)
def test_it_does_not_match(text):
    assert not matches(text)


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("(a", "query:3", "unexpected end"),
        ("a )", "query:3", "unexpected"),
        ("ab AND", "query:7", "unexpected end"),
        ("hostname:x", "query:1", "did you mean 'host.name'"),
        ("a AND b AND zzzzz:1", "query:13", "unknown field 'zzzzz'"),
        ("raw_binary:x", "query:1", "unknown field"),
        ("a && b", "query:3", "write AND"),
        ("source.ip:fe80:1", "query:11", "quotes"),
        ("source.port:[1 TO 5]", "query:13", "range is not part"),
        ("roam~2", "query:1", "fuzzy is not part"),
        ("x /re.*/", "query:3", "regex is not part"),
        ('"open', "query:1", "Illegal character"),
        ("x" * 4001, "query:4001", "longer than"),
    ],
)
def test_what_is_wrong_is_refused_with_its_column(text, place, what):
    with pytest.raises(Problem, match=what) as caught:
        parse(text)
    assert caught.value.place == place


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("(" * (DEPTH + 1) + "a" + ")" * (DEPTH + 1), "nested deeper"),
        ("(" * 1900 + "a" + ")" * 1900, "nested deeper"),
        ("NOT " * 900 + "a", "nested deeper"),
        (" OR ".join("a" * 1 for _ in range(TERMS + 1)), "more than"),
    ],
)
def test_nesting_and_terms_are_capped(text, what):
    with pytest.raises(Problem, match=what):
        parse(text)


def test_many_wildcards_take_no_time():
    pattern = "*a" * 500
    assert not matches(pattern + "!", ROW | {"raw": "a" * 20_000})


CHARS = st.sampled_from([*'aAbBkKsSiI*?\\%_:"() .-ßéÉσΣςİıſK', "登", "1", "😀", "\n"])
TEXTS = st.text(CHARS, max_size=8)
PATTERNS = st.builds(read_pattern, TEXTS, st.booleans())
LEAVES = st.builds(Word, PATTERNS) | st.builds(Term, st.sampled_from(["raw", "host.name", "source.port"]), PATTERNS)
NODES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, max_size=3).map(lambda nodes: And(tuple(nodes))),
        st.lists(inner, max_size=3).map(lambda nodes: Or(tuple(nodes))),
    ),
    max_leaves=5,
)
ROWS = st.lists(
    st.tuples(st.none() | TEXTS, st.none() | TEXTS, st.none() | st.integers(0, 65535)), min_size=1, max_size=8
)


@pytest.fixture(scope="module")
def database():
    with duckdb.connect() as connection:
        connection.execute('CREATE TABLE t(n INTEGER, raw VARCHAR, "host.name" VARCHAR, "source.port" INTEGER)')
        yield connection


@settings(max_examples=250, deadline=None)
@given(node=NODES, rows=ROWS)
@example(node=Word(read_pattern("a?", True)), rows=[("aİ", None, None), ("a😀", None, None), ("a\n", None, None)])
@example(node=Term("raw", read_pattern("*a*ab", True)), rows=[("aab", None, None), ("ab", None, None)])
def test_sql_and_python_agree(database, node, rows):
    database.execute("DELETE FROM t")
    database.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", [(n, *row) for n, row in enumerate(rows)])
    sql, values = to_sql(node)
    by_sql = {n for (n,) in database.execute(f"SELECT n FROM t WHERE {sql}", values).fetchall()}
    names = ("raw", "host.name", "source.port")
    matching = to_predicate(node)
    assert by_sql == {n for n, row in enumerate(rows) if matching(dict(zip(names, row, strict=True)))}


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        matches(text)
    except Problem as problem:
        assert problem.place.startswith("query:")


@settings(max_examples=100, deadline=None)
@given(TEXTS.filter(lambda text: text.strip()))
def test_a_quoted_text_finds_itself(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    assert matches(
        f'"{escaped}"', ROW | {"raw": f"<{text.swapcase()}>" if fold(text.swapcase()) == fold(text) else text}
    )
