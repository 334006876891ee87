"""RFC 6587 framing, in pieces of any size: the same records, none lost."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.format import load_format
from collectors.syslog_framing import SyslogStream
from soc_model.chunk import KEPT_BYTES, RECORD_BYTES

FORM = load_format("syslog")
few = settings(max_examples=100, deadline=None)
messages = st.binary(max_size=60).map(lambda tail: b"<13>" + tail.replace(b"\0", b"0").rstrip(b"\r\n"))
line_messages = messages.map(lambda message: message.replace(b"\n", b" ").replace(b"\r", b" "))


def counted(*messages, end=b""):
    return b"".join(b"%d %s%s" % (len(message), message, end) for message in messages)


def read(stream, data, ends=(), closing=True):
    """All records of ``data``, fed in pieces that end where told."""
    found = []
    for start, end in zip([0, *ends], [*ends, len(data)], strict=True):
        found += stream.feed(data[start:end])
    found += stream.flush(closing=True) if closing else []
    return [record for part in found for record in part.records]


def pieces(data, content):
    return sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=12)))


@few
@given(data=st.data(), sent=st.lists(messages, min_size=1, max_size=6), end=st.sampled_from([b"", b"\n", b"\r\n"]))
def test_counted_messages_come_whole_in_any_pieces(data, sent, end):
    content = counted(*sent, end=end)
    stream = SyslogStream(FORM, {})
    assert read(stream, content, pieces(data, content)) == sent
    assert (stream.torn, stream.unfinished) == (0, False)


@few
@given(data=st.data(), sent=st.lists(line_messages, min_size=1, max_size=6))
def test_lines_come_whole_in_any_pieces(data, sent):
    content = b"".join(message + b"\n" for message in sent)
    stream = SyslogStream(FORM, {})
    assert read(stream, content, pieces(data, content)) == sent
    assert stream.torn == 0


@few
@given(data=st.data(), content=st.binary(max_size=300) | st.text("0123456789 <{\n\r", max_size=60).map(str.encode))
def test_any_bytes_give_the_same_records_in_any_pieces(data, content):
    whole, cut = SyslogStream(FORM, {}), SyslogStream(FORM, {})
    assert read(whole, content) == read(cut, content, pieces(data, content))
    assert whole.torn == cut.torn


@few
@given(data=st.data(), sent=st.lists(line_messages, min_size=1, max_size=4))
def test_both_framings_give_the_same_events(data, sent):
    by_count, by_line = SyslogStream(FORM, {}), SyslogStream(FORM, {})
    lines = b"".join(message + b"\n" for message in sent)
    assert read(by_count, counted(*sent)) == read(by_line, lines)


@pytest.mark.parametrize(
    ("content", "records", "torn"),
    [
        (b"5 <1>ab\n6 <1>abc", [b"<1>ab", b"<1>abc"], 0),  # a line end that is not counted
        (b"6 <1>ab\n", [b"<1>ab"], 0),  # one that is
        (b"5 <1>ab9 <1>cut", [b"<1>ab", b"<1>cut"], 1),
        (b"5 <1>ab12", [b"<1>ab", b"12"], 1),
        (b"5 <1>ab<2>no length\n<3>next\n", [b"<1>ab", b"<2>no length", b"<3>next"], 1),
        (b"2026-03-02T10:00:00Z host app: x\n", [b"2026-03-02T10:00:00Z host app: x"], 0),
        (b"10 bottles\n", [b"10 bottles"], 0),
        (b"12", [b"12"], 1),
        (b"<1>no end", [b"<1>no end"], 1),
        (b'9 {"a": 12}\n', [b'{"a": 12}'], 0),
        (b"\n\n<1>a\n\n<1>b\n", [b"<1>a", b"<1>b"], 0),
        (b"", [], 0),
    ],
)
def test_corners(content, records, torn):
    stream = SyslogStream(FORM, {})
    assert (read(stream, content), stream.torn) == (records, torn)


def test_what_is_flushed_and_what_follows_it_are_records_of_their_own():
    stream = SyslogStream(FORM, {})
    assert read(stream, b"10 <1>abc", closing=False) == []
    assert stream.unfinished
    assert [part.records for part in stream.flush()] == [[b"<1>abc"]]
    assert (stream.unfinished, stream.torn) == (False, 1)
    assert read(stream, b"defg5 <1>xy") == [b"defg", b"<1>xy"]


@pytest.mark.parametrize("octets", [True, False])
@pytest.mark.parametrize("extra", [0, 1, 3, 500_000])
def test_over_a_mebibyte_keeps_the_beginning_and_the_hash(octets, extra):
    message = b"<13>" + b"x" * (RECORD_BYTES - 4 + extra)
    content = counted(message, b"<13>after") if octets else message + b"\n<13>after\n"
    stream = SyslogStream(FORM, {})
    parts = [part for at in range(0, len(content), 100_000) for part in stream.feed(content[at : at + 100_000])]
    records = [record for part in parts for record in part.records]
    oversize = [known for part in parts for known in part.oversize.values()]
    assert records == [message[:KEPT_BYTES] if extra else message, b"<13>after"]
    digest = hashlib.sha256(message).hexdigest()
    assert [(known.length_bytes, known.digest.hex) for known in oversize] == [(len(message), digest)] * bool(extra)


def test_a_frame_of_many_mebibytes_is_not_held():
    stream = SyslogStream(FORM, {})
    stream.feed(b"900000000 <13>")
    for _ in range(20):
        assert stream.feed(b"x" * 1_000_000) == []
    assert len(stream._octets._buffer) + len(stream._octets._long.rest) < 2 << 20
    [part] = stream.flush()
    assert (len(part.records[0]), part.oversize[0].length_bytes) == (KEPT_BYTES, 20_000_004)


def test_the_context_is_the_formats():
    stream = SyslogStream(FORM, {"zone": "Asia/Shanghai", "codec": "gb18030"})
    [part] = stream.feed(b"5 <1>ab")
    assert part.context == FORM.cut(b"<1>ab", {"zone": "Asia/Shanghai", "codec": "gb18030"}, True).context
