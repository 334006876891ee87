"""The audit record as a chain in the state: written with the act itself, in one transaction, and never changed.

Triggers refuse changes and removals; what somebody does who writes the file past them, ``verify_audit`` finds, as far
as they cannot compute the rest of the chain anew. The last number given is kept apart, so a cut-off end is noticed.
"""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, insert, or_, select

from soc_model.audit import Act, AuditEntry, AuditFilter, AuditVerdict
from soc_model.person import Actor
from soc_store.manifest_entry import digest_of
from soc_store.packing import text
from soc_store.sequence import next_numbers, read_number
from soc_store.state_database import writing
from soc_store.state_tables import audit

ALG = "sha256"
TEXT_MOST = 200
FAULTS_MOST = 20
_SLICE = 1000


class AuditLog:
    """The audit record of a state database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, act: Act, actor: Actor, subject: str, now: int, /, **detail: str) -> None:
        """Write one entry for an act that changes nothing else."""
        with writing(self._engine) as connection:
            write_act(connection, act, actor, subject, now, **detail)

    def entries(self, wanted: AuditFilter) -> list[AuditEntry]:
        """The newest entries under a filter."""
        query = select(audit).where(*_conditions(wanted)).order_by(audit.c.seq.desc()).limit(wanted.limit)
        with self._engine.begin() as connection:
            return [_entry(row) for row in connection.execute(query).mappings()]

    def verify(self) -> AuditVerdict:
        """Walk the whole chain."""
        with self._engine.begin() as connection:
            return verify_audit(connection)


def write_act(connection: Connection, act: Act, actor: Actor, subject: str, now: int, /, **detail: str) -> None:
    """One more entry, in the transaction of the act; the caller holds the write lock."""
    seq = next_numbers(connection, "audit", 1)
    previous = connection.execute(select(audit.c.digest).where(audit.c.seq == seq - 1)).scalar() or ""
    plain = AuditEntry(
        seq=seq,
        at=now,
        act=act,
        actor=_short(actor.name),
        address=_short(actor.address),
        subject=_short(subject),
        detail={name: _short(value) for name, value in detail.items()},
        alg=ALG,
        previous=previous,
    )
    values = msgspec.to_builtins(msgspec.structs.replace(plain, digest=digest_of(plain)))
    connection.execute(insert(audit).values({**values, "detail": msgspec.json.encode(values["detail"]).decode()}))


def verify_audit(connection: Connection) -> AuditVerdict:
    """What walking the chain found, from the first entry to the last number ever given."""
    faults: list[str] = []
    before, digest, count = 0, "", 0
    while rows := _after(connection, before):
        for entry in rows:
            faults += _faults(entry, before, digest)
            before, digest, count = entry.seq, entry.digest, count + 1
    last = read_number(connection, "audit")
    if last != before:
        faults.append(f"entry {before + 1}: missing, as are all up to {last}")
    return AuditVerdict(entries=count, head=digest, faults=faults[:FAULTS_MOST])


def _after(connection: Connection, seq: int) -> list[AuditEntry]:
    query = select(audit).where(audit.c.seq > seq).order_by(audit.c.seq).limit(_SLICE)
    return [_entry(row) for row in connection.execute(query).mappings()]


def _faults(entry: AuditEntry, before: int, digest: str) -> list[str]:
    found = []
    if entry.seq != before + 1:
        found.append(f"entry {before + 1}: missing before {entry.seq}")
    if entry.previous != digest:
        found.append(f"entry {entry.seq}: does not follow the one before it")
    if entry.alg != ALG:
        found.append(f"entry {entry.seq}: its alg is not known")
    elif digest_of(entry) != entry.digest:
        found.append(f"entry {entry.seq}: is not as it was written")
    return found


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.person:
        part = wanted.person.casefold()
        found.append(or_(*(column.icontains(part, autoescape=True) for column in (audit.c.actor, audit.c.subject))))
    if wanted.act is not None:
        found.append(audit.c.act == wanted.act.value)
    if wanted.since is not None:
        found.append(audit.c.at >= wanted.since)
    if wanted.until is not None:
        found.append(audit.c.at < wanted.until)
    if wanted.before_seq is not None:
        found.append(audit.c.seq < wanted.before_seq)
    return found


def _entry(row: Any) -> AuditEntry:
    # Not strict: a row that somebody changed must be told of, not stop the walk.
    return AuditEntry(**{**row, "act": _act(row["act"]), "detail": _detail(row["detail"])})


def _act(value: str) -> Act:
    return Act(value) if value in set(Act) else value  # type: ignore[return-value]


def _detail(value: str) -> dict[str, str]:
    try:
        return msgspec.json.decode(value, type=dict[str, str])
    except msgspec.MsgspecError:
        return {"unreadable": value}


def _short(value: str) -> str:
    return text(value)[:TEXT_MOST]
