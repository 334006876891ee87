"""Event groups to archive rows: what is the same in the whole group is said once."""

from collections.abc import Sequence
from typing import Any

from soc_model.event import Located
from soc_model.outcome import RowBlock

Column = list[Any]


def row_block(located: Located) -> RowBlock:
    """The archive rows of one located group, columns of ``soc_model.event.COLUMNS``."""
    group = located.group
    columns: dict[str, Column] = {
        "event_id": located.event_ids,
        "@timestamp": located.at,
        "byte": group.bytes_at,
        "flags": [flags or None for flags in located.flags],
        **group.header,
        **_raw_columns(located),
    }
    constants = _constants(located)
    varying = {}
    for name, values in columns.items():
        if _same(values):
            if values and values[0] is not None:
                constants[name] = values[0]
        else:
            varying[name] = values
    return RowBlock(rows=len(group), constants=constants, columns=varying)


def _constants(located: Located) -> dict[str, Any]:
    source, kind = located.source, located.group.type
    found = {
        "received": located.received,
        "layer": source.layer.value,
        "unit": source.unit,
        "realm": source.realm.value,
        "source_id": source.id,
        "dataset": kind.dataset,
        "product": kind.logsource.product,
        "category": kind.logsource.category,
        "service": kind.logsource.service,
        "decoder": located.group.decoder,
        "offset": located.offset,
        "chunk": located.chunk,
    }
    return {name: value for name, value in found.items() if value != ""}


def _raw_columns(located: Located) -> dict[str, Column]:
    """``raw`` as text, and its bytes where it is not UTF-8; of a record kept in part, the whole's size and hash."""
    raws = located.group.raws
    texts: list[str] = []
    binary: list[bytes | None] = []
    for raw in raws:
        try:
            texts.append(raw.decode())
            binary.append(None)
        except UnicodeDecodeError:
            texts.append(raw.decode("utf-8", "backslashreplace"))
            binary.append(raw)
    sizes = located.sizes
    return {
        "raw": texts,
        "raw_binary": binary,
        "raw_bytes": [sizes[i][0] if i in sizes else len(raw) for i, raw in enumerate(raws)],
        "raw_sha256": [sizes[i][1] if i in sizes else None for i in range(len(raws))],
    }


def _same(values: Sequence[Any]) -> bool:
    return not values or values.count(values[0]) == len(values)
