"""Everything that may become an alert is a finding: one rule on one event."""

from hashlib import sha256

import msgspec

from soc_model.layer import Layer, Level, Realm
from soc_model.rule_state import RuleState


class RuleCard(msgspec.Struct, frozen=True, kw_only=True):
    """What triage and people need to know of a rule; travels with the outcomes in which the rule fired.

    ``content_sha256`` is over the rule's own document, so a changed rule gives new finding ids. ``tags`` are Sigma tags
    (``attack.t1059.001``). ``group_by`` names the fields of the alert key; empty: host, user, source address, source.
    ``state`` test: its findings are counted and raise no alert.
    """

    id: str
    title: str
    title_zh: str = ""
    level: Level
    tags: tuple[str, ...] = ()
    description: str = ""
    falsepositives: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    author: str = ""
    status: str = ""
    group_by: tuple[str, ...] = ()
    content_sha256: str
    path: str = ""
    state: RuleState = RuleState.ACTIVE


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One rule on one event, and why it fired.

    ``key`` is the alert it belongs to; ``group`` the fields and values the key was made of. ``matched`` gives for each
    field the rule looked at and found the value it found. ``entities`` are header columns with their values.
    """

    finding_id: str
    rule_id: str
    event_id: str
    key: str
    group: dict[str, str]
    level: Level
    layer: Layer
    unit: str
    realm: Realm
    source_id: str
    at: int
    received: int
    offset: int
    entities: dict[str, str] = {}
    matched: dict[str, str] = {}


def finding_id(rule_id: str, content_sha256: str, event: str) -> str:
    """h(rule id, rule content hash, event_id): 128 bits as hex."""
    return sha256("\0".join((rule_id, content_sha256, event)).encode()).hexdigest()[:32]


def alert_key(rule_id: str, unit: str, realm: Realm, group: dict[str, str]) -> str:
    """The alert a finding belongs to: 128 bits over rule, unit, realm and the group's names and values, as hex.

    Unit and realm are part of it, so that one alert never mixes them.
    """
    parts = [rule_id, unit, realm.value]
    for name in sorted(group):
        parts += [name, group[name]]
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
