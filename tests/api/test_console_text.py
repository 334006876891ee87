"""Hostile text, times, languages and spans: the small pure parts of the console."""

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc_api.console.catalog import CHINESE, ENGLISH, Language, choose
from soc_api.console.clock import compact, form_time, full_time, short_time, size, zone_of
from soc_api.console.span import MOST_BUCKETS, RANGES, Span, buckets_of, read_span
from soc_api.console.text import block, hidden, plain, query_value, visible
from soc_api.timepoint import parse_timepoint
from soc_model.problem import Problem
from soc_store.query_language import Term, parse

NOW = 1_763_892_000_123_456
SHANGHAI = ZoneInfo("Asia/Shanghai")
ANY_TEXT = st.text(st.characters())


@given(ANY_TEXT)
def test_nothing_hidden_and_no_markup_survives(text: str) -> None:
    shown = str(visible(text)).replace('<span class="hidden-char">', "").replace("</span>", "")
    assert not any(hidden(each) for each in shown)
    assert not set("<>\"'") & set(shown)


@given(ANY_TEXT)
def test_plain_text_hides_nothing_and_a_block_keeps_its_lines(text: str) -> None:
    assert not any(hidden(each) for each in plain(text))
    assert str(block(text)).count("\n") == text.count("\n")


@pytest.mark.parametrize("text", ["web-01", "市大数据局 值班室", "naïve café", '1 < 2 & "three"'])
def test_readable_text_is_left_as_it_is(text: str) -> None:
    assert visible(text).unescape() == text
    assert plain(text) == text


@pytest.mark.parametrize(
    ("value", "quoted"),
    [("a b", '"a b"'), ('say "hi"', '"say \\"hi\\""'), ("C:\\x*", '"C:\\\\x\\*"'), (4625, '"4625"')],
)
def test_a_value_is_quoted_for_the_query(value: object, quoted: str) -> None:
    assert query_value(value) == quoted


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_a_quoted_value_is_found_again_by_the_query_language(value: str) -> None:
    found = parse(f"user.name:{query_value(value)}")
    assert isinstance(found, Term)
    assert (found.field, found.pattern.plain) == ("user.name", value)


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("", None),
        ("  ", None),
        ("-1h", NOW - 3_600_000_000),
        ("-2w", NOW - 1_209_600_000_000),
        ("2025-11-23T10:00:00Z", 1_763_892_000_000_000),
        ("2025-11-23T18:00:00.000001+08:00", 1_763_892_000_000_001),
        ("2025-11-23T18:00:00", 1_763_892_000_000_000),
        ("1763892000000000", 1_763_892_000_000_000),
    ],
)
def test_points_in_time(text: str, us: int | None) -> None:
    assert parse_timepoint(text, "since", NOW, SHANGHAI) == us


@pytest.mark.parametrize(
    "text", ["soon", "1h", "-1y", "2025-13-01", "99999999999999999999", "0001-01-01T00:00:00Z", "-١h"]
)
def test_what_is_no_time_is_refused_by_its_place(text: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_timepoint(text, "until", NOW)
    assert caught.value.place == "until"


@given(st.integers(1, 4_000_000_000_000_000), st.integers(1, 400 * 86_400_000_000))
def test_buckets_cover_the_span_and_no_more_than_a_screen(until: int, length: int) -> None:
    since = max(0, until - length)
    buckets = buckets_of(Span("", since, until), until)
    assert buckets.since <= max(0, min(since, until - 1_000_000))
    assert until <= buckets.until < until + buckets.step_us
    assert 1 <= buckets.steps <= MOST_BUCKETS + 1


@pytest.mark.parametrize("name", list(RANGES))
def test_a_named_range_ends_now(name: str) -> None:
    span = read_span(name, "", "", now=NOW, zone=UTC, default="7d")
    assert (span.name, span.until) == (name, None)
    assert span.since == (NOW - RANGES[name][0] if RANGES[name][0] else None)


def test_times_of_ones_own_beat_a_name_and_an_unknown_name_is_the_default() -> None:
    assert read_span("1h", "-2h", "", now=NOW, zone=UTC, default="7d") == Span("", NOW - 7_200_000_000, None)
    assert read_span("eternity", "", "", now=NOW, zone=UTC, default="7d").name == "7d"


@pytest.mark.parametrize(
    ("cookie", "accept", "language"),
    [
        (None, "zh-CN,zh;q=0.9,en;q=0.8", CHINESE),
        (None, "en-US,en;q=0.9,zh;q=0.8", ENGLISH),
        (None, "en;q=0.3, zh-TW;q=0.9", CHINESE),
        (None, "fr-FR,*;q=0.1", ENGLISH),
        (None, "zh;q=0,en;q=x", ENGLISH),
        (None, "", ENGLISH),
        ("en", "zh-CN", ENGLISH),
        ("zh-CN", "en", CHINESE),
        ("<script>", "zh", CHINESE),
    ],
)
def test_the_language(cookie: str | None, accept: str, language: Language) -> None:
    assert choose(cookie, accept) == language


def test_times_as_people_read_them() -> None:
    assert full_time(NOW, SHANGHAI) == "2025-11-23 18:00:00.123 +08:00"
    assert full_time(NOW, UTC) == "2025-11-23 10:00:00.123 UTC"
    assert full_time(NOW, ZoneInfo("America/New_York")) == "2025-11-23 05:00:00.123 -05:00"
    assert short_time(NOW, SHANGHAI, NOW) == "18:00:00"
    assert short_time(NOW, SHANGHAI, NOW + 86_400_000_000) == "11-23 18:00:00"
    assert short_time(NOW, SHANGHAI, NOW + 100 * 86_400_000_000) == "2025-11-23 18:00"
    assert form_time(NOW, SHANGHAI) == "2025-11-23T18:00:00"


@pytest.mark.parametrize("name", [None, "", "Nowhere/None", "../etc/passwd", "/etc/passwd", "x" * 99, "\0"])
def test_an_unknown_zone_is_utc(name: str | None) -> None:
    assert zone_of(name) is UTC


def test_amounts_as_people_read_them() -> None:
    assert [size(each) for each in (None, 0, 999, 1000, 48_200_000, 3 << 40)] == [
        "–", "0 B", "999 B", "0.977 KiB", "46 MiB", "3 TiB",
    ]  # fmt: skip
    assert [compact(each) for each in (0, 9999, 12_345, 999_499, 1_234_567)] == ["0", "9999", "12.3k", "999k", "1.23M"]
