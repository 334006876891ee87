"""The app: every router, the gate before them, and a check that no endpoint lacks a right."""

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.responses import JSONResponse

from soc_api.console.console import STATIC, Console
from soc_api.console.views import (
    account,
    alert,
    asset,
    assets,
    entry,
    events,
    rule,
    rule_library,
    rule_test,
    setup,
    sign_in,
)
from soc_api.console.views import alerts as alert_list
from soc_api.console.views import audit as audit_view
from soc_api.console.views import coverage as coverage_view
from soc_api.console.views import health as health_view
from soc_api.console.views import indicators as indicators_view
from soc_api.console.views import jobs as jobs_view
from soc_api.console.views import keys as keys_view
from soc_api.console.views import people as people_view
from soc_api.console.views import rules as rules_view
from soc_api.console.views import sources as sources_view
from soc_api.document import openapi_document
from soc_api.gate import FirstStart, OwnHost, OwnOrigin
from soc_api.headers import PolicyHeaders
from soc_api.password import Passwords
from soc_api.problems import add_problem_handlers
from soc_api.rights import check_rights, needs
from soc_api.scraping import router as metrics
from soc_api.services import Services
from soc_api.static_files import static_files
from soc_api.v1 import alerts as v1_alerts
from soc_api.v1 import assets as v1_assets
from soc_api.v1 import audit as v1_audit
from soc_api.v1 import coverage as v1_coverage
from soc_api.v1 import events as v1_events
from soc_api.v1 import health as v1_health
from soc_api.v1 import indicators as v1_indicators
from soc_api.v1 import jobs as v1_jobs
from soc_api.v1 import keys as v1_keys
from soc_api.v1 import people as v1_people
from soc_api.v1 import rules as v1_rules
from soc_api.v1 import sources as v1_sources
from soc_api.v1 import stream as v1_stream
from soc_model.right import Right

DESCRIPTION = (
    "The security management center's one contract for systems. Times are µs since the epoch, UTC. "
    "`x-right` names the right that each operation needs."
)


def create_app(services: Services) -> FastAPI:
    """The app over these services; raises when assets are missing or an endpoint declares no right."""
    app = FastAPI(
        title="fengsui",
        version=services.version,
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    app.state.console = Console(services)
    app.state.passwords = Passwords()
    rule_pages = (coverage_view, rules_view, rule_library, rule_test, rule)  # a rule's own page last: it takes any word
    known_pages = (sources_view, assets, asset, indicators_view, *rule_pages)
    work_pages = (alert_list, alert, events, *known_pages, jobs_view, health_view)
    access_pages = (entry, sign_in, setup, account, people_view, keys_view, audit_view)
    for router in (_api(), metrics, *(page.router for page in (*access_pages, *work_pages))):
        app.include_router(router)
    app.mount("/static", static_files(STATIC), "static")
    add_problem_handlers(app)
    _stand_before(app, services)
    check_rights(app)
    return app


def _api() -> APIRouter:
    api = APIRouter(prefix="/api")
    known = (v1_assets, v1_indicators, v1_sources, v1_rules, v1_coverage)
    work = (v1_alerts, v1_events, *known, v1_health, v1_jobs, v1_stream)
    for each in (*work, v1_people, v1_keys, v1_audit):
        api.include_router(each.router, prefix="/v1")

    @api.get("/openapi.json", include_in_schema=False, dependencies=[needs(Right.CONTRACT_READ)])
    def read_document(request: Request) -> Response:
        """This contract as an OpenAPI document."""
        return JSONResponse(openapi_document(request.app))

    return api


def _stand_before(app: FastAPI, services: Services) -> None:
    """From the inside out: the last one added is asked first."""
    app.add_middleware(FirstStart, services=services)
    app.add_middleware(OwnOrigin)
    app.add_middleware(OwnHost, hosts=frozenset(host.lower().strip("[]") for host in services.hosts))
    app.add_middleware(PolicyHeaders)
