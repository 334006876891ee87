"""A dated observation with its own expiry: what checks, health and posture reason about."""

from typing import Any

import msgspec


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of ``subject``, from where, as of when, and when it stops being believed.

    ``value=None`` means unknown, which is a value: nothing is green because nobody looked.
    """

    name: str
    subject: str
    value: Any
    as_of: int
    stale_after: int
    origin: str

    def holds(self, now: int) -> bool:
        """Whether the fact is known and still believed at ``now``."""
        return self.value is not None and now <= self.stale_after
