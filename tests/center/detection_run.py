"""The real Detection and its forked workers on a small journal, in a Python of their own: a test process never forks.

``python -m tests.center.detection_run FOLDER PLAN``; PLAN is a JSON file, what came of it is one line of JSON.
"""

import contextlib
import json
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from collectors.format import Format, load_format
from detection_rules.library import read_documents
from detection_rules.ruleset import load_rules
from detection_rules.snapshot import Snapshot, compile_snapshot
from soc_center import careful, indicator_watch, pipeline, zones
from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_center.indicator_import import INCOMING, ImportRequest, import_feed
from soc_center.job_place import JobPlace
from soc_center.life import Life
from soc_center.processes import detect, detect_worker, forked_worker
from soc_center.quarantine_alarm import CARD
from soc_center.settings import read_settings
from soc_model.chunk import Chunk
from soc_model.event import EventGroup, Located, Wanted
from soc_model.layer import Layer
from soc_model.outcome import Outcome
from soc_model.problem import Problem
from soc_model.source import Logsource, Source
from soc_store.journal import Journal
from soc_store.outcome_log import OutcomeReader
from tests.running import RULE

SOURCE = Source(
    id="s",
    name="s",
    transport="http",
    format="json",
    layer=Layer.HOST,
    unit="u",
    logsource=Logsource(product="killtest"),
)


class Trap:
    """The JSON format, but some records stop whoever parses them."""

    name, own_numbers = "json", False

    def __init__(self, name: str) -> None:
        self._real: Format = load_format(name)

    def parse(self, records: Sequence[bytes], context: dict[str, Any], wanted: Wanted) -> list[EventGroup]:
        for record in records:
            if b"exit" in record:
                os._exit(9)
            if b"raise" in record:
                raise RuntimeError("the format is wrong")
            if b"grow" in record:
                bytearray(2 * forked_worker.GROWTH_BYTES)
            while b"spin" in record:
                pass
        return self._real.parse(records, context, wanted)


def trapped_detect(groups: Sequence[Located], snapshot: Snapshot, offset: int, received: int, **more: Any) -> Outcome:
    """The real thing, but some events stop whoever matches them."""
    if any(fields.get("uid") == "match" for located in groups for fields in located.group.fields):
        os._exit(9)
    return REAL_DETECT(groups, snapshot, offset, received, **more)


REAL_DETECT = pipeline.detect


def snapshot_of(folder: Path) -> Snapshot:
    rule = folder / "rule.yml"
    rule.write_text(RULE)
    return compile_snapshot(load_rules(read_documents([rule]).documents))


def write_journal(folder: DataFolder, batches: Sequence[Sequence[str]]) -> None:
    """One batch for each list of records."""
    journal = Journal.open(folder.journal, {"s": SOURCE}, now=lambda: 1)
    for records in batches:
        raw = [record.encode() for record in records]
        journal.commit([Chunk(source_id="s", stream="x", received=1, format="json", records=raw)])
    journal.close()


def edit_journal(folder: DataFolder, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(next(folder.journal.glob("*.db")))) as connection:
        connection.execute(sql)
        connection.commit()


def decided(folder: DataFolder) -> dict[str, Any]:
    """By offset: the rules' findings, the alarms, the reference with the units, and the records with their flags."""
    reader = OutcomeReader(folder.outcomes)
    found = {}
    for outcome in reader.outcomes(0, 1000):
        rows = [
            (raw, flags)
            for block in outcome.blocks
            for raw, flags in zip(column(block, "raw"), column(block, "flags"), strict=True)
        ]
        alarms = [finding for finding in outcome.findings if finding.rule_id == CARD.id]
        found[str(outcome.offset)] = {
            "findings": len(outcome.findings) - len(alarms),
            "alarms": [(outcome.cards[one.rule_id].level, one.unit, one.source_id, one.matched) for one in alarms],
            "reference": outcome.reference,
            "indicators": outcome.indicators,
            "units": [unit for block in outcome.blocks for unit in column(block, "unit")],
            "counted": sum(stat.findings for stat in outcome.stats),
            "ids": [event for block in outcome.blocks for event in column(block, "event_id")],
            "rows": rows,
        }
    reader.close()
    return found


def column(block: Any, name: str) -> list[Any]:
    return block.columns.get(name) or [block.constants.get(name)] * block.rows


def lost_journal(detection: detect.Detection, folder: DataFolder, life: Life) -> str:
    """What detection says when another journal takes the place of the one it followed."""
    shutil.rmtree(folder.journal)
    write_journal(folder, [["{}"]])
    detection._journal.close()  # as after a rotation: the file is opened anew
    try:
        detection.step(life)
    except Problem as problem:
        return str(problem)
    return ""


def import_indicators(folder: DataFolder, text: str) -> None:
    """A plain list in the place of the feed ``f``."""
    upload = folder.indicators / INCOMING / ("0" * 32)
    upload.mkdir(parents=True)
    (upload / "feed.csv").write_text(text)
    place = JobPlace(folder=folder, settings=read_settings(folder.settings), now=now_us)
    import_feed(ImportRequest(upload=upload.name, feed="f"), place, "tester")


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def main(data: Path, plan: dict[str, Any]) -> None:
    folder = DataFolder(data).make()
    snapshot = snapshot_of(data)
    write_journal(folder, plan.get("batches", []))
    for sql in plan.get("edits", []):
        edit_journal(folder, sql)
    pipeline.load_format = Trap
    pipeline.detect = careful.detect = trapped_detect
    for module in (detect, detect_worker, forked_worker, indicator_watch, zones):
        for name, value in plan.get("constants", {}).items():
            if hasattr(module, name):
                setattr(module, name, value)
    if plan.get("raw_kills"):
        detect_worker.process_raw = lambda *_: os._exit(9)
    if plan.get("born_dead"):
        forked_worker.work = lambda *_: os._exit(9)
    if plan.get("fork_fails"):
        forked_worker._only = lambda *_: next(iter(()))
    detection = detect.Detection(folder, snapshot, plan.get("workers", 2))
    if plan.get("tell_workers"):
        say(pids=[worker.pid for worker in detection.workers])
    write_journal(folder, plan.get("later", []))
    life = Life(folder.run, "detect")
    deadline = time.monotonic() + plan.get("seconds", 30)
    between = plan.get("between", {})
    last = plan.get("until", len(plan.get("batches", [])) + len(plan.get("later", [])))
    while detection.written < last and time.monotonic() < deadline:
        detection.step(life)
        time.sleep(plan.get("stall_s", 0))
        if between and detection.written == between["at"]:
            (data / "zones.yml").write_text(between.pop("zones"))
            if "import" in between:
                import_indicators(folder, between.pop("import"))
            write_journal(folder, between.pop("batches"))
            between = {}
    problem = lost_journal(detection, folder, life) if plan.get("lose_journal") else ""
    detection.close()
    say(problem=problem, **detection.values(), outcomes=decided(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))
