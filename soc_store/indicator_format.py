"""The file of a set of indicators: what its builder writes and its readers map, in one place.

``fengsui-indicators 1``: a fixed head (name, version, length of the JSON that follows), JSON with the feeds, the sizes
and the digest of the rest, then four sections: a filter (one bit a key), a table of record numbers (open addressing),
records of one size, and the texts they point into. Keys are kind and value; of a network the prefix length too.
"""

import struct
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from soc_model.indicator import Feed, IndicatorKind

NAME = b"fengsui-indicators 1\n"
HEAD = struct.Struct("<24sQ")
#: hash, valid_until, where value, label and reference begin, feed, lengths of the three, kind, confidence.
RECORD = struct.Struct("<QqIIIHHHHBB2x")
KINDS = tuple(IndicatorKind)
ALIGN = 8
FILTER_SEED = 0x46_53
#: Networks shorter than these are looked for by every address; longer ones only where this much of it is known.
SHORTEST_MARKED = {4: 16, 16: 32}


class Sections(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of a set: feeds, sizes of the sections in bytes, the lengths of networks that occur, and digests."""

    feeds: list[Feed]
    filter_bytes: int
    table_bytes: int
    record_bytes: int
    text_bytes: int
    prefixes4: list[int]
    prefixes16: list[int]
    families: list[str]
    key: str
    alg: str
    digest: str


class Key(NamedTuple):
    """What a record is found by, and what else is noted in the filter so that a look-up can stop early."""

    own: bytes
    marks: tuple[bytes, ...] = ()


def key_hash(key: bytes, secret: bytes) -> int:
    """64 bits that nobody without the secret can aim at; a record's value is compared all the same."""
    return int.from_bytes(blake2b(key, digest_size=8, key=secret).digest(), "little")


def domain_key(name: str) -> Key:
    """A name, and the marks of the names above it: whoever asks for ``a.b.c`` walks ``c``, ``b.c``, ``a.b.c``."""
    labels = name.split(".")
    above = tuple(b"m" + ".".join(labels[at:]).encode() for at in range(len(labels) - 1))
    return Key(b"d" + name.encode(), above)


def address_key(packed: bytes) -> Key:
    """One address."""
    return Key(b"a" + packed)


def network_key(packed: bytes, length: int) -> Key:
    """A network by its masked address and prefix length, marked by the beginning of its addresses."""
    marked = SHORTEST_MARKED[len(packed)]
    mark = (network_mark(packed),) if length >= marked else ()
    return Key(b"n%c" % length + packed, mark)


def network_mark(packed: bytes) -> bytes:
    """The mark of all networks within the first bits of an address."""
    return b"p%c" % len(packed) + packed[: SHORTEST_MARKED[len(packed)] // 8]


def text_key(letter: bytes, value: str) -> Key:
    """A URL (``u``), a hash (``h``) or an e-mail address (``e``)."""
    return Key(letter + value.encode())
