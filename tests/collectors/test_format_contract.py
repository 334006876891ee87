"""Every format, whatever it is: the invariants of ``collectors.format.Format`` on samples, their ruins, and noise."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.cutting import Cutter
from collectors.declared import DeclaredFormat
from collectors.format import format_names, guess_format, load_format
from soc_model.event import HEADER, EventGroup

SAMPLES = Path(__file__).parent / "samples"
FORMATS = format_names()
CASES = [(name, path) for name in FORMATS for path in sorted((SAMPLES / name).glob("*"))]
IDS = [f"{name}/{path.name}" for name, path in CASES]
#: Of declared formats, those that Hypothesis tries too: one of each way to read records. The others are data on them.
WAYS = ("azure", "cloudtrail", "json", "kubernetes_audit", "app_log", "web_access", "iis_w3c", "nginx_json")
TRIED = [name for name in FORMATS if name in WAYS or not isinstance(load_format(name), DeclaredFormat)]
TRIED_CASES = [(name, path) for name, path in CASES if name in TRIED]
TRIED_IDS = [f"{name}/{path.name}" for name, path in TRIED_CASES]
CONTEXT = {"received": 1_772_500_000_000_000}
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
very_few = settings(few, max_examples=4)


def everything(type_):
    return None


def cut_whole(form, data, options=None):
    """Records and context of a whole file."""
    cutter = Cutter(form, dict(options or {}))
    found = cutter.feed(data, final=True)
    assert cutter.consumed == len(data)
    return [record for part in found for record in part.records], cutter.context


def parse(form, records, context, wanted=everything):
    return form.parse(records, {**context, **CONTEXT}, wanted)


def check_group(group: EventGroup):
    """What must hold of every group."""
    n = len(group)
    assert n > 0 and set(group.header) <= set(HEADER)
    lists = (group.fields, group.times, group.bytes_at, group.records, *group.header.values())
    assert all(len(one) == n for one in lists)
    assert group.identities is None or len(group.identities) == n
    assert all(i < n and why for i, why in group.unparsed.items())
    for name, value in group.type.constants:
        assert all(str(fields[name]) == value for i, fields in enumerate(group.fields) if i not in group.unparsed)
    msgspec.json.encode([group.fields, group.header, group.times, group.unparsed])  # nothing that cannot be written


def total(groups):
    for group in groups:
        check_group(group)
    return sum(map(len, groups))


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_named_by_its_file_and_has_samples(name):
    assert load_format(name).name == name
    assert list((SAMPLES / name).glob("*"))


@pytest.mark.parametrize(("name", "path"), CASES, ids=IDS)
def test_a_sample_is_recognised_as_its_format(name, path):
    head = path.read_bytes()[:65536]
    assert load_format(name).recognise(head, path.name)
    assert guess_format(head, path.name) == name


@pytest.mark.parametrize(("name", "path"), CASES, ids=IDS)
def test_every_record_of_a_sample_is_parsed_with_time_and_place(name, path):
    form = load_format(name)
    records, context = cut_whole(form, path.read_bytes())
    groups = parse(form, records, context)
    assert total(groups) >= len(records) > 0
    assert not any(group.unparsed for group in groups)
    assert any(time is not None for group in groups for time in group.times)
    if name != "evtx":
        assert sorted(i for group in groups for i in group.records) == list(range(len(records)))
        assert all(group.raws[n] == records[i] for group in groups for n, i in enumerate(group.records))


@pytest.mark.parametrize("case", TRIED_CASES, ids=TRIED_IDS)
@few
@given(data=st.data())
def test_pieces_of_any_size_give_the_same_records(case, data):
    name, path = case
    form, content = load_format(name), path.read_bytes()
    ends = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=12)))
    cutter, records = Cutter(form, {}), []
    for start, end in zip([0, *ends], [*ends, len(content)], strict=True):
        records += [record for part in cutter.feed(content[start:end]) for record in part.records]
        assert cutter.consumed + cutter.held_bytes == end
    records += [record for part in cutter.feed(b"", final=True) for record in part.records]
    assert (records, cutter.context) == cut_whole(form, content)


@pytest.mark.parametrize("case", CASES, ids=IDS)
@very_few
@given(data=st.data())
def test_wanted_only_spares_work(case, data):
    name, path = case
    form = load_format(name)
    records, context = cut_whole(form, path.read_bytes())
    full = parse(form, records, context)
    names = sorted({field for group in full for fields in group.fields for field in fields})
    chosen = frozenset(data.draw(st.sets(st.sampled_from(names), max_size=10)))
    few_fields = parse(form, records, context, lambda type_: chosen)
    for some, every in zip(few_fields, full, strict=True):
        assert (some.type, some.header, some.times, some.identities) == (
            every.type,
            every.header,
            every.times,
            every.identities,
        )
        for one, other in zip(some.fields, every.fields, strict=True):
            assert {key: one.get(key) for key in chosen} == {key: other.get(key) for key in chosen}


@pytest.mark.parametrize("name", TRIED)
@few
@given(records=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=5))
def test_noise_is_an_unparsed_event_and_never_an_error(name, records):
    form = load_format(name)
    groups = parse(form, records, {})
    assert total(groups) == len(records)


@pytest.mark.parametrize("name", TRIED)
@few
@given(data=st.binary(max_size=600), options=st.sampled_from([{}, {"codec": "utf-16"}, {"codec": "gb18030"}]))
def test_noise_is_cut_without_losing_a_byte(name, data, options):
    form = load_format(name)
    records, context = cut_whole(form, data, options)
    assert not records or total(parse(form, records, context)) == len(records)


@pytest.mark.parametrize("case", TRIED_CASES, ids=TRIED_IDS)
@few
@given(data=st.data())
def test_damaged_records_are_counted_too(case, data):
    name, path = case
    form = load_format(name)
    records, context = cut_whole(form, path.read_bytes())
    record = bytearray(data.draw(st.sampled_from(records)))
    for _ in range(data.draw(st.integers(1, 4))):
        record[data.draw(st.integers(0, min(len(record), 2048) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(record[: data.draw(st.integers(1, len(record)))])
    assert total(parse(form, [damaged], context)) >= 1


@pytest.mark.parametrize("name", FORMATS)
def test_a_declared_logsource_wins(name):
    form = load_format(name)
    records, context = cut_whole(form, sorted((SAMPLES / name).glob("*"))[0].read_bytes())
    context["logsource"] = {"product": "ours", "category": "", "service": "special"}
    for group in parse(form, [*records, b"\xff broken {"], context):
        assert (group.type.logsource.product, group.type.logsource.service) == ("ours", "special")


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_in_gives_nothing_out(name):
    form = load_format(name)
    assert cut_whole(form, b"")[0] == []
    assert form.parse([], CONTEXT, everything) == []
    assert not form.recognise(b"", "empty.log")
