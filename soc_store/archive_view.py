"""One consistent view of archive and outcome log: each row is either sealed in it or read from the log, never both.

Order matters. First how far the whole archive is sealed, then a view of each realm's manifest, then the log after that
offset: a row at or below a partition's sealed offset is in the view's segments, any other is in the log, as long as no
log file was dropped meanwhile; then everything is read again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from soc_model.layer import Realm
from soc_model.outcome import Outcome, RowBlock
from soc_store.manifest import ManifestReader, Partition
from soc_store.outcome_log import OutcomeReader

T = TypeVar("T")
READ = 64


class ArchiveView:
    """The manifests of some realms as of one moment, and the outcomes that are not sealed in all of the archive."""

    def __init__(self, through: int, manifests: dict[Realm, ManifestReader], log: OutcomeReader) -> None:
        self.through, self.manifests, self._log = through, manifests, log

    def is_sealed(self, partition: Partition, offset: int) -> bool:
        """Whether the rows of a batch in a partition are in the view's segments."""
        manifest = self.manifests.get(partition.realm)
        sealed = 0 if manifest is None else manifest.sealed.get((partition.layer, partition.day), 0)
        return offset <= max(sealed, self.through)

    def heads(self, after: int = 0) -> Iterator[Outcome]:
        """The outcomes above ``after`` of which some may be unsealed, without blocks, in order."""
        after = max(after, self.through)
        while heads := self._log.heads(after, READ):
            yield from heads
            after = heads[-1].offset

    def blocks(self) -> Iterator[tuple[int, list[RowBlock]]]:
        """The blocks of outcomes of which some may be unsealed, in order, with their offset."""
        after = self.through
        while found := self._log.blocks(after, READ):
            yield from found
            after = found[-1][0]


def read_view(data: Path, realms: Sequence[Realm], read: Callable[[ArchiveView], T]) -> T:
    """What ``read`` gives on a view of the data folder; it is called again when a log file was dropped, or a segment
    retired or replaced, under it."""
    while True:
        with ExitStack() as stack:
            log = OutcomeReader(data / "outcomes")
            stack.callback(log.close)
            first = log.first()
            through = sealed_through(data)
            manifests = {}
            for realm in realms:
                manifest = _open(data / "archive" / realm)
                if manifest is not None:
                    stack.callback(manifest.close)
                    manifests[realm] = manifest
            try:
                found = read(ArchiveView(through, manifests, log))
            except Exception:
                if all(_last_removal(data, realm) == view.last_removal() for realm, view in manifests.items()):
                    raise
                continue
            if log.first() == first:
                return found


def sealed_through(data: Path) -> int:
    """Every row of every realm at or below this offset is sealed."""
    through = 0
    for realm in Realm:
        manifest = _open(data / "archive" / realm)
        if manifest is not None:
            through = max(through, manifest.through)
            manifest.close()
    return through


def _last_removal(data: Path, realm: Realm) -> int:
    """The last retention or compaction of a realm by now: what it names may not be there to be read any more."""
    manifest = _open(data / "archive" / realm)
    if manifest is None:
        return 0
    last = manifest.last_removal()
    manifest.close()
    return last


def _open(folder: Path) -> ManifestReader | None:
    try:
        return ManifestReader(folder)
    except FileNotFoundError:
        return None
