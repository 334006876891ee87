"""The ports of console and intake: free, ours already, or somebody else's."""

import errno
import re
import socket
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from soc_center.doctor.diagnosis import Diagnosis, bad, ok
from soc_center.settings import host_port

LISTENING = "0A"
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_SOCKET = re.compile(r"socket:\[(\d+)\]")


class Port(StrEnum):
    """What is at an address."""

    FREE = "free"
    OURS = "ours"
    TAKEN = "taken"
    FORBIDDEN = "forbidden"
    NOT_HERE = "not here"


def check_port(what: str, listen: str, found: Port) -> Diagnosis:
    """Whether ``what`` can listen there."""
    field = f"change listen.{what} in fengsui.yml"
    if found is Port.TAKEN:
        return bad("ports", f"{what} {listen} is taken by another program", f"stop it, or {field}")
    if found is Port.FORBIDDEN:
        return bad("ports", f"{what} {listen} needs rights of the system", f"{field} to a port above 1023")
    if found is Port.NOT_HERE:
        return bad("ports", f"{what} {listen} is no address of this machine", field)
    return ok("ports", f"{what} {listen} is {'ours' if found is Port.OURS else 'free'}")


def look_at(listen: str, ours: Sequence[int]) -> Port:
    """What is at an address; ``ours`` are the processes that may hold it."""
    host, port = host_port(listen)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        return Port.NOT_HERE
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            return _why(error, port, ours)
    return Port.FREE


def _why(error: OSError, port: int, ours: Sequence[int]) -> Port:
    if error.errno in (errno.EACCES, errno.EPERM):
        return Port.FORBIDDEN
    if error.errno == errno.EADDRINUSE:
        return Port.OURS if any(listens(pid, port) for pid in ours) else Port.TAKEN
    return Port.NOT_HERE


def listens(pid: int, port: int) -> bool:
    """Whether that process holds a listening socket on the port (Linux, proc(5))."""
    inodes = {inode for table in TABLES if table.exists() for inode in listening(table.read_text(), port)}
    return bool(inodes & _sockets(Path(f"/proc/{pid}/fd")))


def listening(table: str, port: int) -> set[str]:
    """The inodes of the sockets that listen on a port, from the text of /proc/net/tcp."""
    rows = [line.split() for line in table.splitlines()[1:]]
    return {row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port}


def _sockets(folder: Path) -> set[str]:
    """The inodes of the sockets that a process holds; empty when it has ended or is not ours to see."""
    try:
        links = [_link(path) for path in folder.iterdir()]
    except OSError:
        return set()
    return {match[1] for link in links if (match := _SOCKET.fullmatch(link))}


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""  # closed meanwhile
