"""The lock files of requirements/, resolved anew by uv from pyproject.toml: every version and hash, no host or path.

``python scripts/lock.py [uv's own options, such as --upgrade-package NAME]``. ``run`` is what the center needs, ``dev``
that and the tools of the tests in the same versions, ``build`` what building the project needs. Each is one file for
all Pythons and platforms the project runs on.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = "uv==0.13.9"
OPTIONS = ("--universal", "--python-version=3.11", "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links")


def compile_lock(uv: Path, name: str, wanted: str, extra: list[str]) -> None:
    """Writes requirements/NAME.lock for the requirements in ``wanted``, one a line; versions there stay if they can."""
    argv = [str(uv), "pip", "compile", "-q", *OPTIONS, "--custom-compile-command=make lock", *extra, "-"]
    subprocess.run([*argv, "-o", f"requirements/{name}.lock"], cwd=ROOT, input=wanted, text=True, check=True)


def main(extra: list[str]) -> None:
    """All three, with a uv that is thrown away."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    run = pyproject["project"]["dependencies"]
    dev = pyproject["project"]["optional-dependencies"]["dev"]
    build = [*pyproject["build-system"]["requires"], "editables"]  # hatchling asks for it when the install is editable
    with tempfile.TemporaryDirectory(prefix="fengsui-lock-") as folder:
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", folder, UV], check=True)
        uv = Path(folder, "bin", "uv")
        compile_lock(uv, "run", "\n".join(run), extra)
        compile_lock(uv, "dev", "\n".join([*run, *dev]), ["-c", "requirements/run.lock", *extra])
        compile_lock(uv, "build", "\n".join(build), extra)


main(sys.argv[1:])
