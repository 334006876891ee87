"""``fengsui archive``: whether the archive is as it was sealed, a signed checkpoint of it, and its compaction, now."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from soc_center.compacting import NAME, first_open_day, rule_of
from soc_center.compaction_request import CompactionAnswer, request_compaction
from soc_center.custody import REQUEST, checkpoint_folder, key_file, sign_checkpoints
from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_center.settings import ArchiveSettings, read_settings
from soc_center.wake import wake
from soc_model.layer import Realm
from soc_model.problem import Problem
from soc_store.archive import Archive
from soc_store.checkpoint import Checkpoint, CheckpointFile, file_of
from soc_store.compaction_merge import merge_segments, unfinished_file
from soc_store.compaction_writer import Round
from soc_store.lock import FolderLock
from soc_store.signing_key import VerifyingKey, public_path, read_verifying_key
from soc_store.verify import Fault, Verdict, verify_realm

BROKEN = 1
WAIT_S = 30.0
COMPACT_S = 86_400.0
Data = Annotated[Path, typer.Option("--data", help="the data directory")]

archive_app = typer.Typer(help="The archive: proved, compacted, and checkpoints signed.", no_args_is_help=True)


@archive_app.command()
def verify(
    data: Data = Path("var/data"),
    realm: Annotated[Realm | None, typer.Option("--realm", help="only this one")] = None,
    checkpoints: Annotated[
        Path | None, typer.Option("--checkpoints", help="the folder of checkpoints, best a copy kept elsewhere")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="the key that must have signed, best a copy kept elsewhere")
    ] = None,
) -> None:
    """Walk the manifest, every segment and the checkpoints. Exit 0 all holds, 1 broken, 2 wrong usage."""
    folder = DataFolder(data.resolve())
    if not folder.archive.is_dir():
        raise Problem(str(folder.archive), "there is no archive")
    if checkpoints is not None and not checkpoints.is_dir():
        raise Problem(str(checkpoints), "there is no such folder")
    settings = archive_settings(folder)
    place = checkpoints or checkpoint_folder(folder, settings)
    key = _key(folder, settings, checkpoints, public_key)
    # A realm that is gone as a whole is still known to its checkpoints.
    known = [one for one in Realm if (folder.archive / one).is_dir() or file_of(place, one).exists()]
    verdicts = [
        verify_realm(folder.archive, one, place, key, lambda fault, one=one: _tell(one, fault))  # type: ignore[misc]
        for one in known
        if realm in (None, one)
    ]
    if key is None:
        typer.echo("no public key: nothing is proved, only consistent")
    for verdict in verdicts:
        typer.echo(f"{verdict.realm}: {told(verdict)}")
    raise typer.Exit(BROKEN if any(verdict.faults for verdict in verdicts) else 0)


def told(verdict: Verdict) -> str:
    """A verdict in one line."""
    seen = f"{verdict.entries} entries, {verdict.segments} segments ({verdict.removed} removed by retention"
    seen += f", {verdict.replaced} merged by {verdict.compactions} compactions)"
    seen += f", {verdict.events} events, {verdict.findings} findings, {verdict.sightings} sightings"
    if verdict.faults:
        return f"BROKEN, {verdict.faults} faults; {seen}"
    after = verdict.entries - verdict.proved_sequence
    rest = f"; {after} entries after it consistent but not yet proved" if after else ""
    if not verdict.proved_sequence:
        return f"consistent, nothing proved by a checkpoint; {seen}"
    return f"proved up to checkpoint {moment(verdict.proved_time)} (sequence {verdict.proved_sequence}){rest}; {seen}"


def moment(at: int) -> str:
    """A time in µs as ISO 8601 UTC."""
    return datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@archive_app.command()
def checkpoint(data: Data = Path("var/data")) -> None:
    """Sign a checkpoint now: by the archiver where it runs, else here."""
    folder = DataFolder(data.resolve())
    if not folder.archive.is_dir():
        raise Problem(str(folder.archive), "there is no archive")
    settings = archive_settings(folder)
    try:
        lock = FolderLock.take(folder.archive)
    except Problem:
        made = _requested(folder, settings)
    else:
        try:
            made = sign_checkpoints(folder, settings, now_us(), grown=False)
        finally:
            lock.release()
    for one in made:
        typer.echo(f"{one.realm}: checkpoint {moment(one.time)}, sequence {one.sequence}, head {one.head}")
    if not made:
        typer.echo("nothing is sealed yet")


@archive_app.command()
def compact(data: Data = Path("var/data")) -> None:
    """Merge small segments now: by the archiver where it runs, else here. Exit 1 when some could not be merged."""
    folder = DataFolder(data.resolve())
    if not folder.archive.is_dir():
        raise Problem(str(folder.archive), "there is no archive")
    settings = archive_settings(folder)
    try:
        FolderLock.take(folder.archive).release()
    except Problem:
        answer = request_compaction(folder.run, now_us, lambda *_: None, time_s=COMPACT_S)
    else:
        answer = _compacted(folder, settings)
    for problem in answer.problems:
        typer.echo(problem)
    typer.echo(f"{answer.replaced} segments became {answer.merges}{'' if answer.complete else ', and more is left'}")
    seen = f"{answer.segments_before} segments, {answer.bytes_before} bytes"
    typer.echo(f"before {seen}; after {answer.segments_after} segments, {answer.bytes_after} bytes")
    raise typer.Exit(BROKEN if answer.problems else 0)


def _compacted(folder: DataFolder, settings: ArchiveSettings) -> CompactionAnswer:
    """What is merged here, without an archiver."""
    archive, problems, merges, replaced = Archive.open(folder.archive, now_us), [], 0, 0
    try:
        walk = Round(archive.compactor, rule_of(settings), first_open_day(now_us()))
        while merge := walk.next():
            try:
                merged = merge_segments(folder.archive, merge, NAME)
            except Problem as problem:
                archive.compactor.discard(merge, unfinished_file(merge, NAME))
                problems.append(str(problem))
                continue
            archive.compactor.replace(merge, merged, now_us())
            merges, replaced = merges + 1, replaced + len(merge.segments)
        before, after = walk.before, archive.compactor.size()
    finally:
        archive.close()
    sizes = {"segments_before": before.segments, "segments_after": after.segments}
    sizes |= {"bytes_before": before.bytes, "bytes_after": after.bytes}
    return CompactionAnswer(
        id="", at=now_us(), complete=True, merges=merges, replaced=replaced, problems=problems, **sizes
    )


def archive_settings(folder: DataFolder) -> ArchiveSettings:
    """The settings of the archive; the defaults for a data directory, such as a copy, that has none."""
    return read_settings(folder.settings).archive if folder.settings.exists() else ArchiveSettings()


def _requested(folder: DataFolder, settings: ArchiveSettings) -> list[Checkpoint]:
    """What the running archiver signs when it is asked to."""
    asked, request = now_us(), folder.run / REQUEST
    request.touch(0o600)
    wake(folder.run, "archiver")
    until = time.monotonic() + WAIT_S
    while request.exists():
        if time.monotonic() >= until:
            request.unlink(missing_ok=True)
            raise Problem(str(folder.archive), f"the archiver has not answered within {WAIT_S:g} s")
        time.sleep(0.1)
    place = checkpoint_folder(folder, settings)
    made = [one for realm in Realm if (one := CheckpointFile(place, realm).last()) and one.time >= asked]
    if not made and any((folder.archive / realm / "manifest.db").exists() for realm in Realm):
        raise Problem(str(folder.archive), f"no checkpoint was signed; see {folder.log / 'archiver.log'}")
    return made


def _key(
    folder: DataFolder, settings: ArchiveSettings, checkpoints: Path | None, given: Path | None
) -> VerifyingKey | None:
    """The key that must have signed: the one given, else the one beside the checkpoints or the private key."""
    if given is not None:
        return read_verifying_key(given)
    beside = [] if checkpoints is None else [checkpoints / "key.pub"]
    found = [path for path in (*beside, public_path(key_file(folder, settings))) if path.exists()]
    return read_verifying_key(found[0]) if found else None


def _tell(realm: Realm, fault: Fault) -> None:
    typer.echo(f"{realm}/{fault}")
