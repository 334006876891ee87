"""The list of rules under a filter: what was read, joined with what people decided and what each rule found."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from soc_api.rule_services import RuleServices
from soc_model.layer import Level, Realm
from soc_model.problem import Problem
from soc_model.rule_entry import RuleEntry, RuleWhole, Standing
from soc_model.rule_proof import RuleProof
from soc_model.rule_state import RuleDecision, RuleOrigin, RuleState
from soc_model.scope import Scope

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
DAYS = 30
RuleSort = Literal["found", "level", "title"]
Matter = Literal["refused", "no_source", "below", "needs", "fired", "silent", "waits"]


class RuleFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rules; empty means all, values of one field are alternatives. Of ``matters`` all must hold."""

    text: str = ""
    states: tuple[RuleState, ...] = ()
    levels: tuple[Level, ...] = ()
    origins: tuple[RuleOrigin, ...] = ()
    layers: tuple[str, ...] = ()
    product: str = ""
    status: str = ""
    matters: tuple[Matter, ...] = ()


class RuleRow(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of the list; ``state`` is what people want, which detection takes over within seconds (``waits``)."""

    rule: RuleEntry
    state: RuleState
    waits: bool
    found_24h: int
    found_7d: int


class RulePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some rules, how many there are under the filter, and where the page ended."""

    rules: list[RuleRow]
    total: int
    cursor: str | None


class RuleDay(msgspec.Struct, frozen=True, kw_only=True):
    """Findings of one UTC day; ``start`` is its beginning."""

    start: int
    findings: int


class RuleDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One rule whole: its row, text and card, what was decided of it, what it found by day (the last 30), its last
    self-proof, and its own share of detection's time (1 is all of it)."""

    row: RuleRow
    whole: RuleWhole
    decisions: list[RuleDecision]
    days: list[RuleDay]
    proof: RuleProof | None = None
    share: float = 0.0


def list_rules(
    rules: RuleServices, scope: Scope, wanted: RuleFilter, *, now: int, sort: RuleSort, limit: int, cursor: str
) -> RulePage:
    """A page of the rules; ``Problem`` for a bad cursor."""
    start = _start(cursor)
    rows = sorted((row for row in all_rows(rules, scope, now) if matches(row, wanted)), key=_ORDERS[sort])
    end = start + limit
    return RulePage(rules=rows[start:end], total=len(rows), cursor=str(end) if len(rows) > end else None)


def all_rows(rules: RuleServices, scope: Scope, now: int) -> list[RuleRow]:
    """Every rule that was read."""
    states = rules.decisions.states()
    day, week = rules.hours.found(scope, now - DAY_US), rules.hours.found(scope, now - 7 * DAY_US)
    return [_row(each, states, day, week) for each in rules.catalogue.entries()]


def rule_detail(rules: RuleServices, scope: Scope, rule_id: str, now: int) -> RuleDetail | None:
    """One rule; None when there is none of that id."""
    whole = rules.catalogue.whole(rule_id)
    if whole is None:
        return None
    day, week = rules.hours.found(scope, now - DAY_US), rules.hours.found(scope, now - 7 * DAY_US)
    return RuleDetail(
        row=_row(whole.entry, rules.decisions.states(), day, week),
        whole=whole,
        decisions=list(rules.decisions.decisions(rule_id)),
        days=_days(rules, scope, rule_id, now),
        proof=rules.proofs().get(rule_id),
        share=rules.shares().get(rule_id, 0.0),
    )


def counts(rows: Iterable[RuleRow]) -> Mapping[str, int]:
    """How many rules are in each state, and how many there are of each matter."""
    counted: Counter[str] = Counter()
    for row in rows:
        counted[row.state.value] += 1
        counted.update(matter for matter, holds in _MATTERS.items() if holds(row))
    return counted


def live(scope: Scope, *, evaluation: bool) -> Scope:
    """Of what somebody sees, what counts as found: in an evaluation drills too, since they are what is tried out."""
    return scope if evaluation else scope.narrowed(frozenset({Realm.LIVE}))


def matches(row: RuleRow, wanted: RuleFilter) -> bool:
    """Whether the rule is under the filter."""
    rule = row.rule
    return (
        (not wanted.states or row.state in wanted.states)
        and (not wanted.levels or rule.level in wanted.levels)
        and (not wanted.origins or rule.origin in wanted.origins)
        and (not wanted.layers or rule.layer in wanted.layers)
        and (not wanted.product or rule.product == wanted.product)
        and (not wanted.status or rule.status == wanted.status)
        and all(_MATTERS[matter](row) for matter in wanted.matters)
        and _has_words(rule, wanted.text)
    )


def _has_words(rule: RuleEntry, text: str) -> bool:
    if not text:
        return True
    within = " ".join((rule.title, rule.title_zh, rule.id, rule.path, rule.logsource, rule.reason)).casefold()
    return all(word in within for word in text.casefold().split())


_MATTERS: dict[str, Callable[[RuleRow], bool]] = {
    "refused": lambda row: row.rule.standing is Standing.REFUSED,
    "no_source": lambda row: row.rule.no_source,
    "below": lambda row: row.rule.standing is Standing.BELOW,
    "needs": lambda row: bool(row.rule.needs),
    "fired": lambda row: row.found_7d > 0,
    "silent": lambda row: row.found_7d == 0 and row.rule.standing is Standing.RUNS,
    "waits": lambda row: row.waits,
}
_ORDERS: dict[str, Callable[[RuleRow], tuple[int | str, ...]]] = {
    "found": lambda row: (-row.found_24h, -row.found_7d, -row.rule.level.rank, row.rule.title, row.rule.id),
    "level": lambda row: (-row.rule.level.rank, row.rule.title, row.rule.id),
    "title": lambda row: (row.rule.title.casefold(), row.rule.id),
}


def _row(rule: RuleEntry, states: Mapping[str, RuleState], day: Mapping[str, int], week: Mapping[str, int]) -> RuleRow:
    state = states.get(rule.id, rule.first_state)
    return RuleRow(
        rule=rule,
        state=state,
        waits=state is not rule.state,
        found_24h=day.get(rule.id, 0),
        found_7d=week.get(rule.id, 0),
    )


def _days(rules: RuleServices, scope: Scope, rule_id: str, now: int) -> list[RuleDay]:
    """Every day of the last ``DAYS``, those without findings too."""
    first = now - now % DAY_US - (DAYS - 1) * DAY_US
    found: Counter[int] = Counter()
    for hour in rules.hours.hours(scope, rule_id, first):
        found[hour.hour - hour.hour % DAY_US] += hour.findings
    return [RuleDay(start=day, findings=found[day]) for day in range(first, first + DAYS * DAY_US, DAY_US)]


def _start(cursor: str) -> int:
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise Problem("cursor", "is not one that this list gave")
    return int(cursor or 0)


def products(rows: Sequence[RuleRow]) -> list[str]:
    """The products that rules name, the most frequent first."""
    return [name for name, _ in Counter(row.rule.product for row in rows if row.rule.product).most_common()]
