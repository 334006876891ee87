"""Times out of text and numbers."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.timestamp import any_us, bsd_us, epoch_us, format_us, iso_us, zone_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY = 86_400_000_000
NEW_YEAR_2026 = 1_767_225_600_000_000


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("2026-01-01T00:00:00Z", NEW_YEAR_2026),
        ("2026-01-01T08:00:00+08:00", NEW_YEAR_2026),
        ("2026-01-01 00:00:00.1234567Z", NEW_YEAR_2026 + 123_456),
        ("2025-12-31T23:59:60Z", NEW_YEAR_2026),
        ("1601-01-01T00:00:00Z", -11_644_473_600_000_000),
        ("yesterday", None),
        (None, None),
        (17, None),
    ],
)
def test_iso_times(text, us):
    assert iso_us(text) == us


def test_a_time_without_a_zone_is_read_in_the_zone_given():
    assert iso_us("2026-01-01T08:00:00", SHANGHAI) == NEW_YEAR_2026
    assert format_us("01/Jan/2026:08:00:00", "%d/%b/%Y:%H:%M:%S", SHANGHAI) == NEW_YEAR_2026


@pytest.mark.parametrize("value", [1_767_225_600, "1767225600", 1_767_225_600.0, 1_767_225_600_000, NEW_YEAR_2026])
def test_the_size_of_a_number_tells_its_unit(value):
    assert any_us(value) == NEW_YEAR_2026


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, "9" * 400, True, [], {}, "1.2.3", "", "-", "²"])
def test_what_is_no_time_is_none(value):
    assert any_us(value) is None
    assert epoch_us(value, "s") is None


@given(st.one_of(st.text(max_size=40), st.integers(), st.floats(), st.none(), st.binary(max_size=9)))
def test_no_value_raises(value):
    assert all(
        found is None or isinstance(found, int)
        for found in (any_us(value), iso_us(value), epoch_us(value, "ms"), format_us(value, "%Y-%m-%d"))
    )


@pytest.mark.parametrize(
    ("text", "received", "us"),
    [
        ("Dec 31 23:59:59", NEW_YEAR_2026, NEW_YEAR_2026 - 1_000_000),  # last year's
        ("Jan  1 12:00:00", NEW_YEAR_2026, NEW_YEAR_2026 + DAY // 2),  # less than a day ahead
        ("Jan  3 00:00:00", NEW_YEAR_2026, NEW_YEAR_2026 - 363 * DAY),  # more than a day ahead: last year
        ("Jan  1 00:30:00", NEW_YEAR_2026 - 1_800_000_000, NEW_YEAR_2026 + 1_800_000_000),  # its clock is ahead
        ("Feb 29 00:00:00", NEW_YEAR_2026, 1_709_164_800_000_000),  # 2024 was the last leap year
        ("Feb 30 00:00:00", NEW_YEAR_2026, None),
        ("Foo  1 00:00:00", NEW_YEAR_2026, None),
    ],
)
def test_the_year_of_a_bsd_time_is_guessed(text, received, us):
    assert bsd_us(text, received) == us


def test_an_unknown_zone_is_utc():
    assert zone_of("Mars/Olympus").utcoffset(None) == zone_of("").utcoffset(None)
    assert zone_of("Asia/Shanghai") == SHANGHAI
