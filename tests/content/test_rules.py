"""Our own rules: valid Sigma, real tags, both titles, and every sample through the real way in."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest
import yaml
from sigma.collection import SigmaCollection
from sigma.rule import SigmaRule
from sigma.validation import SigmaValidator
from sigma.validators.core import validators

from collectors.format import format_names
from detection_rules.snapshot import Snapshot
from soc_center.pipeline import run_sample
from soc_model.event import COLUMNS, HEADER
from soc_model.layer import Layer

FOLDER = Path(__file__).resolve().parents[2] / "detection_rules" / "rules"
FILES = sorted(FOLDER.rglob("*.yml"))
NAMES = [str(path.relative_to(FOLDER).with_suffix("")) for path in FILES]
DOWNLOADING = {
    "attacktag",
    "d3_fendtag",
}  # these fetch ATT&CK and D3FEND; the tags are held against our own facts below

each_rule = pytest.mark.parametrize("path", FILES, ids=NAMES)


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text("utf-8"))


def samples() -> Iterator[Any]:
    for path, name in zip(FILES, NAMES, strict=True):
        for kind in ("match", "no_match"):
            for nth, sample in enumerate(read(path)["tests"][kind]):
                yield pytest.param(read(path)["id"], sample, kind == "match", id=f"{name}-{kind}-{nth}")


@pytest.mark.parametrize(("rule_id", "sample", "fires"), list(samples()))
def test_sample_through_the_pipeline(rule_id: str, sample: dict[str, Any], fires: bool, own_rules: Snapshot) -> None:
    assert (rule_id in run_sample(sample, own_rules)) is fires


@each_rule
def test_sample_counts_and_formats(path: Path) -> None:
    tests = read(path)["tests"]
    assert set(tests) == {"match", "no_match"}
    assert all(tests.values())
    assert {sample["format"] for kind in tests.values() for sample in kind} <= set(format_names())


@each_rule
def test_names_and_titles(path: Path) -> None:
    rule = read(path)
    assert re.fullmatch(r"[a-z0-9_]{10,70}\.yml", path.name)
    assert UUID(rule["id"]).version == 4
    assert rule["title"].isascii()
    assert re.search(r"[\u4e00-\u9fff]", rule["fengsui"]["title_zh"])
    assert set(rule["fengsui"]) == {"title_zh", "group_by"}


@each_rule
def test_alerts_are_grouped_by_columns_of_the_archive(path: Path) -> None:
    group_by = read(path)["fengsui"]["group_by"]
    assert group_by
    assert set(group_by) <= {*HEADER, "source_id"} <= set(COLUMNS)


@each_rule
def test_meta_data_is_complete(path: Path) -> None:
    rule = read(path)
    assert {"status", "description", "references", "author", "date", "tags", "falsepositives", "level"} <= set(rule)
    assert rule["author"] == "fengsui"
    assert rule["tags"]


@each_rule
def test_tags_are_techniques_with_their_tactics(path: Path, techniques: dict[str, list[str]]) -> None:
    tags = [tag.removeprefix("attack.") for tag in read(path)["tags"]]
    ids = [tag.upper() for tag in tags if re.fullmatch(r"t\d{4}(\.\d{3})?", tag)]
    assert ids
    assert set(ids) <= set(techniques)
    tactics = {tactic for technique in ids for tactic in techniques[technique]}
    assert set(tags) - {technique.lower() for technique in ids} <= tactics


def test_pysigma_validates_all() -> None:
    rules = SigmaCollection.load_ruleset([FOLDER])
    assert [rule.errors for rule in rules if rule.errors] == []
    chosen = [validator for name, validator in validators.items() if name not in DOWNLOADING]
    assert [str(issue) for issue in SigmaValidator(chosen).validate_rules(iter(rules))] == []


@each_rule
def test_detection_survives_pysigma_and_back(path: Path) -> None:
    rule = SigmaRule.from_yaml(path.read_text("utf-8"))
    assert SigmaRule.from_dict(rule.to_dict()).detection == rule.detection


@each_rule
def test_schema_of_the_specification(path: Path, shared: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = json.loads((shared / "schemas/sigma/json-schema/sigma-detection-rule-schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate({**read(path), "date": str(read(path)["date"])})


@pytest.mark.parametrize("layer", list(Layer))
def test_every_layer_has_rules(layer: Layer) -> None:
    assert len([path for path in FILES if path.parent.name == layer]) >= 2


def test_ids_and_titles_are_unique() -> None:
    rules = [read(path) for path in FILES]
    titles = [rule["fengsui"]["title_zh"] for rule in rules] + [rule["title"] for rule in rules]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert len(set(titles)) == 2 * len(rules)


def test_no_rule_is_one_of_sigmahq(shared: Path) -> None:
    with ZipFile(shared / "rules" / "sigma_all_rules.zip") as archive:
        theirs = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".yml")]
    heads = {line for text in theirs for line in text.splitlines() if line.startswith(("id:", "title:"))}
    ours = {f"{key}: {read(path)[key]}" for path in FILES for key in ("id", "title")}
    assert ours & heads == set()
