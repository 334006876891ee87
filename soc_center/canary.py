"""What the center sends to itself: canaries (探针), and events of its own, through journal, detect and triage.

Comes in: files in the inbox folder. Goes out: chunks of two built-in sources, as which nobody outside can send.
``canary`` carries rules' own samples in realm test, so whatever fires counts in nothing that is real; ``fengsui`` what
the center has to tell of itself, in realm live, so that a rule makes an alert of it like of anything else.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from collectors.format import load_format
from collectors.intake import IntakeFull
from soc_center.replay import WayIn
from soc_center.settings import Settings
from soc_model.chunk import RECORD_BYTES, Chunk
from soc_model.layer import Layer, Realm
from soc_model.source import Logsource, Source, Trust
from soc_store.durable import publish, sync_folder

ID = "canary"
OWN = "fengsui"
OWN_LOGSOURCE = Logsource(product="fengsui", service="center")
SUFFIX = ".canary"


class Flight(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the inbox: samples to be sent once."""

    format: str = "fengsui-canaries"
    version: int = 1
    chunks: list[Chunk]


def built_in_sources(settings: Settings) -> dict[str, Source]:
    """The two built-in sources by id; their unit is the center's first."""
    unit = settings.units[0].id if settings.units else OWN
    canary = _source(ID, "Canary 自证探针", unit, Realm.TEST, None)
    return {ID: canary, OWN: _source(OWN, "fengsui 本中心", unit, Realm.LIVE, OWN_LOGSOURCE)}


def _source(name: str, shown: str, unit: str, realm: Realm, logsource: Logsource | None) -> Source:
    return Source(
        id=name,
        name=shown,
        transport="inbox",
        format="json",
        layer=Layer.PLATFORM,
        unit=unit,
        realm=realm,
        trust=Trust.KEY,
        logsource=logsource,
    )


def journaled_sources(settings: Settings) -> dict[str, Source]:
    """All sources whose records may be journaled; a configured one with the id of a built-in is that one."""
    return {**built_in_sources(settings), **settings.sources_by_id()}


def own_event(event: str, now: int, **fields: str) -> Chunk:
    """Something that the center has to tell of itself."""
    at = datetime.fromtimestamp(now / 1_000_000, UTC).isoformat()
    record = {"@timestamp": at, "event.action": event, "message": fields.get("reason", event), **fields}
    return Chunk(source_id=OWN, stream=OWN, received=now, format="json", records=[msgspec.json.encode(record)])


def canary_chunk(rule_id: str, sample: Mapping[str, Any], now: int) -> Chunk | None:
    """A sample of a rule file as a chunk; ``None`` for one that cannot be sent alone."""
    record = sample.get("record")
    if record is None:
        return None
    raw = record.encode() if isinstance(record, str) else msgspec.json.encode(record)
    if len(raw) > RECORD_BYTES:
        return None
    # It may be several lines of one event, or begin with the lines of a head.
    cut = load_format(sample["format"]).cut(raw, {}, True)
    context = {**cut.context, **({"logsource": dict(sample["logsource"])} if "logsource" in sample else {})}
    return Chunk(
        source_id=ID,
        stream=f"{ID}:{rule_id}",
        received=now,
        format=sample["format"],
        records=cut.records or [raw],
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
