"""serve: the API, the console and the stream; asks the state, the query child and the gauges, and changes little.

Comes in: HTTP. Goes out: pages, JSON, events. The one thing to know: it holds no state of its own between requests.
"""

import argparse
import asyncio
import contextlib
import os
import sys
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import uvicorn

from soc_api.app import create_app
from soc_api.job_services import JobServices
from soc_api.services import Services
from soc_center.folder import DataFolder
from soc_center.gauge import GaugeFile, now_us
from soc_center.health import health
from soc_center.indicator_access import IndicatorAccess
from soc_center.job_kind import kind_names
from soc_center.job_request import request_cancel, request_job
from soc_center.life import leash_gone, leashed
from soc_center.link import console_listen
from soc_center.metrics_token import scraper
from soc_center.query_client import QueryClient
from soc_center.reload_report import ask
from soc_center.rule_acts import rule_services
from soc_center.rule_library import RuleLibrary
from soc_center.rule_states import write_states
from soc_center.settings import Settings, host_port, is_loopback, read_settings
from soc_center.start import USAGE
from soc_center.wake import drain, open_bell, wake
from soc_model.problem import Problem
from soc_store.assets import Assets
from soc_store.secret_box import SecretBox, open_box
from soc_store.source_report import source_reports, with_counts
from soc_store.state import State

POLL_S = 1.0
#: So that the last administrator still sees the recovery codes.
MOVE_S = 2.0


class OutboxBell:
    """Wakes everyone who follows the outbox when triage rings, and once a second anyway."""

    def __init__(self, run: Path) -> None:
        self._bell = open_bell(run, "serve")
        self._rung = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._bell, self._ring)

    def _ring(self) -> None:
        drain(self._bell)
        self._rung.set()
        self._rung = asyncio.Event()

    async def wait(self) -> None:
        """Return when new rows may exist."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), POLL_S)


@dataclass(slots=True, kw_only=True)
class Place:
    """What is served and where: loopback only, until the center is set up."""

    folder: DataFolder
    settings: Settings
    state: State
    assets: Assets
    box: SecretBox
    evaluation: bool
    opened: bool = False

    @property
    def listen(self) -> str:
        return console_listen(self.settings, opened=self.opened)

    @property
    def tls(self) -> bool:
        return self.opened and bool(self.settings.listen.certificate)

    def look(self) -> bool:
        """Whether the center is set up now."""
        return self.evaluation or not self.state.people.missing_administrators()


def services(place: Place, queries: QueryClient, bell: OutboxBell) -> Services:
    """What the app is given."""
    folder, settings = place.folder, place.settings
    return Services(
        state=place.state,
        jobs=job_services(folder, place.state),
        rules=rule_services(folder, place.state),
        indicators=IndicatorAccess(folder, place.state.jobs),
        assets=place.assets,
        search_events=queries.search_events,
        search_findings=queries.search_findings,
        sources=lambda scope: with_counts(
            source_reports(folder.root, scope, settings.sources), "assets_capped", place.assets.capped()
        ),
        source_settings=lambda: settings.sources,
        health=lambda: health(folder),
        reload_rules=lambda person: ask(folder.run, person),
        wait_for_outbox=bell.wait,
        now=now_us,
        box=place.box,
        evaluation=place.evaluation,
        version=version("fengsui"),
        hosts=["127.0.0.1", "localhost", "[::1]", *settings.hosts],
        secure_cookie=place.tls,
        name=settings.name,
        units={unit.id: unit.name for unit in settings.units},
        link_command=f"fengsui link --data {folder.root}",
        scraper=scraper(folder.metrics_token),
    )


def job_services(folder: DataFolder, state: State) -> JobServices:
    """Jobs as the app may use them; whoever works is woken."""
    return JobServices(
        store=state.jobs,
        schedules=state.schedules,
        kinds=kind_names,
        ask=partial(request_job, state.jobs, folder.run),
        cancel=partial(request_cancel, state.jobs, folder.run),
        schedule_changed=partial(wake, folder.run, "schedule"),
    )


async def serve(place: Place) -> None:
    """Serve until SIGTERM or the end of the supervisor; moves to where the settings say once the center is set up."""
    queries, bell = QueryClient(place.folder.root), OutboxBell(place.folder.run)
    telling = asyncio.create_task(_tell(place.folder))
    try:
        place.opened = place.look()
        while await _serve_here(place, queries, bell):
            place.opened = True
    finally:
        telling.cancel()
        await queries.close()


async def _serve_here(place: Place, queries: QueryClient, bell: OutboxBell) -> bool:
    """Serve at one address; whether it ended because the center was set up, which changes the address."""
    host, port = host_port(place.listen)
    tls = {"ssl_certfile": place.settings.listen.certificate, "ssl_keyfile": place.settings.listen.private_key}
    config = uvicorn.Config(
        create_app(services(place, queries, bell)),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
        **(tls if place.tls else {}),  # type: ignore[arg-type]
    )
    server = uvicorn.Server(config)
    if leashed():
        asyncio.get_running_loop().add_reader(0, lambda: _follow_leash(server))
    moving = asyncio.create_task(_move(place, server))
    try:
        await server.serve()
    finally:
        moving.cancel()
    return moving.done() and not moving.cancelled() and moving.result()


async def _move(place: Place, server: uvicorn.Server) -> bool:
    """Ends the server once the center is set up, where that changes its address; else never returns."""
    wanted = (console_listen(place.settings, opened=True), bool(place.settings.listen.certificate))
    if place.opened or wanted == (place.listen, False):
        await asyncio.Event().wait()
    while not await asyncio.to_thread(place.look):
        await asyncio.sleep(POLL_S)
    await asyncio.sleep(MOVE_S)
    server.should_exit = True
    return True


def _follow_leash(server: uvicorn.Server) -> None:
    if leash_gone():
        server.should_exit = True
        asyncio.get_running_loop().remove_reader(0)


async def _tell(folder: DataFolder) -> None:
    gauge = GaugeFile(folder.run, "serve")
    while True:
        gauge.set()
        await asyncio.sleep(1.0)


def main() -> None:
    """``python -m soc_center.processes.serve --data DIR [--evaluation]``."""
    parser = argparse.ArgumentParser(prog="fengsui serve", description="Serve the API and the console.")
    parser.add_argument("--data", type=Path, required=True, help="the data directory")
    parser.add_argument("--evaluation", action="store_true", help="one person holds every role; loopback only")
    arguments = parser.parse_args()
    folder = DataFolder(arguments.data.resolve())
    try:
        settings = read_settings(folder.settings)
        if arguments.evaluation and not is_loopback(settings.listen.console):
            raise Problem(str(folder.settings), "listen.console: evaluation mode serves this machine only (127.0.0.1)")
        state = State.open(folder.state_url, migrate=False)
        state.claim_mode("evaluation" if arguments.evaluation else "real")
        if leashed():
            os.set_blocking(0, False)
        box = open_box(folder.secret_key, may_make=False)
        assets = Assets.open(folder.state_url)
        write_states(RuleLibrary(folder.rule_library), state.rules)
        place = Place(
            folder=folder, settings=settings, state=state, assets=assets, box=box, evaluation=arguments.evaluation
        )
        asyncio.run(serve(place))
    except Problem as problem:
        print(f"fengsui: {problem}", file=sys.stderr, flush=True)
        sys.exit(USAGE)


if __name__ == "__main__":
    main()
