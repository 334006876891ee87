"""What a stage wants asked of another machine, and what came back, as values: stages never open connections.

A stage yields an ``Http``; the one outbound driver in soc_center performs it, or refuses, and hands back an
``HttpAnswer``. The one thing to know: a redirect is an answer like any other, and is never followed.
"""

from collections.abc import Mapping

import msgspec

from soc_model.problem import Problem

ANSWER_BYTES = 8 << 20
CALL_S = 30.0


class Http(msgspec.Struct, frozen=True, kw_only=True):
    """One request: ``purpose`` is why it is made, as the audit record shall say it.

    ``answer_bytes`` is the most that the answer's body may have, ``call_s`` the most that the whole call may take.
    """

    url: str
    purpose: str
    method: str = "GET"
    headers: Mapping[str, str] = {}
    body: bytes = b""
    answer_bytes: int = ANSWER_BYTES
    call_s: float = CALL_S


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back, from which ``address``; header names are in small letters."""

    status: int
    address: str
    headers: dict[str, str]
    body: bytes


class OutboundRefused(Problem):
    """The driver does not make this call: where it leads, how often, or what the address looks like."""


class OutboundFailed(Problem):
    """The call was made and came to nothing: no connection, no trust, too slow, too large."""
