"""A process to be killed: seals outcomes into an archive and merges segments for ever, printing what is sealed."""

import sys
from itertools import count
from pathlib import Path

from soc_store import compaction_writer
from soc_store.archive import Archive
from tests.store.making import NOON, Clock
from tests.store.sealing import compact, one


def main(folder: Path) -> None:
    """Begin after what is sealed."""
    compaction_writer.KEPT_US = 0
    archive = Archive.open(folder, now=Clock())
    for offset in count(archive.sealed_through() + 1):
        archive.add(one(offset, day=offset % 2))
        archive.seal_due(NOON, force=True)
        print(offset, flush=True)
        if offset % 4 == 0:
            compact(archive, folder, today=("2023-11-15", "2024-01-01")[offset % 8 == 0])
            archive.compactor.clear()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
