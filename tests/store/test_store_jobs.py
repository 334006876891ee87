"""Jobs in the state: one worker each, one end each, whatever comes in which order; paging, filters, the schedule."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from soc_model.job import ERROR_CHARS, FINAL, PARAMS_BYTES, TEXT_CHARS, Job, JobState, Schedule
from soc_model.problem import Problem
from soc_store.job_book import JobBook
from soc_store.job_filter import Held, JobFilter
from soc_store.keyset import encode_cursor
from soc_store.state import State
from tests.store.making import NOON

ALL = JobFilter()
LEASE = 30_000_000


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/state.db"


@pytest.fixture
def jobs(url):
    State.open(url, migrate=True).close()
    book = JobBook.open(url)
    yield book.jobs
    book.close()


@pytest.fixture
def schedules(url, jobs):
    book = JobBook.open(url)
    yield book.schedules
    book.close()


def ask(jobs, kind="a", **more) -> Job:
    return jobs.enqueue(kind, {}, "ann", NOON, **more)


def lease(jobs, worker="w1", now=NOON) -> Job | None:
    return jobs.lease(worker, now, now + LEASE)


def test_a_job_is_kept_as_it_was_asked_for(jobs):
    made = jobs.enqueue("a", {"n": [1, "城"], "bad": "\ud800"}, "ann", NOON, attempts_max=7)
    kept = jobs.get(made.id)
    assert (kept.kind, kept.params, kept.created_by, kept.created) == (
        "a",
        {"n": [1, "城"], "bad": "\\ud800"},
        "ann",
        NOON,
    )
    assert (kept.state, kept.attempts_max, kept.started, kept.worker) == (JobState.QUEUED, 7, None, "")
    assert jobs.get(99) is None


def test_ids_only_grow(jobs):
    assert [ask(jobs).id for _ in range(3)] == [1, 2, 3]


def test_unless_waiting_gives_the_one_that_is_queued_or_runs(jobs):
    first = ask(jobs)
    assert ask(jobs, unless_waiting=True).id == first.id
    lease(jobs)
    assert ask(jobs, unless_waiting=True).id == first.id
    assert ask(jobs, "b", unless_waiting=True).id == 2
    jobs.finish(first.id, "w1", JobState.DONE, NOON)
    assert ask(jobs, unless_waiting=True).id == 3


def test_large_parameters_are_refused(jobs):
    with pytest.raises(Problem, match="params: are over 16 KiB"):
        jobs.enqueue("a", {"x": "y" * PARAMS_BYTES}, "ann", NOON)
    assert jobs.page(ALL).jobs == []


def test_the_oldest_is_leased_first_and_one_of_a_kind_at_a_time(jobs):
    for kind in ("a", "a", "b"):
        ask(jobs, kind)
    assert [lease(jobs, f"w{n}").id for n in range(2)] == [1, 3]
    assert lease(jobs, "w9") is None
    assert jobs.finish(1, "w0", JobState.DONE, NOON)
    assert lease(jobs, "w9").id == 2


def test_two_workers_at_once_never_get_the_same_job(url, jobs):
    for n in range(40):
        ask(jobs, f"kind{n}")
    books = [JobBook.open(url) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        got = [threads.submit(books[n % 4].jobs.lease, f"w{n % 4}", NOON, NOON + LEASE) for n in range(60)]
    ids = [job.id for one in got if (job := one.result())]
    assert sorted(ids) == list(range(1, 41))
    for book in books:
        book.close()


def test_a_beat_holds_the_lease_and_keeps_progress(jobs):
    ask(jobs)
    lease(jobs)
    assert jobs.beat(1, "w1", NOON + 9, done=2, total=5, text="x" * 999) == Held(ours=True, cancel_requested=False)
    kept = jobs.get(1)
    assert (kept.progress_done, kept.progress_total, len(kept.progress_text), kept.lease_until) == (
        2,
        5,
        TEXT_CHARS,
        NOON + 9,
    )
    assert jobs.beat(1, "w1", NOON, done=-3, total=1 << 70).ours
    assert (jobs.get(1).progress_done, jobs.get(1).progress_total) == (0, (1 << 63) - 1)


def test_who_does_not_hold_a_job_changes_nothing(jobs):
    ask(jobs)
    lease(jobs)
    before = jobs.get(1)
    assert jobs.beat(1, "w2", NOON + 9, done=9) == Held(ours=False, cancel_requested=False)
    assert jobs.held(1, "w2") == Held(ours=False, cancel_requested=False)
    assert not jobs.finish(1, "w2", JobState.DONE, NOON)
    assert not jobs.release(1, "w2", NOON)
    assert not jobs.lost(1, "w2", NOON, "?")
    assert jobs.get(1) == before


@pytest.mark.parametrize("end", sorted(FINAL))
def test_an_end_is_final(jobs, end):
    ask(jobs)
    lease(jobs)
    assert jobs.finish(1, "w1", end, NOON + 1, error="e" * 9999, result={"n": 1})
    ended = jobs.get(1)
    assert (ended.state, ended.finished, len(ended.error), ended.result) == (end, NOON + 1, ERROR_CHARS, {"n": 1})
    assert not jobs.finish(1, "w1", JobState.DONE, NOON + 2)
    assert jobs.request_cancel(1, NOON + 2) == ended
    assert (jobs.reclaim(NOON + 10 * LEASE), lease(jobs)) == ([], None)


@pytest.mark.parametrize("no_end", [JobState.QUEUED, JobState.RUNNING])
def test_what_is_no_end_does_not_finish(jobs, no_end):
    ask(jobs)
    lease(jobs)
    with pytest.raises(ValueError, match="is no end"):
        jobs.finish(1, "w1", no_end, NOON)


@pytest.mark.parametrize("attempts_max", [0, 2])
def test_an_expired_lease_is_tried_again_so_often_and_then_failed(jobs, attempts_max):
    ask(jobs, attempts_max=attempts_max)
    for attempt in range(1, attempts_max + 2):
        assert lease(jobs) is not None
        assert jobs.reclaim(NOON + LEASE) == [], "it holds up to its last moment"
        assert jobs.reclaim(NOON + LEASE + 1) == [1]
        assert jobs.get(1).attempts == attempt
    failed = jobs.get(1)
    assert (failed.state, failed.finished) == (JobState.FAILED, NOON + LEASE + 1)
    assert failed.error == f"its worker was lost and did not come back; tried {attempts_max + 1} times"


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_asked(jobs):
    ask(jobs)
    ask(jobs, "b")
    lease(jobs)
    assert jobs.request_cancel(2, NOON).state == JobState.CANCELLED
    assert jobs.request_cancel(1, NOON).state == JobState.RUNNING
    assert jobs.held(1, "w1") == Held(ours=True, cancel_requested=True)
    assert jobs.request_cancel(9, NOON) is None


@pytest.mark.parametrize("how", ["lost", "expired", "released"])
def test_a_job_that_was_to_be_cancelled_is_not_tried_again(jobs, how):
    ask(jobs)
    lease(jobs)
    jobs.request_cancel(1, NOON)
    match how:
        case "lost":
            jobs.lost(1, "w1", NOON, "it fell")
        case "expired":
            jobs.reclaim(NOON + LEASE + 1)
        case "released":
            jobs.release(1, "w1", NOON)
    assert (jobs.get(1).state, jobs.get(1).finished is not None) == (JobState.CANCELLED, True)


def test_pages_are_whole_and_filtered(jobs):
    for n in range(23):
        ask(jobs, "ab"[n % 2])
    jobs.request_cancel(23, NOON)
    found, cursor = [], None
    while True:
        page = jobs.page(JobFilter(kinds=("a",)), 5, cursor)
        found += [job.id for job in page.jobs]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == list(range(23, 0, -2))
    assert [job.id for job in jobs.page(JobFilter(states=(JobState.CANCELLED,))).jobs] == [23]
    assert jobs.page(JobFilter(created_by="bob")).jobs == []


@pytest.mark.parametrize(
    "cursor", ["x", encode_cursor(["job"]), encode_cursor(["level", 3]), encode_cursor(["job", "3"])]
)
def test_a_cursor_of_another_list_is_refused(jobs, cursor):
    with pytest.raises(Problem, match="cursor"):
        jobs.page(ALL, 5, cursor)


def wanted(kind, every_s=60, attempts_max=3):
    return Schedule(kind=kind, every_s=every_s, enabled=every_s is not None, attempts_max=attempts_max)


def test_the_schedule_follows_the_kinds_but_keeps_what_a_person_changed(schedules):
    schedules.adopt([wanted("a"), wanted("b"), wanted("c", None)])
    schedules.change("a", "ann", NOON, every_s=5, enabled=False)
    schedules.queued("b", NOON)
    schedules.adopt([wanted("a", 70, 9), wanted("b", 80), wanted("d")])
    a, b, d = schedules.all()
    assert (a.kind, a.every_s, a.enabled, a.attempts_max, a.changed_by, a.changed) == ("a", 5, False, 9, "ann", NOON)
    assert (b.every_s, b.last_queued, d.kind) == (80, NOON, "d")


@pytest.mark.parametrize("every_s", [0, -1, 367 * 86_400])
def test_an_interval_out_of_bounds_is_refused(schedules, every_s):
    schedules.adopt([wanted("a")])
    with pytest.raises(Problem, match="every_s"):
        schedules.change("a", "ann", NOON, every_s=every_s)


def test_what_has_no_interval_is_not_switched_on(schedules):
    schedules.adopt([wanted("c", None)])
    with pytest.raises(Problem, match="no interval yet"):
        schedules.change("c", "ann", NOON, enabled=True)
    assert schedules.change("c", "ann", NOON, every_s=5, enabled=True).enabled
    assert schedules.change("z", "ann", NOON, enabled=False) is None


class Machine(RuleBasedStateMachine):
    """Workers, people and the clock do what they like in any order; a plain model says what must come of it."""

    asked = Bundle("asked")
    held = Bundle("held")

    @initialize()
    def begin(self):
        self.book = self.book_of()
        self.now = NOON
        self.ended: dict[int, Job] = {}
        self.begun: Counter[int] = Counter()
        self.leases: dict[int, str] = {}

    def teardown(self):
        if hasattr(self, "book"):
            self.book.close()

    @rule(target=asked, kind=st.sampled_from("abc"), attempts=st.integers(0, 2), once=st.booleans())
    def ask(self, kind, attempts, once):
        return self.book.jobs.enqueue(kind, {}, "ann", self.now, attempts_max=attempts, unless_waiting=once).id

    @rule(target=held, worker=st.sampled_from(["w1", "w2"]))
    def lease(self, worker):
        job = self.book.jobs.lease(worker, self.now, self.now + LEASE)
        if job is None:
            assert not self.may_run()
            return multiple()
        assert job.id == min(self.may_run_before)
        self.leases[job.id] = worker
        self.begun[job.id] += 1
        return (job.id, worker)

    def may_run(self):
        return self.may_run_before

    @rule(one=consumes(held), end=st.sampled_from(sorted(FINAL)))
    def finish(self, one, end):
        ours = self.leases.get(one[0]) == one[1]
        assert self.book.jobs.finish(*one, end, self.now) == ours
        self.forget(one, ours)

    @rule(one=consumes(held), how=st.sampled_from(["release", "lost"]))
    def give_back(self, one, how):
        ours = self.leases.get(one[0]) == one[1]
        more = ("fell",) if how == "lost" else ()
        assert getattr(self.book.jobs, how)(*one, self.now, *more) == ours
        self.forget(one, ours)

    @rule(one=held)
    def beat(self, one):
        ours = self.leases.get(one[0]) == one[1]
        assert self.book.jobs.beat(*one, self.now + LEASE, done=1, total=2).ours == ours

    @rule(job_id=asked)
    def cancel(self, job_id):
        self.book.jobs.request_cancel(job_id, self.now)

    @rule(seconds=st.integers(1, 40))
    def time_goes_on(self, seconds):
        self.now += seconds * 1_000_000
        for job_id in self.book.jobs.reclaim(self.now):
            del self.leases[job_id]

    def forget(self, one, ours):
        if ours:
            del self.leases[one[0]]

    @invariant()
    def all_is_well(self):
        if not hasattr(self, "book"):
            return
        jobs = self.book.jobs.page(ALL, 500).jobs
        running = {job.id: job.worker for job in jobs if job.state == JobState.RUNNING}
        assert running == self.leases
        kinds = Counter(job.kind for job in jobs if job.state == JobState.RUNNING)
        assert all(n == 1 for n in kinds.values())
        queued = [job for job in jobs if job.state == JobState.QUEUED]
        self.may_run_before = [job.id for job in queued if job.kind not in kinds]
        assert not any(job.cancel_requested for job in queued)
        for job in jobs:
            assert (job.state in FINAL) == (job.finished is not None)
            assert (job.lease_until is not None) == (job.state == JobState.RUNNING)
            assert job.attempts <= min(self.begun[job.id], job.attempts_max + 1)
            assert self.ended.setdefault(job.id, job) == job if job.state in FINAL else job.id not in self.ended


def test_no_order_of_events_breaks_a_job(tmp_path_factory):
    made = tmp_path_factory.mktemp("template") / "state.db"
    State.open(f"sqlite:///{made}", migrate=True).close()
    template = made.read_bytes()

    class Here(Machine):
        def book_of(self):
            path = tmp_path_factory.mktemp("machine") / "state.db"
            path.write_bytes(template)
            return JobBook.open(f"sqlite:///{path}")

    from hypothesis.stateful import run_state_machine_as_test

    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        Here, settings=settings(max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=checks)
    )
