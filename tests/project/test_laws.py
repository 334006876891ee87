"""What no module of the product may do, told from its syntax: run text as code, unpickle, start a shell."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

NEVER_IMPORTED = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "multiprocessing"}
NEVER_CALLED = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "pickle.loads", "pickle.load"),
    *("yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load", "yaml.full_load_all"),
    *("asyncio.create_subprocess_shell", "subprocess.getoutput", "subprocess.getstatusoutput"),
}
SAFE_LOADER = re.compile(r"Safe|Sigma")


def imports(node: ast.AST) -> str:
    """A pickling or multiprocessing module that is imported (its queues, pools and pipes pickle)."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    return next((name for name in names if name.partition(".")[0] in NEVER_IMPORTED), "")


def calls(node: ast.AST) -> str:
    """A call that runs text as code or as a shell's, or unpickles."""
    called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    return called if called in NEVER_CALLED else ""


def starts_a_shell(node: ast.AST) -> str:
    """A call with ``shell=`` anything but False."""
    keywords = node.keywords if isinstance(node, ast.Call) else []
    return next((ast.unparse(k) for k in keywords if k.arg == "shell" and ast.unparse(k.value) != "False"), "")


def loads_yaml(node: ast.AST) -> str:
    """``yaml.load`` with a loader that does not call itself safe (or Sigma's, which is a SafeLoader)."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func) not in ("yaml.load", "yaml.load_all"):
        return ""
    loader = [ast.unparse(arg) for arg in node.args[1:]] + [ast.unparse(k.value) for k in node.keywords]
    return "" if len(loader) == 1 and SAFE_LOADER.search(loader[0]) else ast.unparse(node)


def parses_xml(node: ast.AST) -> str:
    """An import of the standard library's XML parsers; defusedxml has the same functions."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    return next((name for name in names if name.partition(".")[0] == "xml"), "")


def sees_everything(node: ast.AST) -> str:
    """A ``Scope(units=None, ...)``: the scope of every unit."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] != "Scope":
        return ""
    return next((ast.unparse(node) for k in node.keywords if k.arg == "units" and ast.unparse(k.value) == "None"), "")


LAWS: list[tuple[Callable[[ast.AST], str], str, str]] = [
    (imports, "import multiprocessing", ""),
    (imports, "from pickle import loads", ""),
    (calls, "eval(text)", ""),
    (calls, "os.system(text)", ""),
    (starts_a_shell, "subprocess.run(text, shell=True)", ""),
    (loads_yaml, "yaml.load(text, Loader=yaml.Loader)", ""),
    (loads_yaml, "yaml.load_all(text)", ""),
    (parses_xml, "from xml.etree import ElementTree", ""),
    (sees_everything, "Scope(units=None, realms=realms)", "soc_center"),
]


@pytest.mark.parametrize(("law", "example", "exempt"), LAWS, ids=[example for _, example, _ in LAWS])
def test_no_module_breaks(
    law: Callable[[ast.AST], str], example: str, exempt: str, trees: dict[str, ast.Module]
) -> None:
    assert any(law(node) for node in ast.walk(ast.parse(example)))
    broken = [
        f"{name}:{getattr(node, 'lineno', 0)}: {found}"
        for name, tree in trees.items()
        if name.partition(".")[0] != exempt
        for node in ast.walk(tree)
        if (found := law(node))
    ]
    assert broken == []


@pytest.mark.parametrize("allowed", ["yaml.load(text, Loader=CSafeLoader)", "re.compile(text)", "f(shell=False)"])
def test_the_laws_allow(allowed: str) -> None:
    tree = ast.parse(allowed)
    assert [law.__name__ for law, _, _ in LAWS for node in ast.walk(tree) if law(node)] == []


def test_no_tracked_file_names_a_place_of_the_people_who_wrote_it(tracked: list[Path]) -> None:
    place = re.compile(rb"(?<![\w.~])/wor[k]/(?:main|shared)\b|/tm[p]/(?:env311|contract)")
    assert [str(path) for path in tracked if place.search(path.read_bytes())] == []


def test_no_file_of_the_installation_names_a_registry(root: Path, tracked: list[Path]) -> None:
    host = re.compile(r"(?:https?|git|ssh)(?:\+\w+)?://[\w.-]+")
    folders = {root / "requirements", root / "scripts", root / ".ci"}
    names = {"Makefile", "pyproject.toml", "hatch_build.py", "package.json"}
    files = [path for path in tracked if path.parent in folders or path.name in names]
    assert len(files) > len(names)
    assert {path.name: found for path in files if (found := host.findall(path.read_text("utf-8")))} == {}


def test_the_lock_of_the_console_names_no_registry(tracked: list[Path]) -> None:
    locks = [path for path in tracked if path.name == "package-lock.json"]
    assert locks
    assert [str(path) for path in locks if '"resolved"' in path.read_text("utf-8")] == []
