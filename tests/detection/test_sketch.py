"""Sketches: near the truth, the same whatever the order, and back from their bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection_rules.sketch import Distinct, Spread, exact_quantile

NUMBERS = st.lists(st.floats(-1e15, 1e15) | st.integers(-5, 5).map(float), min_size=1, max_size=60)


def distinct(texts: list[str]) -> Distinct:
    found = Distinct()
    for text in texts:
        found.add(text)
    return found


def spread(numbers: list[float]) -> Spread:
    found = Spread()
    for number in numbers:
        found.add(number)
    return found


@pytest.mark.parametrize("count", [0, 1, 300, 3_000, 9_000, 20_000])
def test_distinct_texts_are_estimated_within_five_percent(count: int) -> None:
    found = distinct([f"user{n}" for n in range(count)] * 2)
    assert abs(found.estimate() - count) <= 0.05 * count
    assert len(found.encode()) < 4096


@given(st.lists(st.text(max_size=3)), st.lists(st.text(max_size=3)))
def test_merged_is_as_if_all_had_been_added_to_one(one: list[str], other: list[str]) -> None:
    merged = distinct(one)
    merged.merge(Distinct.decode(distinct(other).encode()))
    assert merged.encode() == distinct(other + one).encode()


@given(NUMBERS, st.floats(0, 1))
def test_quantiles_are_within_one_percent(numbers: list[float], q: float) -> None:
    counts = {number: numbers.count(number) for number in numbers}
    exact, found = exact_quantile(counts, q), spread(numbers).quantile(q)
    assert exact is not None
    assert found == pytest.approx(exact, rel=0.0101, abs=1e-12)


@given(NUMBERS, NUMBERS)
def test_merged_spreads_are_as_one(one: list[float], other: list[float]) -> None:
    merged = Spread.decode(spread(one).encode())
    merged.merge(spread(other))
    assert merged.encode() == spread(other + one).encode()
    assert merged.count == len(one) + len(other)


@pytest.mark.parametrize("order", [1, -1])
def test_magnitudes_far_apart_keep_a_bounded_number_of_bins(order: int) -> None:
    numbers = [1.017**n for n in range(-1000, 30_000, 7)][::order]
    found = spread(numbers)
    assert found.encode() == spread(numbers[::-1]).encode()
    assert len(found.encode()) < 12_000
    assert found.quantile(1.0) == pytest.approx(max(numbers), rel=0.0101)


@pytest.mark.parametrize(
    ("numbers", "q", "expected"),
    [([1, 2, 3, 4], 0.5, 2), ([1, 2, 3], 0.5, 2), ([1, 2, 3, 4], 1.0, 4), ([5], 0.0, 5), ([1] * 99 + [7], 0.99, 1)],
)
def test_the_exact_quantile_is_the_nearest_rank(numbers: list[int], q: float, expected: int) -> None:
    assert exact_quantile({float(number): numbers.count(number) for number in numbers}, q) == expected


def test_of_nothing_there_is_no_quantile() -> None:
    assert Spread().quantile(0.5) is None
    assert Distinct().estimate() == 0


@pytest.mark.parametrize("kind", [Distinct, Spread])
@pytest.mark.parametrize("data", [b"", b"D1", b"S1", b"D1xxxx", b"S1\xff", b"S1\x93", Distinct().encode()[:-9]])
def test_other_bytes_are_no_sketch(kind: type[Distinct] | type[Spread], data: bytes) -> None:
    with pytest.raises(ValueError, match=r"sketch|truncated|Expected|malformed|Invalid"):
        kind.decode(data)
