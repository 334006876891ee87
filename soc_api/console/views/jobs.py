"""Jobs: what runs, waits and has ended, how far each is, and the schedule that asks for them."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse

from soc_api.access import services_of
from soc_api.console.console import Console, link
from soc_api.job_services import JobServices
from soc_api.rights import needs
from soc_api.v1.jobs import found, set_schedule
from soc_model.job import FINAL, JobState, Schedule
from soc_model.right import Right
from soc_model.session import Session
from soc_store.job_filter import JobFilter

router = APIRouter(prefix="/jobs", include_in_schema=False)

ROWS = 50
STATES: dict[str, tuple[JobState, ...]] = {
    "all": (),
    "open": (JobState.QUEUED, JobState.RUNNING),
    "done": (JobState.DONE,),
    "failed": (JobState.FAILED, JobState.CANCELLED),
}
Reader = Annotated[Session, needs(Right.JOBS_READ)]
Runner = Annotated[Session, needs(Right.JOBS_RUN)]


class JobFields(BaseModel):
    """The fields of the filter as they stand in the URL; what is unknown there is not looked at."""

    state: str = "all"
    kind: Annotated[str, Field(max_length=200)] = ""
    cursor: Annotated[str, Field(max_length=1000)] = ""


@router.get("")
def jobs_page(request: Request, session: Reader, fields: Annotated[JobFields, Query()]) -> Response:
    """The page; to htmx only the table of jobs, which is asked for again every few seconds."""
    part = bool(request.headers.get("hx-request")) and not request.headers.get("hx-boosted")
    console: Console = request.app.state.console
    jobs = services_of(request).jobs
    shown = fields.model_copy(update={"state": fields.state if fields.state in STATES else "all"})
    context: dict[str, Any] = {} if part else {"schedules": _schedules(jobs)}
    return console.page(
        request,
        "jobs_part.html" if part else "jobs.html",
        session,
        fields=shown,
        duration=duration,
        **_list(jobs, shown),
        **context,
    )


@router.get("/{job_id}")
def job_page(request: Request, session: Reader, job_id: int) -> Response:
    """One job whole."""
    job = found(services_of(request).jobs.store.get(job_id))
    console: Console = request.app.state.console
    return console.page(request, "job.html", session, job=job, duration=duration, ended=job.state in FINAL)


@router.post("/{job_id}/cancel")
def cancel(request: Request, session: Runner, job_id: int) -> Response:
    """Ask the job to end."""
    found(services_of(request).jobs.cancel(job_id, session.person))
    return RedirectResponse(f"/jobs/{job_id}", status_code=303)


@router.post("/run")
def run_now(request: Request, session: Runner, kind: Annotated[str, Form(max_length=200)]) -> Response:
    """Ask for a job of a kind, unless one waits already."""
    services_of(request).jobs.ask(kind, {}, session.person, unless_waiting=True)
    return RedirectResponse("/jobs", status_code=303)


@router.post("/schedules/{kind}")
def change_schedule(
    request: Request,
    session: Runner,
    kind: str,
    every_s: Annotated[int | None, Form(ge=1, le=366 * 86_400)] = None,
    enabled: Annotated[bool | None, Form()] = None,
) -> Response:
    """Change how often, or switch on or off."""
    set_schedule(request, session, kind, every_s=every_s, enabled=enabled)
    return RedirectResponse("/jobs", status_code=303)


def duration(us: int) -> str:
    """``0.4 s``, ``3 min 12 s``, ``2 h 5 min``."""
    seconds = max(0, us) / 1_000_000
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _list(jobs: JobServices, fields: JobFields) -> dict[str, Any]:
    wanted = JobFilter(states=STATES[fields.state], kinds=(fields.kind,) if fields.kind else ())
    page = jobs.store.page(wanted, ROWS, fields.cursor or None)
    more = link("/jobs", state=fields.state, kind=fields.kind, cursor=page.cursor) if page.cursor else ""
    return {"jobs": page.jobs, "more": more}


def _schedules(jobs: JobServices) -> list[tuple[str, Schedule | None]]:
    """Every kind that there is with its schedule; None for one that the clock does not know yet."""
    known = {each.kind: each for each in jobs.schedules.all()}
    return [(kind, known.get(kind)) for kind in jobs.kinds()]
