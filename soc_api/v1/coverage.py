"""ATT&CK coverage: how each technique stands, as rows and as a layer of ATT&CK Navigator."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response

from detection_rules.coverage import Coverage, CoveringRule, coverage, navigator_layer, read_table
from soc_api.access import services_of
from soc_api.answers import answers, json_answer
from soc_api.rights import needs
from soc_api.services import Services
from soc_model.right import Right
from soc_model.rule_entry import Standing
from soc_model.session import Session

router = APIRouter(prefix="/coverage", tags=["rules"])
Reader = Annotated[Session, needs(Right.RULES_READ)]
TABLE = read_table()


@router.get("", responses=answers(Coverage))
def read_coverage(request: Request, session: Reader) -> Response:
    """Each technique with the rules there are, those that a source feeds, and those that have alerts the asker sees."""
    return json_answer(coverage_for(request, session))


@router.get("/navigator")
def read_layer(request: Request, session: Reader) -> Response:
    """The same as a layer (format 4.5) for ATT&CK Navigator."""
    services = services_of(request)
    made = datetime.fromtimestamp(services.now() / 1e6, UTC).isoformat(timespec="seconds")
    answer = json_answer(navigator_layer(coverage_for(request, session), services.name, made))
    answer.headers["Content-Disposition"] = 'attachment; filename="fengsui-attack-layer.json"'
    return answer


def coverage_for(request: Request, session: Session) -> Coverage:
    """The coverage with the alerts that the person may see."""
    services = services_of(request)
    alerts = {rule: count for rule, (count, _) in services.state.rule_alerts(session.scope).items()}
    return coverage(TABLE, covering_rules(services), alerts)


def covering_rules(services: Services) -> list[CoveringRule]:
    """The rules that run, as coverage needs them."""
    return [
        CoveringRule(id=one.id, title=one.title, tags=one.techniques, live=not one.no_source)
        for one in services.rules.catalogue.entries()
        if one.standing is Standing.RUNS
    ]
