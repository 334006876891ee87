"""Compaction: many small segments of one kind, layer and day become one, with their rows in the same order.

Which are merged is decided here, from their entries alone. While a day is received only what was sealed is merged,
once; when it is over what became of that is merged again, so that a row is written three times, seldom more.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from soc_model.layer import Layer, Realm
from soc_store.manifest_entry import Compaction, Segment, SegmentKind

ROWS = 250_000
BYTES = 64 * 1024 * 1024
FILES = 16


class CompactionRule(NamedTuple):
    """A segment with ``rows`` or ``bytes`` (as a file) is large enough; fewer than ``files`` are left to grow in number
    while their day lasts."""

    rows: int = ROWS
    bytes: int = BYTES
    files: int = FILES


class Merge(msgspec.Struct, frozen=True, kw_only=True):
    """Segments to be merged, in the order of their rows."""

    realm: Realm
    kind: SegmentKind
    layer: Layer
    day: str
    segments: list[Segment]


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge came to; the file still has its unfinished name, relative to the realm's folder."""

    file: str
    rows: int
    bytes: int
    merkle_root: str
    file_digest: str


class Slice(NamedTuple):
    """The rows of entry ``sequence`` in the file that replaced it, and the Merkle root they must have."""

    sequence: int
    begin: int
    end: int
    merkle_root: str


def plan(segments: Iterable[Segment], rule: CompactionRule, *, ended: bool) -> list[list[Segment]]:
    """The neighbours among ``segments`` (in the order of their rows) that are to become one; ``ended``: their day is
    over, so none will be added."""
    groups: list[list[Segment]] = [[]]
    for segment in segments:
        if _large(segment, rule) or (isinstance(segment, Compaction) and not ended):
            groups.append([])
            continue
        groups[-1].append(segment)
        if _enough(groups[-1], rule):
            groups.append([])
    return [group for group in groups if len(group) > 1 and (ended or len(group) >= rule.files or _enough(group, rule))]


def slices(segments: Iterable[Segment], begin: int = 0) -> list[Slice]:
    """Where the rows of ``segments`` stand when they follow each other."""
    found = []
    for segment in segments:
        found.append(Slice(segment.sequence, begin, begin + segment.rows, segment.merkle_root))
        begin += segment.rows
    return found


def _large(segment: Segment, rule: CompactionRule) -> bool:
    return segment.rows >= rule.rows or segment.bytes >= rule.bytes


def _enough(group: Sequence[Segment], rule: CompactionRule) -> bool:
    return sum(one.rows for one in group) >= rule.rows or sum(one.bytes for one in group) >= rule.bytes
