"""A small real archive for tests of its proof: sealed, signed, and taken apart again."""

import sqlite3
from pathlib import Path

from soc_model.layer import Layer, Realm
from soc_store import merkle
from soc_store.archive import Archive
from soc_store.checkpoint import CheckpointFile
from soc_store.compaction import CompactionRule
from soc_store.compaction_merge import merge_segments
from soc_store.compaction_writer import Round
from soc_store.day import day_of
from soc_store.manifest import ManifestReader
from soc_store.manifest_entry import Retention
from soc_store.signing_key import open_signing_key
from soc_store.verify import Fault, Verdict, verify_realm
from tests.store.making import DAY, NOON, Clock, block, finding, outcome, stat


def one(offset: int, day: int = 0, realm: str = "live", rows: int = 3):
    """An outcome with rows, a finding and a count, received ``day`` days after noon."""
    received = NOON + day * DAY
    raws = [f"{offset}-{n}" for n in range(rows)]
    found = finding(offset, realm=Realm(realm), received=received)
    counted = stat(rows, layer=Layer.HOST, realm=Realm(realm), day=day_of(received), findings=1)
    return outcome(offset, block(offset, raws, realm=realm, received=received), findings=(found,), stats=(counted,))


def rule(before: str, **more) -> Retention:
    known = {"sequence": 0, "at": NOON + 400 * DAY, "before": before, "days": 180, "basis": "law", "decision": ""}
    return Retention(**known | {"segments": [], "alg": merkle.ALG} | more)


SMALL = CompactionRule(rows=1000, files=2)


def compact(archive: Archive, folder: Path, rule: CompactionRule = SMALL, today: str = "2024-01-01") -> int:
    """Merge all there is to merge; how many merges that took."""
    walk, count = Round(archive.compactor, rule, today), 0
    while merge := walk.next():
        merged = merge_segments(folder, merge, "test")
        count += archive.compactor.replace(merge, merged, NOON)
    return count


class Sealed:
    """An archive folder and its checkpoints: ``archive`` and ``checkpoints`` below one folder."""

    def __init__(self, folder: Path) -> None:
        self.archive, self.checkpoints = folder / "archive", folder / "checkpoints"
        self.live = self.archive / "live"
        self.key = open_signing_key(self.checkpoints / "key")
        self.offset = 0

    def seal(self, *days: int, realm: str = "live") -> None:
        """One segment of events and one of findings for each of ``days``."""
        archive = Archive.open(self.archive, now=Clock())
        for day in days:
            self.offset += 1
            archive.add(one(self.offset, day, realm))
            archive.seal_due(NOON, force=True)
        archive.close()

    def retire(self, before: str, **more) -> int:
        archive = Archive.open(self.archive, now=Clock())
        count = archive.retire(rule(before, **more))
        archive.close()
        return count

    def compact(self, rule: CompactionRule = SMALL, today: str = "2024-01-01") -> int:
        """Merge what can be merged, with the old files gone at once."""
        archive = Archive.open(self.archive, now=Clock())
        count = compact(archive, self.archive, rule, today)
        archive.close()
        return count

    def sign(self, at: int = NOON, realm: Realm = Realm.LIVE) -> None:
        view = ManifestReader(self.archive / realm)
        last = view.last_sequence()
        CheckpointFile(self.checkpoints, realm).append(self.key, last, view.digest(last), view.counts(), at)
        view.close()

    def verify(self, realm: Realm = Realm.LIVE, **more) -> tuple[Verdict, list[Fault]]:
        faults: list[Fault] = []
        known = {"key": self.key.public, "tell": faults.append, "patience_s": 0.0} | more
        return verify_realm(self.archive, realm, self.checkpoints, **known), faults

    def files(self) -> list[Path]:
        """The segment files in sequence."""
        return sorted(self.live.glob("*/*/*.parquet"), key=lambda path: path.stem.rpartition("-")[2])

    def sql(self, *statements: str) -> None:
        """Change the manifest behind everyone's back."""
        connection = sqlite3.connect(self.live / "manifest.db")
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
