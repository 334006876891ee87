"""What the tests of rules and drill share: our rule files, and the snapshot of all of them."""

import json
from pathlib import Path

import pytest

from detection_rules.library import read_documents
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import Snapshot, compile_snapshot


@pytest.fixture(scope="session")
def rules_folder(root: Path) -> Path:
    """Our own rules."""
    return root / "detection_rules" / "rules"


@pytest.fixture(scope="session")
def own_rules(rules_folder: Path) -> Snapshot:
    """All our own rules, compiled; none of them is refused."""
    library = read_documents([rules_folder])
    ruleset = load_rules(library.documents, refused=library.refused)
    assert [str(refusal) for refusal in ruleset.refused] == []
    return compile_snapshot(ruleset)


@pytest.fixture(scope="session")
def techniques(root: Path) -> dict[str, list[str]]:
    """The tactics of every ATT&CK technique, by its id."""
    facts = json.loads((root / "detection_rules" / "attack" / "techniques.json").read_text("utf-8"))
    return {technique["id"]: technique["tactics"] for technique in facts["techniques"]}
