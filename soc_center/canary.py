"""Canaries (探针): rules' own samples, sent through journal, detect and triage like anything else, in realm test.

Comes in: a folder where the job lays its samples. Goes out: chunks of the built-in source ``canary``. The one thing to
know: the realm is test, so whatever fires counts in nothing that is real, and nobody outside can send as this source.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from collectors.intake import IntakeFull
from soc_center.replay import WayIn
from soc_center.settings import Settings
from soc_model.chunk import RECORD_BYTES, Chunk
from soc_model.layer import Layer, Realm
from soc_model.source import Source, Trust
from soc_store.durable import publish, sync_folder

ID = "canary"
SUFFIX = ".canary"


class Flight(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the inbox: samples to be sent once."""

    format: str = "fengsui-canaries"
    version: int = 1
    chunks: list[Chunk]


def canary_source(settings: Settings) -> Source:
    """The built-in source of canaries; its unit is the center's first."""
    unit = settings.units[0].id if settings.units else ID
    return Source(
        id=ID,
        name="Canary 自证探针",
        transport=ID,
        format="json",
        layer=Layer.HOST,
        unit=unit,
        realm=Realm.TEST,
        trust=Trust.KEY,
    )


def sources_with_canary(settings: Settings) -> dict[str, Source]:
    """All sources whose records may be journaled; a configured one of the same id is that one."""
    return {ID: canary_source(settings), **settings.sources_by_id()}


def canary_chunk(rule_id: str, sample: Mapping[str, Any], now: int) -> Chunk | None:
    """A sample of a rule file as a chunk; ``None`` for one that cannot be sent alone."""
    record = sample.get("record")
    if record is None:
        return None
    raw = record.encode() if isinstance(record, str) else msgspec.json.encode(record)
    context = {"logsource": dict(sample["logsource"])} if "logsource" in sample else {}
    if len(raw) > RECORD_BYTES:
        return None
    return Chunk(
        source_id=ID,
        stream=f"{ID}:{rule_id}",
        received=now,
        format=sample["format"],
        records=[raw],
        context=context,
    )


def lay(inbox: Path, chunks: Sequence[Chunk], now: int) -> Path:
    """Hand the chunks to collect; the file is gone once they are in the journal."""
    inbox.mkdir(mode=0o700, exist_ok=True)
    made, final = inbox / f"{now}.new", inbox / f"{now}{SUFFIX}"
    made.write_bytes(msgspec.msgpack.encode(Flight(chunks=list(chunks))))
    publish(made, final)
    return final


async def take_canaries(inbox: Path, way_in: WayIn, say: Callable[[str], None]) -> None:
    """Bring in what lies in the inbox; what cannot be read is dropped and told, for the job will send it anew."""
    for path in sorted(inbox.glob(f"*{SUFFIX}")):
        try:
            flight = msgspec.msgpack.decode(path.read_bytes(), type=Flight)
            await way_in.append(flight.chunks)
        except IntakeFull:
            return
        except (OSError, msgspec.MsgspecError) as error:
            say(f"collect: {path.name} is no flight of canaries: {error}")
        path.unlink(missing_ok=True)
        sync_folder(inbox)
