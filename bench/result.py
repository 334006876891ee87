"""Results as files: ``bench/results/NAME.json``, and one line for the terminal."""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def write_result(name: str, result: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Where the result of bench ``name`` now is; it replaces the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    made = path.with_suffix(".new")
    made.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    made.replace(path)
    return path


def quantiles(values: list[float]) -> dict[str, float]:
    """p50, p99 and max of the values and how many there are; only ``n`` when there is none."""
    if not values:
        return {"n": 0}
    ordered = sorted(values)
    last = len(ordered) - 1
    found = {"p50": ordered[round(last * 0.5)], "p99": ordered[round(last * 0.99)], "max": ordered[-1]}
    return {"n": len(ordered), **{name: round(value, 4) for name, value in found.items()}}
