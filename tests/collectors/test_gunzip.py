"""gzip undone piece by piece: the same bytes whatever the pieces, and clear words for what is none."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import gunzip
from collectors.gunzip import Damaged, Gunzip


def reader(data):
    return lambda at, n: data[at : at + n]


def undone(data):
    found = Gunzip(reader(data))
    return b"".join(iter(found.next, b"")), found


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=5), st.integers(0, 20))
def test_members_and_padding_give_the_whole(members, padding):
    content, found = undone(b"".join(map(gzip.compress, members)) + bytes(padding))
    assert content == b"".join(members) and found.clean


@given(st.binary(min_size=1, max_size=3000), st.data())
def test_a_cut_file_gives_what_is_there_and_goes_on_when_it_grows(content, data):
    packed = gzip.compress(content)
    there = bytearray(packed[: data.draw(st.integers(0, len(packed) - 1))])
    found = Gunzip(reader(there))
    first = b"".join(iter(found.next, b""))
    assert content.startswith(first) and not found.clean
    there += packed[len(there) :]
    assert first + b"".join(iter(found.next, b"")) == content and found.clean


def test_pieces_are_bounded_however_much_is_in_them():
    found = Gunzip(reader(gzip.compress(bytes(10_000_000))))
    sizes = [len(piece) for piece in iter(found.next, b"")]
    assert sum(sizes) == 10_000_000 and max(sizes) == gunzip.PIECE_BYTES


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"no gzip at all", "incorrect header"),
        (gzip.compress(b"x") + b"garbage", "incorrect header"),
        (gzip.compress(b"hello")[:-8] + b"\0" * 8, "incorrect data check"),
    ],
    ids=["text", "garbage", "checksum"],
)
def test_what_is_no_gzip_is_damaged(data, why):
    with pytest.raises(Damaged, match=why):
        undone(data)


def test_a_bomb_is_stopped(monkeypatch):
    monkeypatch.setattr(gunzip, "RATIO_FREE_BYTES", 1_000_000)
    bomb = zlib.compressobj(9, wbits=31)
    packed = b"".join(bomb.compress(bytes(1_000_000)) for _ in range(50)) + bomb.flush()
    found = Gunzip(reader(packed))
    with pytest.raises(Damaged, match="more than 300 times"):
        b"".join(iter(found.next, b""))
    assert found.given_bytes < 40_000_000
