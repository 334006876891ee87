"""``fengsui rules new``: a rule file with fresh id, both titles and samples that pass at once.

What it begins with stands in ``rule_scaffold.yml`` by format. A declared format that is not there begins with the
smallest record its declaration recognises. What would not pass is never written.
"""

import re
import uuid
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import yaml

from collectors.declaration import Declaration
from collectors.declared import DeclaredFormat
from collectors.format import format_names, load_format
from collectors.record_reader import Reading
from detection_rules.library import read_documents
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import compile_snapshot
from soc_center.pipeline import run_sample
from soc_model.layer import Layer, Level
from soc_model.problem import Problem

SCAFFOLD = Path(__file__).with_name("rule_scaffold.yml")
_NAME = re.compile(r"[a-z][a-z0-9_]{9,69}")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_TIMES = {"s": 1_790_000_000, "ms": 1_790_000_000_000, "us": 1_790_000_000_000_000}
_ISO = "2026-09-21T09:00:00+08:00"
HEADING = """\
# New: make detection, description, references, tags (attack.TACTIC and attack.tNNNN) and both samples yours; then
# `fengsui rules check THIS_FILE`.
"""


class RuleDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What a new rule is to be; ``format`` is that of the records it looks at."""

    layer: Layer
    name: str
    title: str
    title_zh: str
    level: Level
    format: str


def rules_folder(here: Path, own: Path) -> Path:
    """Where new rules go: our own rules inside a source checkout, else ``rules`` in the present folder."""
    checkout = own.parents[1]
    return own if (checkout / "pyproject.toml").is_file() and here.is_relative_to(checkout) else here / "rules"


def write_rule(draft: RuleDraft, folder: Path, *, own: Path) -> Path:
    """Write ``folder/LAYER/NAME.yml``; raises Problem for a bad name or title, and where the file is there already."""
    _check(draft)
    path = folder / draft.layer.value / f"{draft.name}.yml"
    if path.exists():
        raise Problem(str(path), "is there already")
    data = rule_data(draft, author="fengsui" if folder.resolve() == own.resolve() else "")
    text = HEADING + yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=120, indent=4)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise Problem(str(path), "is there already") from error
    try:
        _prove(path, data)
    except BaseException:
        path.unlink()
        raise
    return path


def rule_data(draft: RuleDraft, *, author: str = "") -> dict[str, Any]:
    """The rule as data, with an id of its own."""
    start = scaffold(draft.format)
    sample: dict[str, Any] = {"format": start.get("samples_as", draft.format)}
    if "sample_logsource" in start:
        sample["logsource"] = start["sample_logsource"]
    return {
        "title": draft.title,
        "id": str(uuid.uuid4()),
        "status": "experimental",
        "description": f"{draft.title}. Say what happened, why it matters and what a person should do.",
        "references": [],
        **({"author": author} if author else {}),
        "date": date.today(),
        "tags": [],
        "logsource": start["logsource"],
        "detection": {"selection": start["detection"], "condition": "selection"},
        "falsepositives": ["Unknown"],
        "level": draft.level.value,
        "fengsui": {"title_zh": draft.title_zh, "group_by": start["group_by"]},
        "tests": {kind: [{**sample, "record": start[kind]}] for kind in ("match", "no_match")},
    }


def scaffold(format_name: str) -> dict[str, Any]:
    """What a rule over records of that format begins with; raises Problem where nothing is known of the format."""
    known: dict[str, dict[str, Any]] = yaml.safe_load(SCAFFOLD.read_text("utf-8"))
    if format_name in known:
        return known[format_name]
    found = load_format(format_name)
    if isinstance(found, DeclaredFormat):
        return _declared(found)
    raise Problem(f"--format {format_name}", f"has no sample record yet; there are {', '.join(sorted(known))}")


def _declared(found: DeclaredFormat) -> dict[str, Any]:
    """The smallest record that the declaration recognises, and a detection on the first of its fields that is free."""
    record = _smallest(found.declaration)
    taken = {*found.declaration.must_be, *(name for name, _ in found.declaration.times)}
    field = next((name for name in record if name not in taken), "message")
    reading = found.declaration.reading
    match, no_match = (_written(reading, {**record, field: value}) for value in ("example", "other"))
    cut = found.cut(match.encode() if isinstance(match, str) else msgspec.json.encode(match), {}, True)
    (group,) = found.parse(cut.records, {**cut.context, "received": _TIMES["us"]}, lambda _: None)
    logsource = {part: value for part, value in msgspec.to_builtins(group.type.logsource).items() if value}
    start = {"detection": {field: "example"}, "group_by": ["source_id"], "match": match, "no_match": no_match}
    if logsource:
        return {**start, "logsource": logsource}
    example = {"product": "example"}
    return {**start, "logsource": example, "sample_logsource": dict(example)}


def _smallest(declaration: Declaration) -> dict[str, Any]:
    record: dict[str, Any] = {names[0]: "example" for names in declaration.must_have}
    record |= {name: values[0] for name, values in declaration.must_be.items()}
    name, kind = declaration.times[0]
    return record | {name: _TIMES.get(kind, _ISO)}


def _written(reading: Reading, record: dict[str, Any]) -> dict[str, Any] | str:
    """The record as its format writes it: JSON as it is, anything else as text."""
    if reading.kind == "json":
        return record
    if reading.kind == "text":
        return str(record["message"])
    if reading.kind == "pairs":
        return " ".join(f'{name}="{value}"' for name, value in record.items())
    between = reading.separator or " "
    if reading.kind == "header":
        return f"{reading.mark}{between}{between.join(record)}\n{between.join(map(str, record.values()))}"
    columns = {name: record.get(name.rstrip("*?"), "example") for name in reading.names}
    return " ".join(str(value) if name[-1] == "*" else f'"{value}"' for name, value in columns.items())


def _check(draft: RuleDraft) -> None:
    if not _NAME.fullmatch(draft.name):
        raise Problem(f"NAME {draft.name!r}", "must be 10-70 small letters, digits and _, beginning with a letter")
    if not draft.title.strip() or not draft.title.isascii() or not draft.title.isprintable():
        raise Problem("--title", "must be English text of one line")
    if not _CHINESE.search(draft.title_zh) or not draft.title_zh.isprintable():
        raise Problem("--title-zh", "must be Chinese text of one line")
    if draft.format not in format_names():
        raise Problem("--format", f"no format {draft.format!r}; there are {', '.join(format_names())}")


def _prove(path: Path, data: dict[str, Any]) -> None:
    """Raise Problem unless the written rule loads, fires on its match and not on its no_match."""
    library = read_documents([path])
    snapshot = compile_snapshot(load_rules(library.documents, refused=library.refused))
    for refusal in snapshot.refused:
        raise Problem(str(path), refusal.reason)
    for kind, samples in data["tests"].items():
        for sample in samples:
            if (data["id"] in run_sample(sample, snapshot)) != (kind == "match"):
                raise Problem(str(path), f"its {kind} sample does not hold; report this")
