"""Where a declared value comes from: a field, a part of its text, a word for it, or the texts of several fields.

Comes in: an event's fields. Goes out: one value, ``None`` when it is not there.
"""

from typing import Any, NamedTuple
from urllib.parse import urlsplit

PARTS = ("host", "path", "query", "extension")


class Pick(NamedTuple):
    """One way to a value; the keys of ``fields`` in ``collectors.declaration``."""

    field: str
    word: int | None = None
    before: str = ""
    after: str = ""
    more: tuple[str, ...] = ()
    join: str | None = None
    words: tuple[tuple[str, str], ...] = ()
    otherwise: str | None = None
    absent: str | None = None
    part: str = ""
    first: int = 0
    blank: str = ""

    @property
    def plain(self) -> bool:
        """Whether the value is the field's own."""
        return self[1:] == _PLAIN

    @property
    def as_written(self) -> bool:
        """Whether the value is the field's own or a part of it, as it is written there."""
        made = self.join is not None or self.words or self.otherwise is not None or self.absent is not None
        return not made and not self.blank and self.part != "host"  # a host name's case is changed

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads."""
        return (self.field, *self.more)

    def of(self, fields: dict[str, Any]) -> Any:
        """The value in these fields, ``None`` when it is not there."""
        value = fields.get(self.field)
        if self.plain:
            return value
        if self.join is not None:
            return self._joined([fields.get(name) for name in self.fields])
        if value is None or self.words or self.otherwise is not None:
            return self._said(value)
        return self._cut(value) if isinstance(value, str) else None

    def _joined(self, values: list[Any]) -> str | None:
        if not self.more and isinstance(values[0], list):
            values = values[0]
        return None if None in values else (self.join or "").join(map(str, values))

    def _said(self, value: Any) -> Any:
        """The word for a value; ``otherwise`` where there is none, ``absent`` where there is no value."""
        if value is None:
            return self.absent
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return dict(self.words).get(text, self.otherwise)

    def _cut(self, text: str) -> str | None:
        """The part of a text."""
        if self.part:
            return part_of_url(text, self.part)
        if self.word is not None:
            words = text.split(" ", self.word + 1)
            return words[self.word] if self.word < len(words) else None
        if self.first:
            return " ".join(text.split(" ", self.first)[: self.first])
        if self.blank:
            return text.replace(self.blank, " ")
        return text.partition(self.before)[0] if self.before else text.partition(self.after)[2]


_PLAIN = Pick("")[1:]


class Name(NamedTuple):
    """A name that is fixed, or the prefix and the field that make it; ``words`` are the names of the field's values."""

    fixed: str
    field: str = ""
    words: tuple[tuple[str, str], ...] = ()
    otherwise: str = ""


def part_of_url(text: str, part: str) -> str | None:
    """The host (of ``host:port`` too), path, query, or the extension of the path's last name."""
    try:
        url = urlsplit(text if "://" in text[:16] or text.startswith("/") else f"//{text}")
        if part == "host":
            return url.hostname
    except ValueError:
        return None
    if part == "extension":
        return url.path.rpartition("/")[2].partition(".")[2].rpartition(".")[2] or None
    return url.path if part == "path" else url.query or None
