"""Numbers as text for Prometheus: the text exposition format, version 0.0.4.

A family is one name with its help and kind; a sample is one value with its labels. Values of labels may be anything a
sender chose, so they are escaped and cannot end their line.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Number = int | float
Kind = Literal["counter", "gauge"]


class Sample(NamedTuple):
    """One value; label names are ours, label values anybody's."""

    labels: Mapping[str, str]
    value: Number


class Family(NamedTuple):
    """All samples of one name."""

    name: str
    kind: Kind
    help: str
    samples: list[Sample]


def exposition(families: Iterable[Family]) -> bytes:
    """The families as one page; a family without samples is left out."""
    text = "".join(line for family in families if family.samples for line in _lines(family))
    return text.encode("utf-8", "replace")  # a lone surrogate becomes "?"


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help.translate(_HELP)}\n"
    yield f"# TYPE {family.name} {family.kind}\n"
    for sample in family.samples:
        labels = ",".join(f'{name}="{value.translate(_LABEL)}"' for name, value in sample.labels.items())
        yield f"{family.name}{{{labels}}} {sample.value}\n" if labels else f"{family.name} {sample.value}\n"


_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})
# A carriage return is no line end of the format, but some readers take it for one; it cannot be written, so it goes.
_LABEL = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": " "})
