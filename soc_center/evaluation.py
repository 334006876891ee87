"""The first settings of a center: this machine's own logs, and for one that is tried out the drill's sources."""

import hashlib
import os
import secrets
import socket
from pathlib import Path

import msgspec

from soc_center.drill.sources import drill_sources
from soc_center.folder import DataFolder
from soc_center.local_logs import LocalLogs, local_logs
from soc_center.settings import Listen, Settings, write_settings
from soc_model.layer import Unit
from soc_model.source import Source
from soc_store.durable import publish

UNIT = Unit(id="city-soc", name="城市安全管理中心", region="")
HEADING = """\
# fengsui 烽燧: the settings of this center. Made by `fengsui up`; yours to change, then start again.
# Intake keys stand here as SHA-256 (make one with `fengsui source key`); units and realms are stamped on every event.
"""


def write_first(folder: DataFolder, *, evaluation: bool) -> LocalLogs:
    """Write ``fengsui.yml``, in an evaluation with the drill and its keys; gives what was found of this machine's logs.

    A real center has no drill until somebody configures one.
    """
    found = local_logs(UNIT.id)
    if not evaluation:
        write_settings(folder.settings, _settings(found.sources), HEADING)
        return found
    keys = {source.id: new_key() for source in drill_sources(UNIT.id, folder.drill) if source.transport == "http"}
    drill = [_keyed(source, keys) for source in drill_sources(UNIT.id, folder.drill)]
    write_keys(folder, keys)
    write_settings(folder.settings, _settings([*found.sources, *drill]), HEADING)
    return found


def _settings(sources: list[Source]) -> Settings:
    return Settings(
        version=1,
        name="烽燧 fengsui",
        units=[UNIT],
        sources=sources,
        listen=Listen(console=f"127.0.0.1:{free_port(8740)}", intake=f"127.0.0.1:{free_port(8760)}"),
    )


def _keyed(source: Source, keys: dict[str, str]) -> Source:
    if source.id not in keys:
        return source
    return msgspec.structs.replace(source, key_sha256=key_sha256(keys[source.id]))


def new_key() -> str:
    """A fresh intake key of 256 bits."""
    return secrets.token_urlsafe(32)


def key_sha256(key: str) -> str:
    """What the settings keep of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def keys_path(folder: DataFolder) -> Path:
    """Where the drill's own keys lie, readable by the owner only."""
    return folder.drill / "keys.json"


def write_keys(folder: DataFolder, keys: dict[str, str]) -> None:
    """Keep the drill's keys."""
    made = keys_path(folder).with_suffix(".new")
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(keys))
    publish(made, keys_path(folder))


def read_keys(folder: DataFolder) -> dict[str, str]:
    """The drill's keys; empty when there are none."""
    try:
        return msgspec.json.decode(keys_path(folder).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return {}


def free_port(first: int) -> int:
    """The first port from ``first`` on that nobody listens at on loopback, within 20."""
    for port in range(first, first + 20):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return first
