"""What every test may ask for: the shared corpora, and services that may be absent.

``FENGSUI_REQUIRE`` (comma-separated) names what must be there: on the machine that sets it a skip is a failure.
"""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def absent(name: str, why: str) -> None:
    """Skip, or fail where ``name`` is required here."""
    if name in os.environ.get("FENGSUI_REQUIRE", "").split(","):
        pytest.fail(f"{name} is required by FENGSUI_REQUIRE but {why}")
    pytest.skip(f"{name}: {why}")


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared rules, events and schemas beside the project."""
    folder = Path(os.environ.get("FENGSUI_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        absent("shared", f"no folder {folder} (set FENGSUI_SHARED to the folder that holds data/)")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium that can run headless."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        absent("chromium", "no chromium on the PATH (Debian: apt-get install chromium fonts-noto-cjk)")
    return str(found)
