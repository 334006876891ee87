"""Our own rules: valid Sigma, real tags, both titles, and every sample through the real way in.

A file holds one rule, or a correlation followed by the rules and correlations that it builds on; only the first
document is what people see, so it alone carries the meta data and the samples.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest
import yaml
from sigma.collection import SigmaCollection
from sigma.data import mitre_attack
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
FETCHING = "d3_fendtag"  # downloads D3FEND, of which no rule has a tag
LEAST_RULES, LEAST_OF_LAYER, LEAST_CORRELATIONS = 100, 15, 10

each_file = pytest.mark.parametrize("path", FILES, ids=NAMES)


@cache
def documents(path: Path) -> list[dict[str, Any]]:
    """The documents of a file."""
    return list(yaml.load_all(path.read_text("utf-8"), Loader=yaml.CSafeLoader))


def head(path: Path) -> dict[str, Any]:
    """What the file is about: a rule, or the correlation that the others serve."""
    return documents(path)[0]


def everything() -> list[dict[str, Any]]:
    return [document for path in FILES for document in documents(path)]


def samples() -> Iterator[Any]:
    for path, name in zip(FILES, NAMES, strict=True):
        for kind in ("match", "no_match"):
            for nth, sample in enumerate(head(path)["tests"][kind]):
                expected = {head(path)["id"]} if kind == "match" else set()
                yield pytest.param(sample, expected, id=f"{name}-{kind}-{nth}")


@pytest.mark.parametrize(("sample", "expected"), list(samples()))
def test_sample_through_the_pipeline(sample: dict[str, Any], expected: set[str], own_rules: Snapshot) -> None:
    """A sample fires its own rule and no other of ours; what must not fire is silent under all of them."""
    assert run_sample(sample, own_rules) == expected


@each_file
def test_sample_counts_and_formats(path: Path) -> None:
    tests = head(path)["tests"]
    assert set(tests) == {"match", "no_match"}
    assert all(len(kind) >= 2 for kind in tests.values())
    assert {sample["format"] for kind in tests.values() for sample in kind} <= set(format_names())
    wanted = "records" if "correlation" in head(path) else "record"
    assert all(wanted in sample for kind in tests.values() for sample in kind)


@each_file
def test_names_and_titles(path: Path) -> None:
    assert re.fullmatch(r"[a-z0-9_]{10,70}\.yml", path.name)
    for document in documents(path):
        assert UUID(document["id"]).version == 4
        assert document["title"].isascii()
        assert re.search(r"[\u4e00-\u9fff]", document["fengsui"]["title_zh"])
        assert set(document["fengsui"]) <= {"title_zh", "group_by"}


@each_file
def test_alerts_are_grouped_by_columns_of_the_archive(path: Path) -> None:
    """A correlation says itself by what it groups."""
    if "correlation" in head(path):
        assert "group_by" not in head(path)["fengsui"]
        assert head(path)["correlation"]["group-by"]
    else:
        group_by = head(path)["fengsui"]["group_by"]
        assert group_by
        assert set(group_by) <= {*HEADER, "source_id"} <= set(COLUMNS)


@each_file
def test_meta_data_is_complete(path: Path) -> None:
    rule = head(path)
    assert {"status", "description", "references", "author", "date", "tags", "falsepositives", "level"} <= set(rule)
    assert rule["author"] == "fengsui"
    assert rule["tags"]


@each_file
def test_what_a_correlation_builds_on_is_its_own(path: Path) -> None:
    """Base rules raise no alert of their own, so a rule that should is never one of them."""
    rule, *bases = documents(path)
    assert bool(bases) is ("correlation" in rule)
    assert not any({"tests", "tags"} & set(base) for base in bases)
    assert all(base["name"].startswith("fengsui_") and base["level"] == "informational" for base in bases)
    named = [name for one in (rule, *bases) for name in one.get("correlation", {}).get("rules", [])]
    assert set(named) == {base["name"] for base in bases}


@each_file
def test_tags_are_techniques_with_their_tactics(path: Path, techniques: dict[str, list[str]]) -> None:
    tags = [tag.removeprefix("attack.") for tag in head(path)["tags"]]
    ids = [tag.upper() for tag in tags if re.fullmatch(r"t\d{4}(\.\d{3})?", tag)]
    assert ids
    assert set(ids) <= set(techniques)
    tactics = {tactic for technique in ids for tactic in techniques[technique]}
    assert set(tags) - {technique.lower() for technique in ids} <= tactics


@pytest.fixture
def local_attack(techniques: dict[str, list[str]], tmp_path: Path) -> Iterator[None]:
    """pySigma's ATT&CK data made of our own facts, in the shape of the file that it would download."""

    def known(type_: str, id_: str, **more: object) -> dict[str, object]:
        return {"type": type_, "external_references": [{"source_name": "mitre-attack", "external_id": id_}], **more}

    tactics = sorted({tactic for found in techniques.values() for tactic in found})
    objects = [known("x-mitre-tactic", f"TA{n}", x_mitre_shortname=tactic) for n, tactic in enumerate(tactics)]
    objects += [known("attack-pattern", technique, name=technique) for technique in techniques]
    file = tmp_path / "attack.json"
    file.write_text(json.dumps({"objects": objects}), "utf-8")
    mitre_attack.set_cache_dir(str(tmp_path / "cache"))
    mitre_attack.set_url(str(file))
    yield
    mitre_attack.set_cache_dir(str(tmp_path / "cache"))  # closes the one that is open


def test_pysigma_validates_all(local_attack: None) -> None:
    rules = SigmaCollection.load_ruleset([FOLDER])
    assert [rule.errors for rule in rules if rule.errors] == []
    rules.resolve_rule_references()
    chosen = [validator for name, validator in validators.items() if name != FETCHING]
    assert [str(issue) for issue in SigmaValidator(chosen).validate_rules(iter(rules))] == []


@each_file
def test_detection_survives_pysigma_and_back(path: Path) -> None:
    for document in documents(path):
        if "detection" in document:
            rule = SigmaRule.from_dict(document)
            assert SigmaRule.from_dict(rule.to_dict()).detection == rule.detection


@pytest.fixture(scope="module")
def schemas(shared: Path) -> dict[str, Any]:
    """The schemas of the specification: of detections, and of correlations."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    folder = shared / "schemas/sigma/json-schema"
    files = {"detection": "sigma-detection-rule-schema.json", "correlation": "sigma-correlation-rules-schema.json"}
    return {
        key: jsonschema.Draft202012Validator(json.loads((folder / name).read_text("utf-8")))
        for key, name in files.items()
    }


@each_file
def test_schema_of_the_specification(path: Path, schemas: dict[str, Any]) -> None:
    for document in documents(path):
        schema = schemas["correlation" if "correlation" in document else "detection"]
        schema.validate({**document, "date": str(document["date"])})


def test_there_are_enough_of_each_layer() -> None:
    rules = [path for path in FILES if "detection" in head(path)]
    of_layer = Counter(path.parent.name for path in rules)
    assert set(of_layer) == set(Layer)
    assert min(of_layer.values()) >= LEAST_OF_LAYER
    assert len(rules) >= LEAST_RULES
    assert len(FILES) - len(rules) >= LEAST_CORRELATIONS


def test_ids_names_and_titles_are_unique() -> None:
    found = [
        (key, value)
        for document in everything()
        for key, value in (*document.items(), ("title", document["fengsui"]["title_zh"]))
        if key in {"id", "name", "title"}
    ]
    assert [one for one, times in Counter(found).items() if times > 1] == []


def test_no_rule_is_one_of_sigmahq(shared: Path) -> None:
    with ZipFile(shared / "rules" / "sigma_all_rules.zip") as archive:
        theirs = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".yml")]
    heads = {line for text in theirs for line in text.splitlines() if line.startswith(("id:", "title:"))}
    ours = {f"{key}: {document[key]}" for document in everything() for key in ("id", "title")}
    assert ours & heads == set()
