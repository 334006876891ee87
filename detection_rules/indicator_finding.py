"""A hit on an indicator as a finding: its card by feed, kind and level, and what stands in it.

Confidence is what decides the level: 90 and more is high, 70 medium, 40 low, less informational. Never critical: one
value that a feed names is a reason to look, and no more.
"""

from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

from detection_rules.indicators import Hit
from soc_model.finding import RuleCard
from soc_model.indicator import Indicator, IndicatorKind
from soc_model.layer import Level

#: The words for what a feed names, and the part of the rule's id, by kind.
_FAMILIES = {
    IndicatorKind.DOMAIN: ("domain", "domain name", "域名"),
    IndicatorKind.URL: ("url", "URL", "网址"),
    IndicatorKind.ADDRESS: ("address", "IP address", "IP 地址"),
    IndicatorKind.NETWORK: ("address", "IP address", "IP 地址"),
    IndicatorKind.EMAIL: ("email", "e-mail address", "邮箱地址"),
}
_HASH = ("hash", "file hash", "文件杂凑值")
_LEVELS = ((90, Level.HIGH), (70, Level.MEDIUM), (40, Level.LOW))
VALUE_CHARS = 256


def level_of(confidence: int) -> Level:
    """The level of a finding whose indicator has that confidence."""
    return next((level for least, level in _LEVELS if confidence >= least), Level.INFORMATIONAL)


def rule_id_of(feed: str, kind: IndicatorKind, level: Level) -> str:
    """The id of the rule that a hit counts under; ``rule_ids`` lists all of a feed."""
    return f"indicator.{feed}.{_FAMILIES.get(kind, _HASH)[0]}.{level.value}"


def rule_ids(feed: str) -> list[str]:
    """All rule ids that hits on a feed's indicators can have."""
    return list(dict.fromkeys(rule_id_of(feed, kind, level) for kind in IndicatorKind for level in Level))


@lru_cache(maxsize=4096)
def card_of(feed: str, kind: IndicatorKind, level: Level) -> RuleCard:
    """What people need to know of such a finding."""
    family, english, chinese = _FAMILIES.get(kind, _HASH)
    rule_id = rule_id_of(feed, kind, level)
    return RuleCard(
        id=rule_id,
        title=f"Threat indicator: {english} listed by {feed}",
        title_zh=f"威胁情报命中：{chinese}见于情报源 {feed}",
        level=level,
        tags=(f"indicator.{family}",),
        description=f"A record names a value that the feed {feed} calls bad. The level follows the feed's confidence.",
        falsepositives=("Shared hosting, or an address that has changed hands since the feed named it",),
        status="stable",
        group_by=("indicator", "host.name", "source.ip"),
        content_sha256=sha256(f"indicator 1\0{rule_id}".encode()).hexdigest(),
        path=f"indicators/{feed}",
    )


def holds(indicator: Indicator, at: int, received: int) -> bool:
    """Whether it had not ended at the event's time; where that lies behind the time received, at that."""
    return indicator.valid_until == 0 or min(at, received) < indicator.valid_until


def matched_of(hit: Hit, indicator: Indicator) -> dict[str, str]:
    """Why it fired."""
    until = indicator.valid_until
    told = {
        hit.field: hit.value[:VALUE_CHARS],
        "indicator": indicator.value,
        "indicator.kind": indicator.kind.value,
        "indicator.feed": indicator.feed,
        "indicator.confidence": str(indicator.confidence),
        "indicator.valid_until": datetime.fromtimestamp(until // 1_000_000, UTC).isoformat() if until else "",
        "indicator.label": indicator.label,
        "indicator.reference": indicator.reference,
    }
    return {name: value for name, value in told.items() if value}
