"""Rules: have them read again from disk (what came of it stands under health), and test one over the past."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from soc_api.access import actor_of, services_of
from soc_api.answers import answers, json_answer, problem_answers
from soc_api.rights import needs
from soc_model.audit import Act
from soc_model.job import Job
from soc_model.right import Right
from soc_model.session import Session

router = APIRouter(prefix="/rules", tags=["rules"])
Tester = Annotated[Session, needs(Right.RULES_TEST)]


class RuleTest(BaseModel):
    """A backtest: a rule as YAML, or the id of one that the center has, over the last ``last_s`` seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    last_s: Annotated[int, Field(ge=60, le=366 * 86_400)]
    rule: Annotated[str, Field(max_length=12 * 1024)] = ""
    rule_id: Annotated[str, Field(max_length=200)] = ""


@router.post("/reload", status_code=202, responses=problem_answers())
def reload_rules(request: Request, session: Annotated[Session, needs(Right.RULES_RELOAD)]) -> Response:
    """Ask that the rules are read again; they are exchanged at a batch boundary, if they are others."""
    services = services_of(request)
    services.reload_rules(session.person)
    services.state.audit.record(Act.RULES_RELOADED, actor_of(request, session), "rules", services.now())
    return Response(status_code=202)


@router.post("/test", responses=answers(Job, 400, 422))
def test_rule(request: Request, session: Tester, wanted: RuleTest) -> Response:
    """Queue a backtest over what the asker may see; the job's result has hits by day, first events and cost."""
    return json_answer(queue_test(request, session, wanted))


def queue_test(request: Request, session: Session, wanted: RuleTest) -> Job:
    """The job, queued; what it looks at is the asker's scope."""
    given = {name: text for name, text in (("rule", wanted.rule), ("rule_id", wanted.rule_id)) if text.strip()}
    params = {"last_s": wanted.last_s, **given, "units": sorted(session.units or ())}
    return services_of(request).jobs.ask("test_rule", params, session.person, unless_waiting=False)
