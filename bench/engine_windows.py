"""Windows events for the engine bench: recorded attacks made many, OTRF's logs as they are, and events without repeats.

Comes in: the folder of the shared recordings and a seed. Goes out: flat events under Sigma's names, which both engines
read as they are. The one thing to know: what repeats in a fleet (images, users, channels) repeats here, what does not
(GUIDs, process ids, times, record numbers and four command lines in ten) is new in every copy.
"""

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from evtx import PyEvtxParser

from collectors.windows_shape import nested_fields

Event = dict[str, Any]

EVTX = "evtx/evtx-attack-samples.tar.xz"
OTRF = "otrf"
CHANGED = 0.4  # of the command lines
COMMANDS = ("CommandLine", "ParentCommandLine", "ScriptBlockText", "ProcessCommandLine")
PROCESS_IDS = (
    "ProcessId",
    "ParentProcessId",
    "SourceProcessId",
    "TargetProcessId",
    "NewProcessId",
    "ExecutionProcessID",
)
TIMES = ("SystemTime", "UtcTime", "CreationUtcTime", "PreviousCreationUtcTime")
#: What says which event it is, and when: both engines route by the one, and the other is new in every copy anyway.
KIND = frozenset({"Channel", "EventID", "Provider_Name", "Level", "Version", "Task", "Opcode", "Keywords", *TIMES})


def recorded(events: Path) -> list[Event]:
    """Every event of the shared .evtx files, flat."""
    found = []
    with tarfile.open(events / EVTX) as packed:
        for member in sorted((one for one in packed if one.name.endswith(".evtx")), key=lambda one: one.name):
            data = packed.extractfile(member)
            assert data is not None
            records = PyEvtxParser(io.BytesIO(data.read())).records_json()
            found += [_plain(nested_fields(json.loads(record["data"]))) for record in records]  # type: ignore[index]
    return found


def _plain(event: Event) -> Event:
    """The same with what is nested as text, so that no engine sees a structure the other does not."""
    return {
        name: json.dumps(value)
        if isinstance(value, dict)
        else [str(one) for one in value]
        if isinstance(value, list)
        else value
        for name, value in event.items()
    }


def fleet(base: list[Event], count: int, seed: int) -> Iterator[Event]:
    """``count`` events: the recorded ones again and again, each copy with values of its own."""
    chance = Random(seed)
    for number in range(count):
        yield _copy(base[number % len(base)], chance, number)


def _copy(event: Event, chance: Random, number: int) -> Event:
    made = dict(event)
    for name in event.keys() & set(PROCESS_IDS):
        made[name] = _process_id(event[name], chance)
    for name in event.keys() & set(TIMES):
        made[name] = _time(str(event[name]), number)
    for name in event:
        if name.endswith(("Guid", "GUID")) and name != "Provider_Guid":
            made[name] = (
                f"{{{chance.getrandbits(32):08X}-{number % 65536:04X}-6601-0000-{chance.getrandbits(48):012X}}}"
            )
    for name in event.keys() & set(COMMANDS):
        if chance.random() < CHANGED:
            made[name] = f"{event[name]} /id:{chance.getrandbits(40):x}"
    made["EventRecordID"] = 1_000_000 + number
    return made


def _process_id(value: Any, chance: Random) -> Any:
    number = chance.randrange(400, 60_000)
    return number if isinstance(value, int) else hex(number) if str(value).startswith("0x") else str(number)


def _time(text: str, number: int) -> str:
    """The same form of time, a millisecond later with each event."""
    second, millisecond = divmod(number, 1000)
    minute, second = divmod(second, 60)
    clock = f"{minute // 60 % 24:02}:{minute % 60:02}:{second:02}.{millisecond:03}"
    return f"2026-03-{1 + minute // 1440 % 28:02}T{clock}000Z" if "T" in text else f"2026-03-01 {clock}"


def otrf(events: Path) -> Iterator[bytes]:
    """The lines of OTRF's recordings, each once."""
    for path in sorted((events / OTRF).glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for entry in sorted(archive.namelist()):
                if entry.endswith(".json") and not entry.startswith("__MACOSX"):
                    yield from (line for line in archive.read(entry).splitlines() if line.strip())


def unique(base: list[Event], count: int, seed: int) -> Iterator[Event]:
    """Copies in which every text, but what says kind and time, is one that no other event has."""
    for number, event in enumerate(fleet(base, count, seed)):
        yield {name: value if name in KIND else _new(value, number) for name, value in event.items()}


def _new(value: Any, number: int) -> Any:
    if isinstance(value, str):
        return f"{value} ~{number:x}"
    return [_new(one, number) for one in value] if isinstance(value, list) else value


#: Sigma's category of Sysmon's event ids, where it has just one; of others (registry events have two) nothing is said.
SYSMON_CATEGORIES = {
    1: "process_creation",
    3: "network_connection",
    5: "process_termination",
    6: "driver_load",
    7: "image_load",
    8: "create_remote_thread",
    9: "raw_access_thread",
    10: "process_access",
    11: "file_event",
    17: "pipe_created",
    18: "pipe_created",
    22: "dns_query",
}
SERVICES = {
    "Microsoft-Windows-Sysmon/Operational": "sysmon",
    "Security": "security",
    "System": "system",
    "Application": "application",
}


def tagged(events: Iterator[Event]) -> Iterator[Event]:
    """The same events with what is sure of their logsource in fields."""
    for event in events:
        made = {**event, "ls_product": "windows"}
        service = SERVICES.get(str(event.get("Channel")))
        category = SYSMON_CATEGORIES.get(int(event.get("EventID", 0))) if service == "sysmon" else None
        if service is not None:
            made["ls_service"] = service
        if category is not None:
            made["ls_category"] = category
        yield made
