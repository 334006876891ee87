"""The one import law: who may import whom, no cycles, imports on top."""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import pytest

STAGES = {"collectors", "detection_rules", "risk_assessment", "compliance", "response_playbooks"}
LAW = {
    "soc_model": set(),
    "soc_store": {"soc_model"},
    **{stage: {"soc_model"} for stage in STAGES},
    "soc_api": {"soc_model", "soc_store", *STAGES},
    "soc_center": {"soc_model", "soc_store", "soc_api", *STAGES},
}
#: Only these may be imported inside functions: heavy drivers that one process needs and the others must not load.
LAZY = {
    "alembic": "a migration, once in the life of a release",
    "duckdb": "the archiver and the query child; its threads and memory must not be forked",
    "evtx": "a detect worker that meets such a file",
    "hyperscan": "a snapshot with regexes",
    "sqlalchemy": "processes that hold the state database",
}


def is_type_checking(node: ast.AST) -> bool:
    """Whether ``node`` is ``if TYPE_CHECKING:``, whose imports never run."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def nodes_that_run(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below ``node`` but the bodies of ``if TYPE_CHECKING:``."""
    for child in ast.iter_child_nodes(node):
        if not is_type_checking(child):
            yield child
            yield from nodes_that_run(child)


def imported(name: str, tree: ast.AST, modules: set[str]) -> Iterator[str]:
    """The dotted names that module ``name`` imports; a submodule is told from a noun by being among ``modules``."""
    is_package = any(other.startswith(f"{name}.") for other in modules)
    for node in nodes_that_run(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = name.split(".")[: len(name.split(".")) - node.level + is_package]
            start = ".".join([*(up if node.level else []), *([node.module] if node.module else [])])
            for alias in node.names:
                submodule = f"{start}.{alias.name}"
                yield submodule if submodule in modules else start


def deferred(tree: ast.Module) -> set[str]:
    """Top names of what is imported inside functions."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {name.partition(".")[0] for function in functions for name in imported("", function, set())}


def test_every_package_is_in_the_law(packages: list[str]) -> None:
    assert set(packages) <= set(LAW)


def test_packages_import_only_what_the_law_allows(trees: dict[str, ast.Module]) -> None:
    broken = [
        f"{name} imports {other}"
        for name, tree in trees.items()
        for other in imported(name, tree, set(trees))
        if (top := other.partition(".")[0]) in LAW and top != (own := name.partition(".")[0]) and top not in LAW[own]
    ]
    assert broken == []


def test_the_words_need_msgspec_and_nothing_else(trees: dict[str, ast.Module]) -> None:
    allowed = {"soc_model", "msgspec", *sys.stdlib_module_names}
    words = {name: tree for name, tree in trees.items() if name.partition(".")[0] == "soc_model"}
    assert words
    foreign = {top for name, tree in words.items() for top in imported(name, tree, set(trees))}
    assert {name.partition(".")[0] for name in foreign} <= allowed


def test_no_import_cycles(trees: dict[str, ast.Module]) -> None:
    graph = {name: set(imported(name, tree, set(trees))) & set(trees) for name, tree in trees.items()}
    try:
        TopologicalSorter({name: others - {name} for name, others in graph.items()}).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(reversed(error.args[1]))}")


def test_only_heavy_drivers_are_imported_inside_functions(trees: dict[str, ast.Module]) -> None:
    hidden = {name: found for name, tree in trees.items() if (found := deferred(tree) - set(LAZY))}
    assert hidden == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a.b", ["a.b"]),
        ("from p import m, Noun", ["p.m", "p"]),
        ("from . import m", ["p.m"]),
        ("from .m import Noun", ["p.m"]),
        ("if TYPE_CHECKING:\n    import never", []),
        ("def f():\n    import late", ["late"]),
    ],
)
def test_the_reader_of_imports_sees(source: str, expected: list[str]) -> None:
    assert list(imported("p.own", ast.parse(source), {"p", "p.own", "p.m"})) == expected
