"""Who may do what: every endpoint declares one right from the first one on."""

from enum import StrEnum


class Right(StrEnum):
    """One thing a person or a system may do."""

    ALERTS_READ = "alerts.read"
    ALERTS_WORK = "alerts.work"
    EVENTS_READ = "events.read"
    ASSETS_READ = "assets.read"
    ASSETS_WORK = "assets.work"
    SOURCES_READ = "sources.read"
    HEALTH_READ = "health.read"
    JOBS_READ = "jobs.read"
    JOBS_RUN = "jobs.run"
    RULES_RELOAD = "rules.reload"
    SESSION_OWN = "session.own"


class Role(StrEnum):
    """The three separated administrators (三员) and those who work with the center."""

    SYSTEM_ADMINISTRATOR = "system_administrator"  # 系统管理员
    SECURITY_ADMINISTRATOR = "security_administrator"  # 安全管理员
    AUDIT_ADMINISTRATOR = "audit_administrator"  # 审计管理员
    ANALYST = "analyst"


_RIGHTS: dict[Role, frozenset[Right]] = {
    Role.SYSTEM_ADMINISTRATOR: frozenset(
        {
            Right.ASSETS_READ,
            Right.SOURCES_READ,
            Right.HEALTH_READ,
            Right.JOBS_READ,
            Right.JOBS_RUN,
            Right.SESSION_OWN,
        }
    ),
    Role.SECURITY_ADMINISTRATOR: frozenset(
        {
            Right.ALERTS_READ,
            Right.ASSETS_READ,
            Right.ASSETS_WORK,
            Right.SOURCES_READ,
            Right.HEALTH_READ,
            Right.JOBS_READ,
            Right.RULES_RELOAD,
            Right.SESSION_OWN,
        }
    ),
    Role.AUDIT_ADMINISTRATOR: frozenset({Right.HEALTH_READ, Right.SESSION_OWN}),
    Role.ANALYST: frozenset(
        {
            Right.ALERTS_READ,
            Right.ALERTS_WORK,
            Right.EVENTS_READ,
            Right.ASSETS_READ,
            Right.ASSETS_WORK,
            Right.SOURCES_READ,
            Right.HEALTH_READ,
            Right.JOBS_READ,
            Right.SESSION_OWN,
        }
    ),
}


def rights_of(roles: frozenset[Role]) -> frozenset[Right]:
    """The union of the roles' rights."""
    return frozenset().union(*(_RIGHTS[role] for role in roles))
