"""CPU seconds and memory of processes, from /proc; nothing of a process that is gone."""

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """User and system seconds of a process; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_mb(pid: int) -> dict[str, float]:
    """``pss`` now and ``peak_rss`` so far in MB (10^6 bytes); empty when it is gone."""
    try:
        pss = _kilobytes(Path(f"/proc/{pid}/smaps_rollup").read_text(), "Pss:")
        peak = _kilobytes(Path(f"/proc/{pid}/status").read_text(), "VmHWM:")
    except OSError:
        return {}
    return {"pss": round(pss * 1.024e-3, 1), "peak_rss": round(peak * 1.024e-3, 1)}


def _kilobytes(text: str, name: str) -> int:
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith(name)), 0)


def disk_bytes(folder: Path) -> int:
    """What the files below a folder take."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total


def running(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
