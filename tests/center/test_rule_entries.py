"""Every document that was read is an entry, with an id of its own, whatever is wrong with it."""

import zipfile
from pathlib import Path

import msgspec
import pytest

from soc_center.rule_choice import RuleChoice
from soc_center.rule_entries import entries
from soc_center.rules_reading import read_rules
from soc_model.layer import Level
from soc_model.rule_entry import RuleEntry, Standing
from soc_model.rule_state import RuleOrigin, RuleState
from soc_model.source import Source
from tests.center.test_rule_update import ident, rule

SOURCE = {"id": "s", "name": "s", "transport": "http", "layer": "host", "unit": "u"}


def listed(tmp_path: Path, texts: dict[str, str], *sources: Source, **states: RuleState) -> dict[str, RuleEntry]:
    """Entries by the file that they are of."""
    with zipfile.ZipFile(tmp_path / "rules.zip", "w") as packed:
        for name, text in texts.items():
            packed.writestr(name, text)
    path = (str(tmp_path / "rules.zip"), RuleOrigin.IMPORTED)
    decided = {ident(int(n[1:])): state for n, state in states.items()}
    read = read_rules(RuleChoice(paths=(path,), states=decided, min_level=Level.MEDIUM))
    ruleset = read.load(list(read.wanted().values()))
    found = [each.entry for each in entries(read, ruleset.rules, ruleset.refused, sources)]
    assert len({each.id for each in found}) == len(found)
    return {each.path.rpartition("!")[2]: each for each in found}


@pytest.mark.parametrize(
    ("text", "standing", "reason"),
    [
        (rule(2), Standing.RUNS, ""),
        (rule(2, status="experimental"), Standing.RUNS, ""),
        (rule(2, "low"), Standing.BELOW, ""),
        (rule(2, status="deprecated"), Standing.IDLE, ""),
        (rule(1), Standing.REFUSED, "its id is taken"),
        (rule(2).replace("condition: x", "condition: y"), Standing.REFUSED, "y"),
        (rule(2, "low").replace("level: low", "level: [").strip(), Standing.REFUSED, "YAML"),
        (rule(2).replace(ident(2), "../../<script>"), Standing.REFUSED, "id"),
        (rule(2).replace("title: Rule 2", "title: [a]"), Standing.REFUSED, ""),
        ("- just\n- a list\n", Standing.REFUSED, "not a mapping"),
    ],
)
def test_each_document_says_what_is_done_with_it(tmp_path: Path, text: str, standing: Standing, reason: str) -> None:
    found = listed(tmp_path, {"a.yml": rule(1), "b.yml": text})
    assert found["a.yml"].standing is Standing.RUNS
    assert found["b.yml"].standing is standing
    assert reason in found["b.yml"].reason
    assert found["b.yml"].id.replace("-", "").replace(".", "").isalnum()


def test_a_state_of_people_goes_before_what_a_rule_says(tmp_path: Path) -> None:
    texts = {"a.yml": rule(1), "b.yml": rule(2, status="deprecated")}
    found = listed(tmp_path, texts, n1=RuleState.DRAFT, n2=RuleState.ACTIVE)
    assert (found["a.yml"].standing, found["a.yml"].first_state) == (Standing.IDLE, RuleState.ACTIVE)
    assert (found["b.yml"].standing, found["b.yml"].first_state) == (Standing.RUNS, RuleState.RETIRED)


@pytest.mark.parametrize(("product", "silent"), [("killtest", False), ("other", True)])
def test_a_rule_that_no_source_feeds_says_so(tmp_path: Path, product: str, silent: bool) -> None:
    source = msgspec.convert({**SOURCE, "format": "json", "logsource": {"product": product}}, Source)
    assert listed(tmp_path, {"a.yml": rule(1)}, source)["a.yml"].no_source is silent


@pytest.mark.parametrize(
    ("kind", "products", "silent"),
    [
        ("event_count", ("killtest",), False),
        ("event_count", ("other",), True),
        ("event_count", ("killtest", "other"), False),
        ("temporal", ("killtest", "other"), True),
        ("temporal_ordered", ("killtest", "killtest"), False),
    ],
)
def test_a_correlation_is_fed_as_its_parts_are(
    tmp_path: Path, kind: str, products: tuple[str, ...], silent: bool
) -> None:
    parts = [rule(n).replace("killtest", product) for n, product in enumerate(products, 1)]
    names = [ident(n) for n in range(1, len(parts) + 1)]
    more = "" if kind.startswith("temporal") else ", condition: {gte: 2}"
    whole = (
        f"title: c\nid: {ident(9)}\nlevel: high\ncorrelation: {{type: {kind}, rules: {names}, timespan: 5m{more}}}\n"
    )
    source = msgspec.convert({**SOURCE, "format": "json", "logsource": {"product": "killtest"}}, Source)
    found = listed(tmp_path, {f"{n}.yml": text for n, text in enumerate([*parts, whole])}, source)
    assert (found[f"{len(parts)}.yml"].no_source, found[f"{len(parts)}.yml"].reason) == (silent, "")
