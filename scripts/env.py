"""The project's environment: makes .venv from the hash-pinned lock files, or says nothing when it is up to date.

``python3 scripts/env.py run`` (what the center needs) or ``dev`` (that, and every tool of the tests). Standard library
only, started by whatever ``python3`` is: an older one than 3.11 hands over to a newer one on the PATH. An environment
that was ``dev`` once stays it. The build tools (Node alone is 200 MB) go to a folder that is thrown away after the
build; like everything else they are pinned by hash, which pip's own build isolation cannot do.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "fengsui.stamp"
NEWER = ("python3.13", "python3.12", "python3.11", "python3.14")
NO_PYTHON = """fengsui: Python 3.11 or newer is needed; {found} is older and the PATH has no newer one.
  Name one:  make PYTHON=/path/to/python3.12 env"""
NO_PIP = """fengsui: {found} can make no environment: it lacks venv, or both ensurepip and pip.
  Debian, Ubuntu:  apt-get install python3-venv
  without root:    name another Python:  make PYTHON=/path/to/python3.12 env"""


def is_new_enough(python: str) -> bool:
    """Whether ``python`` starts and is 3.11 or newer (a version manager's shim may exist and not start)."""
    test = "import sys; sys.exit(sys.version_info < (3, 11))"
    return subprocess.call([python, "-c", test], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def hand_over() -> None:
    """Goes on in the first newer Python of the PATH; never comes back."""
    for name in NEWER:
        python = shutil.which(name)
        if python and is_new_enough(python):
            os.execv(python, [python, *sys.argv])
    sys.exit(NO_PYTHON.format(found=sys.executable))


if sys.version_info < (3, 11):  # noqa: UP036  # the reader's python3 may be any; what follows need not parse there
    hand_over()


def say(text: str) -> None:
    """One line of progress."""
    print(f"fengsui: {text}", file=sys.stderr, flush=True)


def inputs(level: str) -> list[Path]:
    """The files that decide what the environment holds, assets and translations of the console included."""
    console = ROOT / "soc_api/console"
    named = [f"requirements/{level}.lock", "requirements/build.lock", "pyproject.toml", "hatch_build.py"]
    return [*(ROOT / name for name in named), console / "web/package-lock.json", *sorted(console.rglob("*.po"))]


def digest(level: str) -> str:
    """SHA-256 over all inputs of ``level``."""
    sha = hashlib.sha256()
    for path in inputs(level):
        sha.update(path.read_bytes() if path.exists() else b"absent")
    return sha.hexdigest()


def stamp() -> tuple[str, str]:
    """The level and the digest of the last installation here; empty without one, or when the folder was moved."""
    level, found, root = (STAMP.read_text() if STAMP.exists() and PYTHON.exists() else "||").split("|", 2)
    return (level, found) if root == str(ROOT) else ("", "")  # scripts of a moved .venv name the old place


def run(*argv: str | Path, **env: str) -> None:
    """One command, its own words only when it fails."""
    done = subprocess.run([*map(str, argv)], env={**os.environ, **env}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\nfengsui: failed: {' '.join(map(str, argv))}")


def make_venv() -> None:
    """A new .venv; without pip where this Python cannot bring it (Debian's without python3-venv)."""
    if subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, check=False).returncode:
        if not (importlib.util.find_spec("venv") and importlib.util.find_spec("pip")):
            sys.exit(NO_PIP.format(found=sys.executable))
        run(sys.executable, "-m", "venv", "--clear", "--without-pip", VENV)


def pip() -> list[str]:
    """The command that installs into .venv: its own pip, else that of this Python."""
    own = subprocess.run([PYTHON, "-c", "import pip"], capture_output=True, check=False).returncode == 0
    start = [str(PYTHON), "-m", "pip"] if own else [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    return [*start, "--disable-pip-version-check", "--no-input"]


def install_packages(level: str) -> None:
    """Exactly the packages of the lock: the missing ones come, those it no longer names go."""
    lock = ROOT / "requirements" / f"{level}.lock"
    named = set(re.findall(r"^([a-z0-9._-]+)==", lock.read_text(), re.MULTILINE))
    say(f"installing {len(named)} packages of requirements/{level}.lock")
    run(*pip(), "install", "-q", "--no-deps", "--require-hashes", "-r", lock)
    listing = "import importlib.metadata as m; print(*{d.name.lower().replace('_', '-') for d in m.distributions()})"
    present = subprocess.check_output([PYTHON, "-c", listing], text=True).split()
    gone = sorted({re.sub(r"[-_.]+", "-", name) for name in present} - named - {"pip", "setuptools", "fengsui"})
    if gone:
        run(*pip(), "uninstall", "-q", "-y", *gone)


def install_project() -> None:
    """fengsui itself, editable; its build writes the console's assets and translations into the source tree."""
    say("fetching the build tools (thrown away afterwards)")
    with tempfile.TemporaryDirectory(dir=VENV, prefix="build-") as tools:
        lock = ROOT / "requirements/build.lock"
        run(*pip(), "install", "-q", "--no-deps", "--require-hashes", "--target", tools, "-r", lock)
        say("building fengsui: console assets and translations")
        run(*pip(), "install", "-q", "--no-deps", "--no-build-isolation", "-e", ROOT, PYTHONPATH=tools)


def make(level: str) -> None:
    """Brings .venv to ``level``; stamped as unfinished meanwhile, so a run that broke off is taken up again."""
    began = time.monotonic()
    if not stamp()[0] or not is_new_enough(str(PYTHON)):
        say(f"making .venv with Python {sys.version.split()[0]}")
        make_venv()
    STAMP.write_text(f"{level}|unfinished|{ROOT}")
    install_packages(level)
    install_project()
    STAMP.write_text(f"{level}|{digest(level)}|{ROOT}")
    say(f"environment ready in {time.monotonic() - began:.0f} s: .venv/bin/fengsui")


def main() -> None:
    """Makes the level asked for, or nothing when it is there."""
    asked = sys.argv[1] if len(sys.argv) > 1 else "run"
    if asked not in ("run", "dev"):
        sys.exit("usage: env.py [run|dev]")
    level = "dev" if stamp()[0] == "dev" else asked
    if stamp() != (level, digest(level)):
        make(level)


if __name__ == "__main__":
    main()
