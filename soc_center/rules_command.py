"""``fengsui rules reload``: has the rules of a running center read again, and waits for what comes of it."""

import time
from pathlib import Path
from typing import Annotated

import typer

from soc_center.folder import DataFolder
from soc_center.gauge import is_running, now_us, read_gauge
from soc_center.reload_report import ReloadReport, Result, ask, is_asked, last_report
from soc_center.terminal_act import acting
from soc_model.audit import Act
from soc_model.problem import Problem

POLL_S = 0.1
WAIT_S = 330.0  # a little longer than the supervisor waits for a successor


def reload_rules(data: Annotated[Path, typer.Option("--data", help="the data directory")] = Path("var/data")) -> None:
    """Have the running center read its rules again. Exit 0 they run (also: nothing to exchange), 1 those before do."""
    folder = DataFolder(data.resolve())
    up = read_gauge(folder.run, "up")
    if up is None or not is_running(up.pid):
        raise Problem(str(folder.root), "no center runs here; it reads the rules when it starts")
    with acting(folder, Act.RULES_RELOADED, "rules"):
        ask(folder.run, "the command line")
    report = wait_for_report(folder.run)
    typer.echo(told(report))
    for refusal in report.refusals:
        typer.echo(f"refused {refusal}")
    raise typer.Exit(1 if report.result is Result.FAILED else 0)


def told(report: ReloadReport) -> str:
    """What came of it, in one line."""
    return f"{report.result.value}: {report.problem or f'{report.rules} rules, snapshot {report.snapshot[:12]}'}"


def wait_for_report(run: Path) -> ReloadReport:
    """The report of the attempt that follows a wish; raises Problem when none comes."""
    seen, deadline = now_us(), time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if is_asked(run):
            seen = now_us()
        elif (report := last_report(run)) is not None and report.at > seen:
            return report
        time.sleep(POLL_S)
    raise Problem(str(run), f"nothing came of it in {WAIT_S:g} s; see Health and log/detect.log")
