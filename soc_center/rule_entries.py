"""What the center does with each rule document that it read: entries for the rule catalogue, and for comparing."""

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from detection_rules.correlation_rules import DEEPEST
from detection_rules.rule import Refusal, Rule, RuleDocument
from soc_center.provided import provided
from soc_center.rule_paths import OWN_RULES
from soc_center.rules_reading import Placed, ReadRules, correlated_by, id_of, names_of
from soc_model.finding import RuleCard
from soc_model.layer import Level
from soc_model.rule_entry import RuleEntry, RuleWhole, Standing
from soc_model.rule_state import RuleOrigin, RuleState
from soc_model.source import Source

Where = tuple[str, int]
_PLAIN_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,99}")


def entries(
    read: ReadRules, rules: Sequence[Rule], refused: Sequence[Refusal], sources: Sequence[Source]
) -> Iterator[RuleWhole]:
    """One for each document, and one for each file that could not be read, every one with an id of its own."""
    running = {(rule.path, rule.line): rule for rule in rules}
    reasons = {(refusal.path, refusal.line): refusal.reason for refusal in refused}
    silent = _with_correlations(read.placed, unsourced(rules, sources))
    seen: set[str] = set()
    for placed in read.placed:
        whole = _whole(placed, running, reasons, silent)
        if whole.entry.id in seen or not _PLAIN_ID.fullmatch(whole.entry.id):
            whole = _renamed(whole)
        seen.add(whole.entry.id)
        yield whole
    known = {(placed.document.path, placed.document.line) for placed in read.placed}
    yield from (
        _unread(refusal, origin) for refusal, origin in read.refused if (refusal.path, refusal.line) not in known
    )


def _with_correlations(placed: Sequence[Placed], dry: frozenset[Where]) -> frozenset[Where]:
    """The same with the correlations that can hold no more: in order or together every part is needed, else one is."""
    known = {name: one.document for one in placed for name in names_of(one.document) if name}

    def is_dry(document: RuleDocument, deeper: int) -> bool:
        parts = [known[name] for name in correlated_by(document) if name in known]
        if not parts or not deeper:
            return (document.path, document.line) in dry
        kind = str(document.data["correlation"].get("type", ""))
        found = [is_dry(part, deeper - 1) for part in parts]
        return any(found) if kind.startswith("temporal") else all(found)

    correlations = [one.document for one in placed if "correlation" in one.document.data]
    return dry.union((one.path, one.line) for one in correlations if is_dry(one, DEEPEST))


def unsourced(rules: Sequence[Rule], sources: Sequence[Source]) -> frozenset[Where]:
    """Where the rules stand that no event of these sources can reach."""
    offered = provided(sources, rules)
    fed = {variant.logsource for rule in rules for variant in rule.variants}
    fed = {each for each in fed if any(each.covers(event) for event in offered)}
    return frozenset((rule.path, rule.line) for rule in rules if not any(v.logsource in fed for v in rule.variants))


def _whole(
    placed: Placed, running: Mapping[Where, Rule], reasons: Mapping[Where, str], silent: frozenset[Where]
) -> RuleWhole:
    document, where = placed.document, (placed.document.path, placed.document.line)
    rule = running.get(where)
    card = rule.card if rule is not None else described(document)
    reason = reasons.get(where, "")
    logsource = document.data.get("logsource")
    parts: dict[str, Any] = logsource if isinstance(logsource, dict) else {}
    entry = RuleEntry(
        id=card.id,
        title=card.title,
        title_zh=card.title_zh,
        level=card.level,
        origin=placed.origin,
        state=document.state,
        first_state=placed.first,
        standing=_standing(document, card.level, reason),
        content_sha256=card.content_sha256,
        path=document.shown or document.path,
        line=document.line,
        status=card.status,
        product=_word(parts.get("product")),
        category=_word(parts.get("category")),
        service=_word(parts.get("service")),
        layer=_layer(document.path) if placed.origin is RuleOrigin.OURS else "",
        kind=next((kind for kind in ("correlation", "filter") if kind in document.data), "rule"),
        reason=reason,
        no_source=where in silent,
        techniques=tuple(tag for tag in card.tags if tag.lower().startswith("attack.t")),
    )
    return RuleWhole(entry=entry, text=document.text, card=card)


def _standing(document: RuleDocument, level: Level, reason: str) -> Standing:
    if reason:
        return Standing.REFUSED
    if not document.state.evaluated:
        return Standing.IDLE
    return Standing.BELOW if level.rank < document.min_level.rank else Standing.RUNS


def described(document: RuleDocument) -> RuleCard:
    """What a document that is not evaluated says of itself, as far as that can be understood."""
    data = document.data
    custom = data.get("fengsui")
    title_zh = custom.get("title_zh") if isinstance(custom, dict) else ""
    level = str(data.get("level", ""))
    return RuleCard(
        id=id_of(document),
        title=_word(data.get("title")) or document.shown or document.path,
        title_zh=_word(title_zh) or document.title_zh,
        level=Level(level) if level in set(Level) else Level.INFORMATIONAL,
        tags=_words(data.get("tags")),
        description=_word(data.get("description")),
        falsepositives=_words(data.get("falsepositives")),
        references=_words(data.get("references")),
        author=_word(data.get("author")),
        status=_word(data.get("status")),
        content_sha256=sha256(document.text.encode()).hexdigest(),
        path=document.shown or document.path,
        state=document.state,
    )


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _words(value: Any) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _layer(path: str) -> str:
    """The folder of a rule of ours, which is named after its layer."""
    parts = path.removeprefix(str(OWN_RULES)).strip("/").split("/")
    return parts[0] if len(parts) > 1 else ""


def _renamed(whole: RuleWhole) -> RuleWhole:
    """The same under an id of its own place: another document has that id already, or it is none that can be named."""
    entry = whole.entry
    fresh = _place_id(entry.path, entry.line)
    return RuleWhole(entry=msgspec.structs.replace(entry, id=fresh), text=whole.text, card=None)


def _unread(refusal: Refusal, origin: RuleOrigin) -> RuleWhole:
    entry = RuleEntry(
        id=_place_id(refusal.path, refusal.line),
        title=refusal.title or refusal.path.rpartition("/")[2],
        level=Level.INFORMATIONAL,
        origin=origin,
        state=RuleState.ACTIVE,
        first_state=RuleState.ACTIVE,
        standing=Standing.REFUSED,
        content_sha256="",
        path=refusal.path,
        line=refusal.line,
        reason=refusal.reason,
    )
    return RuleWhole(entry=entry, text="")


def _place_id(path: str, line: int) -> str:
    return "at-" + sha256(f"{path}:{line}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
