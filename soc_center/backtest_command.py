"""``fengsui rules test``: what a rule would have found and what it costs, before it is activated.

Over the last hours or days of a center it is a job there; over files it runs right here, with the rights of whoever
types it, so that nobody can have the center open files for them.
"""

import getpass
import re
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from detection_rules.backtest import RuleHits
from soc_center.backtesting import RULE_BYTES, Tested, rule_of, scan_backtest
from soc_center.folder import DataFolder
from soc_center.job_request import request_job
from soc_center.scan import files_of, iso
from soc_center.terminal_text import plain
from soc_model.job import FINAL, Job, JobState
from soc_model.problem import Problem
from soc_store.state import State

POLL_S = 0.2
BAR = 40
_LAST = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def test_rule(
    rule: Annotated[str, typer.Argument(help="a rule file, or the id of a rule that the center has")],
    over: Annotated[str, typer.Option("--over", help="the last 90m, 24h, 7d … of the center, or a file or folder")],
    data: Annotated[Path, typer.Option("--data", help="the data directory")] = Path("var/data"),
    in_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """Say what a rule would have found: hits by day, samples, cost. Exit 0 nothing, 1 something, 2 wrong usage."""
    last_s = last(over)
    if last_s is None:
        found = scan_backtest(files_of([Path(over)]), rule_of(_text(rule), rule))
    else:
        found = _asked(DataFolder(data.resolve()), rule, last_s)
    if in_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        tell(Console(highlight=False, soft_wrap=True), found)
    raise typer.Exit(int(any(one.hits for one in found.rules)))


def last(text: str) -> int | None:
    """The seconds of ``90m``, ``24h``, ``7d``, ``2w``; ``None`` for what is no span of time."""
    found = _LAST.fullmatch(text)
    return int(found[1]) * _UNIT_S[found[2]] if found else None


def tell(console: Console, found: Tested) -> None:
    """Print a result: for each rule its days as bars, then samples."""
    speed = f"{found.cpu_us_per_event:g} µs of CPU an event, {found.seconds:.1f} s in all"
    console.print(f"{iso(found.since)} to {iso(found.until)}: {found.events} events that the rule can see; {speed}")
    if found.unreadable:
        console.print(f"[yellow]{found.unreadable} events could not be read back by any format[/]")
    for one in found.rules:
        _tell_rule(console, one)


def _tell_rule(console: Console, one: RuleHits) -> None:
    console.print(f"\n[bold]{escape(one.title)}[/] {one.rule_id}: {one.hits} hits")
    most = max(one.by_day.values(), default=1)
    for day, hits in one.by_day.items():
        console.print(f"  {day} {hits:9} {'█' * max(1, BAR * hits // most)}")
    table = Table("time", "source", "event", "matched", box=None, header_style="bold")
    for sample in one.samples:
        matched = "; ".join(f"{name}={value}" for name, value in sample.matched.items())
        table.add_row(iso(sample.at), escape(plain(sample.source_id)), sample.event_id, escape(plain(matched)))
    if one.samples:
        console.print(table)


def _text(rule: str) -> str:
    path = Path(rule)
    if not path.is_file():
        raise Problem(rule, "no such rule file; over files a rule is tested from its file")
    if path.stat().st_size > RULE_BYTES:
        raise Problem(rule, f"larger than {RULE_BYTES} bytes")
    return path.read_text("utf-8", "replace")


def _asked(folder: DataFolder, rule: str, last_s: int) -> Tested:
    """The result of the job; the running center does it."""
    if not folder.state.exists():
        raise Problem(str(folder.state), "is not there; fengsui up makes it")
    named = {"rule": _text(rule)} if Path(rule).is_file() else {"rule_id": rule}
    if "rule" in named:
        rule_of(named["rule"], rule)  # a wrong rule is told here, with its line
    params = {"last_s": last_s, **named}
    state = State.open(folder.state_url)
    try:
        made = request_job(state.jobs, folder.run, "test_rule", params, getpass.getuser())
        return _awaited(state, made.id)
    finally:
        state.close()


def _awaited(state: State, job_id: int) -> Tested:
    with Console(stderr=True).status(f"job {job_id}") as status:
        while (job := _job(state, job_id)).state not in FINAL:
            share = f"{100 * job.progress_done // job.progress_total} %" if job.progress_total else job.state.value
            status.update(f"job {job_id}: {share}")
            time.sleep(POLL_S)
    if job.state is not JobState.DONE:
        raise Problem(f"job {job_id}", job.error or job.state.value)
    return msgspec.convert(job.result, Tested)


def _job(state: State, job_id: int) -> Job:
    job = state.jobs.get(job_id)
    if job is None:
        raise Problem(f"job {job_id}", "is not there any more")
    return job
