"""What the archiver does for the archive besides sealing: signed checkpoints, retention, and a look at the disk.

Trouble with a checkpoint or the disk never stops the sealing: it is said in the log and shown in the gauge.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from soc_center.disk import first_day, forecast_days, free_bytes
from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_center.life import say
from soc_center.settings import ArchiveSettings
from soc_model.event import DAY_US
from soc_model.layer import Realm
from soc_model.problem import Problem
from soc_store import merkle
from soc_store.archive import Archive
from soc_store.checkpoint import Checkpoint, CheckpointFile, require_key
from soc_store.day import day_of
from soc_store.manifest import ManifestReader
from soc_store.manifest_entry import Retention
from soc_store.signing_key import open_signing_key

CHECKPOINT_S = 3600.0
AGAIN_S = 60.0  # after trouble, and while there is nothing to sign
FORECAST_S = 600.0
REQUEST = "checkpoint.request"
BASIS = "网络安全法：网络日志留存不少于六个月 (Cybersecurity Law: network logs are kept for at least six months)"


def checkpoint_folder(folder: DataFolder, settings: ArchiveSettings) -> Path:
    """Where the checkpoints are."""
    return Path(settings.checkpoints) if settings.checkpoints else folder.checkpoints


def key_file(folder: DataFolder, settings: ArchiveSettings) -> Path:
    """Where the private key is that signs them."""
    return Path(settings.checkpoint_key) if settings.checkpoint_key else checkpoint_folder(folder, settings) / "key"


def manifests(archive: Path) -> Iterator[tuple[Realm, ManifestReader]]:
    """A view of the manifest of each realm that has one."""
    for realm in Realm:
        try:
            view = ManifestReader(archive / realm)
        except FileNotFoundError:
            continue
        try:
            yield realm, view
        finally:
            view.close()


def sign_checkpoints(folder: DataFolder, settings: ArchiveSettings, now: int, *, grown: bool) -> list[Checkpoint]:
    """A checkpoint of each realm's manifest as it is, or only of those ``grown`` since the last; by the archiver alone.

    ``Problem`` when the key is not as it must be, or a manifest no longer has what the last checkpoint signed: that is
    never signed over.
    """
    place, key_path = checkpoint_folder(folder, settings), key_file(folder, settings)
    require_key(place, key_path)
    key = open_signing_key(key_path)
    made = []
    for realm, view in manifests(folder.archive):
        sequence, file = view.last_sequence(), CheckpointFile(place, realm)
        last = file.last()
        if last is not None and view.digest(last.sequence) != last.head:
            what = f"entry {last.sequence} is not what the last checkpoint signed: fengsui archive verify"
            raise Problem(str(folder.archive / realm), what)
        if sequence and not (grown and last is not None and last.sequence == sequence):
            made.append(file.append(key, sequence, view.digest(sequence), view.counts(), now))
    return made


class Custody:
    """The archiver's duties by the clock; ``values`` is what its gauge shows of them."""

    def __init__(self, folder: DataFolder, settings: ArchiveSettings, archive: Archive) -> None:
        self._folder, self._settings, self._archive = folder, settings, archive
        self._next_checkpoint = 0.0
        self._next_look = 0.0
        self._retired_on = ""
        self._problem = ""
        self.values: dict[str, int | float | str] = {}

    def tick(self) -> None:
        """Do what is due."""
        self._retire(now_us())
        request = self._folder.run / REQUEST
        if request.exists():
            self._sign(grown=False)
            request.unlink(missing_ok=True)
        elif time.monotonic() >= self._next_checkpoint:
            self._sign_hourly(now_us())
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + FORECAST_S
            self._look_at_disk(now_us())

    def end(self) -> None:
        """Sign what was sealed since the last checkpoint, at a clean stop."""
        self._sign(grown=True)

    def _retire(self, now: int) -> None:
        """Once a day, remove what has been kept for long enough."""
        today, days = day_of(now), self._settings.retention_days
        if today == self._retired_on:
            return
        rule = Retention(
            sequence=0,
            at=now,
            before=day_of(now - days * DAY_US),
            days=days,
            basis=BASIS,
            decision=self._settings.retention_decision.strip(),
            segments=[],
            alg=merkle.ALG,
        )
        self._retired_on = today
        try:
            removed = self._archive.retire(rule)
        except OSError as error:  # the entry is there; the files are tried again when the archive is opened
            say(f"archiver: files of a retention cannot be removed: {error}")
            return
        if removed:
            say(f"archiver: {removed} segments of days before {rule.before} removed, kept for {days} days")

    def _sign_hourly(self, now: int) -> None:
        """By the age of the last one on the disk, so that falling often does not put it off."""
        left_s = CHECKPOINT_S - (now - self._last_signed()) / 1_000_000
        if 0 < left_s <= CHECKPOINT_S:
            self._next_checkpoint = time.monotonic() + left_s
            return
        signed = self._sign(grown=False)
        self._next_checkpoint = time.monotonic() + (CHECKPOINT_S if signed else AGAIN_S)

    def _last_signed(self) -> int:
        """When the last checkpoint of any realm was signed, 0 when none can be read."""
        place = checkpoint_folder(self._folder, self._settings)
        try:
            return max((one.time for realm in Realm if (one := CheckpointFile(place, realm).last())), default=0)
        except OSError:
            return 0

    def _sign(self, *, grown: bool) -> bool:
        """Whether anything was signed; what stands against it is said once and shown."""
        try:
            made = sign_checkpoints(self._folder, self._settings, now_us(), grown=grown)
        except (Problem, OSError) as error:
            if str(error) != self._problem:
                say(f"archiver: no checkpoint: {error}")
            self._problem = self.values["checkpoint_problem"] = str(error)
            return False
        self.values.pop("checkpoint_problem", None)
        self._problem = ""
        for one in made:
            self.values[f"checkpoint_{one.realm}"] = one.sequence
        return bool(made)

    def _look_at_disk(self, now: int) -> None:
        grown: dict[str, int] = {}
        for _, view in manifests(self._folder.archive):
            for day, size in view.bytes_by_day(first_day(now)).items():
                grown[day] = grown.get(day, 0) + size
        free = free_bytes(self._folder.archive)
        self.values["free_bytes"] = free
        days = forecast_days(free - self._settings.min_free_bytes, grown, now)
        self.values.pop("forecast_days", None)
        if days is not None:
            self.values["forecast_days"] = days
