"""Indicators: what feeds say becomes a set, and the set answers as looking at each of its values would."""

import gzip
import ipaddress
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection_rules.detect import detect
from detection_rules.feeds import content as content_module
from detection_rules.feeds.allowed import Allowed, read_allowed
from detection_rules.feeds.canonical import Taking, refanged
from detection_rules.feeds.content import contents
from detection_rules.feeds.csv_feed import SUFFIXES, read_csv
from detection_rules.feeds.entry import Entry, Refused
from detection_rules.feeds.misp_feed import read_misp
from detection_rules.feeds.stix_feed import read_stix
from detection_rules.feeds.stix_pattern import PatternProblem, Term, terms_of
from detection_rules.indicators import KEPT_VALUES, Indicators
from soc_model.indicator import Feed, Indicator, IndicatorKind
from soc_model.observable import address_of, domain_of, email_of, url_of
from soc_model.outcome import Outcome
from soc_model.problem import Problem
from soc_model.source import Logsource
from soc_store.indicator_builder import IndicatorBuilder, copy_feeds
from soc_store.indicator_set import IndicatorSet
from tests.detection.fakes import RECEIVED, group, located, snapshot

NOW = RECEIVED
NOBODY = Allowed(frozenset(), ())
WINDOWS = Logsource(product="windows")
MD5, SHA256 = "a1" * 16, "b2" * 32


def taking(**more: Any) -> Taking:
    return Taking(**{"feed": "f", "now": NOW, "allowed": NOBODY, "days": 0} | more)


def taken(kind: str, value: str, **more: Any) -> Indicator | Refused:
    return taking(**more).take(Entry("x:1", kind, value))


def set_of(folder: Path, *given_ones: Indicator) -> IndicatorSet:
    builder = IndicatorBuilder(b"k" * 16)
    for feed in dict.fromkeys(one.feed for one in given_ones):
        builder.begin(Feed(name=feed, imported=NOW))
        for one in given_ones:
            if one.feed == feed:
                builder.add(one)
    return IndicatorSet.open(builder.write(folder))


def one(kind: IndicatorKind, value: str, feed: str = "f", confidence: int = 80, until: int = 0) -> Indicator:
    return Indicator(kind=kind, value=value, feed=feed, confidence=confidence, valid_until=until)


def evil(value: str = "evil.example", **more: Any) -> Indicator:
    return one(IndicatorKind.DOMAIN, value, **more)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("", "hxxps://Evil[.]Example:443/a%7eb?q#top", "evil.example/a~b?q"),
        ("", "EVIL(dot)example.", "evil.example"),
        ("domain", "*.evil.example", "evil.example"),
        ("", "坏人.example", "xn--gmqz2s.example"),
        ("", "8[.]8[.]4[.]4", "8.8.4.4"),
        ("", "::ffff:8.8.4.4", "8.8.4.4"),
        ("", "8.8.4.9/24", "8.8.4.0/24"),
        ("", "8.8.4.4/32", "8.8.4.4"),
        ("", "2A00:1450:0:0::1", "2a00:1450::1"),
        ("sm3", "B2" * 32, SHA256),
        ("", MD5.upper(), MD5),
        ("", "Bad <BAD[@]Evil[.]example>", "bad@evil.example"),
        ("url", "http://8.8.4.4:8080/x/../y/./z", "8.8.4.4:8080/y/z"),
    ],
)
def test_a_value_has_one_form(kind: str, text: str, value: str) -> None:
    found = taken(kind, text)
    assert isinstance(found, Indicator) and found.value == value


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("", "0.0.0.0/0", "wider"),
        ("", "10.1.2.3", "private"),
        ("", "127.0.0.1", "private"),
        ("", "224.0.0.1", "reserved"),
        ("", "::/0", "wider"),
        ("domain", "com", "one label"),
        ("domain", "localhost", "one label"),
        ("domain", "gov.cn", "anybody may register"),
        ("domain", "host.local", "no public name"),
        ("domain", "a..b.example", "no domain name"),
        ("domain", "8.8.4.4", "is an address"),
        ("url", "http://10.0.0.1/x", "private"),
        ("sha1", MD5, "40 hexadecimal"),
        ("", "d41d8cd98f00b204e9800998ecf8427e", "hash of nothing"),
        ("", "0" * 64, "hash of nothing"),
        ("yara", "x", "type 'yara'"),
        ("", "nonsense", "is no domain"),
        ("", "", "empty"),
        ("", "x" * 3000 + ".example", "longer"),
        ("", "evil\x00.example", "cannot be printed"),
        ("email", "@evil.example", "no e-mail"),
    ],
)
def test_what_would_match_too_much_or_is_none_is_refused(kind: str, text: str, why: str) -> None:
    found = taken(kind, text)
    assert isinstance(found, Refused) and why in found.why and found.place == "x:1"


@pytest.mark.parametrize(
    "value", ["city.example", "www.city.example", "example.net", "203.0.114.0/25", "http://a.city.example/"]
)
def test_what_is_ours_is_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "allow.txt"
    path.write_text("# ours\ncity.example\nportal.example.net\n203.0.112.0/20 # offices\n")
    found = taken("", value, allowed=read_allowed(path))
    assert isinstance(found, Refused) and "allow-list" in found.why
    assert isinstance(taken("", "other.example", allowed=read_allowed(path)), Indicator)


def test_a_wrong_allow_list_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "allow.txt").write_text("city.example\n10.0.0.1/8\n")
    with pytest.raises(Problem, match=r"allow\.txt:2: "):
        read_allowed(tmp_path / "allow.txt")


@given(st.text(max_size=80))
def test_canonical_forms_never_raise_and_are_stable(text: str) -> None:
    assert isinstance(address_of(text), bytes)
    for form in (domain_of, url_of, email_of):
        once = form(text)
        assert len(once) <= 8_000
    found = taken("", text)
    if isinstance(found, Indicator):
        again = taken(found.kind.value, found.value)
        assert isinstance(again, Indicator) and again.value == found.value
    assert refanged(refanged("evil[.]example")) == "evil.example"


LABEL = st.sampled_from(["a", "b", "c", "evil", "mail"])
NAME = st.lists(LABEL, min_size=1, max_size=4).map(lambda labels: ".".join([*labels, "example"]))


@settings(max_examples=60)
@given(st.lists(NAME, max_size=12), st.lists(NAME, min_size=1, max_size=12))
def test_names_are_found_as_by_looking_at_each(
    tmp_path_factory: pytest.TempPathFactory, listed: list[str], asked: list[str]
) -> None:
    known = set_of(tmp_path_factory.mktemp("set"), *(evil(name) for name in listed))
    for name in asked:
        naive = {each for each in listed if name == each or name.endswith(f".{each}")}
        assert {found.value for found in known.domain(name)} == naive


ADDRESS = st.one_of(
    st.integers(0, 255).map(lambda n: f"8.8.{n % 4}.{n}"), st.integers(0, 9).map(lambda n: f"2a00:145{n}::{n}")
)
NETWORK = st.tuples(ADDRESS, st.sampled_from([8, 15, 16, 22, 24, 30])).map(
    lambda pair: str(ipaddress.ip_network(f"{pair[0]}/{pair[1] * (4 if ':' in pair[0] else 1)}", strict=False))
)


@settings(max_examples=60)
@given(st.lists(st.one_of(ADDRESS, NETWORK), max_size=12), st.lists(ADDRESS, min_size=1, max_size=12))
def test_addresses_are_found_as_by_looking_at_each(
    tmp_path_factory: pytest.TempPathFactory, listed: list[str], asked: list[str]
) -> None:
    kinds = {value: IndicatorKind.NETWORK if "/" in value else IndicatorKind.ADDRESS for value in listed}
    known = set_of(tmp_path_factory.mktemp("set"), *(one(kind, value) for value, kind in kinds.items()))
    for text in asked:
        address = ipaddress.ip_address(text)
        naive = {value for value in listed if address in ipaddress.ip_network(value)}
        assert {found.value for found in known.address(address_of(text))} == naive


def test_many_of_all_kinds_are_found_and_nothing_else(tmp_path: Path) -> None:
    urls = [one(IndicatorKind.URL, f"evil{i}.example/x?{i}") for i in range(3_000)]
    hashes = [one(IndicatorKind.SHA256, f"{i:064x}", feed="h") for i in range(1, 3_000)]
    known = set_of(tmp_path, *urls, *hashes)
    assert [known.url(each.value) for each in urls] == [(each,) for each in urls]
    assert [known.digest(each.value) for each in hashes] == [(each,) for each in hashes]
    assert not any(known.url(f"evil{i}.example/y") for i in range(3_000))
    assert {feed.name: feed.total for feed in known.feeds} == {"f": 3_000, "h": 2_999}


def test_equal_hashes_give_no_false_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soc_store.indicator_builder.key_hash", lambda key, secret: 7)
    monkeypatch.setattr("soc_store.indicator_set.key_hash", lambda key, secret: 7)
    monkeypatch.setattr(IndicatorSet, "_may_hold", lambda self, key: True)
    known = set_of(tmp_path, evil("a.example"), evil("b.example"), one(IndicatorKind.MD5, MD5))
    assert [found.value for found in known.domain("b.example")] == ["b.example"]
    assert known.domain("c.example") == ()
    assert known.url("a.example") == ()


def test_what_stands_twice_in_a_feed_is_one_and_in_two_feeds_two(tmp_path: Path) -> None:
    known = set_of(
        tmp_path, evil(confidence=20, until=NOW + 5), evil(confidence=70, until=NOW + 9), evil(feed="g", until=NOW + 1)
    )
    assert [(each.feed, each.confidence, each.valid_until) for each in known.domain("x.evil.example")] == [
        ("f", 70, NOW + 9),
        ("g", 80, NOW + 1),
    ]
    builder = IndicatorBuilder()
    copy_feeds(builder, known, without="f")
    assert [each.feed for each in IndicatorSet.open(builder.write(tmp_path)).domain("evil.example")] == ["g"]


@pytest.mark.parametrize("at", [3, 40, -1])
def test_a_damaged_set_is_refused(tmp_path: Path, at: int) -> None:
    set_of(tmp_path, evil())
    [path] = tmp_path.glob("*.set")
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(Problem, match=path.stem):
        IndicatorSet.open(path)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(Problem, match=path.stem):
        IndicatorSet.open(path)


def found_by(known: IndicatorSet, events: list[dict[str, Any]], logsource: Logsource = WINDOWS, **more: Any) -> Outcome:
    return detect([located(group(events, logsource, **more))], snapshot(), 7, RECEIVED, indicators=Indicators(known))


@pytest.mark.parametrize(
    ("logsource", "event", "listed"),
    [
        ({"product": "windows"}, {"Hashes": f"SHA1=00,MD5={MD5.upper()},IMPHASH=12"}, one(IndicatorKind.MD5, MD5)),
        ({"product": "windows"}, {"DestinationHostname": "C2.EVIL.example."}, evil()),
        (
            {"product": "windows"},
            {"QueryResults": "type:  5 x.evil.example;::ffff:8.8.4.4;"},
            one(IndicatorKind.ADDRESS, "8.8.4.4"),
        ),
        ({"product": "zeek"}, {"host": "evil.example", "uri": "/a?b"}, one(IndicatorKind.URL, "evil.example/a?b")),
        ({"product": "zeek"}, {"answers": ["1.1.1.1", "8.8.4.4"]}, one(IndicatorKind.NETWORK, "8.8.4.0/24")),
        ({"category": "proxy"}, {"c-uri": "http://evil.example/a?b"}, one(IndicatorKind.URL, "evil.example/a?b")),
        ({"category": "proxy"}, {"cs-host": "8.8.4.4:8080"}, one(IndicatorKind.ADDRESS, "8.8.4.4")),
        ({"category": "dns"}, {"query": "a.evil.example"}, evil()),
        ({"product": "mail"}, {"email.from": "X <bad@mail.evil.example>"}, evil()),
        ({"product": "mail"}, {"email.from": ["BAD@other.example"]}, one(IndicatorKind.EMAIL, "bad@other.example")),
        ({"product": "any"}, {"file.hash.sm3": SHA256}, one(IndicatorKind.SM3, SHA256)),
    ],
)
def test_the_fields_that_hold_values_are_looked_at(
    tmp_path: Path, logsource: dict[str, str], event: dict[str, Any], listed: Indicator
) -> None:
    known, kind = set_of(tmp_path, listed), Logsource(**logsource)
    outcome = found_by(known, [{"other": 1}, event], kind)
    [finding] = outcome.findings
    assert (finding.matched["indicator"], finding.matched["indicator.feed"]) == (listed.value, "f")
    assert outcome.cards[finding.rule_id].title_zh and outcome.indicators == known.id
    assert outcome.stats[0].findings == 1
    wanted = Indicators(known).wanted(lambda _: frozenset())
    assert next(iter(event)) in (wanted(group([event], kind).type) or ())
    assert not found_by(known, [dict.fromkeys(event, "benign"), dict.fromkeys(event, 7)], kind).findings


def test_header_columns_are_looked_at_and_confidence_is_the_level(tmp_path: Path) -> None:
    known = set_of(tmp_path, one(IndicatorKind.ADDRESS, "8.8.4.4", confidence=95), evil(confidence=10))
    header = {"destination.ip": ["8.8.4.4", None], "url.domain": [None, "evil.example"], "host.name": ["h", "h"]}
    outcome = found_by(known, [{}, {}], header=header)
    assert [(each.level.value, each.group) for each in outcome.findings] == [
        ("high", {"indicator": "8.8.4.4", "host.name": "h"}),
        ("informational", {"indicator": "evil.example", "host.name": "h"}),
    ]
    assert {card.id for card in outcome.cards.values()} == {
        "indicator.f.address.high",
        "indicator.f.domain.informational",
    }


@pytest.mark.parametrize(("until", "fires"), [(0, True), (RECEIVED, True), (RECEIVED - 2_000_000, False), (1, False)])
def test_an_expired_one_never_fires(tmp_path: Path, until: int, fires: bool) -> None:
    known = set_of(tmp_path, evil(until=until))
    outcome = found_by(known, [{}], header={"url.domain": ["evil.example"]})  # at: two seconds before received
    assert bool(outcome.findings) == fires == bool(outcome.stats[0].findings)


def test_a_storm_of_hits_is_counted(tmp_path: Path) -> None:
    outcome = found_by(set_of(tmp_path, evil()), [{}] * 150, header={"url.domain": ["evil.example"] * 150})
    assert (len(outcome.findings), [storm.count for storm in outcome.storms]) == (100, [50])
    assert len({each.finding_id for each in outcome.findings}) == 100


def test_what_is_remembered_is_bounded_and_counted(tmp_path: Path) -> None:
    asked = Indicators(set_of(tmp_path, evil()))
    names = [f"n{i}.example" for i in range(KEPT_VALUES + 10)]
    for _ in range(2):
        asked.hits(group([{}] * len(names), header={"url.domain": names}))
    told = asked.counters()
    assert told["evicted"] >= KEPT_VALUES
    assert told["hits"] + told["misses"] == 2 * len(names)
    asked.hits(group([{}] * 9, header={"url.domain": [names[-1]] * 9}))
    assert asked.counters()["misses"] == told["misses"]


def read(path: Path, reader: Any, suffixes: tuple[str, ...] = SUFFIXES) -> list[Entry | Refused]:
    return [each for content in contents(path, suffixes) for each in reader(content)]


def test_csv_columns_and_plain_lists(tmp_path: Path) -> None:
    path = tmp_path / "feed.csv"
    path.write_text(
        '# made today\n"Value",type,confidence,valid_until,other\n'
        "evil.example,domain,77,2030-01-01T00:00:00Z,x\nb.example,domain,x,,\nc.example,domain,,never,\n"
        '"d.example,domain\ne.example\n'
    )
    entry, *refused, last = read(path, read_csv)
    assert entry == Entry(f"{path.name}:3", "domain", "evil.example", 77, 1_893_456_000_000_000)
    assert [(each.place, each.why.split()[0]) for each in refused] == [
        ("feed.csv:4", "confidence"),
        ("feed.csv:5", "valid_until"),
        ("feed.csv:6", "a"),
    ]
    assert last == Entry("feed.csv:7", "", "e.example")
    path.write_text("\ufeff; comment\nevil.example # c2\n8.8.0.0/16 ; SBL1\n")
    assert [each.value for each in read(path, read_csv)] == ["evil.example", "8.8.0.0/16"]


def test_stix_bundle(tmp_path: Path) -> None:
    def indicator(number: int, pattern: str, **more: Any) -> dict[str, Any]:
        return {"type": "indicator", "id": f"indicator--{number}", "pattern": pattern, "pattern_type": "stix", **more}

    objects: list[Any] = [
        indicator(
            1,
            "[domain-name:value = 'evil.example' OR file:hashes.'SHA-256' = 'x']",
            confidence=9,
            valid_until="2030-01-01T00:00:00.5Z",
        ),
        indicator(2, "[domain-name:value = 'a' AND url:value = 'b']"),
        indicator(3, "x", pattern_type="yara"),
        indicator(4, "[url:value = 'x']", revoked=True),
        {"type": "url", "id": "url--1", "value": "http://evil.example/"},
        {"type": "file", "id": "file--1", "hashes": {"MD5": MD5, "SSDEEP": "x"}},
        {"type": "malware", "id": "malware--1", "name": "m"},
        {"id": "no type"},
    ]
    path = tmp_path / "b.json"
    path.write_text(json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects}))
    found = read(path, read_stix, (".json",))
    assert [(each.kind, each.value) for each in found if isinstance(each, Entry)] == [
        ("domain", "evil.example"),
        ("sha256", "x"),
        ("url", "http://evil.example/"),
        ("md5", MD5),
    ]
    assert [each.place.partition(": ")[2] for each in found if isinstance(each, Refused)] == [
        "indicator--2",
        "indicator--3",
        "indicator--4",
        "objects[7]",
    ]


@pytest.mark.parametrize(
    ("pattern", "terms"),
    [
        (
            "[file:hashes.MD5 = 'a'] OR [ipv4-addr:value ISSUBSET '8.8.0.0/16']",
            [Term("md5", "a"), Term("address", "8.8.0.0/16")],
        ),
        ("[(url:value IN ('a','b\\'c'))]", [Term("url", "a"), Term("url", "b'c")]),
        ("[network-traffic:dst_ref.value='8.8.4.4']", [Term("", "8.8.4.4")]),
    ],
)
def test_patterns_that_are_a_choice_of_values(pattern: str, terms: list[Term]) -> None:
    assert terms_of(pattern) == terms


@pytest.mark.parametrize(
    "pattern",
    [
        "", "[", "[]", "url:value = 'a'", "[url:value != 'a']", "[url:value LIKE 'a%']", "[NOT url:value = 'a']",
        "[url:value = 'a'] FOLLOWEDBY [url:value = 'b']", "[url:value = 'a'] WITHIN 5 SECONDS", "[process:pid = 5]",
        "[url:value = 'a' OR]", "[url:value = 'a'", "[url:value IN 'a']", "[url:value = 'a' url:value = 'b']",
        "(" * 9000,
    ],
)  # fmt: skip
def test_any_other_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(PatternProblem):
        terms_of(pattern)


@given(st.text(alphabet="[]()'= \\OR:abIN,.ñ", max_size=60))
def test_patterns_never_raise_anything_else(pattern: str) -> None:
    try:
        terms_of(pattern)
    except PatternProblem as problem:
        assert str(problem)


def test_misp_event(tmp_path: Path) -> None:
    def attribute(kind: str, value: str, to_ids: bool = True) -> dict[str, Any]:
        return {"type": kind, "value": value, "to_ids": to_ids, "uuid": f"u-{kind}"}

    event = {
        "info": "a case", "uuid": "e1",
        "Attribute": [attribute("ip-dst|port", "8.8.4.4|443"), attribute("hostname", "x.example", to_ids=False),
                      attribute("yara", "rule"),
                      attribute("domain|ip", "evil.example")],
        "Object": [{"Attribute": [attribute("filename|sha256", f"a|b.exe|{SHA256}"),
                                  attribute("domain|ip", "evil.example|8.8.4.4")]}],
    }  # fmt: skip
    for name, body in (("1.json", {"Event": event}), ("2.json", {"response": [{"Event": {}}]}), ("manifest.json", [])):
        (tmp_path / name).write_text(json.dumps(body))
    found = read(tmp_path, read_misp, (".json",))
    assert [(each.kind, each.value, each.label) for each in found if isinstance(each, Entry)] == [
        ("address", "8.8.4.4", "a case"), ("sha256", SHA256, "a case"),
        ("domain", "evil.example", "a case"), ("address", "8.8.4.4", "a case"),
    ]  # fmt: skip
    assert [each.place for each in found if isinstance(each, Refused)] == ["1.json: u-yara", "1.json: u-domain|ip"]


def test_a_line_of_ten_megabytes_costs_itself_only(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_bytes(b"a.example\n" + b"x" * 10_000_000 + b"\nb.example\n\xff\xfe\n")
    found = read(tmp_path / "f.txt", read_csv)
    assert [each.value if isinstance(each, Entry) else each.place for each in found] == [
        "a.example", "f.txt:2", "b.example", "f.txt:4",
    ]  # fmt: skip


@pytest.mark.parametrize("reader", [read_stix, read_misp])
@pytest.mark.parametrize(
    "text",
    ["[" * 1_000_000, '{"objects":' * 100_000, "{}", "null", '{"type": "bundle", "objects": 3}', '{"Event": []}'],
)
def test_hostile_json_is_a_problem_that_names_the_file(tmp_path: Path, reader: Any, text: str) -> None:
    (tmp_path / "f.json").write_text(text)
    with pytest.raises(Problem, match=r"f\.json: is no"):
        read(tmp_path / "f.json", reader, (".json",))


@pytest.mark.parametrize("suffix", [".gz", ".zip"])
def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.setattr(content_module, "MAX_FILE_BYTES", 1_000_000)
    path, bomb = tmp_path / f"f{suffix}", b"evil.example\n" * 200_000
    if suffix == ".gz":
        path.write_bytes(gzip.compress(bomb))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.csv", bomb)
    with pytest.raises(Problem, match="larger than 1000000 bytes"):
        read(path, read_csv)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(Problem, match="cannot be read"):
        read(path, read_csv)
