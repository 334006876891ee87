"""Documents of shippers: the carried text is parsed by the inner format, and nothing around it is lost."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.format import load_format
from soc_model.source import Logsource

FORM = load_format("beats")
SAMPLES = Path(__file__).parent / "samples" / "beats"
RECEIVED = 1_772_500_000_000_000


def parse(*records, **options):
    raw = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
    return FORM.parse(raw, {"received": RECEIVED, **options}, lambda type_: None)


def one(record, **options):
    (group,) = parse(record, **{"inner": "syslog", **options})
    return group


SSHD = "Mar  2 08:52:00 web-1 sshd[812]: Failed password for root from 203.0.113.9 port 40022 ssh2"


def test_the_carried_line_is_an_event_of_the_inner_format():
    record = (SAMPLES / "filebeat.json").read_bytes().splitlines()[0]
    group = one(record)
    assert group.type.logsource == Logsource(product="linux", service="sshd") and group.raws == [record]
    assert group.header["source.ip"] == ["203.0.113.9"] and group.header["host.name"] == ["web-1"]
    assert group.times == [1_772_441_520_000_000] and group.decoder == "beats@1+syslog@1"
    fields = group.fields[0]
    assert fields["message"].startswith("Failed password") and fields["program"] == "sshd"
    assert fields["log.file.path"] == "/var/log/auth.log" and fields["fields.site"] == "南门"


@pytest.mark.parametrize(
    ("envelope", "host"),
    [
        ({"message": "<13>no time here", "@timestamp": "2026-03-02T08:52:00Z", "host": {"name": "a"}}, "a"),
        ({"log": "<13>no time here", "date": 1772441520.0, "hostname": "a"}, "a"),
        ({"message": "<13>no time here", "timestamp": "2026-03-02T08:52:00Z", "host": "a"}, "a"),
        ({"message": "<13>no time here", "timestamp": "2026-03-02T08:52:00Z"}, None),
    ],
)
def test_the_envelope_gives_host_and_time_where_the_line_has_none(envelope, host):
    group = one(envelope)
    assert group.times == [1_772_441_520_000_000]
    assert group.header.get("host.name", [None]) == [host]


def test_the_zone_holds_for_the_carried_line():
    assert one({"message": SSHD}, zone="Asia/Shanghai").times == [1_772_441_520_000_000 - 8 * 3_600_000_000]


def test_a_carried_object_is_parsed_too():
    carried = {"remote_addr": "192.0.2.1", "request": "GET /x HTTP/1.1", "status": 200, "time_iso8601": "2026-03-02"}
    group = one({"message": json.dumps(carried), "host": {"name": "web"}}, inner="nginx_json")
    assert group.fields[0]["cs-method"] == "GET" and group.type.logsource.category == "webserver"


@pytest.mark.parametrize("record", [{"@timestamp": "2026-03-02", "metric": 1}, {"message": ""}, {"message": 5}, b"{no"])
def test_what_carries_no_text_is_an_event_of_its_own(record):
    groups = parse({"message": SSHD}, record, {"message": SSHD}, inner="syslog")
    assert sorted((group.type.dataset, group.records) for group in groups) == [("json", [1]), ("linux.sshd", [0, 2])]
    assert all(group.raws for group in groups) and [bool(g.unparsed) for g in groups] == [False, record == b"{no"]


@pytest.mark.parametrize("inner", [None, "beats", "evtx", "nothing", 5])
def test_without_an_inner_format_the_document_is_the_event(inner):
    (group,) = parse({"message": SSHD, "host": {"name": "a"}}, inner=inner)
    assert group.type.dataset == "json" and group.header["message"] == [SSHD]


def test_a_line_that_the_inner_format_cannot_read_is_unparsed():
    group = one({"message": "no syslog"})
    assert list(group.unparsed) == [0] and group.fields[0]["message"] == "no syslog"


TEXTS = st.sampled_from([SSHD, "", "\n", "<13>x", "é\ud800", "{", "Mar  2"]) | st.text("<>1 a:[]", max_size=9)


@given(st.lists(st.dictionaries(st.sampled_from(["message", "log", "host", "x"]), TEXTS | st.integers()), max_size=5))
def test_each_document_is_one_event_in_its_place(documents):
    records = [json.dumps(document).encode() for document in documents]
    groups = FORM.parse(records, {"received": RECEIVED, "inner": "syslog"}, lambda type_: None)
    assert sorted(i for group in groups for i in group.records) == list(range(len(records)))
    for group in groups:
        assert group.raws == [records[i] for i in group.records]
        assert group.bytes_at == [sum(map(len, records[:i])) for i in group.records]
        assert len(group.fields) == len(group.times) == len(group.records)
