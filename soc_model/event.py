"""Parsed events: what a format's ``parse`` gives, the header columns every event is archived under, and event ids."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from soc_model.source import Logsource, Source

#: The columns of the archive in order, with their DuckDB types. ECS names (Elastic Common Schema) where ECS has one.
COLUMNS: dict[str, str] = {
    "event_id": "VARCHAR",
    "@timestamp": "BIGINT",
    "received": "BIGINT",
    "layer": "VARCHAR",
    "unit": "VARCHAR",
    "realm": "VARCHAR",
    "source_id": "VARCHAR",
    "dataset": "VARCHAR",
    "product": "VARCHAR",
    "category": "VARCHAR",
    "service": "VARCHAR",
    "host.name": "VARCHAR",
    "user.name": "VARCHAR",
    "source.ip": "VARCHAR",
    "source.port": "INTEGER",
    "destination.ip": "VARCHAR",
    "destination.port": "INTEGER",
    "process.executable": "VARCHAR",
    "file.path": "VARCHAR",
    "url.domain": "VARCHAR",
    "event.code": "VARCHAR",
    "event.action": "VARCHAR",
    "event.outcome": "VARCHAR",
    "message": "VARCHAR",
    "decoder": "VARCHAR",
    "flags": "VARCHAR",
    "offset": "BIGINT",
    "chunk": "INTEGER",
    "byte": "BIGINT",
    "raw": "VARCHAR",
    "raw_binary": "BLOB",
    "raw_bytes": "BIGINT",
    "raw_sha256": "VARCHAR",
}

#: The columns that a format may fill in ``EventGroup.header``; the pipeline fills all others.
HEADER: tuple[str, ...] = (
    "host.name",
    "user.name",
    "source.ip",
    "source.port",
    "destination.ip",
    "destination.port",
    "process.executable",
    "file.path",
    "url.domain",
    "event.code",
    "event.action",
    "event.outcome",
    "message",
)

#: Flags of an event; several are joined by a space, in this order, in the column ``flags``.
UNPARSED = "unparsed"  # kept raw, matched by keyword rules only
TRUNCATED = "truncated"  # over RECORD_BYTES: the head is kept, with length and hash of the whole
TIME_FLAGGED = "time_flagged"  # no event time, or outside [received - 30 d, + 10 min]: windows use received
QUARANTINED = "quarantined"  # never parsed, because its batch killed its worker
REPLAY_OF = "replay_of"  # with ``:`` and the event id of the quarantined row that this one makes good

DAY_US = 86_400_000_000
PAST_US = 30 * DAY_US
FUTURE_US = 600_000_000


class EventType(NamedTuple):
    """What makes events alike, so that rules can be narrowed once for all of them.

    ``constants`` are fields with one value in the whole group (for Windows ``Channel``, ``EventID``,
    ``Provider_Name``), as sorted (name, value) pairs; events hold them too. Hashable: plans are kept by it.
    """

    dataset: str
    logsource: Logsource
    constants: tuple[tuple[str, str], ...] = ()


#: Names the fields of a type that rules ask for; ``None`` means every field (keyword rules look at all values).
Wanted = Callable[[EventType], frozenset[str] | None]


_LATER = ("times", "header", "identities", "host_addresses")


@dataclass(slots=True, kw_only=True)
class EventGroup:
    """The events of one type in one chunk, as parallel lists in record order.

    ``fields[i]``: under the source's own (Sigma) names, a value is str, int, float, bool, None or a list of these;
    nested objects are dotted names. ``header``: columns of ``HEADER``; a missing column is all null.
    ``times[i]``: event time or None. ``raws[i]``: the record as received (for binary formats its JSON rendering).
    ``bytes_at[i]``: where the record begins in its chunk. ``identities[i]``: the record's own global identity, or None.
    ``records[i]``: index in the chunk, or where one record holds many events the event's own number in the source.
    ``unparsed``: why these events could not be parsed, by index. ``host_addresses[i]``: the
    address, a tuple of them or None, that the format declares to be the own of the event's ``host.name``; no guess.

    ``written``: every value of every event stands in its raw as JSON text or number, or is a part of one that does;
    so what is not in the raw is in no value. ``plain``: the same where they stand as they are, in UTF-8.
    """

    type: EventType
    decoder: str
    fields: list[dict[str, Any]]
    raws: list[bytes]
    times: list[int | None]
    bytes_at: list[int]
    records: list[int]
    header: dict[str, list[Any]] = field(default_factory=dict)
    identities: list[str | None] | None = None
    unparsed: dict[int, str] = field(default_factory=dict)
    host_addresses: list[Any] | None = None
    written: bool = False
    plain: bool = False
    _later: Callable[["EventGroup"], None] | None = field(default=None, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.raws)

    def later(self, complete: Callable[["EventGroup"], None]) -> None:
        """Let ``complete`` set times, header, identities and host addresses when one of them is first asked for.

        Who only matches rules (a backtest, a scan) never asks.
        """
        for name in _LATER:
            delattr(self, name)
        self._later = complete

    if not TYPE_CHECKING:  # so that a wrong name stays an error to the type checker

        def __getattr__(self, name: str) -> Any:
            complete = self._later if name in _LATER else None
            if complete is None:
                raise AttributeError(name)
            self._later = None
            self.header, self.identities, self.host_addresses = {}, None, None
            complete(self)
            return getattr(self, name)


@dataclass(slots=True, kw_only=True)
class Located:
    """An event group with its source and its place in the journal: what ``detect`` is given.

    ``event_ids``, ``at`` (event time, or received where flagged) and ``flags`` run parallel to the group's lists.
    """

    group: EventGroup
    source: Source
    received: int
    offset: int
    chunk: int
    event_ids: list[str]
    at: list[int]
    flags: list[str]
    sizes: dict[int, tuple[int, str]] = field(default_factory=dict)  # oversize events: length, SHA-256 of the whole


def event_id(identity: str, raw: bytes) -> str:
    """The first 128 bits of SHA-256 over (identity, raw) as hex; the identity's length keeps the two apart."""
    head = identity.encode("utf-8", "surrogatepass")
    return sha256(b"%d:%s" % (len(head), head) + raw).hexdigest()[:32]
