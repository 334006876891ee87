"""Requests that were answered a short while ago, to recognise one whose answer got lost on the way.

Only for requests that cannot be equal unless they are the same: the journal itself recognises, of any kind, those that
nobody was waiting for any more. Bounded in number and time; pure, ``now_s`` is an argument.
"""

KEPT = 10_000
KEPT_S = 600.0


class Answered:
    """The digests of requests that were answered, the longest ago first."""

    def __init__(self) -> None:
        self._until: dict[bytes, float] = {}

    def add(self, digest: bytes, now_s: float) -> None:
        """Remember that a request was answered."""
        self._forget(now_s)
        self._until[digest] = now_s + KEPT_S

    def holds(self, digest: bytes, now_s: float) -> bool:
        """Whether the request was answered within ``KEPT_S``."""
        return self._until.get(digest, now_s) > now_s

    def _forget(self, now_s: float) -> None:
        while self._until and (len(self._until) >= KEPT or next(iter(self._until.values())) <= now_s):
            del self._until[next(iter(self._until))]
