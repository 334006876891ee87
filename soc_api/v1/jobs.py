"""Jobs and their schedule: what is queued, runs and has ended; asking for one, and asking one to end."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from soc_api.access import services_of
from soc_api.answers import answers, json_answer
from soc_api.rights import needs
from soc_api.v1.parameters import PageParameters, ShortText, Stated
from soc_model.job import Job, JobState, Schedule
from soc_model.right import Right
from soc_model.session import Session
from soc_store.job_filter import JobFilter, JobPage

router = APIRouter(tags=["jobs"])
Reader = Annotated[Session, needs(Right.JOBS_READ)]
Runner = Annotated[Session, needs(Right.JOBS_RUN)]


class JobParameters(PageParameters):
    """The filters of the list of jobs; values of a repeated one are alternatives."""

    state: Annotated[tuple[JobState, ...], Stated] = ()
    kind: Annotated[tuple[ShortText, ...], Stated] = ()
    created_by: ShortText = ""

    def filter(self) -> JobFilter:
        """The same for the store."""
        return JobFilter(states=self.state, kinds=self.kind, created_by=self.created_by)


class JobRequest(BaseModel):
    """A job that is asked for; with ``unless_waiting`` none is added where one of the kind is queued or runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[str, Field(min_length=1, max_length=100)]
    params: dict[str, Any] = {}
    unless_waiting: bool = False


class ScheduleChange(BaseModel):
    """What is to change of a schedule; what is not named stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every_s: Annotated[int | None, Field(ge=1, le=366 * 86_400)] = None
    enabled: bool | None = None


@router.get("/jobs", responses=answers(JobPage, 400, 422))
def list_jobs(request: Request, session: Reader, parameters: Annotated[JobParameters, Query()]) -> Response:
    """A page of jobs, the newest first."""
    store = services_of(request).jobs.store
    return json_answer(store.page(parameters.filter(), parameters.limit, parameters.cursor or None))


@router.get("/jobs/kinds", responses=answers(list[str]))
def list_kinds(request: Request, session: Reader) -> Response:
    """The kinds of jobs that may be asked for."""
    return json_answer(list(services_of(request).jobs.kinds()))


@router.get("/jobs/{job_id}", responses=answers(Job, 404, 422))
def read_job(request: Request, session: Reader, job_id: int) -> Response:
    """One job."""
    return json_answer(found(services_of(request).jobs.store.get(job_id)))


@router.post("/jobs", responses=answers(Job, 400, 422))
def ask_for_job(request: Request, session: Runner, wanted: JobRequest) -> Response:
    """Ask for a job; answers with it as it is queued, or with the one that waits already."""
    ask = services_of(request).jobs.ask
    return json_answer(ask(wanted.kind, wanted.params, session.person, unless_waiting=wanted.unless_waiting))


@router.post("/jobs/{job_id}/cancel", responses=answers(Job, 404, 422))
def cancel_job(request: Request, session: Runner, job_id: int) -> Response:
    """Ask a job to end: one that runs does so within seconds, one that has ended stays as it is."""
    return json_answer(found(services_of(request).jobs.cancel(job_id, session.person)))


@router.get("/schedules", responses=answers(list[Schedule]))
def list_schedules(request: Request, session: Reader) -> Response:
    """How often the clock asks for each kind of job."""
    return json_answer(services_of(request).jobs.schedules.all())


@router.patch("/schedules/{kind}", responses=answers(Schedule, 400, 404, 422))
def change_schedule(request: Request, session: Runner, kind: ShortText, change: ScheduleChange) -> Response:
    """Change how often, or switch on or off; answers with the schedule as it is then."""
    return json_answer(set_schedule(request, session, kind, every_s=change.every_s, enabled=change.enabled))


def set_schedule(
    request: Request, session: Session, kind: str, *, every_s: int | None, enabled: bool | None
) -> Schedule:
    """The schedule after the change; raises 404 when there is no such kind."""
    services = services_of(request)
    changed = services.jobs.schedules.change(kind, session.person, services.now(), every_s=every_s, enabled=enabled)
    if changed is None:
        raise HTTPException(404, "no such schedule")
    services.jobs.schedule_changed()
    return changed


def found(job: Job | None) -> Job:
    """The job; raises 404 when there is none."""
    if job is None:
        raise HTTPException(404, "no such job")
    return job
