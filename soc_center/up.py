"""``fengsui up``: one command from nothing to a running center.

Comes in: a data directory, perhaps empty. Goes out: all processes running, and on the terminal the address of the
console with a sign-in link that works once.
"""

import argparse
import hashlib
import http.client
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from soc_center.evaluation import write_evaluation
from soc_center.folder import DataFolder
from soc_center.gauge import forget_gauges, read_gauge
from soc_center.local_logs import local_logs
from soc_center.settings import Settings, host_port, is_loopback, read_settings
from soc_center.supervisor import PROCESSES, Supervisor
from soc_model.problem import Problem
from soc_store.lock import FolderLock

USAGE = 2


class Start:
    """What is still to be told and done while the processes come up; ``tick`` is called until all is."""

    def __init__(self, supervisor: Supervisor, settings: Settings, link: str, *, drill: bool) -> None:
        self._supervisor = supervisor
        self._settings = settings
        self._link = link
        self._drill = drill
        self._told = False
        self._began = False

    def tick(self) -> None:
        """Tell the address once the console answers; begin the drill once detection runs."""
        if not self._told and console_answers(self._settings.listen.console):
            self._told = True
            say("")
            say(f"  console  http://{self._settings.listen.console}/")
            say(f"  sign in  {self._link}")
            say("           (works once, for 15 minutes; a new one: fengsui link)")
            say("  stop     Ctrl-C")
            say("")
        if self._told and self._drill and not self._began and self._detecting():
            self._began = True
            self._supervisor.add("drill", "soc_center", "drill", once=True)

    def _detecting(self) -> bool:
        folder, pids = self._supervisor.folder, self._supervisor.pids()
        gauges = {name: read_gauge(folder.run, name) for name in ("collect", "detect")}
        return all(gauge is not None and gauge.pid == pids.get(name) for name, gauge in gauges.items())


def console_answers(listen: str) -> bool:
    """Whether the console answers at its address."""
    host, port = host_port(listen)
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):  # nobody, or somebody else
        return False
    finally:
        connection.close()


def say(text: str) -> None:
    """One line for the person at the terminal."""
    print(text, flush=True)


def settings_of(folder: DataFolder) -> Settings:
    """The settings of a data directory, made for evaluation where there are none; tells what it collects."""
    if folder.settings.exists():
        settings = read_settings(folder.settings)
        unreadable = local_logs("").unreadable
    else:
        unreadable = write_evaluation(folder).unreadable
        settings = read_settings(folder.settings)
    for source in settings.sources:
        if source.id.startswith("local-"):
            say(f"  collects {', '.join(source.settings.get('paths', [source.transport]))}  ({source.name})")
    for path in unreadable:
        say(f"  cannot   {path}: no permission to read it (add yourself to its group, often adm)")
    return settings


def new_link(folder: DataFolder, settings: Settings, prepare: Callable[[DataFolder, str], None]) -> str:
    """A sign-in link that works once; the data directory keeps only its SHA-256."""
    token = secrets.token_urlsafe(32)
    prepare(folder, hashlib.sha256(token.encode()).hexdigest())
    return f"http://{settings.listen.console}/setup/{token}"


def prepare_apart(folder: DataFolder, link_sha256: str) -> None:
    """Prepare the data directory in a process of its own, so that this one stays small."""
    command = [sys.executable, "-m", "soc_center.prepare", "--data", str(folder.root), "--link", link_sha256]
    done = subprocess.run(command, check=False)  # noqa: S603 - our own module, no shell
    if done.returncode:
        raise Problem(str(folder.state), f"could not be prepared (exit {done.returncode})")


def up(root: Path, *, evaluation: bool, drill: bool) -> None:
    """Start the center in a data directory and keep it running; raises Problem."""
    if not evaluation:
        raise Problem("fengsui up", "only --evaluation starts in this release; three administrators come with the next")
    os.umask(0o077)
    folder = DataFolder(root.resolve()).make()
    lock = FolderLock.take(folder.run / "up")
    forget_gauges(folder.run)
    say(f"烽燧 fengsui · data in {folder.root} · evaluation mode: one person holds every role")
    settings = settings_of(folder)
    if not is_loopback(settings.listen.console):
        raise Problem(str(folder.settings), "listen.console: evaluation mode serves this machine only (127.0.0.1)")
    supervisor = Supervisor(folder, say)
    link = new_link(folder, settings, prepare_apart)
    for name in PROCESSES:
        supervisor.add(name, f"soc_center.processes.{name}", *(["--evaluation"] if name == "serve" else []))
    supervisor.run(Start(supervisor, settings, link, drill=drill).tick)
    lock.release()
    say("stopped")


def main() -> None:
    """``fengsui up [--data DIR] --evaluation [--drill]``."""
    parser = argparse.ArgumentParser(prog="fengsui up", description="Start the whole center.")
    parser.add_argument("--data", type=Path, default=Path("var/data"), help="the data directory (var/data)")
    parser.add_argument("--evaluation", action="store_true", help="one person holds every role; loopback only")
    parser.add_argument("--drill", action="store_true", help="play the drill campaign once the center runs")
    arguments = parser.parse_args()
    try:
        up(arguments.data, evaluation=arguments.evaluation, drill=arguments.drill)
    except Problem as problem:
        print(f"fengsui: {problem}", file=sys.stderr)
        sys.exit(USAGE)


if __name__ == "__main__":
    main()
