"""The command ``fengsui``: every long-lived process is exec'ed as its own module, everything else runs here."""

import json
import os
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import yaml
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from collectors.format import format_names
from detection_rules.library import read_documents
from detection_rules.rule import RuleSet
from detection_rules.snapshot import Snapshot
from soc_center import library_command
from soc_center.access_command import audit_app, link, people_app
from soc_center.archive_command import archive_app
from soc_center.backtest_command import test_rule
from soc_center.doctor.examine import examine
from soc_center.doctor.show import as_json, exit_code, show
from soc_center.drill.command import play_drill
from soc_center.evaluation import key_sha256, new_key
from soc_center.folder import DataFolder
from soc_center.indicator_command import indicators_app
from soc_center.jobs_command import jobs_app
from soc_center.new_rule import RuleDraft, rules_folder, write_rule
from soc_center.pipeline import run_sample
from soc_center.provided import provided
from soc_center.quarantine_command import quarantine_app
from soc_center.release_command import list_dear, release_rule
from soc_center.rule_choice import rules_as_written, site_values
from soc_center.rule_compiler import compile_rules
from soc_center.rule_paths import OWN_RULES
from soc_center.rules_command import reload_rules
from soc_center.scan import AUTO, Summary, files_of, open_sink, scan
from soc_center.settings import Settings, read_settings
from soc_model.layer import Layer, Level
from soc_model.problem import Problem

app = typer.Typer(
    name="fengsui",
    help="烽燧 fengsui: the security management center of a smart city.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
rules_app = typer.Typer(help="Sigma rules: what loads, what is refused and why.", no_args_is_help=True)
source_app = typer.Typer(help="Sources: who may send what.", no_args_is_help=True)
app.add_typer(rules_app, name="rules")
app.add_typer(source_app, name="source")
app.add_typer(archive_app, name="archive")
app.add_typer(jobs_app, name="jobs")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(indicators_app, name="indicators")
app.add_typer(people_app, name="people")
app.add_typer(audit_app, name="audit")
app.command()(link)

PROCESS = {"allow_extra_args": True, "ignore_unknown_options": True}
USAGE = 2

Data = Annotated[Path, typer.Option("--data", help="the data directory")]
RulePaths = Annotated[
    list[Path] | None,
    typer.Option("--rules", help="folder, .zip or .yml of Sigma rules (again for more; default: ours)"),
]


def exec_module(module: str, arguments: list[str]) -> None:
    """Become that module: the memory of a long-lived process holds only what it needs itself."""
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - our own module, no shell


#: The long-lived processes: name, module, help.
PROCESSES = (
    ("up", "soc_center.up", "Start the whole center (--evaluation, --data DIR, --drill)."),
    ("collect", "soc_center.processes.collect", "Run collect alone: sources into the journal (--data DIR)."),
    ("detect", "soc_center.processes.detect", "Run detect alone: journal into outcomes (--data DIR)."),
    ("triage", "soc_center.processes.triage", "Run triage alone: outcomes into alerts (--data DIR)."),
    ("archiver", "soc_center.processes.archiver", "Run archiver alone: outcomes into segments (--data DIR)."),
    ("serve", "soc_center.processes.serve", "Run serve alone: API and console (--data DIR, --evaluation)."),
    ("schedule", "soc_center.processes.schedule", "Run schedule alone: the clock asks for jobs (--data DIR)."),
    ("work", "soc_center.processes.work", "Run work alone: jobs, each in its own process (--data DIR)."),
)


def add_process(name: str, module: str, text: str) -> None:
    """Make a process a command; whatever stands behind its name is the module's own."""

    def run(context: typer.Context) -> None:
        exec_module(module, context.args)

    app.command(name=name, help=text, context_settings=PROCESS, add_help_option=False)(run)


for process in PROCESSES:
    add_process(*process)


@app.command()
def doctor(
    data: Data = Path("var/data"),
    in_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """Say what is wrong here and what to do. Exit 0 nothing bad, 1 something bad."""
    found = examine(DataFolder(data.resolve()))
    if in_json:
        typer.echo(as_json(found))
    else:
        show(Console(highlight=False), found)
    raise typer.Exit(exit_code(found))


@app.command()
def drill(
    data: Data = Path("var/data"),
    fast: Annotated[bool, typer.Option("--fast", help="about 5 seconds instead of the campaign's own pace")] = False,
    seed: Annotated[int, typer.Option(help="another seed gives other background")] = 1,
) -> None:
    """Play the drill campaign against the running center, in realm drill, and say what was found."""
    folder = DataFolder(data.resolve())
    raise typer.Exit(play_drill(folder, read_settings(folder.settings), fast=fast, seed=seed))


@app.command(name="scan")
def scan_command(
    paths: Annotated[list[Path], typer.Argument(help="files and folders to scan")],
    rules: RulePaths = None,
    format_name: Annotated[str, typer.Option("--format", help=f"auto, or one of {', '.join(format_names())}")] = AUTO,
    min_level: Annotated[Level, typer.Option("--min-level", help="leave out rules below")] = Level.INFORMATIONAL,
    out: Annotated[
        Path | None, typer.Option("--out", help="FILE.ndjson or FILE.csv: one line, one rule, one event")
    ] = None,
) -> None:
    """Run rules over files, offline. Exit 0 nothing found, 1 something found, 2 wrong usage, 3 something unreadable."""
    console = Console(stderr=True)
    if format_name not in (AUTO, *format_names()):
        raise Problem("--format", f"no format {format_name!r}; there are {AUTO}, {', '.join(format_names())}")
    files = files_of(paths)
    with console.status("loading rules"):
        snapshot = snapshot_of(rules or [OWN_RULES], min_level)
    tell_refused(console, snapshot)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar, open_sink(out) as sink:
        task = bar.add_task(f"{len(files)} files", total=sum(path.stat().st_size for path in files))
        summary = scan(files, snapshot, format_name, sink, lambda n: bar.advance(task, n))
    tell_summary(console, summary, out)
    raise typer.Exit(summary.exit_code)


def snapshot_of(paths: list[Path], min_level: Level) -> Snapshot:
    """The rules under the paths, compiled; raises Problem where a path is not there."""
    return compile_rules(rules_as_written(paths, min_level=min_level)).compiled.snapshot()


def tell_refused(console: Console, snapshot: Snapshot) -> None:
    """Say how many rules are loaded, and list every one that is not with its place and reason."""
    console.print(f"{len(snapshot.cards)} rules loaded, {len(snapshot.refused)} not evaluated")
    for refusal in snapshot.refused:
        console.print(f"  [yellow]not evaluated[/] {escape(str(refusal))}", soft_wrap=True, highlight=False)


def tell_summary(console: Console, summary: Summary, out: Path | None) -> None:
    """Print what a scan came to: levels, rules, and what could not be read."""
    table = Table("level", "hits", "rule", "id", box=None, header_style="bold")
    ordered = sorted(summary.by_rule.items(), key=lambda item: (-summary.titles[item[0]].level.rank, -item[1], item[0]))
    for rule_id, hits in ordered:
        card = summary.titles[rule_id]
        table.add_row(card.level.value, str(hits), escape(card.title), rule_id)
    console.print(table)
    levels = ", ".join(f"{level.value} {summary.by_level[level.value]}" for level in reversed(Level))
    console.print(
        f"{summary.scanned} files, {summary.events} events, {summary.raw_bytes} bytes; {summary.hits} hits: {levels}"
    )
    for path, count in summary.unparsed.items():
        why = summary.first_unparsed[path]
        console.print(f"  [yellow]unparsed[/] {escape(path)}: {count} records, first {escape(why)}", soft_wrap=True)
    for path, why in summary.failed.items():
        console.print(f"  [red]not read[/] {escape(path)}: {escape(why)}", soft_wrap=True)
    if out is not None:
        console.print(f"written to {escape(str(out))}", soft_wrap=True)


@rules_app.command(name="check")
def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="default: our own rules")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="with the lists declared there; also which rules no source can feed")
    ] = None,
) -> None:
    """Say which rules load and which are refused and why, and run the samples that rules carry. Exit 1 if any fails."""
    console = Console(soft_wrap=True, highlight=False)
    settings = read_settings(DataFolder(data.resolve()).settings) if data is not None else None
    library = read_documents(paths or [OWN_RULES])
    lists = site_values(settings) if settings is not None else {}
    compiled = compile_rules(rules_as_written(paths or [OWN_RULES], site=lists)).compiled
    ruleset, snapshot = compiled.ruleset, compiled.snapshot()
    for refusal in snapshot.refused:
        console.print(f"[red]refused[/] {escape(str(refusal))}")
    samples, failures = 0, 0
    for document in library.documents:
        for wanted in ("match", "no_match"):
            for i, sample in enumerate((document.data.get("tests") or {}).get(wanted, ())):
                samples += 1
                fired = str(document.data.get("id")) in run_sample(sample, snapshot)
                if fired != (wanted == "match"):
                    failures += 1
                    place = f"{document.path}:{document.line}: tests.{wanted}[{i}]"
                    console.print(f"[red]sample[/] {escape(place)}: {'fired' if fired else 'did not fire'}")
    reasons = Counter(refusal.reason for refusal in snapshot.refused)
    console.print(
        f"{len(snapshot.cards)} loaded, {len(snapshot.refused)} refused, {samples} samples, {failures} failed"
    )
    for reason, count in reasons.most_common():
        console.print(f"  {count:5} {escape(reason)}")
    tell_dependent(console, ruleset)
    if settings is not None:
        tell_unsourced(console, ruleset, settings)
    raise typer.Exit(1 if snapshot.refused or failures else 0)


def tell_dependent(console: Console, ruleset: RuleSet) -> None:
    """List what is loaded but narrowed, silent by itself, or waiting for a list of the site: to be known, no error."""
    for one in ruleset.filters:
        place = escape(f"{one.path}:{one.line}: {one.title}")
        console.print(f"[cyan]filter[/] {place}: {len(one.rules)} rules narrowed")
    for rule in ruleset.rules:
        if not rule.alerts:
            place = escape(f"{rule.path}:{rule.line}: {rule.card.title}")
            console.print(f"[cyan]no alerts of its own[/] {place}: it only adds to correlations")
    for name, rules in ruleset.waiting().items():
        console.print(f"[yellow]list not declared[/] {escape(f'%{name}%')} (detection.placeholders), asked for by:")
        for rule in rules:
            silent = "" if rule.variants else ", silent until then"
            console.print(f"  {escape(f'{rule.path}:{rule.line}: {rule.card.title}')}{silent}")


def tell_unsourced(console: Console, ruleset: RuleSet, settings: Settings) -> None:
    """List the rules that nothing configured can feed: no error, but silent."""
    silent = ruleset.unsourced(provided(settings.sources, ruleset.rules))
    for rule in silent:
        wanted = "/".join((rule.logsource.product, rule.logsource.category, rule.logsource.service))
        console.print(f"[yellow]no source[/] {escape(f'{rule.path}:{rule.line}: {rule.card.title} ({wanted})')}")
    console.print(f"{len(silent)} of {len(ruleset.rules)} rules have no source among the {len(settings.sources)} there")


@rules_app.command(name="new")
def new(
    layer: Annotated[Layer, typer.Argument()],
    name: Annotated[str, typer.Argument(help="the file's name without .yml, as failed_sudo_by_service")],
    *,
    title: Annotated[str, typer.Option(help="English, as it stands in alerts")],
    title_zh: Annotated[str, typer.Option(help="Chinese")],
    format_name: Annotated[str, typer.Option("--format", help=f"of the samples: {', '.join(format_names())}")],
    level: Annotated[Level, typer.Option()] = Level.MEDIUM,
    into: Annotated[
        Path | None, typer.Option(help="your folder of rules (default: ours in a checkout, else ./rules)")
    ] = None,
) -> None:
    """Write a new rule with samples that already pass; then make it yours. An existing file is left alone."""
    draft = RuleDraft(layer=layer, name=name, title=title, title_zh=title_zh, level=level, format=format_name)
    path = write_rule(draft, into or rules_folder(Path.cwd(), OWN_RULES), own=OWN_RULES)
    typer.echo(f"written   {path}\nnext      change detection and samples, then: fengsui rules check {path}")


rules_app.command(name="reload")(reload_rules)
rules_app.command(name="test")(test_rule)
rules_app.command(name="dear")(list_dear)
rules_app.command(name="release")(release_rule)
rules_app.command(name="update")(library_command.update)
rules_app.command(name="confirm")(library_command.confirm)
rules_app.command(name="refuse")(library_command.refuse)
rules_app.command(name="back")(library_command.back)
rules_app.command(name="versions")(library_command.versions)
rules_app.command(name="state")(library_command.state)


@source_app.command(name="key")
def source_key() -> None:
    """Print a new intake key, and what to write into the source's key_sha256. The key is shown this once."""
    key = new_key()
    typer.echo(f"key         {key}")
    typer.echo(f"key_sha256  {key_sha256(key)}")


@source_app.command(name="list")
def source_list(data: Data = Path("var/data")) -> None:
    """Print the configured sources as YAML."""
    settings = read_settings(DataFolder(data.resolve()).settings)
    typer.echo(yaml.safe_dump(json.loads(msgspec.json.encode(settings.sources)), allow_unicode=True, sort_keys=False))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fengsui {version('fengsui')}")
        raise typer.Exit


@app.callback()
def callback(
    show_version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="print it")] = False,
) -> None:
    """烽燧 fengsui: the security management center of a smart city."""


def main() -> None:
    """Run a command; a Problem is one line on standard error and exit status 2."""
    try:
        app()
    except Problem as problem:
        print(f"fengsui: {problem}", file=sys.stderr)
        sys.exit(USAGE)
