"""CSV and plain lists: one indicator a line.

CSV begins with a line that names its columns: ``value`` and, where there are any, ``type``, ``confidence`` (0-100),
``valid_until`` (ISO 8601), ``label``, ``reference``, in any order; other columns are passed over. Without such a line
each line is one value. Lines that begin with ``#`` or ``;`` are comments, and so is what follows `` #`` or `` ;`` in a
plain list. A quoted field ends on its line.
"""

import csv
from collections.abc import Iterator, Sequence

from detection_rules.feeds.content import Content, Line
from detection_rules.feeds.entry import Entry, Refused
from detection_rules.feeds.moment import moment_of

SUFFIXES = (".csv", ".txt", ".list", "")
COLUMNS = ("value", "type", "confidence", "valid_until", "label", "reference")


def read_csv(content: Content) -> Iterator[Entry | Refused]:
    """What stands in one file."""
    columns: dict[str, int] | None = None
    first = True
    for line in content.lines():
        if isinstance(line, Refused):
            yield line
            continue
        if not line.text or line.text[0] in "#;":
            continue
        if first:
            first, columns = False, _columns(line.text)
            if columns is not None:
                continue
        place = f"{content.name}:{line.number}"
        yield _plain(place, line) if columns is None else _entry(place, line, columns)


def _plain(place: str, line: Line) -> Entry:
    value = line.text
    for mark in (" #", " ;", "\t#", "\t;"):
        value = value.partition(mark)[0]
    return Entry(place, "", value.strip().strip('"'))


def _columns(text: str) -> dict[str, int] | None:
    """Where each known column stands; None for a line that names none."""
    names = [cell.strip().casefold() for cell in _cells(text) or ()]
    return {name: names.index(name) for name in COLUMNS if name in names} if "value" in names else None


def _cells(text: str) -> Sequence[str] | None:
    """The cells of one line; None where its quotes do not fit."""
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True, skipinitialspace=True))
    except csv.Error:
        return None


def _entry(place: str, line: Line, columns: dict[str, int]) -> Entry | Refused:
    cells = _cells(line.text)
    if cells is None:
        return Refused(place, "a quoted field does not end on its line")
    told = {name: cells[at].strip() if at < len(cells) else "" for name, at in columns.items()}
    sure, until = told.get("confidence", ""), told.get("valid_until", "")
    if sure and not (sure.isdecimal() and len(sure) <= 3):
        return Refused(place, f"confidence {sure[:40]!r} is no number from 0 to 100")
    moment = moment_of(until) if until else 0
    if moment is None:
        return Refused(place, f"valid_until {until[:40]!r} is no time (ISO 8601)")
    return Entry(
        place,
        told.get("type", "").casefold(),
        told["value"],
        int(sure) if sure else -1,
        moment,
        told.get("label", ""),
        told.get("reference", ""),
    )
