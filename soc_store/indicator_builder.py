"""A new set of indicators, written to a file in one go: 1,000,000 of them need about 200 MB here, and no dict.

What stands twice in one feed is one indicator: the higher confidence and the later end hold.
"""

import os
from array import array
from hashlib import sha256
from pathlib import Path
from zlib import crc32

import msgspec

from soc_model.indicator import DAY_US, Feed, Indicator, IndicatorKind
from soc_model.observable import address_of
from soc_model.problem import Problem
from soc_store.durable import publish
from soc_store.indicator_format import (
    ALIGN,
    FILTER_SEED,
    HEAD,
    KINDS,
    NAME,
    RECORD,
    Key,
    Sections,
    address_key,
    domain_key,
    key_hash,
    network_key,
    text_key,
)
from soc_store.indicator_set import IndicatorSet, set_id

MAX_INDICATORS = 5_000_000
TEXT_BYTES = (1 << 32) - 1
KEPT_TEXTS = 10_000  # labels and references that are written once while they repeat
FIRST_SLOTS = 1 << 12
_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}
_HASH, _UNTIL, _FEED, _KIND, _SURE = 0, 1, 5, 9, 10


class IndicatorBuilder:
    """The records so far. Feeds are given whole: ``begin`` one, ``add`` what it has, begin the next."""

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secret if secret is not None else os.urandom(16)
        self._feeds: list[Feed] = []
        self._counts: list[dict[IndicatorKind, int]] = []
        self._records = bytearray()
        self._texts = bytearray(b"\0")  # so that the empty text may begin at 0
        self._slots = array("I", bytes(4 * FIRST_SLOTS))
        self._marks = array("I")  # the filter's 32 bits of every key and mark
        self._known: dict[str, tuple[int, int]] = {}
        self._prefixes: dict[int, set[int]] = {4: set(), 16: set()}

    def __len__(self) -> int:
        return len(self._records) // RECORD.size

    def begin(self, feed: Feed) -> None:
        """From here on indicators belong to this feed; its counts are made here."""
        self._feeds.append(feed)
        self._counts.append({})

    def note_refused(self, count: int) -> None:
        """How many entries of the present feed were left out."""
        self._feeds[-1] = msgspec.structs.replace(self._feeds[-1], refused=count)

    def add(self, indicator: Indicator) -> bool:
        """Take one; False where the feed had it already."""
        key = self._key(indicator)
        hashed = key_hash(key.own, self._secret)
        value = indicator.value.encode()
        slot, twin = self._place(hashed, value, _NUMBERS[indicator.kind])
        if twin is not None:
            self._merge(twin, indicator)
            return False
        if len(self) >= MAX_INDICATORS:
            raise Problem("indicators", f"more than {MAX_INDICATORS}")
        own, label, more = self._new(value), self._old(indicator.label), self._old(indicator.reference)
        self._records += RECORD.pack(
            hashed,
            indicator.valid_until,
            own[0],
            label[0],
            more[0],
            len(self._feeds) - 1,
            own[1],
            label[1],
            more[1],
            _NUMBERS[indicator.kind],
            indicator.confidence,
        )
        self._slots[slot] = len(self)
        self._marks.extend([crc32(one, FILTER_SEED) for one in (key.own, *key.marks)])
        counts = self._counts[-1]
        counts[indicator.kind] = counts.get(indicator.kind, 0) + 1
        if len(self) * 2 > len(self._slots):
            self._grow()
        return True

    def write(self, folder: Path) -> Path:
        """Write the set into the folder, under its id; there in whole or not at all."""
        bits = self._filter()
        parts = (bits, self._slots, self._records, self._texts)
        digest = sha256()
        for part in parts:
            digest.update(part)
        head = self._head(len(bits), digest.hexdigest())
        made = folder / f"new-{os.getpid()}"
        with made.open("wb") as file:
            file.write(HEAD.pack(NAME, len(head)))
            file.write(head)
            for part in parts:
                file.write(part)
        final = folder / f"{set_id(head)}.set"
        publish(made, final)
        return final

    def feeds(self) -> list[Feed]:
        """The feeds with their counts."""
        ends: list[dict[str, int]] = [{} for _ in self._feeds]
        endless = [0] * len(self._feeds)
        for record in RECORD.iter_unpack(self._records):
            feed, until = record[_FEED], record[_UNTIL]
            if until:
                day = str(until // DAY_US)
                ends[feed][day] = ends[feed].get(day, 0) + 1
            else:
                endless[feed] += 1
        return [
            msgspec.structs.replace(feed, counts={kind.value: n for kind, n in counts.items()}, ends=days, endless=more)
            for feed, counts, days, more in zip(self._feeds, self._counts, ends, endless, strict=True)
        ]

    def _head(self, filter_bytes: int, digest: str) -> bytes:
        sections = Sections(
            feeds=self.feeds(),
            filter_bytes=filter_bytes,
            table_bytes=len(self._slots) * 4,
            record_bytes=len(self._records),
            text_bytes=len(self._texts),
            prefixes4=sorted(self._prefixes[4]),
            prefixes16=sorted(self._prefixes[16]),
            families=sorted({kind.value for counts in self._counts for kind in counts}),
            key=self._secret.hex(),
            alg="sha256",
            digest=digest,
        )
        head = msgspec.json.encode(sections)
        return head + b" " * (-len(head) % ALIGN)

    def _filter(self) -> bytearray:
        """At least 16 bits a key, so that one look in some twenty is for nothing."""
        size = 1 << 10
        while size < 2 * len(self._marks):
            size *= 2
        bits, mask = bytearray(size), size * 8 - 1
        for mark in self._marks:
            at = mark & mask
            bits[at >> 3] |= 1 << (at & 7)
        return bits

    def _key(self, one: Indicator) -> Key:
        if one.kind is IndicatorKind.DOMAIN:
            return domain_key(one.value)
        if one.kind is IndicatorKind.ADDRESS:
            return address_key(address_of(one.value))
        if one.kind is IndicatorKind.NETWORK:
            base, _, length = one.value.partition("/")
            packed = address_of(base)
            self._prefixes[len(packed)].add(int(length))
            return network_key(packed, int(length))
        letter = b"u" if one.kind is IndicatorKind.URL else b"e" if one.kind is IndicatorKind.EMAIL else b"h"
        return text_key(letter, one.value)

    def _place(self, hashed: int, value: bytes, kind: int) -> tuple[int, int | None]:
        """An empty slot, or where the record of the same indicator in this feed begins."""
        mask, feed = len(self._slots) - 1, len(self._feeds) - 1
        at = hashed & mask
        while number := self._slots[at]:
            start = (number - 1) * RECORD.size
            record = RECORD.unpack_from(self._records, start)
            if record[_HASH] == hashed and record[_FEED] == feed and record[_KIND] == kind:
                begins, size = record[2], record[6]
                if self._texts[begins : begins + size] == value:
                    return at, start
            at = (at + 1) & mask
        return at, None

    def _merge(self, start: int, indicator: Indicator) -> None:
        record = list(RECORD.unpack_from(self._records, start))
        record[_SURE] = max(record[_SURE], indicator.confidence)
        ends = (record[_UNTIL], indicator.valid_until)
        record[_UNTIL] = max(ends) if all(ends) else 0
        RECORD.pack_into(self._records, start, *record)

    def _new(self, text: bytes) -> tuple[int, int]:
        at = len(self._texts)
        if at + len(text) > TEXT_BYTES:
            raise Problem("indicators", f"their texts are more than {TEXT_BYTES} bytes")
        self._texts += text
        return at, len(text)

    def _old(self, text: str) -> tuple[int, int]:
        """Where a text stands that many indicators share."""
        if not text:
            return 0, 0
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= KEPT_TEXTS:
                self._known.clear()
            found = self._known[text] = self._new(text.encode())
        return found

    def _grow(self) -> None:
        slots = array("I", bytes(8 * len(self._slots)))
        mask = len(slots) - 1
        for number, record in enumerate(RECORD.iter_unpack(self._records), 1):
            at = record[_HASH] & mask
            while slots[at]:
                at = (at + 1) & mask
            slots[at] = number
        self._slots = slots


def copy_feeds(into: IndicatorBuilder, old: IndicatorSet, *, without: str) -> None:
    """All feeds of a set but one."""
    for feed in old.feeds:
        if feed.name != without:
            into.begin(feed)
            for indicator in old.of_feed(feed.name):
                into.add(indicator)
