"""Rules: what was read and what is done with each; states; the library with its versions and the update that waits.

The rules themselves are read again on request (what came of it stands under health), and tested over the past.
"""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from soc_api.access import actor_of, services_of
from soc_api.answers import answers, json_answer, problem_answers
from soc_api.rights import needs
from soc_api.rule_list import Matter, RuleDetail, RuleFilter, RulePage, RuleSort, list_rules, live, rule_detail
from soc_api.v1.parameters import PageParameters, ShortText, Stated
from soc_model.audit import Act
from soc_model.job import Job
from soc_model.layer import Layer, Level
from soc_model.right import Right
from soc_model.rule_library import LibraryState, LibraryVersion
from soc_model.rule_state import REASON_CHARS, RuleDecision, RuleOrigin, RuleState
from soc_model.session import Session

router = APIRouter(prefix="/rules", tags=["rules"])
Tester = Annotated[Session, needs(Right.RULES_TEST)]


class RuleTest(BaseModel):
    """A backtest: a rule as YAML, or the id of one that the center has, over the last ``last_s`` seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    last_s: Annotated[int, Field(ge=60, le=366 * 86_400)]
    rule: Annotated[str, Field(max_length=12 * 1024)] = ""
    rule_id: Annotated[str, Field(max_length=200)] = ""


Reader = Annotated[Session, needs(Right.RULES_READ)]
Administrator = Annotated[Session, needs(Right.RULES_MANAGE)]


class RuleParameters(PageParameters):
    """The filters of the list of rules; values of a repeated one are alternatives, but of ``matter`` all must hold."""

    text: Annotated[ShortText, Field(description="words of title, id, path, logsource or reason")] = ""
    state: Annotated[tuple[RuleState, ...], Stated] = ()
    level: Annotated[tuple[Level, ...], Stated] = ()
    origin: Annotated[tuple[RuleOrigin, ...], Stated] = ()
    layer: Annotated[tuple[Layer, ...], Stated] = ()
    product: ShortText = ""
    status: ShortText = ""
    matter: Annotated[tuple[Matter, ...], Stated] = ()
    sort: RuleSort = "found"

    def filter(self) -> RuleFilter:
        """The same for the list."""
        return RuleFilter(
            text=self.text,
            states=self.state,
            levels=self.level,
            origins=self.origin,
            layers=tuple(layer.value for layer in self.layer),
            product=self.product,
            status=self.status,
            matters=self.matter,
        )


class StateChange(BaseModel):
    """The state that a rule shall be in, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: RuleState
    reason: Annotated[str, Field(min_length=1, max_length=REASON_CHARS)]


class SeenVersion(BaseModel):
    """The version that was looked at, by number and digest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[int, Field(ge=1)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class KeptVersion(BaseModel):
    """A version that is kept, 0 for no imported rules; without one: that before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[int | None, Field(ge=0)] = None


@router.get("", responses=answers(RulePage, 400, 422))
def list_all(request: Request, session: Reader, parameters: Annotated[RuleParameters, Query()]) -> Response:
    """A page of all rule documents, with the state and what each found in 24 hours and 7 days."""
    services = services_of(request)
    page = list_rules(
        services.rules,
        live(session.scope, evaluation=services.evaluation),
        parameters.filter(),
        now=services.now(),
        sort=parameters.sort,
        limit=parameters.limit,
        cursor=parameters.cursor,
    )
    return json_answer(page)


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


@router.get("/library", responses=answers(LibraryState))
def read_library(request: Request, session: Reader) -> Response:
    """The library of imported rules: its versions, and the update that waits with what it would change."""
    return json_answer(services_of(request).rules.library())


@router.post("/library/confirm", responses=answers(LibraryVersion, 400, 422))
def confirm_update(request: Request, session: Administrator, seen: SeenVersion) -> Response:
    """Let the update that waits run; answers with 400 where another one waits by now."""
    rules = services_of(request).rules
    return json_answer(rules.confirm(seen.version, seen.sha256, actor_of(request, session)))


@router.post("/library/refuse", responses=answers(LibraryVersion, 400, 422))
def refuse_update(request: Request, session: Administrator, seen: SeenVersion) -> Response:
    """Drop the update that waits."""
    return json_answer(services_of(request).rules.refuse(seen.version, actor_of(request, session)))


@router.post("/library/back", responses=answers(LibraryState, 400, 422))
def go_back(request: Request, session: Administrator, kept: KeptVersion) -> Response:
    """Let a kept version run again; answers with the library as it is then."""
    rules = services_of(request).rules
    rules.back(kept.version, actor_of(request, session))
    return json_answer(rules.library())


@router.get("/{rule_id}", responses=answers(RuleDetail, 404, 422))
def read_rule(request: Request, session: Reader, rule_id: ShortText) -> Response:
    """One rule whole: its text, what was decided of it and what it found by day."""
    return json_answer(find_rule(request, session, rule_id))


@router.post("/{rule_id}/state", responses=answers(RuleDecision | None, 400, 404, 422))
def change_state(request: Request, session: Administrator, rule_id: ShortText, change: StateChange) -> Response:
    """Put a rule into a state; null where it is in it already. Detection takes it over within seconds."""
    return json_answer(decide(request, session, rule_id, change.state, change.reason))


def find_rule(request: Request, session: Session, rule_id: str) -> RuleDetail:
    """The rule; raises 404 when there is none of that id."""
    services = services_of(request)
    scope = live(session.scope, evaluation=services.evaluation)
    found = rule_detail(services.rules, scope, rule_id, services.now())
    if found is None:
        raise HTTPException(404, "no such rule")
    return found


def decide(request: Request, session: Session, rule_id: str, state: RuleState, reason: str) -> RuleDecision | None:
    """What was decided; None where the rule is in that state already. Raises 404 when there is no such rule."""
    rules = services_of(request).rules
    whole = rules.catalogue.whole(rule_id)
    if whole is None:
        raise HTTPException(404, "no such rule")
    first = whole.entry.first_state
    return rules.decide(rule_id, state, reason, first=first, actor=actor_of(request, session))
