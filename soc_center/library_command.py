"""``fengsui rules update|confirm|refuse|back|versions|state``: the rule library on the terminal, by its owner.

An update is staged and compared; it runs only once somebody confirmed the difference, here or on the page Rules.
"""

import getpass
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from soc_center.folder import DataFolder
from soc_center.gauge import is_running, now_us, read_gauge
from soc_center.link import check_owner
from soc_center.reload_report import Result
from soc_center.rule_intake import Proof, receive
from soc_center.rule_library import RuleLibrary
from soc_center.rule_states import write_states
from soc_center.rule_update import stage
from soc_center.rules_command import told, wait_for_report
from soc_center.settings import read_settings
from soc_center.terminal_act import TERMINAL
from soc_center.way_out import open_way_out
from soc_model.audit import Act
from soc_model.person import Actor
from soc_model.problem import Problem
from soc_model.rule_library import Changed, LibraryVersion, PendingUpdate
from soc_model.rule_state import RuleState
from soc_store.rule_catalogue import RuleCatalogue
from soc_store.state import State

SHOWN = 10
Data = Annotated[Path, typer.Option("--data", help="the data directory")]
DIFFERENCE = {
    "added": "added",
    "removed": "removed",
    "changed": "changed",
    "newly_refused": "newly refused",
    "will_run": "will run that did not",
    "will_stop": "will run no more",
}


def update(
    source: Annotated[str, typer.Option("--from", help="a .zip, a folder, or an https address of a .zip")],
    data: Data = Path("var/data"),
    *,
    sha256: Annotated[str, typer.Option("--sha256", help="what the archive must have")] = "",
    signature: Annotated[Path | None, typer.Option("--signature", help="Ed25519 over the archive")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="the public key (PEM) of the signature")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="confirm the difference unseen")] = False,
) -> None:
    """Stage an archive of rules and show what it would change; it runs once that is confirmed."""
    proof = Proof(sha256=sha256, signature=signature, key=key)
    with _acting(data) as (folder, state, actor):
        library, settings = RuleLibrary(folder.rule_library), read_settings(folder.settings)
        staged = library.staging()
        try:
            received = receive(source, proof, staged, open_way_out(settings, state.audit, actor))
            waiting = stage(folder, settings, staged, received, by=actor.name, now=now_us())
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        _record(state, Act.RULES_STAGED, actor, waiting.version)
        _show(waiting)
        if yes or (sys.stdin.isatty() and typer.confirm("Let these rules run?")):
            _confirm(folder, state, actor, waiting)
        else:
            typer.echo("waits: fengsui rules confirm (or refuse), or the page Rules")


def confirm(data: Data = Path("var/data")) -> None:
    """Let the update that waits run. Exit 0 it runs, 1 the rules before do."""
    with _acting(data) as (folder, state, actor):
        waiting = _waiting(folder)
        _show(waiting)
        _confirm(folder, state, actor, waiting)


def refuse(data: Data = Path("var/data")) -> None:
    """Drop the update that waits."""
    with _acting(data) as (folder, state, actor):
        waiting = _waiting(folder)
        library = RuleLibrary(folder.rule_library)
        library.refuse(waiting.version.version, lambda _: _record(state, Act.RULES_REFUSED, actor, waiting.version))
        typer.echo(f"refused   version {waiting.version.version}")


def back(
    data: Data = Path("var/data"),
    to: Annotated[int | None, typer.Option("--to", help="a version that is kept; 0: no imported rules")] = None,
) -> None:
    """Let the version before run again. Exit 0 it runs, 1 the rules of now do."""
    with _acting(data) as (folder, state, actor):
        library = RuleLibrary(folder.rule_library)

        def record(version: int) -> None:
            state.audit.record(Act.RULES_BACK, actor, f"rule library version {version}", now_us())

        version = library.back(to, actor.name, now_us(), record)
        typer.echo(f"version   {version or 'none: no imported rules'}")
        _take_over(folder)


def versions(data: Data = Path("var/data")) -> None:
    """List the versions that are kept, who let them run and when."""
    with _acting(data) as (folder, _, _):
        found = RuleLibrary(folder.rule_library).state()
    if found.pending is not None:
        typer.echo(f"waits     {_line(found.pending.version)}")
    for each in found.versions:
        runs = "runs" if each.version == found.active else "kept"
        first = next((a for a in found.activations if a.version == each.version), None)
        said = f"; let in by {first.by} at {_when(first.at)}" if first is not None else ""
        typer.echo(f"{runs:9} {_line(each)}{said}")
    if not found.active:
        typer.echo("runs      no imported rules of the library")


def state(
    rule_id: Annotated[str, typer.Argument()],
    wanted: Annotated[RuleState | None, typer.Argument(metavar="STATE")] = None,
    data: Data = Path("var/data"),
    reason: Annotated[str, typer.Option("--reason", help="why; it is kept with the decision")] = "",
) -> None:
    """Print what was decided of a rule, or put it into a state: draft, test, active, retired."""
    with _acting(data) as (folder, opened, actor):
        rule = RuleCatalogue(folder.rule_catalogue).whole(rule_id)
        if rule is None:
            raise Problem(rule_id, "no rule of that id was read; fengsui rules reload, once the center runs")
        first = rule.entry.first_state
        if wanted is not None:
            done = opened.rules.decide(rule_id, wanted, reason, first=first, actor=actor, now=now_us())
            write_states(RuleLibrary(folder.rule_library), opened.rules)
            typer.echo(f"state     {wanted.value}{'' if done else ' already'}")
            if done:
                _take_over(folder)
            return
        typer.echo(f"state     {opened.rules.states().get(rule_id, first).value}")
        for each in opened.rules.decisions(rule_id):
            said = f"{each.before.value} → {each.after.value}, {each.person}: {each.reason}"
            typer.echo(f"{_when(each.at)}  {said}")


@contextmanager
def _acting(data: Path) -> Iterator[tuple[DataFolder, State, Actor]]:
    """The folder and its state for its owner, who is who acts; ``Problem`` for anybody else."""
    folder = DataFolder(data.resolve())
    check_owner(folder.state)
    opened = State.open(folder.state_url)
    try:
        yield folder, opened, Actor(name=getpass.getuser(), address=TERMINAL)
    finally:
        opened.close()


def _waiting(folder: DataFolder) -> PendingUpdate:
    waiting = RuleLibrary(folder.rule_library).pending()
    if waiting is None:
        raise Problem("rule library", "no update waits; fengsui rules update --from makes one")
    return waiting


def _confirm(folder: DataFolder, opened: State, actor: Actor, waiting: PendingUpdate) -> None:
    about = waiting.version
    library = RuleLibrary(folder.rule_library)
    record = lambda _: _record(opened, Act.RULES_CONFIRMED, actor, about)  # noqa: E731 - one line, used once
    library.confirm(about.version, about.sha256, actor.name, now_us(), record)
    typer.echo(f"confirmed version {about.version}")
    _take_over(folder)


def _record(opened: State, act: Act, actor: Actor, about: LibraryVersion) -> None:
    said = {"sha256": about.sha256, "source": about.source, "proof": about.proof, "rules": str(about.rules)}
    opened.audit.record(act, actor, f"rule library version {about.version}", now_us(), **said)


def _take_over(folder: DataFolder) -> None:
    """Wait until a running center has seen the change, and tell what came of it."""
    up = read_gauge(folder.run, "up")
    if up is None or not is_running(up.pid):
        typer.echo("no center runs here; it reads its rules when it starts")
        return
    report = wait_for_report(folder.run)
    typer.echo(told(report))
    if report.result is Result.FAILED:
        raise typer.Exit(1)


def _show(waiting: PendingUpdate) -> None:
    typer.echo(_line(waiting.version))
    for name, title in DIFFERENCE.items():
        found: Changed = getattr(waiting.diff, name)
        levels = ", ".join(f"{level.value} {count}" for level, count in found.by_level.items())
        typer.echo(f"{found.total:6} {title}{f': {levels}' if levels else ''}")
        for rule in found.rules[:SHOWN]:
            mark = f" [{rule.state.value}]" if rule.state is not RuleState.ACTIVE else ""
            typer.echo(f"         {rule.level.value:13} {rule.title}{mark}{f' ({rule.why})' if rule.why else ''}")


def _line(about: LibraryVersion) -> str:
    known = f", known by {about.proof}" if about.proof else ""
    return (
        f"version {about.version}: {about.rules} rules, {about.refused} refused, from {about.source}{known}, "
        f"SHA-256 {about.sha256}, staged by {about.staged_by} at {_when(about.staged)}"
    )


def _when(us: int) -> str:
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
