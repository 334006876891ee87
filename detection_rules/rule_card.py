"""A document's head to the card that travels with what the rule finds."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from detection_rules.rule import RuleDocument
from detection_rules.sigma_parse import RuleError, RuleHead
from soc_model.finding import RuleCard
from soc_model.layer import Level


def rule_card(head: RuleHead, document: RuleDocument, content_sha256: str, level: Level | None = None) -> RuleCard:
    """The card; ``level`` is for a document that states none. Raises ``RuleError`` for a wrong ``fengsui`` section."""
    custom = document.data.get("fengsui", {})
    if not isinstance(custom, dict):
        raise RuleError("fengsui: not a mapping")
    return RuleCard(
        id=str(head.id) if head.id is not None else digest_of(document)[:32],
        title=head.title,
        title_zh=_text(custom, "title_zh") or document.title_zh,
        level=stated_level(head) or level or Level.INFORMATIONAL,
        tags=tuple(map(str, head.tags)),
        description=head.description or "",
        falsepositives=tuple(map(str, head.falsepositives)),
        references=tuple(map(str, head.references)),
        author=head.author or "",
        status=str(head.status) if head.status is not None else "",
        group_by=_names(custom, "group_by"),
        content_sha256=content_sha256,
        path=document.shown or document.path,
        state=document.state,
    )


def digest_of(document: RuleDocument) -> str:
    """SHA-256 of the document's text."""
    return sha256(document.text.encode()).hexdigest()


def content_of(digest: str, more: Iterable[str]) -> str:
    """The digest of a document together with what else decides what it means; alone it stays as it is."""
    lines = sorted(more)
    return sha256("\n".join((digest, *lines)).encode()).hexdigest() if lines else digest


def stated_level(head: RuleHead) -> Level | None:
    """The level that the document states."""
    return Level(str(head.level)) if head.level is not None else None


def _text(custom: dict[str, Any], key: str) -> str:
    value = custom.get(key, "")
    if not isinstance(value, str):
        raise RuleError(f"fengsui.{key}: not a text")
    return value


def _names(custom: dict[str, Any], key: str) -> tuple[str, ...]:
    value = custom.get(key, [])
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise RuleError(f"fengsui.{key}: not a list of field names")
    return tuple(value)
