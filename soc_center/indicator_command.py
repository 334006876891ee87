"""``fengsui indicators``: feeds in and out, what is in force, and what is known of one value."""

import getpass
import secrets
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_center.indicator_folder import open_current
from soc_center.indicator_import import INCOMING, READERS, ImportRequest, check_feed, check_request
from soc_center.indicator_search import search
from soc_center.job_request import request_job
from soc_center.terminal_act import acting
from soc_center.terminal_text import plain
from soc_model.audit import Act
from soc_model.indicator import Indicator
from soc_model.job import FINAL, Job, JobState
from soc_model.problem import Problem
from soc_store.durable import make_folder
from soc_store.state import State

indicators_app = typer.Typer(help="Threat-intelligence indicators 威胁情报指标.", no_args_is_help=True)
Data = Annotated[Path, typer.Option("--data", help="the data directory")]
InJson = Annotated[bool, typer.Option("--json", help="for programs")]
Wait = Annotated[bool, typer.Option("--wait", help="until the job has ended, and say what came of it")]
POLL_S = 0.2


@indicators_app.command(name="import")
def import_command(
    path: Annotated[Path, typer.Argument(help="a file, also .gz or .zip, or a folder of files")],
    feed: Annotated[str, typer.Option(help="what the feed is called here")],
    *,
    data: Data = Path("var/data"),
    format_name: Annotated[str, typer.Option("--format", help=f"one of {', '.join(READERS)}")] = "csv",
    confidence: Annotated[int, typer.Option(help="of entries that do not say, 0-100")] = 50,
    days: Annotated[int, typer.Option(help="that entries hold which do not say; 0: without end")] = 180,
    add: Annotated[bool, typer.Option("--add", help="to what the feed has, instead of in its place")] = False,
    wait: Wait = False,
) -> None:
    """Have a feed imported by the running center, in place of what it had before, whole or not at all."""
    folder = DataFolder(data.resolve())
    upload = secrets.token_hex(16)
    request = ImportRequest(upload=upload, feed=feed, format=format_name, confidence=confidence, days=days, add=add)
    check_request(request)
    if not path.exists():
        raise Problem(str(path), "is not there")
    with acting(folder, Act.INDICATORS_IMPORTED, feed, kind=format_name):
        _bring(path, folder.indicators / INCOMING / upload)
        made = _ask(folder, "import_indicators", msgspec.to_builtins(request))
    _tell(folder, made, wait=wait)


@indicators_app.command(name="remove")
def remove_command(
    feed: Annotated[str, typer.Argument(help="its name")], data: Data = Path("var/data"), wait: Wait = False
) -> None:
    """Have all indicators of a feed removed by the running center."""
    folder = DataFolder(data.resolve())
    check_feed(feed)
    with acting(folder, Act.INDICATORS_REMOVED, feed):
        made = _ask(folder, "remove_indicators", {"feed": feed})
    _tell(folder, made, wait=wait)


@indicators_app.command(name="list")
def list_command(data: Data = Path("var/data"), in_json: InJson = False) -> None:
    """Print the feeds in force."""
    found = open_current(DataFolder(data.resolve()).indicators)
    feeds = found.feeds if found is not None else []
    if in_json:
        typer.echo(msgspec.json.encode(feeds).decode())
        return
    table = Table("feed", "indicators", "expired", "imported (UTC)", "by", "refused", "kinds", box=None)
    for feed in feeds:
        kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(feed.counts.items()))
        numbers = (str(feed.total), str(feed.expired(now_us())), _time(feed.imported))
        table.add_row(feed.name, *numbers, escape(feed.imported_by), str(feed.refused), kinds)
    Console(highlight=False).print(table)


@indicators_app.command(name="show")
def show_command(
    value: Annotated[str, typer.Argument(help="a domain, URL, address, hash or e-mail address, as it stands in a log")],
    data: Data = Path("var/data"),
    in_json: InJson = False,
) -> None:
    """Print what is known of a value: exit 0 something, 1 nothing."""
    found = search(DataFolder(data.resolve()).indicators, value)
    if in_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        Console(highlight=False).print(_table(found))
    raise typer.Exit(0 if found else 1)


def _bring(path: Path, into: Path) -> None:
    """A copy of the file or folder where the job may read it."""
    make_folder(into.parent)
    if path.is_dir():
        shutil.copytree(path, into)
    else:
        into.mkdir()
        shutil.copyfile(path, into / path.name)


def _ask(folder: DataFolder, kind: str, params: dict[str, Any]) -> Job:
    state = State.open(folder.state_url)
    try:
        return request_job(state.jobs, folder.run, kind, params, getpass.getuser(), own_door=True)
    finally:
        state.close()


def _tell(folder: DataFolder, job: Job, *, wait: bool) -> None:
    if not wait:
        typer.echo(f"job {job.id} is queued; fengsui jobs show {job.id} says how far it is")
        return
    state = State.open(folder.state_url)
    try:
        while (found := state.jobs.get(job.id)) is not None and found.state not in FINAL:
            time.sleep(POLL_S)
    finally:
        state.close()
    if found is None or found.state is not JobState.DONE:
        raise Problem(f"job {job.id}", found.error or found.state.value if found is not None else "is not there")
    refusals = found.result.pop("refusals", [])
    for refusal in refusals:
        typer.echo(f"refused {plain(refusal)}")
    typer.echo(", ".join(f"{name} {n}" for name, n in found.result.items()))


def _table(found: list[Indicator]) -> Table:
    table = Table("feed", "kind", "indicator", "confidence", "until (UTC)", "label", "reference", box=None)
    for one in found:
        until = _time(one.valid_until) if one.valid_until else "no end"
        told = (one.feed, one.kind.value, one.value, str(one.confidence), until, one.label, one.reference)
        table.add_row(*map(escape, told))
    return table


def _time(us: int) -> str:
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
