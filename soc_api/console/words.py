"""The names of the closed vocabularies in the console; ``N_`` marks them for translation."""

from collections.abc import Mapping
from types import MappingProxyType

from soc_api.password import COMMON_ONE, HOLDS_NAME, TOO_LONG, TOO_WEAK
from soc_model.alert import AlertState
from soc_model.asset import AssetClass, AssetKind, AssetState, Importance
from soc_model.audit import Act
from soc_model.correlation import CorrelationType, Operator
from soc_model.indicator import IndicatorKind
from soc_model.job import JobState
from soc_model.layer import Layer, Level, Realm
from soc_model.problem import Problem
from soc_model.right import Role
from soc_model.rule_proof import Canary
from soc_model.rule_state import RuleOrigin, RuleState
from soc_model.sighting import Relation
from soc_model.source import Trust


def N_(message: str) -> str:
    """The message itself; marked, so that it is extracted."""
    return message


LEVELS: Mapping[str, str] = MappingProxyType(
    {
        Level.CRITICAL: N_("Critical"),
        Level.HIGH: N_("High"),
        Level.MEDIUM: N_("Medium"),
        Level.LOW: N_("Low"),
        Level.INFORMATIONAL: N_("Informational"),
    }
)
LAYERS: Mapping[str, str] = MappingProxyType(
    {
        Layer.TERMINAL: N_("Terminal"),
        Layer.HOST: N_("Host"),
        Layer.NETWORK: N_("Network"),
        Layer.PLATFORM: N_("Platform"),
        Layer.DATA: N_("Data"),
        Layer.APPLICATION: N_("Application"),
    }
)
STATES: Mapping[str, str] = MappingProxyType(
    {
        AlertState.NEW: N_("New"),
        AlertState.ACKNOWLEDGED: N_("Acknowledged"),
        AlertState.CLOSED: N_("Closed"),
    }
)
REALMS: Mapping[str, str] = MappingProxyType({Realm.LIVE: N_("Live"), Realm.DRILL: N_("Drill"), Realm.TEST: N_("Test")})
TRUSTS: Mapping[str, str] = MappingProxyType(
    {Trust.MUTUAL_TLS: N_("Mutual TLS"), Trust.KEY: N_("Key"), Trust.NONE: N_("None")}
)
ROLES: Mapping[str, str] = MappingProxyType(
    {
        Role.SYSTEM_ADMINISTRATOR: N_("System administrator"),
        Role.SECURITY_ADMINISTRATOR: N_("Security administrator"),
        Role.AUDIT_ADMINISTRATOR: N_("Audit administrator"),
        Role.ANALYST: N_("Analyst"),
        Role.COMPLIANCE_OFFICER: N_("Compliance officer"),
        Role.VIEWER: N_("Viewer"),
        Role.EXTERNAL_SYSTEM: N_("External system"),
    }
)
RULE_STATES: Mapping[str, str] = MappingProxyType(
    {
        RuleState.ACTIVE: N_("Active"),
        RuleState.TEST: N_("On trial"),
        RuleState.DRAFT: N_("Draft"),
        RuleState.RETIRED: N_("Retired from use"),
    }
)
RULE_STATE_HELP: Mapping[str, str] = MappingProxyType(
    {
        RuleState.ACTIVE: N_("Evaluated; what it finds raises alerts"),
        RuleState.TEST: N_("Evaluated and counted; what it finds is shown on its page and raises no alert"),
        RuleState.DRAFT: N_("Not evaluated: not ready yet"),
        RuleState.RETIRED: N_("Not evaluated any more"),
    }
)
RULE_ORIGINS: Mapping[str, str] = MappingProxyType(
    {
        RuleOrigin.OURS: N_("Built in"),
        RuleOrigin.SITE: N_("The site's own"),
        RuleOrigin.IMPORTED: N_("Imported"),
    }
)
#: What may be asked of rules beside their state, in the order in which it is shown.
RULE_MATTERS: Mapping[str, str] = MappingProxyType(
    {
        "fired": N_("Found something in 7 days"),
        "silent": N_("Found nothing in 7 days"),
        "no_source": N_("No source"),
        "refused": N_("Refused rules"),
        "needs": N_("Needs site values"),
        "below": N_("Below the level"),
        "waits": N_("Waits to be taken over"),
    }
)
#: What an update of the rules would change, in the order in which it is shown.
RULE_CHANGES: Mapping[str, str] = MappingProxyType(
    {
        "will_run": N_("Will run that did not"),
        "will_stop": N_("Will run no more"),
        "added": N_("Added to the library"),
        "changed": N_("Changed in the library"),
        "removed": N_("Removed from the library"),
        "newly_refused": N_("Newly refused"),
    }
)
#: The caches whose keys senders choose.
CACHES: Mapping[str, str] = MappingProxyType(
    {
        "values": N_("Values"),
        "combinations": N_("Combinations"),
        "event_types": N_("Event types"),
        "regex_steps": N_("Regular expression steps"),
        "indicators": N_("Indicators"),
    }
)
#: What a correlation counts, and how it compares.
CORRELATIONS: Mapping[str, str] = MappingProxyType(
    {
        CorrelationType.EVENT_COUNT: N_("Number of events"),
        CorrelationType.VALUE_COUNT: N_("Number of different values"),
        CorrelationType.TEMPORAL: N_("Rules that fired together"),
        CorrelationType.TEMPORAL_ORDERED: N_("Rules that fired in this order"),
        CorrelationType.VALUE_SUM: N_("Sum"),
        CorrelationType.VALUE_AVG: N_("Average"),
        CorrelationType.VALUE_PERCENTILE: N_("Percentile"),
        CorrelationType.VALUE_MEDIAN: N_("Median"),
    }
)
OPERATORS: Mapping[str, str] = MappingProxyType(
    {
        Operator.LT: "<",
        Operator.LTE: "≤",
        Operator.GT: ">",
        Operator.GTE: "≥",
        Operator.EQ: "=",
        Operator.NEQ: "≠",
    }
)
JOB_STATES: Mapping[str, str] = MappingProxyType(
    {
        JobState.QUEUED: N_("Waiting"),
        JobState.RUNNING: N_("Running"),
        JobState.DONE: N_("Done"),
        JobState.FAILED: N_("Failed"),
        JobState.CANCELLED: N_("Cancelled"),
    }
)
#: A kind that is not named here goes by its identifier.
JOB_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "compact_archive": N_("Compact the archive"),
        "import_indicators": N_("Import indicators"),
        "remove_indicators": N_("Remove indicators"),
        "fold_sightings": N_("Fold sightings into assets"),
        "prove_rules": N_("Self-proof of rules"),
        "test_rule": N_("Backtest"),
        "tidy_state": N_("Tidy the state"),
    }
)
#: What became of a rule's own sample when it was sent through the center.
CANARIES: Mapping[str, str] = MappingProxyType(
    {
        Canary.FIRED: N_("fired"),
        Canary.SILENT: N_("sent, and nothing came of it"),
        Canary.NONE: N_("carries no sample of its own"),
    }
)
#: The tactics of MITRE ATT&CK by short name.
TACTICS: Mapping[str, str] = MappingProxyType(
    {
        "reconnaissance": N_("Reconnaissance"),
        "resource-development": N_("Resource development"),
        "initial-access": N_("Initial access"),
        "execution": N_("Execution"),
        "persistence": N_("Persistence"),
        "privilege-escalation": N_("Privilege escalation"),
        "stealth": N_("Stealth"),
        "defense-impairment": N_("Defense impairment"),
        "credential-access": N_("Credential access"),
        "discovery": N_("Discovery"),
        "lateral-movement": N_("Lateral movement"),
        "collection": N_("Collection"),
        "command-and-control": N_("Command and control"),
        "exfiltration": N_("Exfiltration"),
        "impact": N_("Impact"),
    }
)
INDICATOR_KINDS: Mapping[str, str] = MappingProxyType(
    {
        IndicatorKind.DOMAIN: N_("Domain"),
        IndicatorKind.URL: N_("URL"),
        IndicatorKind.ADDRESS: N_("Address"),
        IndicatorKind.NETWORK: N_("Network range"),
        IndicatorKind.MD5: "MD5",
        IndicatorKind.SHA1: "SHA-1",
        IndicatorKind.SHA256: "SHA-256",
        IndicatorKind.SM3: "SM3",
        IndicatorKind.EMAIL: N_("E-mail"),
    }
)
ASSET_KINDS: Mapping[str, str] = MappingProxyType(
    {
        AssetKind.HOST: N_("Host"),
        AssetKind.USER: N_("Account"),
        AssetKind.ADDRESS: N_("Address"),
        AssetKind.SERVICE: N_("Service"),
        AssetKind.DOMAIN: N_("Domain"),
        AssetKind.EXTERNAL: N_("External address"),
    }
)
ASSET_STATES: Mapping[str, str] = MappingProxyType(
    {
        AssetState.DISCOVERED: N_("Discovered"),
        AssetState.CONFIRMED: N_("Confirmed"),
        AssetState.RETIRED: N_("Retired"),
    }
)
ASSET_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        AssetClass.NONE: N_("Not stated"),
        AssetClass.SERVER: N_("Server"),
        AssetClass.WORKSTATION: N_("Workstation"),
        AssetClass.NETWORK_DEVICE: N_("Network device"),
        AssetClass.SECURITY_DEVICE: N_("Security device"),
        AssetClass.DATABASE: N_("Database"),
        AssetClass.APPLICATION: N_("Application system"),
        AssetClass.CLOUD: N_("Cloud platform"),
        AssetClass.IOT: N_("Internet of things device"),
        AssetClass.OTHER: N_("Other"),
    }
)
IMPORTANCES: Mapping[str, str] = MappingProxyType(
    {
        Importance.NONE: N_("Not stated"),
        Importance.VERY_HIGH: N_("Very high importance"),
        Importance.HIGH: N_("High importance"),
        Importance.MEDIUM: N_("Medium importance"),
        Importance.LOW: N_("Low importance"),
        Importance.VERY_LOW: N_("Very low importance"),
    }
)
#: What a link says, told from its first end and from its second.
RELATIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        Relation.SEEN_ON: (N_("named in records of"), N_("names in its records")),
        Relation.CONNECTED: (N_("connected to"), N_("reached by")),
        Relation.IS: (N_("address of"), N_("has the address")),
    }
)
#: What a counter of loss means, in the order in which it is shown.
LOSSES: Mapping[str, str] = MappingProxyType(
    {
        "quarantined": N_("Quarantined"),
        "unparsed": N_("Unparsed"),
        "truncated": N_("Truncated"),
        "oversize": N_("Oversize"),
        "torn": N_("Torn"),
        "refused": N_("Refused"),
        "refused_disk_full": N_("Refused: disk full"),
        "refused_queue_full": N_("Refused: queue full"),
        "unreadable": N_("Unreadable"),
        "dropped": N_("Dropped"),
        "redelivered": N_("Redelivered"),
        "time_flagged": N_("Time doubtful"),
        "worker_restarts": N_("Worker restarts"),
        "careful_batches": N_("Careful batches"),
        "quarantined_batches": N_("Batches put aside"),
        "quarantined_records": N_("Records put aside"),
        "storm_findings": N_("Storm findings"),
        "correlation_evicted": N_("Correlation groups evicted"),
        "correlation_late": N_("Correlation events too late"),
        "sightings_capped": N_("Sightings left out"),
        "assets_capped": N_("Assets left out"),
    }
)
LOSS_HELP: Mapping[str, str] = MappingProxyType(
    {
        "quarantined": N_("Never parsed, because the record ended its worker; kept raw"),
        "unparsed": N_("The format could not read the record; kept raw, matched by keyword rules only"),
        "truncated": N_("Records over 1 MiB, of which the first 64 KiB are kept with length and hash of the whole"),
        "oversize": N_("Records over 1 MiB, of which the first 64 KiB are kept with length and hash of the whole"),
        "torn": N_("Records cut short by the end of a file or connection"),
        "refused": N_(
            "Refused: wrong key, too large or malformed (the sender was told), or a syslog sender that is not listed"
        ),
        "refused_disk_full": N_("Not taken in because the disk is nearly full; free some, senders try again"),
        "refused_queue_full": N_(
            "Attempts while 16 MiB waited to be written: HTTP senders were told 429, other sources are read later"
        ),
        "unreadable": N_("Files that could not be opened or read"),
        "dropped": N_("Records lost"),
        "redelivered": N_("Requests sent twice around a restart; recognised and not stored again"),
        "time_flagged": N_("No event time, or one out of bounds; the time received is used instead"),
        "worker_restarts": N_("Detect workers that fell or took too long, since detect began"),
        "careful_batches": N_("Batches tried again record by record after a worker fell on them twice"),
        "quarantined_batches": N_("Batches kept raw, because they could not be decided even so"),
        "quarantined_records": N_("Records kept raw, because they ended their worker"),
        "storm_findings": N_(
            "Findings counted but not kept singly: of each rule the first 100 of a batch are. Their events are all kept"
        ),
        "correlation_evicted": N_("Groups whose windows were let go of for want of room, least recently touched first"),
        "correlation_late": N_("Events that came after their window was closed and judged; counted in no correlation"),
        "sightings_capped": N_("Too many different hosts, users or addresses in one batch; the events are complete"),
        "assets_capped": N_("More new assets or links than the source has room for; the events are complete"),
    }
)
OVERLOAD_HELP = N_("What overload has cost since the start; all zero is well")
ACTS: Mapping[str, str] = MappingProxyType(
    {
        Act.SIGN_IN: N_("Signed in"),
        Act.SIGN_IN_FAILED: N_("Sign-in failed"),
        Act.SIGN_IN_LOCKED: N_("Locked after failures"),
        Act.SIGN_OUT: N_("Signed out"),
        Act.RECOVERY_USED: N_("Recovery code used"),
        Act.LINK_MADE: N_("Link made"),
        Act.LINK_USED: N_("Link used"),
        Act.PERSON_MADE: N_("Person made"),
        Act.PERSON_SET_UP: N_("Person set up"),
        Act.PERSON_DISABLED: N_("Person disabled"),
        Act.PERSON_ENABLED: N_("Person enabled"),
        Act.ROLES_CHANGED: N_("Roles changed"),
        Act.PASSWORD_CHANGED: N_("Password changed"),
        Act.CODE_CHANGED: N_("One-time codes enrolled anew"),
        Act.SESSION_REVOKED: N_("Session ended"),
        Act.KEY_MADE: N_("Key made"),
        Act.KEY_REVOKED: N_("Key revoked"),
        Act.ALERT_STATE: N_("Alert state changed"),
        Act.ASSET_DESCRIBED: N_("Asset described"),
        Act.JOB_ASKED: N_("Job asked for"),
        Act.JOB_CANCELLED: N_("Job asked to end"),
        Act.SCHEDULE_CHANGED: N_("Schedule changed"),
        Act.RULES_RELOADED: N_("Rules read again"),
        Act.RULE_RELEASED: N_("Rule released"),
        Act.RULES_STAGED: N_("Rules update staged"),
        Act.RULES_CONFIRMED: N_("Rules update confirmed"),
        Act.RULES_REFUSED: N_("Rules update refused"),
        Act.RULES_BACK: N_("Rules taken back"),
        Act.RULE_STATE: N_("Rule state changed"),
        Act.OUTBOUND_CALLED: N_("Called another system"),
        Act.INDICATORS_IMPORTED: N_("Indicators imported"),
        Act.INDICATORS_REMOVED: N_("Indicators removed"),
        Act.QUARANTINE_REPLAYED: N_("Quarantined records replayed"),
        Act.QUARANTINE_DISCARDED: N_("Quarantined records discarded"),
        Act.AUDIT_READ: N_("Audit record read"),
    }
)
#: What an entry of the audit record tells beside who, when and what; a name that is not here is shown as it is.
DETAILS: Mapping[str, str] = MappingProxyType(
    {
        "agent": N_("with"),
        "purpose": N_("to"),
        "roles": N_("roles"),
        "role": N_("role"),
        "units": N_("units"),
        "person": N_("person"),
        "prefix": N_("key"),
        "sessions": N_("sessions ended"),
        "before": N_("before"),
        "after": N_("after"),
        "rule": N_("rule"),
        "kind": N_("kind"),
        "why": N_("why"),
        "every_s": N_("every (seconds)"),
        "enabled": N_("switched on"),
        "state": N_("state"),
        "owner": N_("owner"),
        "asset_class": N_("class"),
        "importance": N_("importance"),
        "mlps_object": N_("MLPS object"),
        "note": N_("note"),
        "address": N_("address"),
        "status": N_("status"),
        "bytes": N_("bytes"),
        "source": N_("from"),
        "proof": N_("known by"),
        "rules": N_("rules"),
    }
)
DETAIL_VALUES: Mapping[str, str] = MappingProxyType(
    {
        **ROLES,
        **STATES,
        **RULE_STATES,
        **ASSET_STATES,
        **JOB_KINDS,
        "setup": N_("first set-up"),
        "reset": N_("set up anew"),
        "*": N_("All units"),
        "yes": N_("yes"),
        "no": N_("no"),
    }
)
BAD_ACTS = frozenset({Act.SIGN_IN_FAILED, Act.SIGN_IN_LOCKED})
#: Complaints about what was typed, by what the Problem says; one that is not here is shown as it is.
COMPLAINTS: Mapping[str, str] = MappingProxyType(
    {
        TOO_LONG: N_("The password may have 128 characters at the most."),
        TOO_WEAK: N_(
            "The password needs 12 characters, or 8 with three of: small letters, capitals, digits, other characters."
        ),
        HOLDS_NAME: N_("The password must not contain the user name."),
        COMMON_ONE: N_("This password is one of those that attackers try first."),
        "the two are not the same": N_("The two passwords are not the same."),
        "must have 2 to 40 characters": N_("The user name must have 2 to 40 characters."),
        "may have letters, digits and . _ - @ only": N_("The user name may have letters, digits and . _ - @ only."),
        "is taken": N_("This user name is taken."),
        "the password or the code is not right": N_("The password or the code is not right."),
        "too many wrong ones; try again in a quarter of an hour": N_(
            "Too many wrong passwords. Try again in a quarter of an hour."
        ),
        "is not right; look at the clock of the device, and try the next one": N_(
            "This code is not right. Look at the clock of the device, and try the next code."
        ),
        "nobody changes their own roles": N_("Nobody changes their own roles."),
        "nobody disables themselves": N_("Nobody disables themselves."),
        "an administrator's link is made on the terminal: fengsui link": N_(
            "An administrator's link is made on the terminal: fengsui link --person NAME"
        ),
        "is disabled": N_("This person is disabled."),
        "there is no such unit": N_("There is no such unit."),
        "must have 1 to 500 characters": N_("Say why, in 500 characters at the most: it is kept with the decision."),
        "is not what waits to be confirmed; look at what does": N_(
            "This is not the update that waits any more. Look at the one that does."
        ),
        "must be 1 to 366": N_("A key is valid for 1 to 366 days."),
    }
)
ALONE = N_("An administrator's role stands alone: it cannot be combined with another role.")
LAST = N_("The last of each of the three administrators stays.")


def complaint(problem: Problem) -> str:
    """What a page says of a problem, to be translated."""
    if "stands alone" in problem.what:
        return ALONE
    return LAST if problem.what.startswith("the last ") else COMPLAINTS.get(problem.what, problem.what)


#: Error pages: what happened, and what to do.
ERRORS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        400: (N_("The request cannot be understood"), N_("Check the address or the query and try again.")),
        401: (N_("Not signed in"), N_("Sign in and try again.")),
        403: (N_("Not allowed"), N_("Your role does not include this. Ask the security administrator.")),
        404: (N_("Not found"), N_("It may have been removed, or it lies outside your units.")),
        405: (N_("Not possible here"), N_("Go back and use the buttons of the page.")),
        410: (
            N_("This link is used up"),
            N_("Links work once and for 15 minutes. Make a new one on the terminal:"),
        ),
        422: (N_("The request cannot be understood"), N_("Check the address or the query and try again.")),
        429: (N_("Too much at once"), N_("Wait a moment and try again.")),
        500: (N_("The center made a mistake"), N_("Its log says more. What was acknowledged is not lost.")),
        503: (
            N_("Waiting to be set up"),
            N_("Open the one-time links that stand on the terminal where the center was started."),
        ),
    }
)
