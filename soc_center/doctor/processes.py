"""The processes of a running center: who runs, who is silent, who fell, who is behind, what memory they take."""

from soc_api.services import Health, ProcessHealth
from soc_center.doctor.diagnosis import Diagnosis, bad, ok, warn

MB = 1_000_000
BUDGET_BYTES = 500 * MB  # design: the whole center, idle, everything on
SILENT_US = 10_000_000
BEHIND = 100
#: What costs data or attention; anything else that is counted is seen on the Health page.
LOSSES = ("dropped", "evicted", "quarantined_batches", "unreadable")


def check_processes(health: Health, now: int) -> list[Diagnosis]:
    """What is wrong with the processes; a center that does not run at all is not wrong."""
    running = {process.name: process for process in health.processes if process.pid is not None}
    if not running:
        return [ok("processes", "the center does not run (fengsui up)")]
    found = [one for process in health.processes for one in _process(process, now, supervised="up" in running)]
    found += _behind(health)
    found += [
        warn("processes", f"{name}: {health.overload[name]} since the start", "see Health and Sources in the console")
        for name in LOSSES
        if health.overload.get(name)
    ]
    return found or [ok("processes", f"{', '.join(running)} run and are up to date")]


def _process(process: ProcessHealth, now: int, *, supervised: bool) -> list[Diagnosis]:
    log = f"see log/{process.name}.log in the data directory"
    if process.pid is None:
        wanted = supervised or process.name != "up"
        return [bad("processes", f"{process.name} does not run", log)] if wanted else []
    found = []
    silent_s = (now - process.last_seen) / 1_000_000
    if now - process.last_seen > SILENT_US:
        found.append(bad("processes", f"{process.name} has been silent for {silent_s:,.0f} s", log))
    if process.restarts:
        found.append(warn("processes", f"{process.name} was restarted {process.restarts} times", log))
    return found


def _behind(health: Health) -> list[Diagnosis]:
    outcomes = health.outcome_offset
    lags = {
        "detection": health.journal_offset - outcomes,
        "triage": outcomes - health.triage_offset,
        "the archive": outcomes - health.archive_offset,
    }
    fix = "more workers (detection.workers), fewer rules or a faster machine, if it stays"
    return [
        warn("processes", f"{name} is {lag:,} batches behind", fix)
        for name, lag in lags.items()
        if lag > (BEHIND if name != "the archive" else 20 * BEHIND)  # rows wait up to a minute for their segment
    ]


def check_memory(health: Health) -> list[Diagnosis]:
    """Whether the processes together stay within the budget; nothing where it is not known."""
    sizes = {each.name: each.memory_bytes for each in health.processes if each.pid is not None and each.memory_bytes}
    if not sizes:
        return []
    total = sum(sizes.values())
    parts = ", ".join(f"{name} {size // MB}" for name, size in sizes.items())
    said = f"{total // MB} MB together of {BUDGET_BYTES // MB} when idle ({parts})"
    if total > BUDGET_BYTES:
        return [warn("memory", said, "fewer rules or workers; a busy hour may need more, an idle one should not")]
    return [ok("memory", said)]
