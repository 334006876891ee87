"""STIX 2.1 bundles: indicators whose pattern is a choice of values, and observables that stand there alone.

Objects of other types say nothing of values and are passed over. An object that cannot be taken is refused by its id.
"""

from collections.abc import Iterator

import msgspec

from detection_rules.feeds.content import Content
from detection_rules.feeds.entry import Entry, Refused
from detection_rules.feeds.moment import moment_of
from detection_rules.feeds.stix_pattern import PATHS, PatternProblem, terms_of
from soc_model.problem import Problem

SUFFIXES = (".json", ".stix")
OBSERVABLES = frozenset({"domain-name", "url", "ipv4-addr", "ipv6-addr", "email-addr"})


class _Reference(msgspec.Struct):
    source_name: str = ""
    url: str = ""


class _Object(msgspec.Struct):
    """What is looked at of any object; what is of another type than the standard says refuses the object."""

    type: str
    id: str = ""
    pattern: str = ""
    pattern_type: str = "stix"
    valid_until: str = ""
    confidence: int = -1
    revoked: bool = False
    name: str = ""
    indicator_types: list[str] = []
    labels: list[str] = []
    external_references: list[_Reference] = []
    value: str = ""
    hashes: dict[str, str] = {}


class _Bundle(msgspec.Struct):
    type: str
    objects: list[msgspec.Raw] = []


_OBJECT = msgspec.json.Decoder(_Object)


def read_stix(content: Content) -> Iterator[Entry | Refused]:
    """What stands in one bundle; ``Problem`` where it is none."""
    try:
        bundle = msgspec.json.decode(content.whole(), type=_Bundle)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Problem(content.name, f"is no STIX bundle: {error}") from error
    if bundle.type != "bundle":
        raise Problem(content.name, f"is a STIX {bundle.type[:40]!r}, not a bundle")
    for number, raw in enumerate(bundle.objects):
        place = f"{content.name}: objects[{number}]"
        try:
            one = _OBJECT.decode(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            yield Refused(place, f"is no STIX object: {error}")
            continue
        yield from _entries(f"{content.name}: {one.id[:100] or f'objects[{number}]'}", one)


def _entries(place: str, one: _Object) -> Iterator[Entry | Refused]:
    if one.type == "indicator":
        yield from _indicator(place, one)
    elif one.type in OBSERVABLES:
        yield _entry(place, one, PATHS[f"{one.type}:value"], one.value, 0)
    elif one.type == "file":
        for name, value in one.hashes.items():
            kind = PATHS.get(f"file:hashes.{name.lower()}")
            if kind is not None:
                yield _entry(place, one, kind, value, 0)


def _indicator(place: str, one: _Object) -> Iterator[Entry | Refused]:
    until = moment_of(one.valid_until) if one.valid_until else 0
    if one.revoked:
        yield Refused(place, "is revoked")
    elif one.pattern_type != "stix":
        yield Refused(place, f"its pattern is {one.pattern_type[:40]!r}, not STIX")
    elif until is None:
        yield Refused(place, f"valid_until {one.valid_until[:40]!r} is no time")
    else:
        try:
            terms = terms_of(one.pattern)
        except PatternProblem as problem:
            yield Refused(place, str(problem))
            return
        for term in terms:
            yield _entry(place, one, term.kind, term.value, until)


def _entry(place: str, one: _Object, kind: str, value: str, until: int) -> Entry:
    label = ", ".join(one.indicator_types or one.labels) or one.name
    reference = next((each.url for each in one.external_references if each.url), one.id)
    return Entry(place, kind, value, one.confidence, until, label, reference)
