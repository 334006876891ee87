"""One-time links as the terminal shows them: made here, known to the data directory by their SHA-256 only."""

import hashlib
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from soc_center.settings import Settings, host_port, is_loopback
from soc_model.problem import Problem

EVALUATION = "evaluation"
#: The separated administrators as the terminal names them.
TITLES = {
    "system_administrator": "system administrator 系统管理员",
    "security_administrator": "security administrator 安全管理员",
    "audit_administrator": "audit administrator 审计管理员",
}
#: Digests by role in, the roles that took theirs out.
Prepare = Callable[[Mapping[str, str]], Sequence[str]]


def new_links(address: str, roles: Sequence[str], prepare: Prepare) -> dict[str, str]:
    """A fresh link for each of the roles that wants one."""
    tokens = {role: secrets.token_urlsafe(32) for role in roles}
    taken = prepare({role: token_sha256(token) for role, token in tokens.items()})
    return {role: link_of(address, tokens[role]) for role in roles if role in taken}


def link_of(address: str, token: str) -> str:
    """The link of a token."""
    return f"{address}/setup/{token}"


def token_sha256(token: str) -> str:
    """What the data directory keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def console_address(settings: Settings, *, opened: bool) -> str:
    """Where people reach the console: this machine only, until the center is set up."""
    listen = settings.listen
    if opened and listen.certificate:
        host, port = host_port(listen.console)
        return f"https://{settings.hosts[0] if settings.hosts else host}:{port}"
    return f"http://{console_listen(settings, opened=opened)}"


def console_listen(settings: Settings, *, opened: bool) -> str:
    """Where the console listens: what the settings say once the center is set up, loopback until then."""
    listen = settings.listen.console
    return listen if opened or is_loopback(listen) else f"127.0.0.1:{host_port(listen)[1]}"


def check_owner(path: Path) -> None:
    """Raise Problem unless the data directory belongs to the user of this terminal; others make no links."""
    if not path.exists():
        raise Problem(str(path), "there is no such data directory; start it first (fengsui up)")
    if path.stat().st_uid != os.geteuid():
        raise Problem(str(path), "belongs to another user of this machine; links are made by its owner")
