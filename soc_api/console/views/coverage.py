"""The ATT&CK matrix: which techniques rules would see, which they have seen, and where the center is blind."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from detection_rules.coverage import Coverage, TechniqueCoverage, superseded
from soc_api.access import services_of
from soc_api.console.console import Console
from soc_api.rights import needs
from soc_api.v1.coverage import TABLE, coverage_for
from soc_model.right import Right
from soc_model.rule_entry import RuleEntry
from soc_model.session import Session

router = APIRouter(prefix="/coverage", include_in_schema=False)
_SUPERSEDED = superseded(TABLE)
Reader = Annotated[Session, needs(Right.RULES_READ)]


class CoverageFields(BaseModel):
    """The technique that is looked at, and whether sub-techniques are shown."""

    technique: Annotated[str, Field(max_length=20)] = ""
    sub: bool = False
    platform: Annotated[str, Field(max_length=50)] = ""


@router.get("")
def coverage_page(request: Request, session: Reader, fields: Annotated[CoverageFields, Query()]) -> Response:
    """The matrix by tactic, and the rules of the technique that was chosen."""
    found = coverage_for(request, session)
    shown = [one for one in found.techniques if _shown(one, fields)]
    chosen = next((one for one in found.techniques if one.id == fields.technique), None)
    console: Console = request.app.state.console
    return console.page(
        request,
        "coverage.html",
        session,
        fields=fields,
        columns=_columns(found, shown),
        chosen=chosen,
        chosen_rules=_rules_of(request, chosen),
        platforms=[(name, name) for name in sorted({each for one in found.techniques for each in one.platforms})],
        counts={state: sum(one.state == state for one in shown) for state in ("fired", "live", "present", "none")},
        unknown=found.unknown,
    )


def _shown(one: TechniqueCoverage, fields: CoverageFields) -> bool:
    if not one.rules and one.id in _SUPERSEDED:
        return False
    return (fields.sub or "." not in one.id) and fields.platform in ("", *one.platforms)


def _columns(found: Coverage, shown: list[TechniqueCoverage]) -> list[tuple[str, list[TechniqueCoverage]]]:
    return [(tactic, [one for one in shown if tactic in one.tactics]) for tactic in found.tactics]


def _rules_of(request: Request, chosen: TechniqueCoverage | None) -> list[RuleEntry]:
    """The rules of a technique, those that nothing feeds last."""
    named = set(chosen.rule_ids) if chosen is not None else set()
    rules = [rule for rule in services_of(request).rules.catalogue.entries() if rule.id in named]
    return sorted(rules, key=lambda rule: (rule.no_source, rule.title))
