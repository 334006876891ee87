"""Located event groups to the sightings of their batch: entities, and what ties two of them in one record. Pure.

Comes in: the header columns that formats filled. Goes out: one sighting for each distinct entity or relation of a
source. The one thing to know: rows are counted as distinct combinations of columns by code in C, so what is done in
Python is done once for each combination, and for at most ``MOST`` of them a source; the rest are only counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from operator import le
from typing import Any, NamedTuple

from soc_model.entity_value import entity_value
from soc_model.event import Located
from soc_model.sighting import EntityKind, Relation, Sighting, service_value
from soc_model.source import Source

MOST = 2_000  # distinct entities and relations of one batch and source
Column = Sequence[Any]
_NOTHING = frozenset({"", "-"})
_HOST, _USER, _ADDRESS, _SERVICE, _DOMAIN = EntityKind  # looked up once: an enumeration's attribute is slow


class Seen(NamedTuple):
    """The sightings of a batch, and by source how many distinct ones were left out for being too many."""

    sightings: list[Sighting]
    capped: dict[str, int]


#: An entity, or two and their relation: kind, value, relation, second kind, second value.
_Thing = tuple[EntityKind, str, Relation | None, EntityKind | None, str]
#: Whose it is: the unit of the group, which need not be the source's own.
_Owned = tuple[str, _Thing]
#: The first and the last time, and how often.
_Times = tuple[int, int, int]


class _OfSource:
    """What one source has brought so far."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.unit = source.unit
        self.found: dict[_Owned, _Times] = {}
        self.capped = 0

    def add(self, thing: _Thing, times: _Times) -> None:
        owned = (self.unit, thing)
        known = self.found.get(owned)
        if known is not None:
            first, last, count = times
            self.found[owned] = (min(known[0], first), max(known[1], last), known[2] + count)
        elif len(self.found) < MOST:
            self.found[owned] = times
        else:
            self.capped += 1

    def sightings(self) -> list[Sighting]:
        source = self.source
        realm, layer, source_id = source.realm, source.layer, source.id
        return [
            Sighting(
                kind=kind,
                value=value,
                unit=unit,
                realm=realm,
                layer=layer,
                source_id=source_id,
                first=first,
                last=last,
                count=count,
                relation=relation,
                kind2=kind2,
                value2=value2,
            )
            for (unit, (kind, value, relation, kind2, value2)), (first, last, count) in self.found.items()
        ]


def see(groups: Iterable[Located]) -> Seen:
    """What the groups of one batch show of entities and relations."""
    sources: dict[str, _OfSource] = {}
    for located in groups:
        source = located.source
        into = sources.get(source.id)
        if into is None:
            into = sources[source.id] = _OfSource(source)
        into.unit = source.unit
        _look(located, into)
    found = [sighting for one in sources.values() for sighting in one.sightings()]
    return Seen(found, {name: one.capped for name, one in sources.items() if one.capped})


def _look(located: Located, into: _OfSource) -> None:
    header, at = located.group.header, located.at
    hosts, users = header.get("host.name"), header.get("user.name")
    own = located.group.host_addresses
    for (host, user, address), times in _combined((hosts, users, own), at):
        for one in _on_host(_text(host), _text(user), address):
            into.add(one, times)
    columns = (header.get("source.ip"), header.get("destination.ip"), header.get("destination.port"))
    for (source, target, port), times in _combined(columns, at):
        if (thing := _connected(_text(source), _text(target), port)) is not None:
            into.add(thing, times)
    for (domain,), times in _combined((header.get("url.domain"),), at):
        if name := _text(domain):
            into.add((_DOMAIN, name, None, None, ""), times)


def _on_host(host: str, user: str, addresses: Any) -> list[_Thing]:
    """What a record says of its host, a user and the host's own addresses."""
    found: list[_Thing] = []
    if host and user:
        found.append((_USER, user, Relation.SEEN_ON, _HOST, host))
    elif host or user:
        found.append((_HOST, host, None, None, "") if host else (_USER, user, None, None, ""))
    if host and addresses:
        listed = addresses if isinstance(addresses, tuple) else (addresses,)
        found += [(_ADDRESS, text, Relation.IS, _HOST, host) for one in listed if (text := _text(one))]
    return found


def _connected(source: str, target: str, port: Any) -> _Thing | None:
    """What a record says of a connection."""
    if not target:
        return (_ADDRESS, source, None, None, "") if source else None
    kind, value = (_SERVICE, service_value(target, port)) if type(port) is int else (_ADDRESS, target)
    return (_ADDRESS, source, Relation.CONNECTED, kind, value) if source else (kind, value, None, None, "")


def _combined(columns: Sequence[Column | None], at: Sequence[int]) -> Iterator[tuple[tuple[Any, ...], _Times]]:
    """The distinct combinations of the columns' values in the order of first rows, each with its times."""
    if not at or not any(columns):
        return
    if all(column is None or column.count(column[0]) == len(at) for column in columns):
        values = tuple(None if column is None else column[0] for column in columns)
        yield values, (min(at), max(at), len(at))
        return
    filled = (repeat(None, len(at)) if column is None else column for column in columns)
    yield from _counted(list(zip(*filled, strict=True)), at)


def _counted(combinations: list[tuple[Any, ...]], at: Sequence[int]) -> Iterator[tuple[tuple[Any, ...], _Times]]:
    try:
        counts = Counter(combinations)
    except TypeError:  # a list is not hashable: its first value stands for it
        combinations = [tuple(map(_first, row)) for row in combinations]
        counts = Counter(combinations)
    if not all(map(le, at, at[1:])):
        order = sorted(range(len(at)), key=at.__getitem__)
        combinations, at = [combinations[i] for i in order], [at[i] for i in order]
    last = dict(zip(combinations, at, strict=True))
    first = dict(zip(reversed(combinations), reversed(at), strict=True))
    for values, count in counts.items():
        yield values, (first[values], last[values], count)


def _first(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return str(value[0]) if value else None
    return str(value) if isinstance(value, dict) else value


def _text(value: Any) -> str:
    """A value as it is kept; empty where it says nothing."""
    if value is None:
        return ""
    text = entity_value((value if type(value) is str else str(_first(value) or "")).strip())
    return "" if text in _NOTHING else text
