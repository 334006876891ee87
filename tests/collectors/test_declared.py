"""Declared JSON formats: what the shipped ones give, and what is said about wrong declarations."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.declared import load_declared
from collectors.format import format_names, load_format
from collectors.json_record import flatten, parents_of
from soc_model.problem import Problem
from soc_model.source import Logsource


def one(name, record, wanted=None):
    raw = record if isinstance(record, bytes) else json.dumps(record).encode()
    (group,) = load_format(name).parse([raw], {"received": 0}, lambda type_: wanted)
    assert not group.unparsed
    return group


POD = {
    "apiVersion": "audit.k8s.io/v1",
    "auditID": "a",
    "stage": "ResponseComplete",
    "verb": "create",
    "user": {"username": "lin"},
    "sourceIPs": ["10.0.0.1"],
    "objectRef": {"resource": "pods"},
    "requestObject": {
        "spec": {
            "containers": [{"image": "a", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}, {"image": "b"}],
            "volumes": [{"hostPath": {"path": "/"}}],
        }
    },
    "responseStatus": {"code": 201},
    "stageTimestamp": "2026-03-02T09:20:00.2Z",
}


def test_kubernetes_audit():
    group = one("kubernetes_audit", POD)
    assert group.type.logsource == Logsource(product="kubernetes", category="application", service="audit")
    assert group.type.constants == (("verb", "create"),)
    assert group.fields[0]["objectRef.resource"] == "pods" and group.fields[0]["hostPath"] == ["/"]
    assert group.fields[0]["requestObject.spec.containers.image"] == ["a", "b"]
    assert group.fields[0]["capabilities"] == ["SYS_ADMIN"]
    assert group.identities == ["a|ResponseComplete"] and group.times == [1_772_443_200_200_000]
    assert group.header["user.name"] == ["lin"] and group.header["source.ip"] == ["10.0.0.1"]


def test_zeek_is_typed_by_its_path():
    group = one(
        "zeek", {"_path": "dns", "ts": 1_772_443_800.5, "id.orig_h": "10.0.0.1", "id.resp_p": 53, "query": "a.b"}
    )
    assert group.type.logsource == Logsource(product="zeek", service="dns") and group.type.dataset == "zeek.dns"
    assert group.times == [1_772_443_800_500_000]
    assert group.header["destination.port"] == [53] and group.header["url.domain"] == ["a.b"]


@pytest.mark.parametrize("path", ["../../etc", "a b", "x" * 100, 7, None, {"a": 1}])
def test_a_path_that_is_no_name_is_no_service(path):
    group = one("zeek", {"_path": path, "ts": 1})
    assert (group.type.dataset, group.type.logsource.service) == ("zeek", "")


@pytest.mark.parametrize(
    "record",
    [
        {"request": "GET /a?b=1 HTTP/1.1", "remote_addr": "10.0.0.1", "status": 200, "http_user_agent": "x"},
        {
            "request_method": "GET",
            "request_uri": "/a?b=1",
            "remote_addr": "10.0.0.1",
            "status": "200",
            "http_user_agent": "x",
        },
        {
            "cs-method": "GET",
            "c-uri": "/a?b=1",
            "cs-uri-query": "/a?b=1",
            "c-ip": "10.0.0.1",
            "sc-status": 200,
            "cs-user-agent": "x",
        },
    ],
)
def test_web_accesses_have_the_names_of_sigma(record):
    group = one("nginx_json", record)
    fields = group.fields[0]
    assert group.type.logsource == Logsource(category="webserver")
    assert (fields["cs-method"], fields["c-uri"], fields["cs-uri-query"]) == ("GET", "/a?b=1", "/a?b=1")
    assert (str(fields["sc-status"]), fields["cs-user-agent"], fields["c-ip"]) == ("200", "x", "10.0.0.1")
    assert group.header["source.ip"] == ["10.0.0.1"]


def test_a_key_injected_into_a_log_line_hides_nothing():
    raw = b'{"remote_addr":"10.0.0.1","request_uri":"/evil","status":200,"request_uri":"/fine"}'
    assert one("nginx_json", raw).fields[0]["request_uri"] == ["/evil", "/fine"]


def test_database_audit():
    record = {"time": "2026-03-02T09:50:00Z", "db": "d", "user": "u", "client_ip": "10.0.0.1", "operation": "DROP"}
    group = one("database_audit", {**record, "object": "t", "rows": 3, "statement": "DROP TABLE t"})
    assert group.type.logsource == Logsource(category="database")
    assert group.header["event.action"] == ["DROP"] and group.header["message"] == ["DROP TABLE t"]


def test_generic_json_takes_ecs_names_over():
    record = {
        "@timestamp": "2026-03-02T09:10:00Z",
        "host": {"name": "h"},
        "source": {"ip": "10.0.0.1"},
        "event": {"code": 7},
    }
    header = one("json", record).header
    assert (header["host.name"], header["source.ip"], header["event.code"]) == (["h"], ["10.0.0.1"], ["7"])


def test_plain_and_nested_records_in_one_chunk():
    form = load_format("zeek")
    records = [b'{"_path":"conn","ts":1,"id.orig_h":"a"}', b'{"_path":"conn","ts":2,"id":{"orig_h":"b"}}']
    (group,) = form.parse(records, {}, lambda type_: frozenset({"id.orig_h"}))
    assert [fields["id.orig_h"] for fields in group.fields] == ["a", "b"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c.d", ""]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "a.b", ""]), json_values),
    st.frozensets(st.sampled_from(["a", "b", "a.b", "a.a", "a.c.d", "b.b.b", ".a"])),
)
def test_flattening_what_is_wanted_gives_what_flattening_all_gives(value, wanted):
    every = flatten(value, None, frozenset())
    some = flatten(value, wanted, parents_of(wanted))
    assert {name: item for name, item in every.items() if name in wanted} == some
    assert all(not isinstance(item, dict) for item in every.values())


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("time: [{field: t}]\nheadr: {}\n", 2, "unknown key 'headr', did you mean 'header'?"),
        ("time: [{field: t}]\nheader:\n  host.nam: h\n", 3, "unknown key 'host.nam', did you mean 'host.name'?"),
        ("time:\n  - {field: t, kind: secs}\n", 2, "unknown kind 'secs'"),
        ("time:\n  - t\n", 2, "a time must be"),
        ("description: x\n", 1, "no 'time'"),
        ("time: [{field: t}]\nlayer: cellar\n", 2, "unknown layer 'cellar'"),
        ("time: [{field: t}]\nlogsource: {produkt: x}\n", 2, "did you mean 'product'?"),
        ("time: [{field: t}]\nidentity: [1]\n", 2, "must be a list of field names"),
        ("time: [{field: t}]\nheader:\n  message: {field: m, wrod: 1}\n", 3, "did you mean 'word'?"),
        ("time: [{field: t}]\nheader:\n  message: {field: m, word: -1}\n", 3, "from 0 to 63"),
        ("time: [{field: t}\n", 2, "no YAML"),
        ("- a\n", 1, "must be a mapping"),
        ("", 1, "must be a mapping"),
        ("time: [{field: t}]\nrecognise: {fields: 5}\n", 2, "recognise.fields"),
        ("time: [{field: t}]\nrecognise: {values: [a]}\n", 2, "recognise.values"),
    ],
)
def test_a_wrong_declaration_is_refused_with_its_line(tmp_path, text, line, what):
    path = tmp_path / "mine.yml"
    path.write_text(text)
    with pytest.raises(Problem) as refused:
        load_declared(path)
    assert refused.value.place == f"{path}:{line}" and what in str(refused.value)


def test_a_folder_adds_formats(tmp_path):
    (tmp_path / "turnstile.yml").write_text("time: [{field: at, kind: s}]\nlogsource: {product: gates}\n")
    assert "turnstile" in format_names([tmp_path])
    (group,) = load_format("turnstile", [tmp_path]).parse([b'{"at":1}'], {}, lambda type_: None)
    assert group.times == [1_000_000] and group.type.logsource.product == "gates"


@pytest.mark.parametrize("name", ["nothing", "../json", "", "json.yml", "__init__"])
def test_an_unknown_format_is_a_problem(name):
    with pytest.raises(Problem, match=r"unknown; there are .*syslog"):
        load_format(name)


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ({"name": "a", "ip": ["fe80::1", "10.0.0.5", 7, None]}, [("fe80::1", "10.0.0.5", "7")]),
        ({"name": "a", "ip": "10.0.0.5"}, ["10.0.0.5"]),
        ({"name": "a"}, None),
    ],
)
def test_the_own_addresses_of_a_host_are_those_of_ecs(host, own):
    assert one("json", {"@timestamp": 1, "host": host, "source": {"ip": "10.0.0.9"}}).host_addresses == own
