"""What detection could not decide, kept until a person settles it: replayed after a fix, or discarded.

One entry a batch: ``OFFSET.blob`` is the journal's row as it was, ``OFFSET.json`` says which of its records, why, and
in the end who settled it when and why. The blob goes when the entry is settled; the account of it stays.
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Literal

import msgspec

from soc_center.address import Address
from soc_center.life import say
from soc_model.problem import Problem
from soc_store.durable import publish, sync_folder

MOST = 10_000  # open entries of records: beyond, a record stays in the archive only, flagged (nobody can fill the disk)


class Kind(StrEnum):
    """What of a batch is quarantined: some records, all of them, or the batch itself, of which nothing was archived."""

    RECORDS = "records"
    ALL_RECORDS = "all_records"
    BATCH = "batch"


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """How an entry ended."""

    how: Literal["replayed", "discarded"]
    who: str
    why: str
    at: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One quarantined batch; ``records`` are (chunk, record), empty where all are meant.

    ``problem``: why the last replay was refused.
    """

    format: Literal["fengsui-quarantine"] = "fengsui-quarantine"
    version: Literal[1] = 1
    offset: int
    at: int
    kind: Kind
    why: str
    records: Sequence[tuple[int, int]] = ()
    problem: str = ""
    settled: Settled | None = None


class Quarantine:
    """The entries in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, entry: Entry, blob: bytes) -> bool:
        """Keep an entry that is not there yet; False when too many are.

        A batch of which nothing is archived is always kept. Kept again, as when its batch is decided again after a
        crash, an entry stays as it was.
        """
        if self._account(entry.offset).exists():
            return True
        if entry.kind is not Kind.BATCH and sum(1 for _ in self._folder.glob("*.blob")) >= MOST:
            say(f"quarantine: {MOST} entries wait; batch {entry.offset} is kept in the archive only, flagged")
            return False
        self._publish(self.blob_path(entry.offset), blob)
        self._write(entry)
        return True

    def entries(self) -> list[Entry]:
        """All entries, oldest first."""
        offsets = sorted(int(path.stem) for path in self._folder.glob("*.json") if path.stem.isdigit())
        return [self.entry(offset) for offset in offsets]

    def entry(self, offset: int) -> Entry:
        """One entry; ``Problem`` when there is none or it is damaged."""
        path = self._account(offset)
        try:
            return msgspec.json.decode(path.read_bytes(), type=Entry)
        except FileNotFoundError as error:
            raise Problem(f"quarantine {offset}", "there is no such entry") from error
        except (OSError, msgspec.MsgspecError) as error:
            raise Problem(str(path), f"cannot be read: {error}") from error

    def open_entry(self, offset: int) -> Entry:
        """One entry that is not settled; ``Problem`` otherwise."""
        entry = self.entry(offset)
        if entry.settled is not None:
            raise Problem(f"quarantine {offset}", f"was {entry.settled.how} already, by {entry.settled.who}")
        return entry

    def blob(self, offset: int) -> bytes:
        """The batch as journaled; ``Problem`` when it is gone."""
        try:
            return self.blob_path(offset).read_bytes()
        except OSError as error:
            raise Problem(str(self.blob_path(offset)), f"cannot be read: {error.strerror}") from error

    def settle(self, offset: int, settled: Settled) -> None:
        """End an entry; again changes nothing."""
        entry = self.entry(offset)
        if entry.settled is None:
            self._write(msgspec.structs.replace(entry, settled=settled, problem=""))
        self.blob_path(offset).unlink(missing_ok=True)
        sync_folder(self._folder)

    def note(self, offset: int, problem: str) -> None:
        """Say why it could not be replayed; it stays."""
        self._write(msgspec.structs.replace(self.entry(offset), problem=problem))

    def blob_path(self, offset: int) -> Path:
        """Where the batch is."""
        return self._folder / f"{offset}.blob"

    def _account(self, offset: int) -> Path:
        return self._folder / f"{offset}.json"

    def _write(self, entry: Entry) -> None:
        self._publish(self._account(entry.offset), msgspec.json.encode(entry))

    def _publish(self, path: Path, content: bytes) -> None:
        made = path.with_name(f"{path.name}.new")
        made.write_bytes(content)
        publish(made, path)


def addresses(records: Sequence[Address]) -> list[tuple[int, int]]:
    """The records of an entry, each once, in order."""
    return sorted({(address.chunk, address.record) for address in records})
