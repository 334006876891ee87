"""``fengsui rules release``: lets a rule run again that was put aside because it cost too much."""

from pathlib import Path
from typing import Annotated

import typer

from soc_center.dear_rules import DearRules
from soc_center.folder import DataFolder
from soc_center.terminal_act import acting
from soc_model.audit import Act


def release_rule(
    rule_id: Annotated[str, typer.Argument(help="the rule's id; fengsui rules dear lists them")],
    data: Annotated[Path, typer.Option("--data", help="the data directory")] = Path("var/data"),
) -> None:
    """Let a rule that was put aside run again, as it is; the running center takes it up within seconds."""
    folder = DataFolder(data.resolve())
    with acting(folder, Act.RULE_RELEASED, rule_id):
        found = DearRules(folder.dear_rules).release(rule_id)
    typer.echo(f"released {rule_id}; it had taken {100 * found.share:.0f} % of detection's time")


def list_dear(data: Annotated[Path, typer.Option("--data", help="the data directory")] = Path("var/data")) -> None:
    """Print the rules that were put aside because they cost too much."""
    for one in DearRules(DataFolder(data.resolve()).dear_rules).all().values():
        typer.echo(f"{one.rule_id} {100 * one.share:.0f} %")
