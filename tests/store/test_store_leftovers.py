"""What is let go of is old, and what proves or is needed stays."""

import pytest
from sqlalchemy import select, update

from soc_model.job import JobState
from soc_model.right import Role
from soc_model.session import Session
from soc_store.leftovers import Leftover
from soc_store.state import State
from soc_store.state_database import open_engine, writing
from soc_store.state_tables import link, outbox
from tests.store.making import NOON, SYSTEM, delta


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/state.db"


@pytest.fixture
def state(url):
    opened = State.open(url, migrate=True)
    yield opened
    opened.close()


def test_old_notices_go_in_slices_and_numbers_are_not_used_twice(state):
    for n in range(1, 8):
        state.commit_tick([delta(f"k{n}")], n, NOON + n)
    assert [state.drop_leftovers(Leftover.NOTICES, NOON + 6, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert [item.seq for item in state.outbox(SYSTEM, 0)] == [6, 7]
    state.commit_tick([delta("k9")], 9, NOON)
    assert state.outbox_last() == 8


def test_a_notice_that_only_looks_old_behind_newer_ones_waits(url, state):
    for n in range(1, 4):
        state.commit_tick([delta(f"k{n}")], n, NOON)
    engine = open_engine(url)
    with writing(engine) as connection:
        connection.execute(update(outbox).where(outbox.c.seq == 3).values(at=1))
    engine.dispose()
    assert state.drop_leftovers(Leftover.NOTICES, NOON, 2) == 0
    assert len(state.outbox(SYSTEM, 0)) == 3


def test_only_jobs_that_ended_long_ago_go(state):
    for n, end in enumerate((JobState.DONE, JobState.FAILED, JobState.CANCELLED, None, None)):
        state.jobs.enqueue(f"kind{n}", {}, "ann", NOON)
        if end is not None:
            held = state.jobs.lease("w", NOON, NOON)
            state.jobs.finish(held.id, "w", end, NOON + n)
    state.jobs.lease("w", NOON, NOON)
    assert state.drop_leftovers(Leftover.JOBS, NOON + 2, 10) == 2
    left = [3, 4, 5]
    assert sorted(state.jobs.get(n).id for n in left) == left
    assert state.drop_leftovers(Leftover.JOBS, NOON * 2, 10) == 1
    assert state.jobs.enqueue("a", {}, "ann", NOON).id == 6


def test_sessions_go_once_expired(state):
    for n in range(3):
        one = Session(person="a", roles=frozenset({Role.ANALYST}), units=None, created=NOON, expires=NOON + 1 + n)
        state.start_session(f"{n}", one)
    assert state.drop_leftovers(Leftover.SESSIONS, NOON + 3, 10) == 2
    assert state.session("2", NOON) is not None


def test_links_go_but_for_the_last_one_that_was_used(url, state):
    for n in range(5):
        state.make_link(f"{n}", "sign-in", NOON + n)
    for n in (1, 2):
        assert state.use_link(f"{n}", NOON - 9 + n)
    assert state.drop_leftovers(Leftover.LINKS, NOON + 4, 10) == 3
    engine = open_engine(url)
    with engine.connect() as connection:
        assert sorted(connection.execute(select(link.c.token_sha256)).scalars()) == ["2", "4"]
    engine.dispose()
    assert state.link_used_ever(), "the gate of the first start stays open"
