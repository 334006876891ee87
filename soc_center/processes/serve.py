"""serve: the API, the console and the stream; asks the state, the query child and the gauges, and changes little.

Comes in: HTTP. Goes out: pages, JSON, events. The one thing to know: it holds no state of its own between requests.
"""

import argparse
import asyncio
import contextlib
import os
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from soc_api.app import create_app
from soc_api.job_services import JobServices
from soc_api.services import Services
from soc_center.folder import DataFolder
from soc_center.gauge import GaugeFile, now_us
from soc_center.health import health
from soc_center.job_kind import kind_names
from soc_center.job_request import request_cancel, request_job
from soc_center.life import leash_gone, leashed
from soc_center.metrics_token import scraper
from soc_center.query_client import QueryClient
from soc_center.reload_report import ask
from soc_center.settings import Settings, host_port, is_loopback, read_settings
from soc_center.start import USAGE
from soc_center.wake import drain, open_bell, wake
from soc_model.problem import Problem
from soc_store.assets import Assets
from soc_store.source_report import source_reports, with_counts
from soc_store.state import State

POLL_S = 1.0


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


def services(folder: DataFolder, settings: Settings, queries: QueryClient, bell: OutboxBell) -> Services:
    """What the app is given; raises Problem."""
    state = State.open(folder.state_url, migrate=False)
    assets = Assets.open(folder.state_url)
    return Services(
        state=state,
        jobs=job_services(folder, state),
        assets=assets,
        search_events=queries.search_events,
        search_findings=queries.search_findings,
        sources=lambda scope: with_counts(
            source_reports(folder.root, scope, settings.sources), "assets_capped", assets.capped()
        ),
        source_settings=lambda: settings.sources,
        health=lambda: health(folder),
        reload_rules=lambda person: ask(folder.run, person),
        wait_for_outbox=bell.wait,
        now=now_us,
        evaluation=True,
        version=version("fengsui"),
        hosts=["127.0.0.1", "localhost", "[::1]", *settings.hosts],
        secure_cookie=not is_loopback(settings.listen.console),
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


async def serve(folder: DataFolder, settings: Settings) -> None:
    """Serve until SIGTERM or the end of the supervisor."""
    queries = QueryClient(folder.root)
    app: FastAPI = create_app(services(folder, settings, queries, OutboxBell(folder.run)))
    host, port = host_port(settings.listen.console)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    if leashed():
        asyncio.get_running_loop().add_reader(0, lambda: _follow_leash(server))
    telling = asyncio.create_task(_tell(folder))
    try:
        await server.serve()
    finally:
        telling.cancel()
        await queries.close()


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
    """``python -m soc_center.processes.serve --data DIR --evaluation``."""
    parser = argparse.ArgumentParser(prog="fengsui serve", description="Serve the API and the console.")
    parser.add_argument("--data", type=Path, required=True, help="the data directory")
    parser.add_argument("--evaluation", action="store_true", help="one person holds every role; loopback only")
    arguments = parser.parse_args()
    folder = DataFolder(arguments.data.resolve())
    try:
        settings = read_settings(folder.settings)
        if not arguments.evaluation:
            raise Problem("fengsui serve", "only --evaluation is served in this release")
        if not is_loopback(settings.listen.console):
            raise Problem(str(folder.settings), "listen.console: evaluation mode serves this machine only (127.0.0.1)")
        if leashed():
            os.set_blocking(0, False)
        asyncio.run(serve(folder, settings))
    except Problem as problem:
        print(f"fengsui: {problem}", file=sys.stderr, flush=True)
        sys.exit(USAGE)


if __name__ == "__main__":
    main()
