"""Syslog lines: what they say, and lines that try to break the reader."""

import time
from datetime import UTC

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collectors.cutting import Cutter
from collectors.format import load_format
from collectors.syslog_header import line_reader
from collectors.timestamp import MONTHS, bsd_us, iso_us
from soc_model.source import Logsource

FORM = load_format("syslog")
RECEIVED = 1_772_500_000_000_000  # 2026-03-03T01:06:40Z


def parse(*lines, **context):
    raw = [line if isinstance(line, bytes) else line.encode() for line in lines]
    return FORM.parse(raw, {"received": RECEIVED, **context}, lambda type_: None)


def one(line, **context):
    (group,) = parse(line, **context)
    return group


def header(line):
    return {column: values[0] for column, values in one(line).header.items()}


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (
            "Mar  2 08:51:00 gate app[12]: hello",
            {"hostname": "gate", "program": "app", "pid": "12", "message": "hello"},
        ),
        ("<38>Mar  2 08:51:00 gate app: x", {"facility": "auth", "severity": "info", "program": "app", "message": "x"}),
        ("Mar  2 08:51:00 app[12]: error: x", {"program": "app", "pid": "12", "message": "error: x"}),
        ("Mar  2 08:51:00 gate app(pam_unix)[12]: x", {"program": "app(pam_unix)", "pid": "12", "message": "x"}),
        (
            "Mar  2 08:51:00 gate last message repeated 2 times",
            {"hostname": "gate", "message": "last message repeated 2 times"},
        ),
        ("Mar  2 08:51:00 fe80::1 app[1]: x", {"hostname": "fe80::1", "program": "app", "message": "x"}),
        ("Mar  2 08:51:00 gate com.apple.x[4]: y", {"program": "com.apple.x", "message": "y"}),
        ("2026-03-02T08:51:00.5+08:00 gate app[1]: x", {"hostname": "gate", "program": "app", "message": "x"}),
        ("<13>only a message", {"facility": "user", "severity": "notice", "message": "only a message"}),
        ("<999>only a message", {"message": "only a message"}),
    ],
)
def test_the_parts_of_a_line(line, fields):
    group = one(line)
    found = group.fields[0]
    assert not group.unparsed and {name: found.get(name) for name in fields} == fields


def test_rfc_5424_with_structured_data_and_escapes():
    data = '[o@1 ip="10.0.0.1" a="\\"b\\" \\]\\\\"][m s="1" s="2"]'
    group = one(f"<34>1 2026-03-02T08:54:00.003Z web-1 app 811 ID47 {data} \ufeffhi")
    assert group.times == [1_772_441_640_003_000]
    assert group.fields[0] == {
        "message": "hi",
        "program": "app",
        "pid": "811",
        "procid": "811",
        "hostname": "web-1",
        "facility": "auth",
        "severity": "crit",
        "msgid": "ID47",
        "sd.o@1.ip": "10.0.0.1",
        "sd.o@1.a": '"b" ]\\',
        "sd.m.s": ["1", "2"],
    }


def test_rfc_5424_with_nothing_but_a_message():
    group = one("<165>1 - - - - - - plain")
    assert group.fields[0] == {"message": "plain", "facility": "local4", "severity": "notice"}
    assert group.times == [None] and "host.name" not in group.header


@pytest.mark.parametrize(
    ("line", "zone", "us"),
    [
        ("Mar  2 08:51:00 h a: x", "", 1_772_441_460_000_000),
        ("Mar  2 08:51:00 h a: x", "Asia/Shanghai", 1_772_412_660_000_000),
        ("Mar  2 08:51:00.25 h a: x", "", 1_772_441_460_250_000),
        ("Mar  2 08:51:00 2025 h a: x", "", 1_740_905_460_000_000),
        ("Mar  9 08:51:00 h a: x", "", 1_741_510_260_000_000),  # would be in the future: last year
        ("2026-03-02 08:51:00,250 h a: x", "", 1_772_441_460_250_000),
        ("2026-03-02T16:51:00+0800 h a: x", "Europe/Berlin", 1_772_441_460_000_000),
        ("Mar 32 08:51:00 h a: x", "", None),
    ],
)
def test_the_time_of_a_line(line, zone, us):
    assert one(line, zone=zone).times == [us]


@pytest.mark.parametrize(
    ("program", "service"),
    [
        ("sshd", "sshd"),
        ("sshd(pam_unix)", "sshd"),
        ("/usr/sbin/CRON", "cron"),
        ("sudo", "sudo"),
        ("su", "auth"),
        ("pkexec", "auth"),
        ("vsftpd", "vsftpd"),
        ("guacd", "guacamole"),
        ("freshclam", "clamav"),
        ("auditd", "auditd"),
        ("named", "named"),
        ("kernel", "syslog"),
    ],
)
def test_the_service_of_a_program(program, service):
    group = one(f"Mar  2 08:51:00 h {program}[1]: x")
    assert group.type.logsource == Logsource(product="linux", service=service)
    assert group.type.dataset == f"linux.{service}"


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        (
            "sshd[1]: Accepted password for lin from 10.0.0.1 port 22 ssh2",
            ("ssh login", "success", "lin", "10.0.0.1", 22),
        ),
        ("sshd[1]: Failed password for root from fe80::1 port 9 ssh2", ("ssh login", "failure", "root", "fe80::1", 9)),
        (
            "sshd[1]: Failed none for invalid user a b from 10.0.0.1 port 9 ssh2",
            ("ssh login", "failure", "a b", "10.0.0.1", 9),
        ),
        ("sshd[1]: Invalid user  from 10.0.0.1", ("ssh login of unknown user", "failure", None, "10.0.0.1", None)),
        (
            "sshd[1]: Connection closed by 10.0.0.1 port 5 [preauth]",
            ("ssh connection closed", None, None, "10.0.0.1", 5),
        ),
        (
            "sshd[1]: Received disconnect from 10.0.0.1: 11: bye",
            ("ssh connection closed", None, None, "10.0.0.1", None),
        ),
        (
            "sshd-session[1]: Accepted publickey for lin from ::1 port 7 ssh2: K",
            ("ssh login", "success", "lin", "::1", 7),
        ),
        (
            "sshd[1]: pam_unix(sshd:auth): authentication failure; logname= uid=0 ruser= rhost=10.0.0.1  user=root",
            ("authentication", "failure", "root", "10.0.0.1", None),
        ),
        (
            "sudo: lin : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
            ("command run as another user", "success", "lin", None, None),
        ),
        ("sudo: eve : user NOT in sudoers ; TTY=pts/0", ("command run as another user", "failure", "eve", None, None)),
        ("su[1]: (to root) lin on pts/1", ("user switched", "success", "lin", None, None)),
        (
            "su: pam_unix(su:session): session opened for user root(uid=0) by lin(uid=1000)",
            ("session opened", "success", "lin", None, None),
        ),
        ("kernel: Failed password for root from 10.0.0.1 port 9 ssh2", (None, None, None, None, None)),
    ],
)
def test_what_well_known_messages_mean(line, meant):
    found = header(f"Mar  2 08:51:00 gate {line}")
    names = ("event.action", "event.outcome", "user.name", "source.ip", "source.port")
    assert tuple(found.get(name) for name in names) == meant


def test_a_user_name_cannot_forge_an_address():
    name = "x from 1.1.1.1 port 1 ssh2"
    line = f"Mar  2 08:51:00 g sshd[1]: Failed password for invalid user {name} from 10.0.0.9 port 22 ssh2"
    assert header(line)["source.ip"] == "10.0.0.9"


def test_audit_records_have_their_pairs_as_fields():
    fields = one("Mar  2 08:51:00 h audispd: type=EXECVE msg=audit(1.2:3): argc=2 a0=\"cat\" a1='/etc/shadow'").fields[
        0
    ]
    assert (fields["type"], fields["a0"], fields["a1"]) == ("EXECVE", "cat", "/etc/shadow")


@pytest.mark.parametrize(
    "raw", [b"just words", b"\x00\x01\xff", b"{", b"<", b"<13", b"Mar  2", b" Mar  2 08:51:00 h a: x"]
)
def test_no_syslog_is_an_unparsed_event(raw):
    group = one(raw)
    assert list(group.unparsed) == [0] and group.raws == [raw] and group.type.logsource.product == "linux"


def test_a_hole_of_zeros_before_a_line_is_skipped():
    assert one(b"\0" * 9 + b"Mar  2 08:51:00 h a: x").fields[0]["program"] == "a"


@pytest.mark.parametrize(
    "line",
    [
        "Mar  2 08:51:00 " + "a" * 900_000,
        "Mar  2 08:51:00 " + "a:[" * 300_000,
        "<13>1 2026-03-02T08:54:00Z h a 1 - " + "[a " * 300_000,
        "<13>1 2026-03-02T08:54:00Z h a 1 - [a " + 'b="' * 300_000,
        "<13>1 2026-03-02T08:54:00Z h a 1 - [a " + 'b="\\" ' * 150_000,
        "Mar  2 08:51:00 h sshd[1]: Failed password for " + "x from 1 " * 100_000,
        "Mar  2 08:51:00 h sshd[1]: pam_unix(sshd:auth): authentication failure;" + " rhost= user=" * 70_000,
        "Mar  2 08:51:00 h sudo: " + "a : " * 200_000,
        "Mar  2 08:51:00 h auditd: " + "a=" * 400_000,
        "Mar  2 08:51:00 h auditd: " + "a='" * 300_000,
        " " * 900_000,
    ],
)
def test_no_line_takes_long(line):
    before = time.process_time()
    assert len(one(line)) == 1
    assert time.process_time() - before < 5  # linear takes about 0.05; a catastrophic pattern never ends


@given(st.text(max_size=200))
def test_any_text_is_one_event(text):
    (group,) = parse("Mar  2 08:51:00 " + text)
    assert len(group) == 1


@pytest.mark.parametrize("name", ["OpenSSH_2k.log", "Linux_2k.log", "Mac_2k.log"])
def test_the_shared_log_files_are_read_line_by_line(shared, name):
    data = (shared / "events" / "loghub" / name).read_bytes()
    assert FORM.recognise(data[:65536], name)
    (part,) = Cutter(FORM, {}).feed(data, final=True)
    groups = FORM.parse(part.records, {**part.context, "received": RECEIVED}, lambda type_: None)
    assert sum(map(len, groups)) == 2000 and not any(group.unparsed for group in groups)
    assert not any(None in group.times for group in groups)


@given(
    st.sampled_from(["2026-03-03T01:00:00", "2026-03-03T01:00:60", "2026-03-03T01:00:61", "2026-02-30T00:00:00"]),
    st.from_regex(r"(\.[0-9٣]{0,9})?(Z|\+08:00|)", fullmatch=True),
)
def test_times_of_rfc_5424_are_read_as_iso_times(second, rest):
    lines = [f"<13>1 {second}.25Z h p - - - m", f"<13>1 {second}{rest} h p - - - m"]
    assert parse(*lines)[0].times == [iso_us(f"{second}.25Z"), iso_us(f"{second}{rest}")]


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(0, 32), st.integers(0, 25), st.integers(0, 61), st.integers(0, 61))
def test_times_of_one_day_are_those_read_one_by_one(month: int, day: int, hour: int, minute: int, second: int) -> None:
    name = list(MONTHS)[month - 1]
    texts = [
        f"{name} {day:2} {hour:02}:{minute:02}:{second:02}",
        f"{name} {day:2} 00:00:01",
        f"{name} {day:2} 23:59:60",
    ]
    received = RECEIVED
    read = line_reader(received, UTC)
    assert [read(f"{text} h p: m").time for text in texts] == [bsd_us(text, received) for text in texts]


STAMPS = ["Dec 10 06:55:46", "<13>Dec 10 06:55:46", "<1>Feb  3 00:00:00", "Dec 10 06:55:46:", "<>Dec 10 06:55:46"]
SENDERS = st.text("ab[]1: /", max_size=7) | st.sampled_from(["h p[12]", "h p", "p", "2024 h p", "h  p[7]", "h p[x]"])


@example([("Dec 10 06:55:46", "h p[12]", ": m"), ("Dec 10 06:55:46", "h p[12]", "")])
@given(st.lists(st.tuples(st.sampled_from(STAMPS), SENDERS, st.sampled_from([": m", ":", " m]: n", ""])), max_size=6))
def test_a_line_is_read_the_same_after_others(parts: list[tuple[str, str, str]]) -> None:
    lines = [f"{stamp} {sender}{rest}" for stamp, sender, rest in parts]
    read = line_reader(RECEIVED, UTC)
    assert [read(line) for line in lines * 2] == [line_reader(RECEIVED, UTC)(line) for line in lines * 2]


@pytest.mark.parametrize(
    ("line", "context", "plain"),
    [
        ("Dec 10 06:55:46 h p[1]: m 烽", {}, True),
        ("<13>Dec 10 06:55:46 h p[1]: m", {}, False),
        (b"Dec 10 06:55:46 h p[1]: \xff", {}, False),
        (b"Dec 10 06:55:46 h p[1]: m", {"codec": "latin-1"}, False),
        ('<13>1 2026-03-03T01:02:03Z h p - - [a b="c"] m', {}, False),
        ("Dec 10 06:55:46 h sudo: root : TTY=pts/0 ; COMMAND=/bin/sh", {}, False),
    ],
)
def test_lines_are_plain_where_all_that_they_say_stands_in_them(line, context, plain):
    assert one(line, **context).plain is plain
