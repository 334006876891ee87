"""``fengsui quarantine``: what detection could not decide, and a person's word on it."""

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_center.quarantine import Entry, Quarantine, Settled
from soc_center.replay import ask_replay, replay_chunks
from soc_center.terminal_act import acting
from soc_center.wake import wake
from soc_model.audit import Act
from soc_model.problem import Problem
from soc_store.batch import decode_batch

SHOWN_CHARS = 2000

Data = Annotated[Path, typer.Option("--data", help="the data directory")]
Offset = Annotated[int, typer.Argument(help="the batch, as in the list")]
Why = Annotated[str, typer.Option("--why", help="kept with your name and the time")]

quarantine_app = typer.Typer(help="Records that stopped the detection: replay or discard them.", no_args_is_help=True)


@quarantine_app.command(name="list")
def list_entries(data: Data = Path("var/data"), *, every: Annotated[bool, typer.Option("--all")] = False) -> None:
    """Print what waits for a decision; with --all also what was settled, by whom and why."""
    for entry in Quarantine(DataFolder(data.resolve()).quarantine).entries():
        if every or entry.settled is None:
            typer.echo(_line(entry))


@quarantine_app.command()
def show(offset: Offset, data: Data = Path("var/data")) -> None:
    """Print one entry and the records in it, made safe for a terminal."""
    quarantine = Quarantine(DataFolder(data.resolve()).quarantine)
    entry = quarantine.open_entry(offset)
    typer.echo(_line(entry))
    for chunk in replay_chunks(entry, decode_batch(quarantine.blob(offset))):
        typer.echo(f"  {chunk.source_id}  {_utc(chunk.received)}  {ascii(chunk.records[0])[1:][:SHOWN_CHARS]}")


@quarantine_app.command()
def replay(offset: Offset, why: Why, data: Data = Path("var/data")) -> None:
    """Have the records come in again, after a fix; the running center takes them within a second, else at its start."""
    folder = DataFolder(data.resolve())
    settled = Settled(how="replayed", who=getpass.getuser(), why=_said(why), at=now_us())
    with acting(folder, Act.QUARANTINE_REPLAYED, f"batch {offset}", why=settled.why):
        count = ask_replay(folder.inbox, Quarantine(folder.quarantine), offset, settled)
    wake(folder.run, "collect")
    typer.echo(f"{count} records laid into {folder.inbox}")


@quarantine_app.command()
def discard(offset: Offset, why: Why, data: Data = Path("var/data")) -> None:
    """Give the records up; rows that the archive has of them stay there, flagged."""
    folder = DataFolder(data.resolve())
    quarantine = Quarantine(folder.quarantine)
    quarantine.open_entry(offset)
    if (folder.inbox / f"{offset}.replay").exists():
        raise Problem(f"quarantine {offset}", "is on its way to be replayed")
    settled = Settled(how="discarded", who=getpass.getuser(), why=_said(why), at=now_us())
    with acting(folder, Act.QUARANTINE_DISCARDED, f"batch {offset}", why=settled.why):
        quarantine.settle(offset, settled)
    typer.echo(f"discarded {offset}")


def _said(why: str) -> str:
    if not why.strip():
        raise Problem("--why", "say why")
    return why.strip()


def _line(entry: Entry) -> str:
    what = f"{len(entry.records)} records" if entry.records else entry.kind.value.replace("_", " ")
    parts = [str(entry.offset), _utc(entry.at), what, entry.why, entry.problem]
    if entry.settled is not None:
        parts.append(f"{entry.settled.how} by {entry.settled.who} {_utc(entry.settled.at)}: {entry.settled.why}")
    return "  ".join(part for part in parts if part)


def _utc(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
