"""The drill's six sources, one a layer: all in realm drill, so that nothing of it ever counts as real."""

from pathlib import Path

from soc_model.layer import Layer, Realm
from soc_model.source import Source, Trust

#: id: name, transport, format, layer
_SOURCES: dict[str, tuple[str, str, str, Layer]] = {
    "drill-terminal": ("演练 · 终端", "http", "windows_json", Layer.TERMINAL),
    "drill-host": ("演练 · 主机", "file", "syslog", Layer.HOST),
    "drill-network": ("演练 · 网络", "http", "zeek", Layer.NETWORK),
    "drill-platform": ("演练 · 平台", "http", "kubernetes_audit", Layer.PLATFORM),
    "drill-data": ("演练 · 数据", "file", "database_audit", Layer.DATA),
    "drill-application": ("演练 · 应用", "http", "nginx_json", Layer.APPLICATION),
}


def drill_sources(unit: str, folder: Path) -> list[Source]:
    """The sources as configuration; files lie in ``folder``. Who configures them adds a key to those of http."""
    return [_source(source_id, unit, folder) for source_id in _SOURCES]


def drill_files(folder: Path) -> dict[str, Path]:
    """The file that each file source follows."""
    return {name: folder / f"{name}.log" for name, (_, transport, _, _) in _SOURCES.items() if transport == "file"}


def _source(source_id: str, unit: str, folder: Path) -> Source:
    name, transport, format_name, layer = _SOURCES[source_id]
    by_http = transport == "http"
    return Source(
        id=source_id,
        name=name,
        transport=transport,
        format=format_name,
        layer=layer,
        unit=unit,
        realm=Realm.DRILL,
        trust=Trust.KEY if by_http else Trust.NONE,
        settings={} if by_http else {"paths": [str(drill_files(folder)[source_id])], "follow": True, "from": "start"},
    )
