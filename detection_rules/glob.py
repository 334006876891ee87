"""Text patterns with wildcards anywhere, matched in one pass: the leftmost place for each segment is always right."""

import re
from collections.abc import Sequence

from detection_rules.predicate import Part, Wildcard


class Glob:
    """A pattern whose text parts are already folded as the texts will be; time is linear in the text.

    Segments lie between ``*``. The first is bound to the start and the last to the end, so only those between are
    searched for.
    """

    __slots__ = ("_head", "_middle", "_tail", "_tail_size", "literal")

    def __init__(self, parts: Sequence[Part]) -> None:
        segments: list[list[Part]] = [[]]
        for part in parts:
            if part is Wildcard.MANY:
                segments.append([])
            else:
                segments[-1].append(part)
        self.literal = max((part for part in parts if isinstance(part, str)), key=len, default="")
        self._head = _compiled(segments[0])
        self._middle = [_compiled(segment) for segment in segments[1:-1] if segment]
        self._tail = _compiled(segments[-1]) if len(segments) > 1 else None
        self._tail_size = _size(segments[-1])

    def matches(self, text: str) -> bool:
        """Whether the whole text is as the pattern says."""
        found = self._head.match(text)
        if found is None:
            return False
        if self._tail is None:
            return found.end() == len(text)
        at = found.end()
        for segment in self._middle:
            found = segment.search(text, at)
            if found is None:
                return False
            at = found.end()
        start = len(text) - self._tail_size
        return start >= at and self._tail.match(text, start) is not None


def _compiled(segment: Sequence[Part]) -> re.Pattern[str]:
    return re.compile("".join(re.escape(part) if isinstance(part, str) else "." for part in segment), re.DOTALL)


def _size(segment: Sequence[Part]) -> int:
    return sum(len(part) if isinstance(part, str) else 1 for part in segment)
