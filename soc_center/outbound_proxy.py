"""The proxy that all calls to other machines go through, where the settings name one."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy that speaks CONNECT, without TLS and without a password."""

    host: str
    port: int


def proxy_of(url: str) -> Proxy:
    """The proxy of ``http://host:port``; raises ValueError for anything else."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or not parts.port or parts.path.strip("/") or parts.query:
        raise ValueError("must be http://host:port")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no user and password")
    return Proxy(host=parts.hostname, port=parts.port)
