"""The audit log: which lines are one event, and what an event says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.audit_record import audit_fields, audit_line, unhex
from collectors.formats import auditd


def line(kind, serial, text="", seconds=100):
    return f"type={kind} msg=audit({seconds}.500:{serial}): {text}".encode()


def cut(*lines, context=None, final=False):
    return auditd.cut(b"".join(one + b"\n" for one in lines), context or {}, final)


def fields(*lines):
    return audit_fields([audit_line(one.decode()) for one in lines])


def test_lines_of_two_events_between_each_other_are_two_records():
    a, b = [line("SYSCALL", 1), line("PROCTITLE", 1)], [line("SYSCALL", 2), line("CWD", 2), line("PROCTITLE", 2)]
    found = cut(a[0], b[0], b[1], a[1], b[2])
    assert found.records == [b"\n".join(a), b"\n".join(b)] and found.rest == b""


def test_an_open_event_is_held_with_what_came_after_it():
    alone, open_ = line("USER_AUTH", 1), line("SYSCALL", 2)
    found = cut(alone, open_, line("USER_AUTH", 3))
    assert found.records == [alone] and found.rest.startswith(open_)
    assert len(cut(alone, open_, final=True).records) == 2


def test_an_event_ends_two_seconds_after_it_began():
    old = line("SYSCALL", 1, seconds=100)
    assert cut(old, line("USER_AUTH", 2, seconds=102)).records == []
    assert cut(old, line("USER_AUTH", 2, seconds=103)).records == [old, line("USER_AUTH", 2, seconds=103)]


def test_where_eoe_was_seen_nothing_else_ends_an_event():
    first = cut(line("SYSCALL", 1), line("PROCTITLE", 1), line("EOE", 1))
    assert first.context["eoe"] and len(first.records) == 2
    whole = [line("SYSCALL", 2), line("PROCTITLE", 2), line("EOE", 2)]
    assert cut(*whole[:2], context=first.context).records == []
    assert cut(*whole, context=first.context).records == [b"\n".join(whole)]


def test_an_event_that_never_ends_is_not_held_for_ever():
    found = cut(*(line("SYSCALL", n, "x" * 1000) for n in range(100)))
    assert 60 < len(found.records) < 100


def test_arguments_are_joined_decoded_and_not_those_of_the_call():
    said = fields(
        line("SYSCALL", 1, 'arch=c000003e syscall=59 a0=55d0 a1=7ffe exe="/bin/sh"'),
        line("EXECVE", 1, 'argc=3 a0="sh" a1="-c" a2_len=9 a2[0]=6563686F a2[1]=2061'),
        line("PROCTITLE", 1, "proctitle=7368"),
    )
    assert (said["a0"], said["a1"], said["a2"]) == ("sh", "-c", "echo a")
    assert said["cmdline"] == "sh -c echo a" and said["SYSCALL"] == "execve"
    assert said["type"] == ["SYSCALL", "EXECVE", "PROCTITLE"]


def test_paths_are_absolute_and_told_by_what_became_of_them():
    said = fields(
        line("CWD", 1, 'cwd="/etc"'),
        line("PATH", 1, 'name="cron.d/x" nametype=CREATE'),
        line("PATH", 1, "name=2F746D702F6120 nametype=DELETE"),
        line("PATH", 1, 'name="/etc/" nametype=PARENT'),
    )
    assert said["created"] == "/etc/cron.d/x" and said["deleted"] == "/tmp/a "
    assert said["name"] == ["cron.d/x", "/tmp/a ", "/etc/"]


@pytest.mark.parametrize(
    ("saddr", "peer"),
    [
        ("0200115CC63364070000000000000000", ("198.51.100.7", "4444")),
        ("0A00005000000000" + "20010DB8" + "0" * 22 + "01" + "00000000", ("2001:db8::1", "80")),
        ("01002F746D70", (None, None)),
        ("0200", (None, None)),
        ("zz", (None, None)),
    ],
)
def test_the_peer_of_a_connection(saddr, peer):
    said = fields(line("SYSCALL", 1, "arch=c000003e syscall=42"), line("SOCKADDR", 1, f"saddr={saddr}"))
    assert (said.get("daddr"), said.get("dport")) == peer
    assert (said.get("initiated") == "true") is (peer[0] is not None)


def test_what_is_inside_msg_is_taken_too():
    said = fields(line("USER_AUTH", 1, "pid=1 msg='op=login acct=\"lin\" addr=192.0.2.1 res=failed'"))
    assert (said["op"], said["acct"], said["res"]) == ("login", "lin", "failed")


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=40))
def test_hex_is_the_text_again(text):
    assert unhex(text.encode().hex().upper()) == text


@given(
    st.lists(
        st.tuples(st.sampled_from(["SYSCALL", "CWD", "PROCTITLE", "EOE", "LOGIN"]), st.integers(1, 4)), max_size=20
    )
)
def test_no_line_is_lost_or_moved_within_its_event(said):
    lines = [line(kind, serial, f"n={i}") for i, (kind, serial) in enumerate(said)]
    records = cut(*lines, final=True).records
    assert sorted(one for record in records for one in record.split(b"\n")) == sorted(lines)
    assert all(len({one.split(b":")[1] for one in record.split(b"\n")}) == 1 for record in records)
