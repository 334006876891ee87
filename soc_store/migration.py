"""The state database brought to this program's revision, backed up before; Alembic is loaded only here, only then."""

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, make_url, text

from soc_model.problem import Problem
from soc_store.durable import make_folder, publish
from soc_store.state_database import open_engine, writing
from soc_store.state_tables import NAME, REVISION

FOLDER = Path(__file__).parent / "migrations"


def revision_of(connection: Connection) -> str:
    """The revision of a state database, empty for a new one; ``Problem`` when it is something else."""
    names = set(inspect(connection).get_table_names())
    if not names:
        return ""
    found = connection.execute(text("SELECT value FROM meta WHERE name = 'name'")).scalar() if "meta" in names else None
    if found != NAME or "alembic_version" not in names:
        raise Problem(str(connection.engine.url.database), f"is not a {NAME} database")
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())


def check_revision(engine: Engine) -> None:
    """Raise ``Problem`` unless the database is exactly of this program's revision."""
    with engine.connect() as connection:
        found = revision_of(connection)
    if found != REVISION:
        what = f"is at revision {found!r}" if found else "is empty"
        raise Problem(str(engine.url.database), f"{what}; this program needs {REVISION!r} (fengsui up migrates)")


def open_current(url: str) -> Engine:
    """An engine on the state at ``url``; ``Problem`` when that is of another revision or is something else."""
    engine = open_engine(url)
    try:
        check_revision(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def back_up(url: str) -> Path | None:
    """A copy ``<file>.before-<revision>`` of the database when a migration is due, else ``None``.

    Taken with SQLite's backup, so it is consistent though others write; it appears complete and synced. A copy that is
    already there is kept: it is of before the first try.
    """
    path = Path(make_url(url).database or "")
    copy = path.with_name(f"{path.name}.before-{REVISION}")
    if not path.is_file() or not _is_due(url) or copy.exists():
        return None
    made = copy.with_name(copy.name + ".new")
    made.unlink(missing_ok=True)
    source, target = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True), sqlite3.connect(made)
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()
    publish(made, copy)
    return copy


def migrate(url: str) -> None:
    """Bring the database to this program's revision in one transaction, after ``back_up``.

    ``Problem`` when it is of a revision this program does not know: one that is newer.
    """
    make_folder(Path(make_url(url).database or "").absolute().parent)
    back_up(url)
    engine = open_engine(url)
    try:
        with writing(engine) as connection:
            if revision_of(connection) != REVISION:
                _upgrade(connection)
    finally:
        engine.dispose()


def _is_due(url: str) -> bool:
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            return revision_of(connection) not in ("", REVISION)
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415  (11 MB that no long-lived process shall carry)
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = revision_of(connection)
    if found and found not in known:
        raise Problem(str(connection.engine.url.database), f"is at revision {found!r}, which a newer program wrote")
    command.upgrade(config, "head")
