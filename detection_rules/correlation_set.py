"""Correlations as written to correlations whose references are resolved, in the order in which they build on another.

Comes in: parsed correlations, the rules that loaded, why others did not. Goes out: correlations, and for each that
cannot be, the reason: a rule that is not there or is refused itself, or a circle, which is named.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from detection_rules.correlation_parse import ParsedCorrelation
from detection_rules.references import References, document_id
from detection_rules.rule import CorrelationRule, Rule, RuleDocument
from detection_rules.rule_card import digest_of, rule_card
from detection_rules.sigma_parse import RuleError
from soc_model.correlation import Correlation
from soc_model.finding import RuleCard

MAX_CHAIN = 16  # correlations that build on one another


@dataclass(slots=True, kw_only=True)
class CorrelationSet:
    """Correlations by id: those still to be resolved, those that are, and why the others are not."""

    references: References
    rules: Mapping[str, Rule]
    refused_rules: Mapping[str, str]
    pending: dict[str, tuple[RuleDocument, ParsedCorrelation]]
    found: dict[str, CorrelationRule] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    depths: dict[str, int] = field(default_factory=dict)

    def resolve(self) -> None:
        """Decide all that is pending."""
        while ready := [one for one in self.pending if not any(base in self.pending for base in self._bases(one))]:
            for one in ready:
                document, parsed = self.pending.pop(one)
                try:
                    self.found[one] = self._resolved(document, parsed)
                except RuleError as error:
                    self.refused[one] = str(error)
        circles = {one: self._circle(one) for one in self.pending}
        for one, circle in circles.items():
            about = f"goes round in a circle: {' -> '.join(map(self._name, circle))}"
            self.refused[one] = about if one in circle else f"its rule {self._name(circle[0])!r} is refused: it {about}"
        self.pending.clear()

    def _bases(self, one: str) -> Iterator[str]:
        """The ids of what a pending correlation builds on, as far as they are known."""
        for reference in self.pending[one][1].rules:
            try:
                yield document_id(self.references.document(reference))
            except RuleError:
                continue

    def _circle(self, one: str) -> list[str]:
        """The circle that a correlation lies in or leads to, its first member at both ends."""
        path: list[str] = []
        while one not in path:
            path.append(one)
            one = next(base for base in self._bases(one) if base in self.pending)
        return [*path[path.index(one) :], one]

    def _name(self, one: str) -> str:
        data = self.pending[one][0].data
        return str(data.get("name") or data.get("id") or data.get("title"))

    def _resolved(self, document: RuleDocument, parsed: ParsedCorrelation) -> CorrelationRule:
        bases = {reference: self._base(reference) for reference in parsed.rules}
        ids = [card.id for card in bases.values()]
        twice = [reference for reference, card in bases.items() if ids.count(card.id) > 1]
        if twice:
            raise RuleError(f"correlation.rules: {twice[0]!r} stands there twice")
        highest = max((card.level for card in bases.values()), key=lambda level: level.rank)
        card = rule_card(parsed.head, document, digest_of(document), highest)
        correlation = _correlation(card.id, parsed, tuple(ids), self._aliases(parsed, ids))
        self.depths[card.id] = 1 + max(self.depths.get(base, 0) for base in ids)
        if self.depths[card.id] > MAX_CHAIN:
            raise RuleError(f"more than {MAX_CHAIN} correlations build on one another")
        self._check_groups(correlation)
        return CorrelationRule(correlation=correlation, card=card, path=document.path, line=document.line)

    def _base(self, reference: str) -> RuleCard:
        document = self.references.document(reference)
        one = document_id(document)
        found = self.rules.get(one) or self.found.get(one)
        if found is not None:
            return found.card
        if "filter" in document.data:
            raise RuleError(f"{reference!r} is a filter, no rule")
        why = self.refused.get(one) or self.refused_rules.get(one) or "it is not loaded"
        raise RuleError(f"its rule {reference!r} is refused: {why}")

    def _aliases(self, parsed: ParsedCorrelation, ids: list[str]) -> dict[str, dict[str, str]]:
        """The aliases by rule id."""
        found: dict[str, dict[str, str]] = {}
        for alias, fields in parsed.aliases.items():
            for reference, name in fields.items():
                base = document_id(self.references.document(reference))
                if base not in ids:
                    raise RuleError(f"correlation.aliases.{alias}: {reference!r} is not among its rules")
                found.setdefault(alias, {})[base] = name
        return found

    def _check_groups(self, correlation: Correlation) -> None:
        """What a correlation finds has the fields that it groups by, and no others."""
        for base in correlation.rules:
            below = self.found.get(base)
            if below is None:
                continue
            for name in (*correlation.group_by, *correlation.fields):
                if correlation.field_of(base, name) not in below.correlation.group_by:
                    about = f"{name!r} is not in the group-by of the correlation {below.card.title!r}"
                    raise RuleError(f"correlation.group-by: {about}, which is all that is known of what it finds")


def _correlation(
    id_: str, parsed: ParsedCorrelation, rules: tuple[str, ...], aliases: dict[str, dict[str, str]]
) -> Correlation:
    return Correlation(
        id=id_,
        type=parsed.type,
        rules=rules,
        group_by=parsed.group_by,
        aliases=aliases,
        timespan_s=parsed.timespan_s,
        conditions=parsed.conditions,
        fields=parsed.fields,
        percentile=parsed.percentile,
        generate=parsed.generate,
    )
