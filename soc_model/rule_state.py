"""Where a rule stands with the people who answer for it (规则状态): draft, test, active, retired.

Comes in: what a rule says of itself and who wrote it. Goes out: the state it begins in. The one thing to know: draft
and retired are not evaluated at all; test is evaluated and counted, and raises no alert.
"""

from enum import StrEnum

import msgspec

REASON_CHARS = 500


class RuleState(StrEnum):
    """What is done with a rule."""

    DRAFT = "draft"  # 草稿
    TEST = "test"  # 试运行
    ACTIVE = "active"  # 启用
    RETIRED = "retired"  # 停用

    @property
    def evaluated(self) -> bool:
        """Whether events are matched against the rule at all."""
        return self in (RuleState.TEST, RuleState.ACTIVE)


class RuleOrigin(StrEnum):
    """Who wrote a rule."""

    OURS = "ours"  # 内置
    SITE = "site"  # 本单位
    IMPORTED = "imported"  # 导入


#: Sigma's words for how far a rule's authors trust it, where they keep an imported rule from being active at once:
#: experimental ones may be noisy, so they are tried first; the others are replaced by better ones or cannot work.
_FIRST = {"experimental": RuleState.TEST, "deprecated": RuleState.RETIRED, "unsupported": RuleState.RETIRED}


def first_state(origin: RuleOrigin, status: str) -> RuleState:
    """The state of a rule that nobody has decided on yet."""
    return _FIRST.get(status, RuleState.ACTIVE) if origin is RuleOrigin.IMPORTED else RuleState.ACTIVE


class RuleDecision(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody put a rule into another state, and why; ``before`` is the state it was in."""

    rule_id: str
    before: RuleState
    after: RuleState
    reason: str
    person: str
    at: int


class RuleHour(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule found in one hour: ``hour`` is its beginning, offsets are those of the journal."""

    rule_id: str
    hour: int
    findings: int
    first_offset: int
    last_offset: int
