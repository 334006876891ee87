"""Every counter of overload and loss that the code counts is explained: in the console, at /metrics and in the docs."""

import ast
import re
from pathlib import Path

import pytest

from soc_api import metrics
from soc_api.console.words import LOSS_HELP, LOSSES
from soc_center import health
from soc_model.outcome import Stat

#: Of a batch's counts those that tell work or time, not loss.
NO_LOSS = {"events", "raw_bytes", "findings", "last_received", "lag_max_s", "last_problem"}


def constants(tree: ast.Module) -> dict[str, str]:
    """The texts that a module names."""
    named = (node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant))
    return {
        ast.unparse(node.targets[0]): node.value.value
        for node in named
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }


def name_of(node: ast.expr, named: dict[str, str]) -> list[str]:
    """The texts that an argument may be."""
    if isinstance(node, ast.IfExp):
        return name_of(node.body, named) + name_of(node.orelse, named)
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    return [named[ast.unparse(node)]] if ast.unparse(node) in named else []


def counted(tree: ast.Module) -> set[str]:
    """The names in ``x.count(source, NAME)``, ``x._refused(chunks, NAME)``, ``counters[source, NAME]`` and
    ``with_counts(reports, NAME, counts)``."""
    named, found = constants(tree), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and len(node.args) > 1:
            if node.func.attr in ("count", "_refused"):
                found.update(name_of(node.args[1], named))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "with_counts":
            found.update(name_of(node.args[1], named))
        elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and ast.unparse(node.elts[0]).endswith(".id"):
            found.update(name_of(node.elts[1], named))
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple) and "counters" in ast.unparse(node):
            found.update(name_of(node.slice.elts[-1], named))
    return found


@pytest.fixture
def in_code(trees: dict[str, ast.Module]) -> set[str]:
    packages = ("collectors.", "soc_store.", "soc_center.processes.")
    collected = set[str]().union(*(counted(tree) for name, tree in trees.items() if name.startswith(packages)))
    return collected | set(Stat.__struct_fields__) - NO_LOSS


def test_the_search_finds_each_way_of_counting() -> None:
    text = 'A = "a"\nself.count(source, A if x else "b")\ncounters[s, "c"] += 1\nCounter({(source.id, "d"): 1})'
    text += '\nwith_counts(r, "e", n)'
    assert counted(ast.parse(text)) == {"a", "b", "c", "d", "e"}


def test_every_counter_in_the_code_is_explained(in_code: set[str]) -> None:
    keys = {"source_id", "dataset", "day", "layer", "unit", "realm"}
    assert {"torn", "dropped", "refused", "refused_queue_full", "redelivered", "unparsed", "records"} <= in_code
    assert in_code - keys - set(health.PLAIN) - set(LOSSES) == set()
    assert set(LOSSES) == set(LOSS_HELP)


def test_every_explained_counter_is_counted(in_code: set[str], trees: dict[str, ast.Module]) -> None:
    of_processes = {node.value for node in ast.walk(trees["soc_center.health"]) if isinstance(node, ast.Constant)}
    assert set(LOSSES) - in_code - of_processes == set()


def test_the_losses_of_every_source_begin_at_zero(in_code: set[str]) -> None:
    assert set(metrics.ALWAYS) == set(LOSSES) & in_code


def test_the_documented_counters_are_those_of_the_console(root: Path) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", (root / "docs" / "counters.md").read_text("utf-8"), re.M)
    assert rows == [(name, title, LOSS_HELP[name]) for name, title in LOSSES.items()]
