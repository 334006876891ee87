"""The merge child: one merge of segments in a process of its own, so that its memory goes with it.

Exec'ed by the archiver as ``python -m soc_center.merge_child ARCHIVE TASK NAME``. TASK is a file with a ``Merge`` as
JSON. Writes one unfinished file beside the segments, and on standard output one JSON ``MergeReply``.
"""

import os
import resource
import sys
from pathlib import Path

import msgspec

from soc_center.limits import die_with_parent, end_after, lower
from soc_model.problem import Problem
from soc_store.compaction import Merge, Merged
from soc_store.compaction_merge import merge_segments

ADDRESS_SPACE = 2 << 30  # DuckDB itself is held to 256 MiB; this stops everything else
MERGE_S = 120.0
NICE = 10  # sealing and searches come first


class MergeReply(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge came to, or why it was not done."""

    merged: Merged | None = None
    problem: str = ""


def reply(archive: Path, task: Path, name: str) -> MergeReply:
    """The reply to one task. Nothing that a file holds ends the child without a word, short of a crash of DuckDB."""
    try:
        merge = msgspec.json.decode(task.read_bytes(), type=Merge)
        return MergeReply(merged=merge_segments(archive, merge, name))
    except Problem as problem:
        return MergeReply(problem=str(problem))
    except Exception as error:
        return MergeReply(problem=f"a merge failed: {type(error).__name__}: {error}")


def main() -> None:
    """Do the one task."""
    die_with_parent()
    end_after(MERGE_S)
    lower(resource.RLIMIT_AS, ADDRESS_SPACE)
    os.nice(NICE)
    archive, task, name = sys.argv[1:]
    sys.stdout.buffer.write(msgspec.json.encode(reply(Path(archive), Path(task), name)))


if __name__ == "__main__":
    main()
