"""Sightings of a batch: each distinct entity or relation once with its times and count, bounded, whatever the text."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection_rules import sightings as module
from detection_rules.sightings import see
from soc_model.event import EventGroup, EventType, Located
from soc_model.layer import Layer
from soc_model.sighting import Sighting
from soc_model.source import Logsource, Source

NAMES = {"host.name": ["a", "b", None, "-"], "user.name": ["root", None], "url.domain": ["x.cn", None]}
NAMES |= {"source.ip": ["10.0.0.1", None], "destination.ip": ["10.0.0.2", None]}


def located(
    at: list[int], source_id: str = "s1", own: list[Any] | None = None, unit: str = "u1", **columns: list[Any]
) -> Located:
    n = len(at)
    source = Source(id=source_id, name="s", transport="file", format="json", layer=Layer.HOST, unit=unit)
    group = EventGroup(
        type=EventType("d", Logsource()),
        decoder="json@1",
        fields=[{}] * n,
        raws=[b""] * n,
        times=list(at),
        bytes_at=[0] * n,
        records=list(range(n)),
        header={name.replace("__", "."): values for name, values in columns.items()},
        host_addresses=own,
    )
    return Located(group=group, source=source, received=9, offset=1, chunk=0, event_ids=[""] * n, at=at, flags=[""] * n)


def told(seen: list[Sighting]) -> dict[tuple[Any, ...], tuple[int, int, int]]:
    return {(one.kind, one.value, one.relation, one.value2): (one.first, one.last, one.count) for one in seen}


def test_a_record_shows_user_on_host_and_source_to_service() -> None:
    one = located(
        [5, 3], host__name=["a", "a"], user__name=["root", "root"], source__ip=["10.0.0.1", None],
        destination__ip=["10.0.0.2", "fd00::2"], destination__port=[443, 22], url__domain=["x.cn", "x.cn"],
    )  # fmt: skip
    assert told(see([one]).sightings) == {
        ("user", "root", "seen_on", "a"): (3, 5, 2),
        ("address", "10.0.0.1", "connected", "10.0.0.2:443"): (5, 5, 1),
        ("service", "[fd00::2]:22", None, ""): (3, 3, 1),
        ("domain", "x.cn", None, ""): (3, 5, 2),
    }


def test_an_address_is_its_hosts_only_where_the_format_says_so() -> None:
    ips = ["10.0.0.1", "10.0.0.2"]
    plain = see([located([1, 2], host__name=["a", "a"], source__ip=ips)]).sightings
    declared = see(
        [located([1, 2], own=[("10.0.0.1", "fd00::1"), None], host__name=["a", "a"], source__ip=ips)]
    ).sightings
    assert "is" not in {one.relation for one in plain}
    assert [told(declared)["address", own, "is", "a"] for own in ("10.0.0.1", "fd00::1")] == [(1, 1, 1)] * 2


def test_groups_of_a_source_are_summed_and_sources_kept_apart() -> None:
    groups = [located([at], source_id, host__name=["a"]) for at, source_id in ((7, "s1"), (4, "s1"), (9, "s2"))]
    seen = see(groups).sightings
    assert [(one.source_id, one.first, one.last, one.count) for one in seen] == [("s1", 4, 7, 2), ("s2", 9, 9, 1)]
    assert {(one.unit, one.layer) for one in seen} == {("u1", Layer.HOST)}


def test_a_source_that_reports_on_several_units_sights_for_each_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [located([at], unit=unit, host__name=["a"]) for at, unit in ((1, "u1"), (2, "u2"), (3, "u1"))]
    assert [(one.unit, one.first, one.last) for one in see(groups).sightings] == [("u1", 1, 3), ("u2", 2, 2)]
    monkeypatch.setattr(module, "MOST", 1)
    assert see(groups).capped == {"s1": 1}


def test_too_many_of_one_source_are_counted_and_leave_others_their_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    flood = located(list(range(10)), "bad", host__name=[f"h{n}" for n in range(10)])
    seen = see([flood, located([1], "good", host__name=["real"])])
    assert seen.capped == {"bad": 7}
    assert Counter(one.source_id for one in seen.sightings) == {"bad": 3, "good": 1}


@pytest.mark.parametrize("value", [["a", "b"], "\ud800", "x" * 5000, 4624, True, {"a": 1}, [[]], []])
def test_any_value_becomes_short_text(value: object) -> None:
    seen = see([located([1, 2], host__name=[value, "other"])]).sightings
    assert all(len(one.value) <= 330 and one.value.encode() for one in seen)
    assert "other" in {one.value for one in seen}


ROWS = st.lists(st.tuples(st.integers(0, 50), *(st.sampled_from(values) for values in NAMES.values())), max_size=12)


@given(ROWS)
def test_all_at_once_is_what_each_row_alone_comes_to(rows: list[tuple[Any, ...]]) -> None:
    """The quick way over columns against one group for each row."""
    columns = {name.replace(".", "__"): [row[n] for row in rows] for n, name in enumerate(NAMES, 1)}
    single = [
        located([row[0]], **{name: [values[n]] for name, values in columns.items()}) for n, row in enumerate(rows)
    ]
    assert told(see([located([row[0] for row in rows], **columns)]).sightings) == told(see(single).sightings)
