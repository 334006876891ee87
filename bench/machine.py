"""What a figure was measured on: machine, versions, command, commit."""

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("ahocorasick-rs", "duckdb", "hyperscan", "msgspec", "nanoarrow", "sqlalchemy", "uvicorn")
PROJECT = Path(__file__).resolve().parents[1]


def machine() -> dict[str, Any]:
    """Processor, memory, system, versions, the command line and the commit of this tree."""
    return {
        "processor": _first_of("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": _first_of("/proc/meminfo", "MemTotal"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "command": " ".join([Path(sys.executable).name, "-m", _module(), *map(_told, sys.argv[1:])]),
        "commit": _git("rev-parse", "HEAD"),
        "changed": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "load_before": os.getloadavg()[0],
    }


def _told(argument: str) -> str:
    """An argument as a reader can use it: of a path only its name, because folders are this machine's own."""
    return Path(argument).name if argument.startswith("/") else argument


def _module() -> str:
    return f"bench.{Path(sys.argv[0]).stem}"


def _first_of(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
