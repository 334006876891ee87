"""The token with which a scraper on this machine reads ``/metrics``: 256 bits in ``metrics.token``, the owner's alone.

Made at the first start. To change it, remove the file and start again.
"""

import os
import secrets
import stat
from pathlib import Path

from soc_api.access import digest
from soc_api.services import Reader, Scraper
from soc_center.life import say
from soc_center.system import SYSTEM
from soc_model.problem import Problem
from soc_model.right import Right
from soc_store.durable import publish

TOKEN_BYTES = 32
LEAST_CHARACTERS = 43  # of 32 bytes in base64url

SEES = frozenset({Right.HEALTH_READ, Right.SOURCES_READ, Right.ALERTS_READ})


def scraper(path: Path) -> Scraper | None:
    """Who may read the metrics by token; None, said in the log, where the file cannot be trusted."""
    try:
        token = metrics_token(path)
    except (Problem, OSError) as error:
        say(f"serve: /metrics takes no token: {error}")
        return None
    return Scraper(token_sha256=digest(token), reader=Reader(scope=SYSTEM, rights=SEES))


def metrics_token(path: Path) -> str:
    """The token in the file, made where missing; raises Problem where others may read it or it is too short."""
    if not path.exists():
        _make(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Problem(str(path), "others may read it; chmod 600, or remove it and start again")
    token = path.read_text("ascii", errors="replace").strip()
    if len(token) < LEAST_CHARACTERS:
        raise Problem(str(path), "holds no token of 256 bits; remove it and start again")
    return token


def _make(path: Path) -> None:
    made = path.with_name(path.name + ".new")
    made.unlink(missing_ok=True)
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{secrets.token_urlsafe(TOKEN_BYTES)}\n")
    publish(made, path)
