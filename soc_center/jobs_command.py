"""``fengsui jobs``: what is queued, runs and has ended; asking for a job, and asking one to end."""

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from soc_center.folder import DataFolder
from soc_center.job_kind import kind_names
from soc_center.job_request import request_cancel, request_job
from soc_center.terminal_text import plain
from soc_model.job import Job, JobState
from soc_model.problem import Problem
from soc_store.job_filter import JobFilter
from soc_store.state import State

jobs_app = typer.Typer(help="Jobs 作业: what runs in the background, and asking for it.", no_args_is_help=True)
Data = Annotated[Path, typer.Option("--data", help="the data directory")]
JobId = Annotated[int, typer.Argument(help="the job's number")]
InJson = Annotated[bool, typer.Option("--json", help="for programs")]


@jobs_app.command(name="list")
def list_jobs(
    data: Data = Path("var/data"),
    state: Annotated[list[JobState] | None, typer.Option("--state", help="only these (again for more)")] = None,
    kind: Annotated[list[str] | None, typer.Option("--kind", help="only these (again for more)")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    in_json: InJson = False,
) -> None:
    """Print jobs, the newest first."""
    store = _state(data)
    found = store.jobs.page(JobFilter(states=tuple(state or ()), kinds=tuple(kind or ())), limit).jobs
    store.close()
    if in_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        Console(highlight=False).print(_table(found))


@jobs_app.command(name="show")
def show_job(job_id: JobId, data: Data = Path("var/data")) -> None:
    """Print one job whole, as JSON."""
    store = _state(data)
    found = store.jobs.get(job_id)
    store.close()
    _tell(found, job_id)


@jobs_app.command(name="run")
def run_job(
    kind: Annotated[str, typer.Argument(help=f"one of {', '.join(kind_names())}")],
    data: Data = Path("var/data"),
    params: Annotated[str, typer.Option(help="a JSON object")] = "{}",
    unless_waiting: Annotated[bool, typer.Option("--unless-waiting", help="not if one is queued or runs")] = False,
) -> None:
    """Ask for a job; prints it as it is queued. The running center does it."""
    store, folder = _state(data), DataFolder(data.resolve())
    try:
        made = request_job(
            store.jobs, folder.run, kind, _params(params), getpass.getuser(), unless_waiting=unless_waiting
        )
    finally:
        store.close()
    _tell(made, made.id)


@jobs_app.command(name="cancel")
def cancel_job(job_id: JobId, data: Data = Path("var/data")) -> None:
    """Ask a job to end; one that does not listen is killed after five seconds."""
    store, folder = _state(data), DataFolder(data.resolve())
    found = request_cancel(store.jobs, folder.run, job_id, getpass.getuser())
    store.close()
    _tell(found, job_id)


def _state(data: Path) -> State:
    folder = DataFolder(data.resolve())
    if not folder.state.exists():
        raise Problem(str(folder.state), "is not there; fengsui up makes it")
    return State.open(folder.state_url)


def _params(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise Problem("--params", f"is no JSON object: {error}") from error


def _tell(job: Job | None, job_id: int) -> None:
    if job is None:
        raise Problem(f"job {job_id}", "is not there")
    text = json.dumps(msgspec.to_builtins(job), ensure_ascii=False, indent=2)
    typer.echo("".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text))


def _table(jobs: list[Job]) -> Table:
    table = Table("id", "kind", "state", "progress", "by", "created (UTC)", "error", box=None, header_style="bold")
    for job in jobs:
        progress = f"{job.progress_done}/{job.progress_total}" if job.progress_total else ""
        created = datetime.fromtimestamp(job.created / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
        by, error = escape(plain(job.created_by)), escape(plain(job.error))
        table.add_row(str(job.id), escape(job.kind), job.state.value, progress, by, created, error)
    return table
