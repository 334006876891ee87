"""The audit record (审计记录): what was done that matters to security, by whom, from where, with what outcome."""

from enum import StrEnum

import msgspec


class Act(StrEnum):
    """One kind of act that is recorded."""

    SIGN_IN = "sign-in"
    SIGN_IN_FAILED = "sign-in.failed"
    SIGN_IN_LOCKED = "sign-in.locked"
    SIGN_OUT = "sign-out"
    RECOVERY_USED = "recovery.used"
    LINK_MADE = "link.made"
    LINK_USED = "link.used"
    PERSON_MADE = "person.made"
    PERSON_SET_UP = "person.set-up"
    PERSON_DISABLED = "person.disabled"
    PERSON_ENABLED = "person.enabled"
    ROLES_CHANGED = "roles.changed"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - the name of an act
    CODE_CHANGED = "code.changed"
    SESSION_REVOKED = "session.revoked"
    KEY_MADE = "key.made"
    KEY_REVOKED = "key.revoked"
    ALERT_STATE = "alert.state"
    ASSET_DESCRIBED = "asset.described"
    JOB_ASKED = "job.asked"
    JOB_CANCELLED = "job.cancelled"
    SCHEDULE_CHANGED = "schedule.changed"
    RULES_RELOADED = "rules.reloaded"
    RULE_RELEASED = "rule.released"
    RULES_STAGED = "rules.staged"
    RULES_CONFIRMED = "rules.confirmed"
    RULES_REFUSED = "rules.refused"
    RULES_BACK = "rules.back"
    RULE_STATE = "rule.state"
    OUTBOUND_CALLED = "outbound.called"
    INDICATORS_IMPORTED = "indicators.imported"
    INDICATORS_REMOVED = "indicators.removed"
    QUARANTINE_REPLAYED = "quarantine.replayed"
    QUARANTINE_DISCARDED = "quarantine.discarded"
    AUDIT_READ = "audit.read"


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One act; ``digest`` is over all other fields, ``previous`` is the digest of the entry before."""

    seq: int
    at: int
    act: Act
    actor: str
    address: str
    subject: str
    detail: dict[str, str]
    alg: str
    previous: str = ""
    digest: str = ""


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries: by who acted or whom it was done to (part of the name), by act, by time; newest first."""

    person: str = ""
    act: Act | None = None
    since: int | None = None
    until: int | None = None
    before_seq: int | None = None
    limit: int = 100


class AuditVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What walking the chain found: how many entries, its head, and what is wrong (empty: it holds)."""

    entries: int
    head: str
    faults: list[str]
