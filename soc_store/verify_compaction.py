"""Whether a compaction has just the rows of the segments it replaced: by its entry, and slice by slice of its file."""

from collections.abc import Sequence

import msgspec

from soc_store.compaction import Slice, slices
from soc_store.manifest import ManifestReader, entry_of
from soc_store.manifest_entry import Compaction, Segment

DEPTH = 16  # a compaction of compactions; ours are of two levels


def compaction_faults(view: ManifestReader, entry: Compaction) -> list[str]:
    """What in a compaction's entry does not fit the entries it replaced."""
    found = _replaced(view, entry)
    if found is None:
        return ["the compaction replaced an entry that was changed"]
    if sorted(one.sequence for one in found) != sorted(entry.replaced):
        return ["the compaction does not name just the segments that it replaced: rows are hidden or seen twice"]
    wrong = []
    if not found or any(one.sequence >= entry.sequence for one in found):
        wrong.append("the compaction names entries that are not before it")
    if {(one.kind, one.layer, one.day) for one in found} != {(entry.kind, entry.layer, entry.day)}:
        wrong.append("the compaction replaced segments of another kind, layer or day")
    if sum(one.rows for one in found) != entry.rows:
        wrong.append(f"the compaction has {entry.rows} rows where {sum(one.rows for one in found)} were sealed")
    if found and _bounds([entry]) != _bounds(found):
        wrong.append("the compaction has other times or offsets than what it replaced")
    return wrong


def slices_within(view: ManifestReader, entry: Compaction) -> list[Slice]:
    """Where the rows of all that ``entry`` replaced stand in its file, down to the segments that were sealed."""
    found, level = [], [(0, entry)]
    for _ in range(DEPTH):
        deeper: list[tuple[int, Compaction]] = []
        for begin, compaction in level:
            parts = _in_order(view, compaction)
            if len(parts) != len(compaction.replaced):  # a fault of its entry; where rows stand is not known
                continue
            places = slices(parts, begin)
            found += places
            pairs = zip(parts, places, strict=True)
            deeper += [(place.begin, part) for part, place in pairs if isinstance(part, Compaction)]
        level = deeper
    return found


def _in_order(view: ManifestReader, entry: Compaction) -> list[Segment]:
    """What an entry replaced, in the order of its rows."""
    by_sequence = {one.sequence: one for one in _replaced(view, entry) or ()}
    return [by_sequence[sequence] for sequence in entry.replaced if sequence in by_sequence]


def _replaced(view: ManifestReader, entry: Compaction) -> list[Segment] | None:
    """What an entry replaced as the manifest has it; ``None`` when an entry cannot be read."""
    try:
        found = [entry_of("replaced", row) for row in view.replaced_by(entry.sequence)]
    except (msgspec.MsgspecError, TypeError):
        return None
    return [one for one in found if isinstance(one, Segment)]


def _bounds(segments: Sequence[Segment]) -> tuple[int, int, int, int]:
    return (
        min(one.first_offset for one in segments),
        max(one.last_offset for one in segments),
        min(one.min_time for one in segments),
        max(one.max_time for one in segments),
    )
