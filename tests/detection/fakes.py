"""Rules and events made of a few words."""

from collections.abc import Sequence
from typing import Any

from detection_rules.rule import RuleDocument, RuleSet
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import Snapshot, compile_snapshot
from soc_model.event import EventGroup, EventType, Located, event_id
from soc_model.layer import Layer
from soc_model.source import Logsource, Source

APP = Logsource(product="app", category="things", service="log")
RECEIVED = 1_790_000_000_000_000
SOURCE = Source(id="s1", name="one", transport="file", format="json", layer=Layer.HOST, unit="u1")


def rule_data(detection: dict[str, Any], logsource: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """A rule's document as YAML gives it."""
    return {
        "title": "a rule",
        "logsource": logsource or {"product": "app"},
        "detection": {"condition": "sel", **detection},
        **more,
    }


def filter_data(rules: str | list[str], detection: dict[str, Any], logsource: dict[str, str] | None = None) -> Any:
    """A filter's document."""
    section = {"rules": rules, "condition": "not sel", **detection}
    return {"title": "a filter", "logsource": logsource or {"product": "app"}, "filter": section}


def correlation_data(rules: list[str], kind: str = "event_count", **more: Any) -> dict[str, Any]:
    """A correlation's document: by ``F`` within five minutes, at least two unless said otherwise."""
    section = {"type": kind, "rules": rules, "group-by": ["F"], "timespan": "5m"}
    if "temporal" not in kind:
        section["condition"] = {"gte": 2}
    head = {key: more.pop(key) for key in ("title", "name", "id", "level") if key in more}
    return {
        "title": "a correlation",
        "correlation": section | {key.replace("_", "-"): more[key] for key in more},
    } | head


def document(data: dict[str, Any], line: int = 1) -> RuleDocument:
    """A document as if it had been read from a file; different data has a different hash."""
    return RuleDocument(path="rules.yml", line=line, text=repr(data), data=data)


def ruleset(*rules: dict[str, Any], **how: Any) -> RuleSet:
    """The rules, loaded."""
    return load_rules([document(data, line) for line, data in enumerate(rules, 1)], **how)


def snapshot(
    *rules: dict[str, Any],
    hyperscan: bool = True,
    cache_bytes: int = 1 << 20,
    placeholders: dict[str, list[str]] | None = None,
) -> Snapshot:
    """The rules, compiled; all of them must load."""
    loaded = ruleset(*rules, placeholders=placeholders)
    assert not loaded.refused, [str(refusal) for refusal in loaded.refused]
    return compile_snapshot(loaded, hyperscan=hyperscan, cache_bytes=cache_bytes)


def group(
    events: Sequence[dict[str, Any]],
    logsource: Logsource = APP,
    *,
    constants: tuple[tuple[str, str], ...] = (),
    unparsed: dict[int, str] | None = None,
    raws: Sequence[bytes] | None = None,
    header: dict[str, list[Any]] | None = None,
) -> EventGroup:
    """Events of one type."""
    return EventGroup(
        type=EventType("test.things", logsource, constants),
        decoder="test@1",
        fields=list(events),
        raws=list(raws) if raws is not None else [repr(event).encode() for event in events],
        times=[RECEIVED] * len(events),
        bytes_at=[0] * len(events),
        records=list(range(len(events))),
        header=header or {},
        unparsed=unparsed or {},
    )


def located(one: EventGroup, offset: int = 7, flags: Sequence[str] | None = None, source: Source = SOURCE) -> Located:
    """The group with a place in the journal."""
    return Located(
        group=one,
        source=source,
        received=RECEIVED,
        offset=offset,
        chunk=0,
        event_ids=[event_id(f"{offset} {index}", raw) for index, raw in enumerate(one.raws)],
        at=[RECEIVED - 2_000_000] * len(one),
        flags=list(flags) if flags is not None else [""] * len(one),
    )


def fires(
    detection: dict[str, Any],
    event: dict[str, Any],
    *,
    hyperscan: bool = True,
    placeholders: dict[str, list[str]] | None = None,
) -> bool:
    """Whether the engine fires a rule of one detection (``sel``) on one event."""
    compiled = snapshot(rule_data(detection), hyperscan=hyperscan, placeholders=placeholders)
    return bool(compiled.engine.match(group([event]))[0])
