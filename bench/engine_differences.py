"""Where our engine and rsigma differ, event by event and rule by rule, and which of them is right.

Comes in: a lane. Goes out: each rule whose hits differ, with a cause. The judge is the naive oracle of the tests, a
direct reading of the specification: it is asked for samples of every difference, so a difference that it does not side
with us on is a mistake of ours and stands first in the report.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from bench.engine_lane import FORMATS, Lane, Part
from bench.engine_ours import context_of
from bench.engine_runs import Rsigma
from collectors.cutting import Cutter
from collectors.format import load_format
from collectors.json_record import flatten, parents_of
from detection_rules.rule import RuleDocument
from detection_rules.snapshot import Snapshot
from soc_model.source import Logsource
from tests.detection.oracle import Oracle, holds

NUMBER = "bench_n"  # the field with an event's number in its file
SAMPLES = 6  # events of a rule and side that the oracle is asked about
BLOCK_BYTES = 256 * 1024
MISTAKE = "our mistake"

Pairs = dict[str, set[int]]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One rule on one lane: hits of both, those that only one has, and why."""

    lane: str
    rule_id: str
    title: str
    ours: int
    rsigma: int
    only_ours: int
    only_rsigma: int
    causes: dict[str, int]
    example: int


#: What reading rule and event showed, where a cause is not the whole explanation.
READ = {
    "4a0b2c7e-7cb2-495d-8b63-5f268e7bfd67": "' /accepteula' with windash: the specification exchanges all five "
    "characters ('-' for '/' as well), rsigma only what stands for '-', so it does not see ' -accepteula'",
}
CAUSES = {
    "logsource": """rsigma asks the rule of events of another category or service: it passes over a rule only where the
event states a conflicting logsource, and an event seldom states a category. The specification binds a rule to its
logsource. Ours is right.""",
    "mapping": """The rule is written for a generic category (process_creation ...) in Sysmon's field names; the
official pipelines say which events and fields those are (Security 4688: NewProcessName ...). We apply them, rsigma
without a pipeline does not. Ours is right.""",
    "names": """The condition holds on fields that our format has under the names that rules use, beside the record's
own (nxlog's SourceName is Provider_Name). rsigma is given the record as it is. Not a matter of matching.""",
    "value": """The rule's own condition holds on the record's own fields by the specification, and rsigma, which reads
just these, does not fire. Ours is right; the reason stands with the rule.""",
    "too much": """The condition does not hold by the specification on these very fields, and rsigma fires. Ours is
right.""",
    MISTAKE: "The oracle does not side with us.",
}


def compare(lane: Lane, snapshot: Snapshot, documents: dict[str, RuleDocument], rsigma: Rsigma) -> list[Difference]:
    """The rules on which the engines differ, on a lane whose events have numbers."""
    found: list[Difference] = []
    for part in lane.parts:
        mine, events = _ours(part, snapshot)
        theirs = _theirs(part, rsigma)
        judge = _Judge(events, _raws(part), documents)
        loaded = snapshot.cards.keys()
        for rule in sorted(mine.keys() | theirs.keys()):
            ours, other = mine.get(rule, set()), theirs.get(rule, set())
            if ours != other and rule in loaded:
                found.append(_difference(lane.name, rule, ours, other, judge))
    return found


def _difference(lane: str, rule: str, ours: set[int], theirs: set[int], judge: "_Judge") -> Difference:
    only_ours, only_theirs = sorted(ours - theirs), sorted(theirs - ours)
    causes = Counter(judge.cause(rule, number, ours=True) for number in _some(only_ours))
    causes.update(judge.cause(rule, number, ours=False) for number in _some(only_theirs))
    return Difference(
        lane=lane,
        rule_id=rule,
        title=judge.title(rule),
        ours=len(ours),
        rsigma=len(theirs),
        only_ours=len(only_ours),
        only_rsigma=len(only_theirs),
        causes=dict(causes),
        example=(only_ours or only_theirs)[0],
    )


def _some(numbers: list[int]) -> list[int]:
    """Samples from all over."""
    return numbers[:: max(1, len(numbers) // SAMPLES)][:SAMPLES]


class _Judge:
    """Asks the oracle; a rule is read once."""

    def __init__(
        self,
        events: dict[int, tuple[Logsource, dict[str, Any]]],
        raws: list[bytes],
        documents: dict[str, RuleDocument],
    ) -> None:
        self._events, self._raws, self._documents = events, raws, documents
        self._oracles: dict[str, Oracle] = {}

    def title(self, rule: str) -> str:
        """The rule's title."""
        return str(self._documents[rule].data["title"])

    def cause(self, rule: str, number: int, *, ours: bool) -> str:
        """Why one engine fires on an event and the other does not."""
        if rule not in self._oracles:
            self._oracles[rule] = Oracle(self._documents[rule].data)
        oracle = self._oracles[rule]
        logsource, fields = self._events[number]
        if oracle.fires(logsource, fields) is not ours:
            return MISTAKE
        stated, own = oracle.readings[0]
        if not ours:
            there = any(holds(tree, fields) for tree in own)
            return "logsource" if there and not stated.covers(logsource) else "too much"
        if any(holds(tree, _as_written(self._raws[number], fields)) for tree in own):
            return "value"
        return "names" if any(holds(tree, fields) for tree in own) else "mapping"


def _as_written(raw: bytes, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields under the names that the record has itself; those of a record that is no JSON are all its own."""
    if not raw.startswith(b"{"):
        return fields
    return flatten(msgspec.json.decode(raw), None, parents_of(None))


def _ours(part: Part, snapshot: Snapshot) -> tuple[Pairs, dict[int, tuple[Logsource, dict[str, Any]]]]:
    """Our hits by rule, and every event as rules see it, by its number in the file."""
    form = load_format(part.format, (FORMATS,))
    found: Pairs = defaultdict(set)
    events: dict[int, tuple[Logsource, dict[str, Any]]] = {}
    for base, records in _blocks(part):
        for group in form.parse(records, context_of(part), lambda kind: None):
            constants = dict(group.type.constants)
            for index, rules in enumerate(snapshot.engine.match(group)):
                number = base + group.records[index]
                events[number] = (group.type.logsource, {**group.fields[index], **constants})
                for rule in rules:
                    found[snapshot.rules[rule].card.id].add(number)
    return found, events


def _blocks(part: Part) -> Iterator[tuple[int, list[bytes]]]:
    cutter, base = Cutter(load_format(part.format, (FORMATS,)), {}), 0
    with Path(part.path).open("rb") as file:
        for data in iter(lambda: file.read(BLOCK_BYTES), b""):
            for piece in cutter.feed(data):
                yield base, piece.records
                base += len(piece.records)
    for piece in cutter.feed(b"", final=True):
        yield base, piece.records


def _raws(part: Part) -> list[bytes]:
    return [record for _, records in _blocks(part) for record in records]


def _theirs(part: Part, rsigma: Rsigma) -> Pairs:
    """rsigma's hits by rule, by the number that stands in the event."""
    found: Pairs = defaultdict(set)
    for hit in rsigma.hits(part):
        found[hit["rule_id"]].add(_number(hit["event"]))
    return found


def _number(event: dict[str, Any]) -> int:
    if NUMBER in event:
        return int(event[NUMBER])
    return int(str(event["_raw"]).rpartition(f"{NUMBER}=")[2])


def numbered(lane: Lane, folder: Path, most: int) -> Lane:
    """The lane with a number in each event (JSON: a field, text: a word at the end), ``most`` events of each file."""
    parts = []
    for part in lane.parts:
        path = folder / f"numbered-{most}-{Path(part.path).name}"
        with Path(part.path).open("rb") as source, path.open("wb") as made:
            count = 0
            for line in source:
                if count == most:
                    break
                made.write(_with_number(line, count))
                count += 1
        parts.append(msgspec.structs.replace(part, path=str(path), events=count))
    return msgspec.structs.replace(lane, parts=tuple(parts))


def _with_number(line: bytes, number: int) -> bytes:
    if line.startswith(b"{"):
        return b'{"%s":%d,%s' % (NUMBER.encode(), number, line[1:])
    return b"%s %s=%d\n" % (line.rstrip(b"\n"), NUMBER.encode(), number)


def report(found: Iterable[Difference], about: dict[str, Any]) -> str:
    """The differences as a page: mistakes of ours first, then by cause and lane."""
    rows = sorted(found, key=lambda one: (one.lane, -one.only_ours - one.only_rsigma))
    causes = Counter(cause for one in rows for cause in one.causes)
    lines = [
        "# Where the engine and rsigma differ",
        "",
        f"Written at commit {about['commit'][:12]} with rsigma {about['rsigma']} by",
        f"`{about['command']}`.",
        f"Events of each lane: {about['events']}. A rule stands under each cause that samples of its differences have",
        f"({SAMPLES} of each side, judged by the naive oracle of the tests). Rules that do not load are not compared:",
        "they are refused by name.",
        "",
    ]
    for cause, text in reversed(CAUSES.items()):
        lines += [f"## {cause}: {causes[cause]} rules", text, ""]
        if causes[cause]:
            lines += [
                "| lane | rule | hits ours | hits rsigma | only ours | only rsigma |",
                "|---|---|---|---|---|---|",
            ]
        for one in rows:
            if cause in one.causes:
                note = f": {READ[one.rule_id]}" if one.rule_id in READ else ""
                title = f"{one.title} `{one.rule_id[:8]}`{note}".replace("|", "\\|")
                counts = f"{one.ours} | {one.rsigma} | {one.only_ours} | {one.only_rsigma}"
                lines.append(f"| {one.lane} | {title} | {counts} |")
        lines += [""] if causes[cause] else []
    return "\n".join(lines)
