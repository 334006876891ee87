"""What a lane of the engine bench is: files that every engine reads, and the same word on their logsource for all."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from soc_model.source import Logsource

TAGS = ("ls_product", "ls_service", "ls_category")  # the fields of a tagged record that say its logsource
FORMATS = Path(__file__).resolve().parent  # where the format of tagged records is
TAGGED = "engine_tagged"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a lane. ``format`` is ours; ``logsource`` is told to both; ``rsigma`` its own arguments."""

    path: str
    events: int
    format: str
    logsource: Logsource | None = None
    rsigma: tuple[str, ...] = ()


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of load, as one or more files that are read one after the other; ``about`` says what both are told."""

    name: str
    about: str
    parts: tuple[Part, ...]

    @property
    def events(self) -> int:
        """All events of all its files."""
        return sum(part.events for part in self.parts)


def told(logsource: Logsource) -> tuple[str, ...]:
    """rsigma's arguments for events of one logsource."""
    parts = ((name, getattr(logsource, name)) for name in ("product", "service", "category"))
    return ("--event-logsource", ",".join(f"{name}={value}" for name, value in parts if value))


def tagged() -> tuple[str, ...]:
    """rsigma's arguments for tagged records: the same fields, the same names for them as our format."""
    fields = ",".join(f"{tag.removeprefix('ls_')}={tag}" for tag in TAGS)
    return ("--logsource-field-map", fields, "--pipeline", str(FORMATS / f"{TAGGED}_rsigma.yml"))


def write_events(path: Path, events: Iterable[dict[str, Any]]) -> None:
    """Write a file of JSON lines, whole or not at all; one that is there already is left alone."""
    if path.exists():
        return
    encoder = msgspec.json.Encoder()
    made = path.with_suffix(".part")
    with made.open("wb", buffering=1 << 20) as file:
        for event in events:
            file.write(encoder.encode(event))
            file.write(b"\n")
    made.replace(path)


def write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file of text lines, whole or not at all; one that is there already is left alone."""
    if path.exists():
        return
    made = path.with_suffix(".part")
    with made.open("wb", buffering=1 << 20) as file:
        for line in lines:
            file.write(line)
            file.write(b"\n")
    made.replace(path)
