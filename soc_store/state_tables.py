"""The tables of the state database; the migrations in soc_store/migrations make the same, and a test compares them.

Alerts are normalised so that 1,000,000 of them stay fast to list and to count. A ``card`` is kept once, however many
alerts its rule raised. A ``cell`` is one combination of what alerts are filtered by, with the number of alerts in it:
counts are sums over cells, and a filter is a set of cells.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

#: The newest migration; a state database of another revision is refused.
REVISION = "0008"
NAME = "fengsui-state"

tables = MetaData()

meta = Table("meta", tables, Column("name", String, primary_key=True), Column("value", String, nullable=False))

#: Numbers that only grow: the triage cursor, the last alert id, the last outbox seq.
sequence = Table(
    "sequence", tables, Column("name", String, primary_key=True), Column("last", BigInteger, nullable=False)
)

card = Table(
    "card",
    tables,
    Column("id", Integer, primary_key=True),
    Column("digest", String, nullable=False, unique=True),  # SHA-256 of the body
    Column("rule_id", String, nullable=False, index=True),
    Column("titles", Text, nullable=False),  # both titles, casefolded, to look for words in
    Column("body", Text, nullable=False),  # RuleCard as JSON
)

cell = Table(
    "cell",
    tables,
    Column("id", Integer, primary_key=True),
    Column("unit", String, nullable=False),
    Column("realm", String, nullable=False),
    Column("layer", String, nullable=False),
    Column("level", Integer, nullable=False),  # Level.rank
    Column("state", String, nullable=False),
    Column("card_id", Integer, ForeignKey("card.id"), nullable=False),
    Column("alerts", BigInteger, nullable=False),
    Index("cell_key", "unit", "realm", "layer", "level", "state", "card_id", unique=True),
)

alert = Table(
    "alert",
    tables,
    Column("id", Integer, primary_key=True),
    Column("key", String, nullable=False, index=True),
    Column("open_key", String, unique=True),  # the key until closed, then null: one open alert a key
    Column("cell_id", Integer, ForeignKey("cell.id"), nullable=False),
    Column("level", Integer, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("first_offset", BigInteger, nullable=False),
    Column("last_offset", BigInteger, nullable=False),
    Column("source_id", String, nullable=False),
    Column("sample_event_id", String, nullable=False),
    Column("group", Text, nullable=False),
    Column("entities", Text, nullable=False),
    Column("matched", Text, nullable=False),
    Column("storm_count", BigInteger, nullable=False, server_default="0"),  # of count: those not kept singly
    # Each sort has an index that holds all a filter looks at, so that paging reads no row it does not show.
    Index("alert_by_last_seen", "last_seen", "id", "cell_id", "level"),
    Index("alert_by_level", "level", "last_seen", "id", "cell_id"),
    Index("alert_by_count", "count", "last_seen", "id", "cell_id"),
    Index("alert_by_cell", "cell_id", "last_seen", "id"),
)

alert_entity = Table(
    "alert_entity",
    tables,
    Column("value", String, primary_key=True),
    Column("alert_id", Integer, ForeignKey("alert.id"), primary_key=True),
    sqlite_with_rowid=False,
)

alert_change = Table(
    "alert_change",
    tables,
    Column("id", Integer, primary_key=True),
    Column("alert_id", Integer, ForeignKey("alert.id"), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("person", String, nullable=False),
    Column("before", String, nullable=False),
    Column("after", String, nullable=False),
)

#: What correlation rules found: of each finding id one row, as it was last told.
episode = Table(
    "episode",
    tables,
    Column("finding_id", String, primary_key=True),
    *(Column(name, String, nullable=False) for name in ("rule_id", "key", "unit", "realm")),
    *(Column(name, BigInteger, nullable=False) for name in ("start", "last", "updated")),
    Column("raises_alert", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),  # Episode as JSON
    Index("episode_by_key", "key", "start"),
    Index("episode_by_updated", "raises_alert", "updated"),
    sqlite_with_rowid=False,
)

#: The windows of correlation rules: the last whole copy and the steps since, in order.
correlation_step = Table(
    "correlation_step",
    tables,
    Column("id", Integer, primary_key=True),
    Column("whole", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

outbox = Table(
    "outbox",
    tables,
    Column("seq", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("unit", String, nullable=False),
    Column("realm", String, nullable=False),
    Column("body", Text, nullable=False),
)

link = Table(
    "link",
    tables,
    Column("token_sha256", String, primary_key=True),
    Column("purpose", String, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("used", BigInteger),
    Column("person_id", Integer),  # null: the link of an evaluation
)

session = Table(
    "session",
    tables,
    Column("token_sha256", String, primary_key=True),
    Column("expires", BigInteger, nullable=False, index=True),
    Column("body", Text, nullable=False),
    Column("person_id", Integer, nullable=False, server_default="0", index=True),
    Column("last_seen", BigInteger, nullable=False, server_default="0"),
)

person = Table(
    "person",
    tables,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),  # empty until chosen at the first link
    Column("name_key", String, unique=True),  # soc_model.person.name_key, null until then
    Column("units", Text),  # JSON, null: every unit
    Column("created", BigInteger, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("set_up", BigInteger),
    Column("password", Text),  # Argon2id, as PHC string
    Column("password_at", BigInteger),
    Column("totp_secret", String),
    Column("totp_step", BigInteger, nullable=False),  # the last one accepted: no code works twice
    Column("last_sign_in", BigInteger),
)

#: A trigger of the migration refuses an administrator's role beside any other one, whoever writes it.
person_role = Table(
    "person_role",
    tables,
    Column("person_id", Integer, ForeignKey("person.id"), primary_key=True),
    Column("role", String, primary_key=True),
)

recovery_code = Table(
    "recovery_code",
    tables,
    Column("person_id", Integer, ForeignKey("person.id"), primary_key=True),
    Column("code_sha256", String, primary_key=True),
    Column("used", BigInteger),
)

#: What was chosen at a link but is not proved yet, known by the cookie of the browser that opened the link.
enrolment = Table(
    "enrolment",
    tables,
    Column("token_sha256", String, primary_key=True),
    Column("expires", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

#: Failed sign-ins by subject: ``name:`` with the digest of a name, known or not, and ``address:``.
login_failure = Table(
    "login_failure",
    tables,
    Column("id", Integer, primary_key=True),
    Column("subject", String, nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
    Index("login_failure_by_subject", "subject", "at"),
)

api_key = Table(
    "api_key",
    tables,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("prefix", String, nullable=False),
    Column("token_sha256", String, nullable=False, unique=True),
    Column("role", String, nullable=False),
    Column("units", Text),
    Column("created", BigInteger, nullable=False),
    Column("created_by", String, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("revoked", BigInteger),
    Column("last_used", BigInteger),
)

#: A chain: each entry holds the digest of the one before. Triggers of the migration refuse changes and removals.
audit = Table(
    "audit",
    tables,
    Column("seq", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("act", String, nullable=False, index=True),
    Column("actor", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("address", String, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
    Column("alg", String, nullable=False),
    Column("previous", String, nullable=False),
    Column("digest", String, nullable=False),
)

job = Table(
    "job",
    tables,
    Column("id", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("params", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("created_by", String, nullable=False),
    Column("started", BigInteger),
    Column("finished", BigInteger),
    Column("progress_done", BigInteger, nullable=False),
    Column("progress_total", BigInteger, nullable=False),
    Column("progress_text", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("attempts_max", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("lease_until", BigInteger),
    Column("worker", String, nullable=False),
    Index("job_by_state", "state", "id"),
    Index("job_by_kind", "kind", "id"),
    Index("job_by_finished", "finished"),
)

schedule = Table(
    "schedule",
    tables,
    Column("kind", String, primary_key=True),
    Column("every_s", BigInteger),
    Column("enabled", Boolean, nullable=False),
    Column("last_queued", BigInteger),
    Column("attempts_max", Integer, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("changed_by", String, nullable=False),
)

asset = Table(
    "asset",
    tables,
    Column("id", String, primary_key=True),
    *(Column(name, String, nullable=False) for name in ("unit", "realm", "kind")),
    Column("name", Text, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in ("first_seen", "last_seen", "count")),
    *(Column(name, Text, nullable=False) for name in ("names", "addresses", "sources")),  # value → last seen, as JSON
    Column("layers", String, nullable=False),  # each between two spaces
    Column("words", Text, nullable=False),  # names and addresses, casefolded, to look for words in
    Column("host_id", String, nullable=False),
    Column("host_at", BigInteger, nullable=False),
    # People's columns; the machine gives them their first value only.
    *(Column(name, String, nullable=False) for name in ("state", "owner", "asset_class", "importance", "mlps_object")),
    Column("note", Text, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("changed_by", String, nullable=False),
    Index("asset_by_last_seen", "last_seen", "id"),
    Index("asset_by_kind", "kind", "last_seen", "id"),
    sqlite_with_rowid=False,
)

asset_link = Table(
    "asset_link",
    tables,
    Column("from_id", String, ForeignKey("asset.id"), primary_key=True),
    Column("to_id", String, ForeignKey("asset.id"), primary_key=True),
    Column("relation", String, primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in ("first_seen", "last_seen", "count")),
    Index("asset_link_to", "to_id", "last_seen"),
    Index("asset_link_from", "from_id", "last_seen"),
    sqlite_with_rowid=False,
)

#: How many assets and links each source has brought, by kind, and how many found no room (kind ``capped``).
asset_made = Table(
    "asset_made",
    tables,
    *(Column(name, String, primary_key=True) for name in ("source_id", "kind")),
    Column("made", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: The last row of each partition's sightings that is folded, and with layer and day empty the last segment looked at.
asset_cursor = Table(
    "asset_cursor",
    tables,
    *(Column(name, String, primary_key=True) for name in ("realm", "layer", "day")),
    Column("offset", BigInteger, nullable=False),
    Column("sighting_id", String, nullable=False),
    sqlite_with_rowid=False,
)

asset_change = Table(
    "asset_change",
    tables,
    Column("id", Integer, primary_key=True),
    Column("asset_id", String, ForeignKey("asset.id"), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("person", String, nullable=False),
    *(Column(name, Text, nullable=False) for name in ("before", "after")),  # people's columns, as JSON
)

#: The state that people put rules in; a rule that is not here is in the state it begins with.
rule_state = Table(
    "rule_state",
    tables,
    Column("rule_id", String, primary_key=True),
    Column("state", String, nullable=False),
)

rule_decision = Table(
    "rule_decision",
    tables,
    Column("id", Integer, primary_key=True),
    Column("rule_id", String, nullable=False, index=True),
    *(Column(name, String, nullable=False) for name in ("before", "after")),
    Column("reason", Text, nullable=False),
    Column("person", String, nullable=False),
    Column("at", BigInteger, nullable=False),
)

#: Findings by rule, hour (its beginning, µs), unit and realm, those of rules in state test too.
rule_hour = Table(
    "rule_hour",
    tables,
    Column("rule_id", String, primary_key=True),
    Column("hour", BigInteger, primary_key=True),
    *(Column(name, String, primary_key=True) for name in ("unit", "realm")),
    *(Column(name, BigInteger, nullable=False) for name in ("findings", "first_offset", "last_offset")),
    Index("rule_hour_by_hour", "hour"),
    sqlite_with_rowid=False,
)
