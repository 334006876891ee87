"""A rule over the past, from the console: paste it, choose how far back, look at what it would have found."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Form, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse

from detection_rules.backtest import RuleHits
from soc_api.access import services_of
from soc_api.console.console import Console
from soc_api.console.views.jobs import duration
from soc_api.rights import needs
from soc_api.v1.rules import RuleTest, queue_test
from soc_model.job import FINAL, Job
from soc_model.right import Right
from soc_model.session import Session

router = APIRouter(prefix="/rules/test", include_in_schema=False)
Tester = Annotated[Session, needs(Right.RULES_TEST)]
HOUR_S = 3600
SPANS = (HOUR_S, 24 * HOUR_S, 7 * 24 * HOUR_S, 30 * 24 * HOUR_S, 180 * 24 * HOUR_S)


class Asked(BaseModel):
    """What the form begins with."""

    rule_id: Annotated[str, Field(max_length=200)] = ""


@router.get("")
def form_page(request: Request, session: Tester, asked: Annotated[Asked, Query()]) -> Response:
    """The form."""
    console: Console = request.app.state.console
    return console.page(request, "rule_test.html", session, rule_id=asked.rule_id, spans=SPANS, job=None)


@router.post("")
def start(
    request: Request,
    session: Tester,
    last_s: Annotated[int, Form(ge=60, le=366 * 86_400)],
    rule: Annotated[str, Form(max_length=12 * 1024)] = "",
    rule_id: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Queue the backtest and go to it."""
    wanted = RuleTest(last_s=last_s, rule="" if rule_id else rule, rule_id=rule_id)
    job = queue_test(request, session, wanted)
    return RedirectResponse(f"/rules/test/{job.id}", status_code=303)


@router.get("/{job_id}")
def result_page(request: Request, session: Tester, job_id: int) -> Response:
    """How far the backtest is, and what it found."""
    job = services_of(request).jobs.store.get(job_id)
    if job is None or job.kind != "test_rule":
        raise HTTPException(404, "no such backtest")
    console: Console = request.app.state.console
    return console.page(
        request,
        "rule_test.html",
        session,
        job=job,
        ended=job.state in FINAL,
        found=job.result,
        rules=_rules(job),
        rule_id=job.params.get("rule_id", ""),
        duration=duration,
        spans=SPANS,
    )


def _rules(job: Job) -> list[RuleHits]:
    return msgspec.convert(job.result.get("rules", []), list[RuleHits])
