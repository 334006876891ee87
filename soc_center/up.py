"""``fengsui up``: one command from nothing to a running center.

Comes in: a data directory, perhaps empty. Goes out: all processes running, and on the terminal the address of the
console with the links that work once: one of an evaluation, or one for each administrator who is not set up yet.
"""

import argparse
import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from soc_center.evaluation import write_first
from soc_center.folder import DataFolder
from soc_center.gauge import forget_gauges, read_gauge
from soc_center.link import EVALUATION, TITLES, console_address, console_listen, new_links
from soc_center.local_logs import local_logs
from soc_center.settings import Settings, host_port, is_loopback, read_settings
from soc_center.supervisor import PROCESSES, Supervisor
from soc_model.problem import Problem
from soc_store.lock import FolderLock

USAGE = 2
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - recognised, not listened at


class Start:
    """What is still to be told and done while the processes come up; ``tick`` is called until all is."""

    def __init__(
        self, supervisor: Supervisor, settings: Settings, links: Mapping[str, str], *, evaluation: bool, drill: bool
    ) -> None:
        self._supervisor = supervisor
        self._settings = settings
        self._links = links
        self._opened = evaluation or not links
        self._drill = drill
        self._told = False
        self._began = False

    def tick(self) -> None:
        """Tell the address once the console answers; begin the drill once detection runs."""
        listen = console_listen(self._settings, opened=self._opened)
        if not self._told and console_answers(listen, tls=self._tls()):
            self._told = True
            self._tell()
        if self._told and self._drill and not self._began and self._detecting():
            self._began = True
            self._supervisor.add("drill", "soc_center", "drill", once=True)

    def _tls(self) -> bool:
        return self._opened and bool(self._settings.listen.certificate)

    def _tell(self) -> None:
        address = console_address(self._settings, opened=self._opened)
        say("")
        say(f"  console  {address}/")
        for role, link in self._links.items():
            say(f"  sign in  {link}" if role == EVALUATION else f"  {TITLES[role]}\n           {link}")
        if self._opened and not self._links:
            say(f"  sign in  {address}/sign-in")
        elif self._opened:
            say("           (works once, for 15 minutes; a new one: fengsui link)")
        else:
            say("           Each works once, for 15 minutes, for one person alone; new ones: fengsui link")
            say("           Until all are used, the center answers nothing else and serves this machine only.")
        say("  stop     Ctrl-C")
        say("")

    def _detecting(self) -> bool:
        folder, pids = self._supervisor.folder, self._supervisor.pids()
        gauges = {name: read_gauge(folder.run, name) for name in ("collect", "detect")}
        return all(gauge is not None and gauge.pid == pids.get(name) for name, gauge in gauges.items())


def console_answers(listen: str, *, tls: bool = False) -> bool:
    """Whether the console answers at its address; over TLS, whether somebody listens there."""
    host, port = host_port(listen)
    if tls:
        return _listens("" if host in ANY_ADDRESS else host, port)
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):  # nobody, or somebody else
        return False
    finally:
        connection.close()


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host or "127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def say(text: str) -> None:
    """One line for the person at the terminal."""
    print(text, flush=True)


def settings_of(folder: DataFolder, *, evaluation: bool) -> Settings:
    """The settings of a data directory, made where there are none; tells what it collects."""
    if folder.settings.exists():
        settings = read_settings(folder.settings)
        unreadable = local_logs("").unreadable
    else:
        unreadable = write_first(folder, evaluation=evaluation).unreadable
        settings = read_settings(folder.settings)
    for source in settings.sources:
        if source.id.startswith("local-"):
            say(f"  collects {', '.join(source.settings.get('paths', [source.transport]))}  ({source.name})")
    for path in unreadable:
        say(f"  cannot   {path}: no permission to read it (add yourself to its group, often adm)")
    return settings


def prepare_apart(folder: DataFolder, mode: str, links: Mapping[str, str]) -> list[str]:
    """Prepare the data directory in a process of its own, so that this one stays small; the roles that took a link."""
    given = [part for role, digest in links.items() for part in ("--link", f"{role}={digest}")]
    command = [sys.executable, "-m", "soc_center.prepare", "--data", str(folder.root), "--mode", mode, *given]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module, no shell
    if done.returncode:
        raise Problem(str(folder.state), f"could not be prepared (exit {done.returncode})")
    return done.stdout.split()


def up(root: Path, *, evaluation: bool, drill: bool) -> None:
    """Start the center in a data directory and keep it running; raises Problem."""
    os.umask(0o077)
    folder = DataFolder(root.resolve()).make()
    lock = FolderLock.take(folder.run / "up")
    forget_gauges(folder.run)
    what = "evaluation mode: one person holds every role" if evaluation else "three separated administrators"
    say(f"烽燧 fengsui · data in {folder.root} · {what}")
    settings = settings_of(folder, evaluation=evaluation)
    if evaluation and not is_loopback(settings.listen.console):
        raise Problem(str(folder.settings), "listen.console: evaluation mode serves this machine only (127.0.0.1)")
    supervisor = Supervisor(folder, say)
    links = first_links(folder, settings, evaluation=evaluation)
    for name in PROCESSES:
        more = ["--evaluation"] if name == "serve" and evaluation else []
        supervisor.add(name, f"soc_center.processes.{name}", *more)
    supervisor.run(Start(supervisor, settings, links, evaluation=evaluation, drill=drill).tick)
    lock.release()
    say("stopped")


def first_links(folder: DataFolder, settings: Settings, *, evaluation: bool) -> dict[str, str]:
    """The links that this start needs: one of an evaluation, or those of the administrators not set up yet."""
    mode, roles = ("evaluation", [EVALUATION]) if evaluation else ("real", list(TITLES))
    address = console_address(settings, opened=evaluation)
    return new_links(address, roles, partial(prepare_apart, folder, mode))


def main() -> None:
    """``fengsui up [--data DIR] [--evaluation] [--drill]``."""
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
