"""The entries of a manifest: sealed segments, compactions that put one in the place of many, and retentions that say
which were removed and why.

All entries of a realm are one chain by sequence: each holds the digest of the one before. An entry's digest is over all
its other fields, as sorted JSON, so that none can be changed, taken out or put in without changing all that follow.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Literal

import msgspec

from soc_model.layer import Layer

LAWFUL_DAYS = 180  # 网络安全法: network logs are kept for at least six months
SegmentKind = Literal["events", "findings", "sightings"]


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One sealed file and its place in the chain; ``file`` is relative to the realm's folder.

    ``merkle_root`` is over (event_id, hash of raw), for others over (their id, hash of body), in row order.
    ``previous`` is the ``digest`` of the entry before, empty for the first.
    """

    sequence: int
    kind: SegmentKind
    layer: Layer
    day: str
    file: str
    first_offset: int
    last_offset: int
    rows: int
    min_time: int
    max_time: int
    bytes: int
    alg: str
    merkle_root: str
    file_digest: str
    previous: str = ""
    digest: str = ""


class Retention(msgspec.Struct, frozen=True, kw_only=True, tag="retention"):
    """The removal of segments whose time to be kept is over.

    ``at`` is when (µs), ``before`` the first day received that stays, ``days`` how long a day is kept, ``basis`` the
    legal one, ``decision`` who decided on less than the law's six months and why, ``segments`` the removed entries as
    first and last sequence, both included.
    """

    sequence: int
    at: int
    before: str
    days: int
    basis: str
    decision: str
    segments: list[tuple[int, int]]
    alg: str
    previous: str = ""
    digest: str = ""


class Compaction(Segment, frozen=True, kw_only=True, tag="compaction"):
    """One file with the rows of the segments it replaced, in the order of ``replaced`` (their sequences).

    ``merkle_root`` is over all of them in row order, so the root of each replaced one is that of a slice; how many rows
    those have and what their roots are stands in their own entries, which stay in the chain. ``at`` is when (µs).
    """

    at: int
    replaced: list[int]


Entry = Segment | Compaction | Retention


def file_of(kind: SegmentKind, day: str, layer: str, sequence: int) -> str:
    """Where a segment's file is, relative to the realm's folder: its name follows from its entry."""
    return f"{kind}/{day}/{layer}-{sequence:010d}.parquet"


def digest_of(entry: msgspec.Struct) -> str:
    """The digest of an entry over all its other fields, as hex."""
    return sha256(msgspec.json.encode(msgspec.structs.replace(entry, digest=""), order="sorted")).hexdigest()


def ranges(sequences: Iterable[int]) -> list[tuple[int, int]]:
    """Growing ``sequences`` as ranges, first and last included."""
    found: list[tuple[int, int]] = []
    for sequence in sequences:
        if found and found[-1][1] == sequence - 1:
            found[-1] = (found[-1][0], sequence)
        else:
            found.append((sequence, sequence))
    return found
