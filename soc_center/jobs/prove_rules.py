"""prove_rules (规则自证): every few hours, whether each rule that runs would see what it looks for.

Our own and the site's active rules carry samples: the first of each goes through the center as a canary, in realm test,
and must become an alert there. Sources and fields are read from what was sealed in the last day.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from detection_rules.rule import RuleDocument
from detection_rules.snapshot import Snapshot
from soc_center.backtesting import Reading
from soc_center.canary import canary_chunk, lay
from soc_center.job_place import Caps, JobPlace
from soc_center.proving import SAMPLE, live_sources, look, prove
from soc_center.rule_choice import center_choice
from soc_center.rule_paths import rule_paths
from soc_center.rules_loading import load_center_rules
from soc_center.rules_reading import id_of, read_rules
from soc_center.system import SYSTEM
from soc_model.chunk import Chunk
from soc_model.job import Job
from soc_model.layer import Realm
from soc_model.problem import Problem
from soc_model.rule_proof import Canary, ProofReport, RuleProof
from soc_model.rule_state import RuleOrigin, RuleState
from soc_model.scope import Scope
from soc_store.durable import publish
from soc_store.source_report import source_reports
from soc_store.state import State
from soc_store.stored_events import Gone, StoredBlock, StoredEvents

CAPS = Caps(memory_bytes=1 << 30, time_s=1800)
EVERY_S = 6 * 3600
ATTEMPTS = 2

HOURS = 24
WAIT_S = 60.0  # for all canaries together
POLL_S = 0.5
TESTED = Scope(units=None, realms=frozenset({Realm.TEST}))
LIVE = Scope(units=None, realms=frozenset({Realm.LIVE}))


def run(job: Job, place: JobPlace) -> dict[str, Any]:
    """How many rules are proved, and what speaks against the others; the report itself is a file of the center."""
    place.progress(0, 0, "reading rules")
    snapshot = load_center_rules(place.folder, place.settings).snapshot
    now = place.now()
    since = now - HOURS * 3_600_000_000
    canaries = _fly(place, list(_canaries(place, snapshot, now)))
    reports = source_reports(place.folder.root, SYSTEM, place.settings.sources)
    live = live_sources(place.settings.sources, {one.source_id: one.last_received for one in reports}, since)
    stored = StoredEvents(place.folder.archive, LIVE, since, now)
    seen = look(_blocks(stored), Reading(place.settings), lambda: place.progress(0, 0, "looking at fields"))
    proofs = list(prove(snapshot, live, seen, canaries))
    _keep(place, ProofReport(at=now, hours=HOURS, proofs=proofs))
    return _counts(proofs)


def _counts(proofs: Sequence[RuleProof]) -> dict[str, Any]:
    return {
        "rules": len(proofs),
        "proved": sum(one.proved for one in proofs),
        "no_live_source": sum(not one.live for one in proofs),
        "fields_missing": sum(bool(one.missing) for one in proofs),
        **{f"canary_{state}": sum(one.canary is state for one in proofs) for state in Canary},
        "silent": [one.rule_id for one in proofs if one.canary is Canary.SILENT][:100],
    }


def _blocks(stored: StoredEvents) -> Iterator[StoredBlock]:
    """What can still be read; segments that are merged meanwhile only make the sample smaller."""
    try:
        for _, block in stored.blocks(SAMPLE):
            yield block
    except Gone:
        return


def _canaries(place: JobPlace, snapshot: Snapshot, now: int) -> Iterator[tuple[str, Chunk]]:
    """A canary for each rule that runs, is active and not imported."""
    paths = rule_paths(place.folder, place.settings.detection)
    own = [each for each in paths if each.origin is not RuleOrigin.IMPORTED]
    for placed in read_rules(center_choice(place.folder, place.settings, own)).placed:
        document, rule_id = placed.document, id_of(placed.document)
        runs = document.state is RuleState.ACTIVE and rule_id in snapshot.cards
        if runs and (chunk := _first_sample(rule_id, document, now)) is not None:
            yield rule_id, chunk


def _first_sample(rule_id: str, document: RuleDocument, now: int) -> Chunk | None:
    tests = document.data.get("tests")
    samples = tests.get("match") if isinstance(tests, dict) else None
    return next((chunk for one in samples or () if (chunk := canary_chunk(rule_id, one, now)) is not None), None)


def _fly(place: JobPlace, canaries: Sequence[tuple[str, Chunk]]) -> dict[str, Canary]:
    """What became of each canary; ``Problem`` where the center does not take them."""
    if not canaries:
        return {}
    sent, state = place.now(), State.open(place.folder.state_url)
    try:
        path = lay(place.folder.inbox, [chunk for _, chunk in canaries], sent)
        wanted, fired = {rule_id for rule_id, _ in canaries}, set[str]()
        deadline = time.monotonic() + WAIT_S
        while not wanted <= fired and time.monotonic() < deadline:
            place.progress(len(fired & wanted), len(wanted), "waiting for canaries")
            time.sleep(POLL_S)
            fired = {rule for rule, updated in state.rules_updated(TESTED).items() if updated >= sent}
        if path.exists():
            path.unlink(missing_ok=True)
            raise Problem("canaries", "collect did not take them; is it running?")
    finally:
        state.close()
    return {rule_id: Canary.FIRED if rule_id in fired else Canary.SILENT for rule_id in wanted}


def _keep(place: JobPlace, report: ProofReport) -> None:
    final = place.folder.rule_proofs
    made = final.with_suffix(".new")
    made.write_bytes(msgspec.json.encode(report))
    made.chmod(0o600)
    publish(made, final)
