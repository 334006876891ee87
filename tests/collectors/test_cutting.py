"""Cutter: oversize records in bounded memory, codecs, line ends."""

import tracemalloc
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.cutting import Cutter
from collectors.format import load_format
from soc_model.chunk import KEPT_BYTES, RECORD_BYTES

LINES = load_format("syslog")


def feed_all(cutter, pieces):
    found = [part for piece in pieces for part in cutter.feed(piece)]
    return found + cutter.feed(b"", final=True)


def test_a_20_mb_line_keeps_its_head_length_and_hash_in_bounded_memory():
    block, digest = b"0123456789abcdef" * 4096, sha256()
    tracemalloc.start()
    cutter = Cutter(LINES, {})
    for _ in range(320):
        digest.update(block)
        assert cutter.feed(block) == []
    parts = cutter.feed(b"\nnext\n")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    known = parts[0].oversize[0]
    assert parts[0].records == [(block * 2)[:KEPT_BYTES], b"next"]
    assert (known.length_bytes, known.digest.alg, known.digest.hex) == (320 * len(block), "sha256", digest.hexdigest())
    assert peak < 8 * RECORD_BYTES


@pytest.mark.parametrize("piece_bytes", [65536, 262144, 999_983])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_an_oversize_record_is_the_same_in_any_pieces(piece_bytes, end):
    long = bytes(range(32, 127)) * 15_000
    data = b"before\n" + long + end
    pieces = [data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes)]
    parts = feed_all(Cutter(LINES, {}), pieces)
    known = [known for part in parts for known in part.oversize.values()]
    assert [record for part in parts for record in part.records] == [b"before", long[:KEPT_BYTES]]
    assert [(one.length_bytes, one.digest.hex) for one in known] == [(len(long), sha256(long).hexdigest())]


def test_oversize_text_in_utf16_ends_at_a_wide_line_end():
    long = ("长" * 700_000).encode("utf-16-le")
    data = b"\xff\xfe" + long + "\n二\n".encode("utf-16-le")
    cutter = Cutter(LINES, {})
    parts = feed_all(cutter, [data[at : at + 100_001] for at in range(0, len(data), 100_001)])
    assert parts[0].oversize[0].length_bytes == len(long) + 2
    assert [record for part in parts for record in part.records][1:] == ["二".encode("utf-16-le")]
    assert cutter.consumed == len(data)


def test_a_long_record_is_not_consumed_before_it_ends():
    cutter = Cutter(LINES, {})
    cutter.feed(b"short\n" + b"x" * (3 * RECORD_BYTES))
    assert cutter.consumed == 6
    assert cutter.held_bytes == 3 * RECORD_BYTES


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be", "gb18030"])
@settings(max_examples=40, deadline=None)
@given(lines=st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), min_size=1, max_size=40)))
def test_lines_in_any_codec_come_back_as_text(codec, lines):
    lines = [line for line in lines if not line.startswith("\ufeff")]
    data = "\r\n".join(lines).encode(codec)
    parts = Cutter(LINES, {"codec": codec}).feed(data, final=True)
    assert [record.decode(codec) for part in parts for record in part.records] == lines


@pytest.mark.parametrize(
    ("mark", "codec"), [(b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")]
)
def test_a_byte_order_mark_sets_the_codec_of_the_stream(mark, codec):
    text = "Mar  2 08:51:00 gate sshd[1]: 登录\nMar  2 08:51:01 gate sshd[1]: ਅĊ\n"  # U+0A05: a wide 0x0A
    parts = feed_all(Cutter(LINES, {}), [bytes([byte]) for byte in mark + text.encode(codec)])
    records = [record for part in parts for record in part.records]
    groups = LINES.parse(records, {**parts[0].context, "received": 1_772_500_000_000_000}, lambda type_: None)
    assert [fields["message"] for group in groups for fields in group.fields] == ["登录", "ਅĊ"]


def test_an_unknown_codec_is_read_as_utf8():
    parts = Cutter(LINES, {"codec": "klingon"}).feed("é\n".encode(), final=True)
    assert parts[0].records == ["é".encode()] and parts[0].context["codec"] == "utf-8"


def test_empty_lines_are_no_records():
    parts = Cutter(LINES, {}).feed(b"\n\r\na\n\n\nb\r\n", final=True)
    assert parts[0].records == [b"a", b"b"]
