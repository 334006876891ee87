"""The outcome log: what is written comes back, only in order, also across rotation; hostile text is kept."""

import pytest

from soc_model.problem import Problem
from soc_store.outcome_log import OutcomeLog, OutcomeReader, decode_head, encode_outcome
from tests.store.making import NOON, block, finding, outcome, stat


@pytest.fixture
def log(tmp_path):
    opened = OutcomeLog.open(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def reader(tmp_path):
    opened = OutcomeReader(tmp_path)
    yield opened
    opened.close()


def test_outcomes_come_back_as_they_were_and_heads_without_blocks(log, reader):
    sent = outcome(1, block(1, ["a", "b"]), findings=(finding(1),), stats=(stat(2),))
    log.append([encode_outcome(sent), encode_outcome(outcome(2))])
    assert reader.outcomes(0) == [sent, outcome(2)]
    assert reader.heads(0) == [outcome(1, findings=(finding(1),), stats=(stat(2),)), outcome(2)]
    assert reader.blocks(0) == [(1, sent.blocks), (2, [])]
    assert (reader.last(), log.last()) == (2, 2)


@pytest.mark.parametrize("offsets", [(1, 1), (2, 1), (5, 6, 6)])
def test_offsets_that_do_not_grow_write_nothing(log, reader, offsets):
    with pytest.raises(ValueError, match="after"):
        log.append([encode_outcome(outcome(offset)) for offset in offsets])
    assert (reader.heads(0), log.last()) == ([], 0)


def test_rotation_and_dropping_go_on(tmp_path, log, reader):
    for offset in range(1, 7):
        log.append([encode_outcome(outcome(offset))])
        if offset % 2 == 0:
            assert log.rotate_if_due(NOON, file_bytes=1)
    assert [one.offset for one in reader.heads(1, limit=4)] == [2, 3, 4, 5]
    assert log.drop_through(3) == 1
    assert reader.first() == 3
    assert [one.offset for one in reader.heads(0)] == [3, 4, 5, 6]
    log.drop_through(10**9)
    log.close()
    again = OutcomeLog.open(tmp_path)
    assert again.last() == 6
    again.close()


def test_an_hour_makes_a_file_due(log):
    log.append([encode_outcome(outcome(1))])
    assert not log.rotate_if_due(NOON + 3_599_000_000)
    assert log.rotate_if_due(NOON + 3_600_000_000)


def test_text_and_numbers_that_msgpack_refuses_are_kept_as_text(log, reader):
    hostile = block(1, ["a"], host__name=["x\ud800"], source__port=[10**30])
    log.append([encode_outcome(outcome(1, hostile))])
    columns = reader.outcomes(0)[0].blocks[0].columns
    assert columns["host.name"] == ["x\\ud800"]
    assert columns["source.port"] == [str(10**30)]


@pytest.mark.parametrize("blob", [b"", b"fengsui-outcome 7\n", b"fengsui-outcome 1\nrubbish"])
def test_an_unknown_or_damaged_outcome_is_refused(blob):
    with pytest.raises(Problem, match="outcome log: "):
        decode_head(blob)
