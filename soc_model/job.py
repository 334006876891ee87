"""A job (作业): a piece of long work that was asked for and is done in a child of its own."""

from typing import Any

import msgspec


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job; ``kind`` is the module in ``soc_center/jobs`` that does it, ``arguments`` are what it was asked."""

    id: int
    kind: str
    arguments: dict[str, Any] = {}
