"""A rule over what the archive holds, as the job and the command do it."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from soc_center.backtest_command import last
from soc_center.backtesting import RULE_BYTES, backtest, rule_of
from soc_center.cli import app
from soc_center.folder import DataFolder
from soc_center.job_kind import load_kind
from soc_center.job_place import JobPlace
from soc_center.jobs import test_rule as kind
from soc_center.pipeline import process
from soc_center.rule_paths import OWN_RULES
from soc_center.settings import Settings
from soc_model.chunk import Batch, Chunk
from soc_model.job import Job
from soc_model.layer import Layer, Realm
from soc_model.problem import Problem
from soc_model.scope import Scope
from soc_model.source import Logsource, Source
from soc_store.archive import Archive

NOW = 1_790_000_000_000_000
HOUR = 3_600_000_000
LIVE = Scope(units=None, realms=frozenset({Realm.LIVE}))
NOTHING = Settings(version=1, name="test", units=[], sources=[])
RULE = """
title: One word
id: 7b6b0d9e-6c53-4d64-9c44-4f4b8c2b6d10
logsource: {product: app}
detection: {selection: {word: bad}, condition: selection}
level: high
"""


def source(name: str, unit: str, realm: Realm) -> Source:
    product = "elsewhere" if name == "other" else "app"
    declared = {"id": name, "name": name, "transport": "file", "format": "json", "layer": Layer.HOST}
    return Source(**declared, unit=unit, realm=realm, logsource=Logsource(product=product))


SOURCES = [
    source("one", "u1", Realm.LIVE),
    source("two", "u2", Realm.LIVE),
    source("drilled", "u1", Realm.DRILL),
    source("other", "u1", Realm.LIVE),
]
SETTINGS = Settings(version=1, name="test", units=[], sources=SOURCES)


def lines(*words: str, at: int) -> list[bytes]:
    return [json.dumps({"timestamp": at / 1e6, "word": word}).encode() for word in words]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two hours of four sources: 'bad' three times an hour in each."""
    made = Archive.open(tmp_path / "archive", now=lambda: NOW, seal_rows=1)
    snapshot = rule_of(RULE)
    for offset, at in enumerate((NOW - 2 * HOUR, NOW - HOUR // 2), 1):
        chunks = [
            Chunk(source_id=one.id, stream="s", received=at, format="json", records=lines("bad", "good", at=at) * 3)
            for one in SOURCES
        ]
        batch = Batch(offset=offset, received=at, sources={one.id: one for one in SOURCES}, chunks=chunks)
        made.add(process(batch, snapshot))
        made.seal_due(NOW, force=True)
    made.close()
    return tmp_path / "archive"


def run(archive: Path, scope: Scope = LIVE, since: int = 0):
    return backtest(archive, SETTINGS, rule_of(RULE), scope, (since, NOW + 1), progress=lambda done, total: None)


def test_events_that_the_rule_can_see_are_decided_anew(archive):
    found = run(archive)
    assert (found.events, found.unreadable, found.unparsed) == (24, 0, 0)
    assert found.rules[0].by_source == {"one": 6, "two": 6}
    assert sum(found.rules[0].by_day.values()) == found.rules[0].hits == 12


def test_span_and_scope_are_kept_to(archive):
    assert run(archive, since=NOW - HOUR).rules[0].by_source == {"one": 3, "two": 3}
    mine = Scope(units=frozenset({"u1"}), realms=LIVE.realms)
    assert run(archive, mine).rules[0].by_source == {"one": 6}
    drill = Scope(units=None, realms=frozenset({Realm.DRILL}))
    assert run(archive, drill).rules[0].by_source == {"drilled": 6}


def test_the_job_counts_and_holds_no_content(archive):
    place = JobPlace(folder=DataFolder(archive.parent), settings=SETTINGS, now=lambda: NOW)
    params = {"rule": RULE, "last_s": 3600, "units": ["u1"]}
    load_kind("test_rule").check(params)
    result = kind.run(Job(id=1, kind="test_rule", params=params), place)
    assert result["rules"][0]["hits"] == 3
    assert '"matched": {}' in json.dumps(result)
    assert "bad" not in json.dumps(result)


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ({"last_s": 3600}, "params"),
        ({"last_s": 3600, "rule": RULE, "rule_id": "x"}, "params"),
        ({"last_s": 3600, "rule_id": "no such rule"}, "rule no such rule"),
        ({"last_s": 3600, "rule": "title: x\nlogsource: {product: app}\n"}, "rule:1"),
        ({"last_s": 3600, "rule": "x" * (RULE_BYTES + 1)}, "rule"),
    ],
)
def test_what_cannot_be_tested_is_told_by_its_place(archive, params, place):
    where = JobPlace(folder=DataFolder(archive.parent), settings=NOTHING, now=lambda: NOW)
    with pytest.raises(Problem) as problem:
        kind.run(Job(id=1, kind="test_rule", params=params), where)
    assert problem.value.place == place


def test_over_files_the_command_says_why(tmp_path):
    rule = OWN_RULES / "network" / "dns_tunnel_long_txt_query.yml"
    samples = yaml.safe_load(rule.read_text("utf-8"))["tests"]
    records = [sample["record"] for name in ("match", "no_match") for sample in samples[name]]
    (tmp_path / "log.ndjson").write_text("\n".join(records))
    done = CliRunner().invoke(app, ["rules", "test", str(rule), "--over", str(tmp_path / "log.ndjson"), "--json"])
    found = json.loads(done.stdout)
    assert (done.exit_code, found["events"], found["rules"][0]["hits"]) == (1, len(records), len(samples["match"]))
    assert all(sample["matched"] for sample in found["rules"][0]["samples"])


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5400), ("7d", 604_800), ("0d", None), ("week", None), ("/", None)]
)
def test_a_span_is_told_from_a_path(text, seconds):
    assert last(text) == seconds
