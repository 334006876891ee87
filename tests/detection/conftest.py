"""Rules and events made of a few words, for every test of the detection stage."""

from pathlib import Path

import pytest

from detection_rules.library import Library, read_documents
from detection_rules.rule import RuleDocument
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import Snapshot, compile_snapshot


@pytest.fixture(scope="session")
def sigma_library(shared: Path) -> Library:
    """All SigmaHQ rule documents."""
    return read_documents([shared / "rules" / "sigma_all_rules.zip"])


@pytest.fixture(scope="session")
def sigma_snapshot(sigma_library: Library) -> Snapshot:
    """All SigmaHQ rules, compiled; its caches are shared by the tests, its meaning never changes."""
    return compile_snapshot(load_rules(sigma_library.documents, refused=sigma_library.refused))


@pytest.fixture
def sigma_documents(sigma_library: Library) -> list[RuleDocument]:
    """The documents themselves."""
    return sigma_library.documents


@pytest.fixture(params=[True, False], ids=["hyperscan", "without"])
def hyperscan(request: pytest.FixtureRequest) -> bool:
    """Both ways to run regular expressions."""
    return bool(request.param)
