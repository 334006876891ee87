"""The tables of docs/sources.md: what each format carries, and which SigmaHQ rules it reaches.

``python -m tests.project.sources_table PATH_OF_ZIP`` writes them anew; a test holds the document to what this makes.
"""

import sys
from collections import Counter
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

import yaml

from collectors.format import FORMATS, format_names, load_format
from detection_rules.library import read_documents
from detection_rules.rule import RuleSet
from detection_rules.ruleset import load_rules
from soc_center.provided import offers, provided
from soc_model.layer import Layer
from soc_model.source import Logsource, Source

DOCUMENT = Path(__file__).parents[2] / "docs" / "sources.md"
BEGIN, END = "<!-- formats: made by tests/project/sources_table.py -->", "<!-- end of formats -->"
HEAD = "| format | what it reads | logsources of its events (product/category/service) | SigmaHQ rules |"
INNER = "beats"  # carries the events of another format


def rules_of(archive: Path) -> RuleSet:
    """SigmaHQ's rules as they load."""
    library = read_documents([archive])
    return load_rules(library.documents, refused=library.refused)


def source_of(name: str) -> Source:
    """A source of a format that says nothing of its logsource."""
    return Source(id=name, name=name, transport="file", format=name, layer=Layer.HOST, unit="u")


def _parts(product: str, category: str, services: list[str]) -> str:
    return f"{product}/{category}/{', '.join(sorted(services))}"


def described(name: str) -> str:
    """The first sentence that a format says of itself."""
    path = FORMATS / f"{name}.yml"
    if path.is_file():
        text = str(yaml.safe_load(path.read_text("utf-8"))["description"])
    else:
        text = (import_module(f"collectors.formats.{name}").__doc__ or "").partition("\n\n")[0]
    return text.partition(". ")[0].partition(":")[0].strip().rstrip(".").replace("\n", " ").replace("``", "`")


def written(logsources: Iterable[Logsource]) -> str:
    """Logsources as ``product/category/service``, services of the same product and category together."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in logsources:
        found.setdefault((one.product, one.category), []).append(one.service)
    parts = [_parts(*named, services) for named, services in found.items()]
    return "; ".join("as the source says" if part == "//" else part for part in sorted(parts))


def reached(rules: RuleSet, name: str) -> int:
    """How many rules events of a format can reach."""
    return len(rules.rules) - len(rules.unsourced(provided([source_of(name)], rules.rules)))


def format_rows() -> list[str]:
    """For each format its row without the count of rules."""
    rows = []
    for name in format_names():
        assert load_format(name).name == name
        rows.append(f"| `{name}` | {described(name)} | {written(offers(source_of(name)))} |")
    return rows


def table(rules: RuleSet) -> str:
    """The table of formats."""
    counts = ["by its inner format" if name == INNER else reached(rules, name) for name in format_names()]
    rows = [f"{row} {count} |" for row, count in zip(format_rows(), counts, strict=True)]
    return "\n".join([HEAD, "|---|---|---|---|", *rows])


def without_source(rules: RuleSet) -> Counter[str]:
    """How many rules of each logsource no format reaches by itself."""
    sources = [source_of(name) for name in format_names() if name != INNER]
    left = rules.unsourced(provided(sources, rules.rules))
    return Counter(f"{rule.logsource.product}/{rule.logsource.category}/{rule.logsource.service}" for rule in left)


if __name__ == "__main__":
    text = DOCUMENT.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    made = table(rules_of(Path(sys.argv[1])))
    DOCUMENT.write_text(f"{before}{BEGIN}\n{made}\n{END}{rest.partition(END)[2]}", "utf-8")
