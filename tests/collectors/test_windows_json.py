"""Windows events as JSON: every shape comes to the same fields, and the worst inputs come through."""

import json

import pytest

from collectors.format import load_format
from collectors.windows_event import facts
from soc_model.source import Logsource

FORM = load_format("windows_json")


def parse(*records, wanted=None):
    raw = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
    return FORM.parse(raw, {"received": 1_772_500_000_000_000}, lambda type_: wanted)


def one(record):
    (group,) = parse(record)
    assert not group.unparsed
    return group


def nested(event_data=None, **system):
    """A nested event in the evtx crate's shape."""
    plain = {
        "Provider": {"#attributes": {"Name": "Microsoft-Windows-Sysmon"}},
        "EventID": 1,
        "TimeCreated": {"#attributes": {"SystemTime": "2026-03-02T08:52:00Z"}},
        "EventRecordID": 7,
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Computer": "PC",
    }
    return {"Event": {"System": {**plain, **system}, "EventData": event_data}}


FLAT = {
    "SourceName": "Microsoft-Windows-Sysmon",
    "EventID": 1,
    "TimeCreated": "2026-03-02T08:52:00Z",
    "RecordNumber": 7,
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "Hostname": "PC",
    "Image": "a.exe",
}
SHAPES = {
    "attributes": nested({"Image": "a.exe"}),
    "separated": {
        "Event": {
            "System": {
                "Provider_attributes": {"Name": "Microsoft-Windows-Sysmon"},
                "EventID": 1,
                "TimeCreated_attributes": {"SystemTime": "2026-03-02T08:52:00Z"},
                "EventRecordID": 7,
                "Channel": "Microsoft-Windows-Sysmon/Operational",
                "Computer": "PC",
            },
            "EventData": {"Image": "a.exe"},
        }
    },
    "xmltodict": {
        "Event": {
            "@xmlns": "x",
            "System": {
                "Provider": {"@Name": "Microsoft-Windows-Sysmon"},
                "EventID": {"@Qualifiers": "0", "#text": "1"},
                "TimeCreated": {"@SystemTime": "2026-03-02T08:52:00Z"},
                "EventRecordID": "7",
                "Channel": "Microsoft-Windows-Sysmon/Operational",
                "Computer": "PC",
            },
            "EventData": {"Data": [{"@Name": "Image", "#text": "a.exe"}]},
        }
    },
    "flat": FLAT,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_same_event(shape):
    group = one(SHAPES[shape])
    assert group.type.dataset == "windows.sysmon"
    assert group.type.logsource == Logsource(product="windows", service="sysmon")
    assert group.type.constants == (
        ("Channel", "Microsoft-Windows-Sysmon/Operational"),
        ("EventID", "1"),
        ("Provider_Name", "Microsoft-Windows-Sysmon"),
    )
    assert group.fields[0]["Image"] == "a.exe" and group.fields[0]["Computer"] == "PC"
    assert group.times == [1_772_441_520_000_000]
    assert group.identities == ["PC|Microsoft-Windows-Sysmon/Operational|7|1772441520000000"]
    assert group.header["event.action"] == ["process created"]


def test_names_with_spaces_lose_them():
    group = one(nested({"Threat Name": "x"}, Channel="Microsoft-Windows-Windows Defender/Operational"))
    assert group.fields[0]["ThreatName"] == "x" and group.type.logsource.service == "windefend"


@pytest.mark.parametrize("data", [["a", "1"], {"#text": ["a", "1"]}, [{"#text": "a"}, {"#text": "1"}]])
def test_data_without_names_is_a_list_of_text(data):
    assert one(nested({"Data": data})).fields[0]["Data"] == ["a", "1"]


def test_user_data_is_top_level_and_does_not_shadow_the_channel():
    record = nested(None, Channel="System", EventID=104)
    record["Event"]["UserData"] = {
        "LogFileCleared": {"#attributes": {"xmlns": "x"}, "Channel": "Security", "User": "u"}
    }
    group = one(record)
    assert group.fields[0]["Channel"] == "System" and group.fields[0]["User"] == "u"
    assert dict(group.type.constants)["Channel"] == "System"


def test_execution_does_not_shadow_the_process_id_of_the_event():
    record = nested({"ProcessId": 42}, Execution={"#attributes": {"ProcessID": 7, "ThreadID": 8}})
    assert one(record).fields[0]["ProcessId"] == 42 and one(record).fields[0]["ExecutionProcessID"] == 7


def test_values_keep_their_types():
    fields = one(nested({"Initiated": True, "SourcePort": 5, "Empty": "", "Null": None})).fields[0]
    assert (fields["Initiated"], fields["SourcePort"], fields["Empty"], fields["Null"]) == (True, 5, "", None)


@pytest.mark.parametrize("wanted", [None, frozenset({"md5"})])
def test_hashes_are_split_and_kept(wanted):
    (group,) = parse(nested({"Hashes": "SHA1=A1,MD5=B2,SHA256=C3,IMPHASH=D4"}), wanted=wanted)
    fields = group.fields[0]
    assert (fields["sha1"], fields["md5"], fields["sha256"], fields["Imphash"]) == ("A1", "B2", "C3", "D4")
    assert fields["Hashes"].startswith("SHA1=")


@pytest.mark.parametrize(
    ("event_id", "keywords", "outcome"),
    [
        (4624, "0x8020000000000000", "success"),
        (4625, "0x8010000000000000", "failure"),
        (4663, -9214364837600034816, "success"),
        (4663, "Audit Failure", "failure"),
        (4663, "0x8010000000000000", "failure"),
    ],
)
def test_the_outcome_of_security_events(event_id, keywords, outcome):
    group = one(nested({"TargetUserName": "u"}, Channel="Security", EventID=event_id, Keywords=keywords))
    assert group.header["event.outcome"] == [outcome]


def test_the_header_is_taken_from_the_fields():
    group = one(
        nested(
            {
                "Image": "C:\\a.exe",
                "User": "CITY\\lin",
                "SourceIp": "::ffff:10.0.0.1",
                "SourcePort": "50000",
                "DestinationIp": "192.0.2.1",
                "DestinationPort": 443,
                "TargetFilename": "C:\\x",
                "QueryName": "a.example",
                "Message": "First line\r\nsecond",
            }
        )
    )
    header = {column: values[0] for column, values in group.header.items()}
    assert header == {
        "host.name": "PC",
        "user.name": "CITY\\lin",
        "source.ip": "10.0.0.1",
        "source.port": 50000,
        "destination.ip": "192.0.2.1",
        "destination.port": 443,
        "process.executable": "C:\\a.exe",
        "file.path": "C:\\x",
        "url.domain": "a.example",
        "event.code": "1",
        "event.action": "process created",
        "message": "First line",
    }


def test_a_dash_is_no_user():
    record = {**FLAT, "Channel": "Security", "TargetUserName": "-", "SubjectUserName": "wang", "IpPort": "-"}
    header = one(record).header
    assert header["user.name"] == ["wang"] and "source.port" not in header


@pytest.mark.parametrize(
    "raw",
    [
        b'{"EventID":1,"Channel":"Security","CommandLine":"a","CommandLine":"b"}',
        b'{"EventID" : 1, "Channel" : "Security", "CommandLine" : "a", "CommandLine" : "b"}',
        b'{"Event":{"System":{"Channel":"Security","EventID":1},"EventData":{"CommandLine":"a","CommandLine":"b"}}}',
        json.dumps(nested({"CommandLine": "@"})).replace('"@"', '"a","CommandLine":"b"').replace(": ", ":").encode(),
    ],
)
def test_both_values_of_a_repeated_key_are_kept(raw):
    assert one(raw).fields[0]["CommandLine"] == ["a", "b"]


def test_key_signs_inside_a_text_are_no_repeated_keys():
    record = nested({"CommandLine": 'echo {"a":1,"a":2}', "Other\\": 'x\\":'})
    assert one(json.dumps(record).replace(": ", ":").encode()).fields[0]["CommandLine"] == 'echo {"a":1,"a":2}'


@pytest.mark.parametrize(
    ("raw", "image"),
    [
        (b'{"EventID":1,"Image":"a\\ud800b"}', "a\\ud800b"),
        (b'{"EventID":1,"Image":"\xff\xfe"}', "\\xff\\xfe"),
        (b'\xef\xbb\xbf{"EventID":1,"Image":"x"}', "x"),
        (b'\0\0{"EventID":1,"Image":"x"}\0', "x"),
        (b'{"EventID":1,"Image":NaN}', "NaN"),
        (b'{"EventID":1,"Image":1e999}', "1e999"),
        (b'{"EventID":1,"Image":-Infinity}', "-Infinity"),
        (b'{"EventID":1,"Image":"tab\there"}', "tab\there"),
        (b'{"EventID":1,"Image":' + b"9" * 5000 + b"}", "9" * 5000),
    ],
)
def test_what_a_strict_decoder_refuses_is_read_tolerantly(raw, image):
    assert one(raw).fields[0]["Image"] == image


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b'{"EventID":1',
        b"[1,2]",
        b'"text"',
        b"\x00\x01\x02",
        b'{"a":' * 100_000,
        b"[" * 100_000,
        b'{"a":' * 3000 + b"1" + b"}" * 3000,
    ],
)
def test_what_cannot_be_read_is_an_unparsed_event(raw):
    (group,) = parse(raw)
    assert list(group.unparsed) == [0] and group.raws == [raw]
    assert group.type.logsource.product == "windows" and group.header["message"][0] == group.fields[0]["message"][:1024]


def test_one_bad_line_does_not_touch_its_neighbours():
    groups = parse(FLAT, b"{oops", {**FLAT, "Image": "b.exe"})
    assert [fields.get("Image") for group in groups for fields in group.fields] == ["a.exe", "b.exe", None]
    assert [group.records for group in groups] == [[0, 2], [1]]
    assert groups[0].bytes_at == [0, len(json.dumps(FLAT)) + 5]


@pytest.mark.parametrize(
    "event_id", ["4688", 4688, {"#text": 4688, "#attributes": {"Qualifiers": 0}}, {"#text": "4688"}]
)
def test_an_event_id_in_any_form(event_id):
    assert dict(one(nested({}, EventID=event_id, Channel="Security")).type.constants)["EventID"] == "4688"
    assert dict(one({**FLAT, "EventID": event_id}).type.constants)["EventID"] == "4688"


@pytest.mark.parametrize("value", [["Security"], {"#text": ["a", "b"]}, 5, None, True])
def test_a_channel_that_is_no_name_does_no_harm(value):
    (group,) = parse({**FLAT, "Channel": value}, wanted=frozenset({"Image"}))
    assert group.fields[0]["Image"] == "a.exe" and group.type.logsource.service == ""


@pytest.mark.parametrize(("time", "us"), [("0001-01-01T00:00:00Z", -62_135_596_800_000_000), ("9999-12-31", None)])
def test_times_far_away_are_kept_as_they_are(time, us):
    found = one({**FLAT, "TimeCreated": time}).times[0]
    assert found == us or (us is None and found > 253_402_000_000_000_000)


@pytest.mark.parametrize(
    ("channel", "service"),
    [
        ("security", "security"),
        ("WinEventLog:Security", "security"),
        ("Microsoft-ServiceBus-Client/Admin", "microsoft-servicebus-client"),
        ("PowerShellCore/Operational", "powershell"),
        ("Directory Service", ""),
    ],
)
def test_the_service_of_a_channel(channel, service):
    assert facts().service(channel) == service


def test_a_message_of_the_renderer_is_used():
    record = nested({"Image": "x"})
    record["Event"]["RenderingInfo"] = {"@Culture": "zh-CN", "Message": "已创建进程"}
    assert one(record).header["message"] == ["已创建进程"]


def test_an_event_id_that_is_true_is_not_one():
    lines = [
        b'{"Channel": "Security", "EventID": %s, "@timestamp": "2026-01-01T00:00:00Z"}' % v
        for v in (b"true", b"1", b"1.0")
    ]
    groups = load_format("windows_json").parse(lines, {"received": 1}, lambda event_type: None)
    assert [dict(group.type.constants)["EventID"] for group in groups] == ["True", "1", "1.0"]


WINLOG = {
    "@timestamp": "2026-03-02T08:52:00.000Z",
    "event": {"code": "1", "provider": "Microsoft-Windows-Sysmon"},
    "message": "Process Create",
    "winlog": {
        "provider_name": "Microsoft-Windows-Sysmon",
        "event_id": "1",
        "record_id": "7",
        "channel": "Microsoft-Windows-Sysmon/Operational",
        "computer_name": "PC",
        "event_data": {"Image": "a.exe", "UtcTime": "2026-03-02 08:51:59.990"},
    },
}
FLUENT_BIT = {
    "ProviderName": "Microsoft-Windows-Sysmon",
    "EventID": 1,
    "TimeCreated": "2026-03-02 16:52:00 +0800",
    "EventRecordID": 7,
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "Computer": "PC",
    "StringInserts": ["-", "a.exe"],
}


@pytest.mark.parametrize("record", [WINLOG, FLUENT_BIT], ids=["winlogbeat", "fluent bit"])
def test_what_shippers_send_is_the_same_event(record):
    group, other = one(record), one(SHAPES["attributes"])
    assert (group.type, group.times, group.identities) == (other.type, other.times, other.identities)
    assert group.header["host.name"] == ["PC"] and group.header["event.code"] == ["1"]


def winlog(**given):
    return one({**WINLOG, "winlog": {**WINLOG["winlog"], **given}}).fields[0]


def test_the_data_of_a_winlogbeat_document_is_top_level():
    fields = winlog(event_data={"Threat Name": "x", "Channel": "not this", "Version": "2"}, version=5)
    assert (fields["ThreatName"], fields["Version"], fields["Message"]) == ("x", "2", "Process Create")
    assert fields["Channel"] == "Microsoft-Windows-Sysmon/Operational"
    assert winlog(user_data={"xml_name": "LogFileCleared", "SubjectUserName": "u"})["SubjectUserName"] == "u"


def test_an_object_inside_the_data_is_its_text():
    assert winlog(user_data={"Inner": {"a": 1}})["Inner"] == '{"a":1}'


def test_data_without_names_keeps_its_order():
    fields = winlog(event_data={f"param{n}": str(n) for n in (10, 2, 1)})
    assert fields["Data"] == ["1", "2", "10"] and fields["param10"] == "10"
    assert one(FLUENT_BIT).fields[0]["Data"] == ["-", "a.exe"]


@pytest.mark.parametrize("part", [None, [], "text", 5, {"process": 1}])
@pytest.mark.parametrize("name", ["event", "host", "message", "@timestamp"])
def test_a_document_that_is_not_as_it_should_be_does_no_harm(name, part):
    (group,) = parse({**WINLOG, name: part})
    assert group.fields[0]["Image"] == "a.exe" and not group.unparsed


@pytest.mark.parametrize("data", [None, [], "text", {"a": {"b": 1}}, {"param1": None}])
def test_data_that_is_not_as_it_should_be_does_no_harm(data):
    assert winlog(event_data=data, user_data=data, keywords=data)["Computer"] == "PC"


@pytest.mark.parametrize(("words", "outcome"), [(["Audit Failure"], "failure"), (["审核成功"], "success")])
def test_rendered_keywords_tell_the_outcome(words, outcome):
    record = {**WINLOG, "winlog": {**WINLOG["winlog"], "channel": "Security", "event_id": 4663, "keywords": words}}
    assert one(record).header["event.outcome"] == [outcome]


@pytest.mark.parametrize(
    ("code", "initiated", "own"),
    [
        (3, "true", ["10.0.0.1"]),
        (3, True, ["10.0.0.1"]),
        (3, "false", ["10.0.0.2"]),
        (3, "x", [None]),
        (1, "true", None),
    ],
)
def test_sysmon_says_which_end_of_a_connection_is_the_hosts(code, initiated, own):
    ends = {"SourceIp": "10.0.0.1", "DestinationIp": "10.0.0.2", "Initiated": initiated}
    assert one(nested(ends, EventID=code)).host_addresses == own
