"""Who may do what: every endpoint declares one right from the first one on, and every role has its rights here.

One line a right in the table below. Roles of the three administrators (三员) stand alone: ``combination_problem`` says
what is wrong with a set of roles, and the store refuses it whichever way it comes.
"""

from collections.abc import Set
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
    RULES_READ = "rules.read"
    RULES_TEST = "rules.test"
    RULES_MANAGE = "rules.manage"
    RULES_RELOAD = "rules.reload"
    INDICATORS_READ = "indicators.read"
    INDICATORS_MANAGE = "indicators.manage"
    PEOPLE_READ = "people.read"
    PEOPLE_MANAGE = "people.manage"
    ROLES_GRANT = "roles.grant"
    KEYS_MANAGE = "keys.manage"
    AUDIT_READ = "audit.read"
    CONTRACT_READ = "contract.read"
    SESSION_OWN = "session.own"


class Role(StrEnum):
    """The three separated administrators (三员), those who work with the center, and other systems."""

    SYSTEM_ADMINISTRATOR = "system_administrator"  # 系统管理员
    SECURITY_ADMINISTRATOR = "security_administrator"  # 安全管理员
    AUDIT_ADMINISTRATOR = "audit_administrator"  # 审计管理员
    ANALYST = "analyst"  # 安全分析员
    COMPLIANCE_OFFICER = "compliance_officer"  # 合规管理员
    VIEWER = "viewer"  # 只读用户
    EXTERNAL_SYSTEM = "external_system"  # 外部系统


_SYSTEM, _SECURITY, _AUDIT = Role.SYSTEM_ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR, Role.AUDIT_ADMINISTRATOR
_ANALYST, _OFFICER, _VIEWER, _EXTERNAL = Role.ANALYST, Role.COMPLIANCE_OFFICER, Role.VIEWER, Role.EXTERNAL_SYSTEM

#: Exactly one person each at the least, and nobody two of them or one of them with anything else.
ADMINISTRATORS = frozenset({_SYSTEM, _SECURITY, _AUDIT})
#: What people may have; a system comes with a key and has one of ``KEY_ROLES``.
PEOPLE_ROLES = frozenset(Role) - {_EXTERNAL}
KEY_ROLES = frozenset({_VIEWER, _EXTERNAL})

_ROLES_WITH: dict[Right, frozenset[Role]] = {
    Right.ALERTS_READ: frozenset({_SECURITY, _ANALYST, _OFFICER, _VIEWER, _EXTERNAL}),
    Right.ALERTS_WORK: frozenset({_ANALYST}),
    Right.EVENTS_READ: frozenset({_ANALYST, _EXTERNAL}),
    Right.ASSETS_READ: frozenset({_SYSTEM, _SECURITY, _ANALYST, _OFFICER, _VIEWER}),
    Right.ASSETS_WORK: frozenset({_SECURITY, _ANALYST}),
    Right.SOURCES_READ: frozenset({_SYSTEM, _SECURITY, _ANALYST, _OFFICER, _VIEWER, _EXTERNAL}),
    Right.HEALTH_READ: frozenset({_SYSTEM, _SECURITY, _AUDIT, _ANALYST, _OFFICER, _VIEWER, _EXTERNAL}),
    Right.JOBS_READ: frozenset({_SYSTEM, _SECURITY, _ANALYST}),
    Right.JOBS_RUN: frozenset({_SYSTEM}),
    Right.RULES_READ: frozenset({_SYSTEM, _SECURITY, _ANALYST, _OFFICER, _VIEWER}),
    Right.RULES_TEST: frozenset({_SECURITY, _ANALYST}),
    Right.RULES_MANAGE: frozenset({_SECURITY}),
    Right.RULES_RELOAD: frozenset({_SECURITY}),
    Right.INDICATORS_READ: frozenset({_SECURITY, _ANALYST, _OFFICER, _VIEWER}),
    Right.INDICATORS_MANAGE: frozenset({_SECURITY}),
    Right.PEOPLE_READ: frozenset({_SYSTEM, _SECURITY}),
    Right.PEOPLE_MANAGE: frozenset({_SYSTEM}),
    Right.ROLES_GRANT: frozenset({_SECURITY}),
    Right.KEYS_MANAGE: frozenset({_SECURITY}),
    Right.AUDIT_READ: frozenset({_AUDIT}),
    Right.CONTRACT_READ: frozenset(Role),
    Right.SESSION_OWN: PEOPLE_ROLES,
}
#: The most that a key can ever do, whatever its role: read, never manage, and nothing that belongs to a person.
KEY_RIGHTS = frozenset(
    {Right.ALERTS_READ, Right.EVENTS_READ, Right.SOURCES_READ, Right.HEALTH_READ, Right.CONTRACT_READ}
)


def rights_of(roles: Set[Role]) -> frozenset[Right]:
    """The union of the roles' rights."""
    return frozenset(right for right, having in _ROLES_WITH.items() if having & roles)


def combination_problem(roles: Set[Role]) -> str | None:
    """What is wrong with one person having these roles; None when nothing is. No role at all is allowed."""
    if Role.EXTERNAL_SYSTEM in roles:
        return "external_system is for keys, not for people"
    administrators = sorted(roles & ADMINISTRATORS)
    if administrators and len(roles) > 1:
        others = ", ".join(sorted(roles - {administrators[0]}))
        return f"{administrators[0]} stands alone: it cannot be combined with {others}"
    return None
