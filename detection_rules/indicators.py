"""Event groups -> which of their values a set of indicators names (威胁情报命中). Pure; the set is handed in.

Each distinct value of a kind is looked up once and remembered, so that values which repeat cost one dict hit in C.
What is remembered is bounded, because whoever writes the log chooses the values.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from detection_rules.class_cache import hashable
from detection_rules.observables import Fields, ObservableKind, observables
from soc_model.event import EventGroup, EventType, Wanted
from soc_model.indicator import HASH_DIGITS, Indicator
from soc_model.observable import address_of, domain_of, email_of, host_of, url_of

Found = tuple[Indicator, ...]
NONE: Found = ()
KEPT_VALUES = 30_000  # of each kind
LONGEST_KEPT = 512
MOST_PARTS = 64  # of one value that holds many
TYPES = 4096
FEW_FIELDS = 8
_DIGITS = frozenset(HASH_DIGITS.values())
_HASHES = frozenset({"MD5", "SHA1", "SHA256", "SM3"})  # of those that Sysmon lists: IMPHASH is no hash of a file
_SEPARATORS = str.maketrans({";": " ", ",": " "})


class Lookup(Protocol):
    """A set of indicators: what is known of a value in canonical form."""

    @property
    def id(self) -> str: ...
    @property
    def families(self) -> frozenset[str]: ...
    def domain(self, name: str) -> Found: ...
    def address(self, packed: bytes) -> Found: ...
    def url(self, value: str) -> Found: ...
    def digest(self, value: str) -> Found: ...
    def email(self, value: str) -> Found: ...


class Hit(NamedTuple):
    """A field of the group's event of that number, with a value that indicators name."""

    event: int
    field: str
    value: str
    found: Found


class Known(dict[Any, Found]):
    """What is known of the values of one kind, as far as they were asked for."""

    def __init__(self, ask: Callable[[str], Found]) -> None:
        super().__init__()
        self._ask = ask
        self.asked = self.misses = self.evicted = 0

    def __missing__(self, value: Any) -> Found:
        self.misses += 1
        found = self._ask(value) if type(value) is str else self._parts(value)
        if not isinstance(value, str) or len(value) <= LONGEST_KEPT:
            if len(self) >= KEPT_VALUES:
                self.evicted += len(self)
                self.clear()
            self[value] = found
        return found

    def _parts(self, value: Any) -> Found:
        if isinstance(value, tuple):
            return _united(self._ask(one) for one in value[:MOST_PARTS] if isinstance(one, str) and one)
        return NONE


class Indicators:
    """A set of indicators, ready to be asked about events; ``id`` names it, empty for none."""

    def __init__(self, lookup: Lookup | None = None) -> None:
        self.id = lookup.id if lookup is not None else ""
        self._asks = _asks(lookup) if lookup is not None else {}
        self._known = {kind: Known(ask) for kind, ask in self._asks.items()}
        self._pairs = Known(lambda value: NONE)
        if "url" in self._asks:
            self._pairs = _Joined(self._asks["url"])
        self._fields: dict[EventType, Fields] = {}

    def wanted(self, asked: Wanted) -> Wanted:
        """The same wish with the fields that hold observable values."""
        if not self._asks:
            return asked

        def with_ours(event_type: EventType) -> frozenset[str] | None:
            names = asked(event_type)
            ours = self._of(event_type)
            return None if names is None else names.union(ours.fields, *ours.urls)

        return with_ours

    def hits(self, group: EventGroup) -> list[Hit]:
        """Every value of the group that an indicator names, whether or not it has ended."""
        if not self._asks:
            return []
        return [hit for name, known, column in self._columns(group) for hit in _hits(name, known, column)]

    def counters(self) -> dict[str, int]:
        """How the memory of values does."""
        each = [*self._known.values(), self._pairs]
        misses = sum(known.misses for known in each)
        hits = sum(known.asked for known in each) - misses
        return {"hits": hits, "misses": misses, "evicted": sum(known.evicted for known in each)}

    def _columns(self, group: EventGroup) -> Iterator[tuple[str, Known, Sequence[Any]]]:
        for name, kind in observables().header.items():
            column = group.header.get(name)
            if column is not None and kind in self._known:
                yield name, self._known[kind], column
        fields, events = self._of(group.type), group.fields
        names: Any = fields.fields
        if len(names) > FEW_FIELDS:
            names = names.keys() & frozenset().union(*events)
        for name in sorted(names):
            yield name, self._known[fields.fields[name]], [event.get(name) for event in events]
        for host, path in fields.urls:
            paths = [event.get(path) for event in events]
            if paths.count(None) < len(paths):
                hosts = (event.get(host) for event in events)
                yield path, self._pairs, list(zip(hosts, paths, strict=True))

    def _of(self, event_type: EventType) -> Fields:
        """The fields of a type that hold values of which the set has any."""
        found = self._fields.get(event_type)
        if found is None:
            if len(self._fields) >= TYPES:
                self._fields.clear()
            every = observables().of(event_type.logsource)
            fields = {name: kind for name, kind in every.fields.items() if kind in self._known}
            urls = every.urls if "url" in self._known else []
            found = self._fields[event_type] = Fields(fields=fields, urls=urls)
        return found


class _Joined(Known):
    """What is known of URLs that are told in two parts."""

    def _parts(self, value: Any) -> Found:
        host, path = value
        if not (isinstance(host, str) and isinstance(path, str)):
            return NONE
        return self._ask(path if "://" in path else host + path)


def _asks(lookup: Lookup) -> dict[ObservableKind, Callable[[str], Found]]:
    """How a value of each kind is looked up; kinds of which the set has nothing are left out."""
    has = lookup.families.intersection
    names, addresses = bool(has(("domain",))), bool(has(("address", "network")))
    hashes = bool(has(("md5", "sha1", "sha256", "sm3")))

    def host(value: str) -> Found:
        if value.isascii() and names and ":" not in value and value[-1:].isalpha() and "@" not in value:
            return lookup.domain(value.strip().lower())
        text = host_of(value) if ":" in value or "@" in value else value
        packed = address_of(text)
        if packed:
            return lookup.address(packed) if addresses else NONE
        return lookup.domain(name) if names and (name := domain_of(text)) else NONE

    def url(value: str) -> Found:
        whole = url_of(value)
        if not whole:
            return NONE
        return (*lookup.url(whole), *host(whole.partition("/")[0]))

    def address(value: str) -> Found:
        packed = address_of(value)
        return lookup.address(packed) if packed else NONE

    def digest(value: str) -> Found:
        text = value.strip().lower()
        return lookup.digest(text) if len(text) in _DIGITS else NONE

    def email(value: str) -> Found:
        text = email_of(value)
        return (*lookup.email(text), *host(text.rpartition("@")[2])) if text else NONE

    def digests(value: str) -> Found:
        found: Found = NONE
        for part in value.split(",", MOST_PARTS):
            name, _, text = part.partition("=")
            if name.upper() in _HASHES:
                found += digest(text)
        return found

    def answers(value: str) -> Found:
        return _united(host(part) for part in value.translate(_SEPARATORS).split(None, MOST_PARTS))

    found: dict[ObservableKind, Callable[[str], Found]] = {}
    if addresses:
        found["address"] = address
    if names or addresses:
        found |= {"domain": host, "answers": answers}
    if names or addresses or has(("url",)):
        found["url"] = url
    if hashes:
        found |= {"hash": digest, "hashes": digests}
    if names or has(("email",)):
        found["email"] = email
    return found


def _united(founds: Iterator[Found]) -> Found:
    return tuple(dict.fromkeys(indicator for found in founds for indicator in found))


def _hits(name: str, known: Known, column: Sequence[Any]) -> Iterator[Hit]:
    known.asked += len(column)
    try:
        some = any(map(known.__getitem__, column))
    except TypeError:  # a list among the values: dicts do not take them
        column = list(map(hashable, column))
        some = any(map(known.__getitem__, column))
    if not some:
        return
    for index, value in enumerate(column):
        if found := known[value]:
            yield Hit(index, name, _shown(value), found)


def _shown(value: Any) -> str:
    return "".join(map(str, value)) if isinstance(value, tuple) else str(value)


#: No indicators at all.
NO_INDICATORS = Indicators()
