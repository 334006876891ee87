"""A set of indicators, mapped from its file: what is known of one value, at no cost in memory of one's own.

Comes in: values in canonical form. Goes out: the indicators that hold them. The one thing to know: the file is opened
and mapped once, before a fork, and everybody who was forked from there reads the same pages; nothing is written.
"""

import mmap
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from zlib import crc32

import msgspec

from soc_model.indicator import Feed, Indicator, IndicatorKind
from soc_model.observable import address_of
from soc_model.problem import Problem
from soc_store.indicator_format import (
    FILTER_SEED,
    HEAD,
    KINDS,
    NAME,
    RECORD,
    SHORTEST_MARKED,
    Sections,
    key_hash,
    network_mark,
)

BLOCK_BYTES = 1 << 20
HEADER_BYTES = 64 << 20
Found = tuple[Indicator, ...]
NONE: Found = ()


class IndicatorSet:
    """An immutable set; ``id`` is its content address. Safe to use from processes forked after it was opened."""

    def __init__(self, content: mmap.mmap, sections: Sections, set_id: str, start: int) -> None:
        self.id = set_id
        self.feeds: list[Feed] = sections.feeds
        self.families = frozenset(sections.families)
        self._secret = bytes.fromhex(sections.key)
        view = memoryview(content)
        ends = [start]
        for size in (sections.filter_bytes, sections.table_bytes, sections.record_bytes, sections.text_bytes):
            ends.append(ends[-1] + size)
        self._bits = view[ends[0] : ends[1]]
        self._filter_mask = sections.filter_bytes * 8 - 1
        self._table = view[ends[1] : ends[2]].cast("I")
        self._table_mask = len(self._table) - 1
        self._records = view[ends[2] : ends[3]]
        self._texts = view[ends[3] : ends[4]]
        self._prefixes = {4: sections.prefixes4, 16: sections.prefixes16}

    @classmethod
    def open(cls, path: Path, *, verify: bool = True) -> "IndicatorSet":
        """The set in a file; ``Problem`` for anything else. ``verify`` reads all of it once and compares its digest."""
        try:
            with path.open("rb") as file:
                name, length = HEAD.unpack(file.read(HEAD.size).ljust(HEAD.size, b"\0"))
                if name.rstrip(b"\0") != NAME or length > HEADER_BYTES:
                    raise Problem(str(path), "is no set of indicators that this release reads")
                head = file.read(length)
                sections = msgspec.json.decode(head, type=Sections)
                start = HEAD.size + length
                _check_size(path, sections, start)
                if verify:
                    _check_digest(path, sections, iter(lambda: file.read(BLOCK_BYTES), b""))
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise Problem(str(path), f"cannot be read: {error}") from error
        content.madvise(mmap.MADV_RANDOM)
        return cls(content, sections, set_id(head), start)

    def __len__(self) -> int:
        return len(self._records) // RECORD.size

    def domain(self, name: str) -> Found:
        """What is known of a name: itself or a listed name above it."""
        text = name.encode("utf-8", "replace")
        start = text.rfind(b".", 0, max(text.rfind(b"."), 0)) + 1
        at = crc32(b"m" + text[start:], FILTER_SEED) & self._filter_mask
        if not self._bits[at >> 3] >> (at & 7) & 1:
            return NONE
        labels = text.split(b".")
        found: Found = NONE
        for at in range(len(labels) - 2, -1, -1):
            above = b".".join(labels[at:])
            if not self._may_hold(b"m" + above):
                break
            found = (*self._find(b"d" + above), *found)
        return found

    def address(self, packed: bytes) -> Found:
        """What is known of an address: itself or a network that holds it."""
        found = self._find(b"a" + packed) if self._may_hold(b"a" + packed) else NONE
        lengths = self._prefixes[len(packed)]
        if not lengths:
            return found
        marked = self._may_hold(network_mark(packed))
        bits, number = len(packed) * 8, int.from_bytes(packed, "big")
        for length in lengths:
            if length >= SHORTEST_MARKED[len(packed)] and not marked:
                break
            masked = (number >> (bits - length) << (bits - length)).to_bytes(len(packed), "big")
            key = b"n%c" % length + masked
            if self._may_hold(key):
                found = (*self._find(key), *found)
        return found

    def url(self, value: str) -> Found:
        """What is known of a URL."""
        return self._find_text(b"u", value)

    def digest(self, value: str) -> Found:
        """What is known of a file's hash."""
        return self._find_text(b"h", value)

    def email(self, value: str) -> Found:
        """What is known of an e-mail address."""
        return self._find_text(b"e", value)

    def _find_text(self, letter: bytes, value: str) -> Found:
        key = letter + value.encode("utf-8", "replace")
        return self._find(key) if self._may_hold(key) else NONE

    def _may_hold(self, key: bytes) -> bool:
        at = crc32(key, FILTER_SEED) & self._filter_mask
        return bool(self._bits[at >> 3] >> (at & 7) & 1)

    def _find(self, key: bytes) -> Found:
        wanted = key_hash(key, self._secret)
        found = []
        at = wanted & self._table_mask
        while number := self._table[at]:
            record = RECORD.unpack_from(self._records, (number - 1) * RECORD.size)
            if record[0] == wanted:
                indicator = self._indicator(record)
                if key_of(indicator.kind, indicator.value) == key:
                    found.append(indicator)
            at = (at + 1) & self._table_mask
        return tuple(found)

    def _indicator(self, record: tuple[int, ...]) -> Indicator:
        _, until, value, label, reference, feed, value_bytes, label_bytes, reference_bytes, kind, sure = record
        return Indicator(
            kind=KINDS[kind],
            value=self._text(value, value_bytes),
            feed=self.feeds[feed].name,
            confidence=sure,
            valid_until=until,
            label=self._text(label, label_bytes),
            reference=self._text(reference, reference_bytes),
        )

    def _text(self, at: int, size: int) -> str:
        return bytes(self._texts[at : at + size]).decode()

    def of_feed(self, name: str) -> Iterator[Indicator]:
        """Every indicator of one feed, in the order in which it was written."""
        wanted = next((number for number, feed in enumerate(self.feeds) if feed.name == name), -1)
        for record in RECORD.iter_unpack(self._records):
            if record[5] == wanted:
                yield self._indicator(record)


def key_of(kind: IndicatorKind, value: str) -> bytes:
    """The key under which an indicator is found."""
    if kind is IndicatorKind.DOMAIN:
        return b"d" + value.encode()
    if kind is IndicatorKind.ADDRESS:
        return b"a" + address_of(value)
    if kind is IndicatorKind.NETWORK:
        base, _, length = value.partition("/")
        return b"n%c" % int(length) + address_of(base)
    letter = b"u" if kind is IndicatorKind.URL else b"e" if kind is IndicatorKind.EMAIL else b"h"
    return letter + value.encode()


def set_id(head: bytes) -> str:
    """The content address: 128 bits over the JSON, which holds the digest of the rest."""
    return sha256(head).hexdigest()[:32]


def _check_size(path: Path, sections: Sections, start: int) -> None:
    sizes = (sections.filter_bytes, sections.table_bytes, sections.record_bytes, sections.text_bytes)
    fits = path.stat().st_size == start + sum(sizes) and start % 8 == 0
    powers = all(size > 0 and size & (size - 1) == 0 for size in sizes[:2])
    if not (fits and powers and sections.record_bytes % RECORD.size == 0):
        raise Problem(str(path), "is cut short or damaged: its size is not what its head says")


def _check_digest(path: Path, sections: Sections, blocks: Iterator[bytes]) -> None:
    digest = sha256()
    for block in blocks:
        digest.update(block)
    if (sections.alg, sections.digest) != ("sha256", digest.hexdigest()):
        raise Problem(str(path), "is damaged: its content does not have the digest that its head says")
