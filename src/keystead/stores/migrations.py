"""The schema, as numbered migrations. A database says in `user_version` how many of them it has seen.

Rule 1: a migration that has been released is never edited; the next one changes what it made.
Rule 2: each runs in one transaction together with its number, so a death at any statement leaves the version before.
Rule 3: a file that is not ours is not touched, nor one written by a newer program.
"""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from keystead.core.errors import Unsupported

APPLICATION_ID = 0x4B737464  # "Kstd"; SQLite "Database File Format" §1.3.16

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
        # place = level << 40 | index: a node of the key tree is found without a second b-tree
        "CREATE TABLE node (place INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT",
        "CREATE TABLE item (kind TEXT NOT NULL, id TEXT NOT NULL, parent TEXT NOT NULL, link TEXT NOT NULL,"
        " revision INTEGER NOT NULL, epoch INTEGER NOT NULL, sealed BLOB NOT NULL,"
        " PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID",
        "CREATE INDEX item_parent ON item (kind, parent, id)",
        "CREATE INDEX item_link ON item (kind, link, id) WHERE link <> ''",
        "CREATE TABLE change (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL) STRICT",
        # AUTOINCREMENT: the numbers go on when every record has been dropped
        "CREATE TABLE record (seq INTEGER PRIMARY KEY AUTOINCREMENT, bytes BLOB NOT NULL) STRICT",
        f"PRAGMA application_id = {APPLICATION_ID}",
    ),
)


def migrate(db: apsw.Connection, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Bring `db` to the newest schema. Raises Unsupported for a file that is not ours or is newer; apsw.Error."""
    if schema_version(db, len(migrations)) == len(migrations):
        return
    for number, statements in enumerate(migrations, 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            if schema_version(db, len(migrations)) < number:  # another process may have been faster
                for statement in (*statements, f"PRAGMA user_version = {number}"):
                    db.execute(statement)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


def schema_version(db: apsw.Connection, newest: int = len(MIGRATIONS)) -> int:
    """The schema version of a file that proves to be ours, or is empty (0). Changes nothing. Raises Unsupported."""
    application, version = db.pragma("application_id"), db.pragma("user_version")
    if application != APPLICATION_ID and (application or version or db.execute("SELECT 1 FROM sqlite_schema").get):
        raise Unsupported("this file is not a Keystead database")
    if not 0 <= version <= newest:
        raise Unsupported(f"the database has schema version {version}; this program knows versions up to {newest}")
    return int(version)
