"""The first tables."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# As they were at this revision. Later revisions change them; this text stays.
STATEMENTS = (
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL,
        job_name TEXT NOT NULL,
        status TEXT NOT NULL CHECK (
        status IN ('QUEUED', 'NOT_STARTED', 'MANAGED', 'STARTING', 'STARTED', 'SUSPENDED', 'SUCCESS', 'FAILURE',
            'CANCELING', 'CANCELED')
    ),
        created REAL NOT NULL,
        updated REAL NOT NULL,
        started REAL,
        ended REAL,
        launch_key TEXT,
        body BLOB NOT NULL
    )
    """,
    """
    CREATE UNIQUE INDEX runs_run_id ON runs (run_id)
    """,
    """
    CREATE UNIQUE INDEX runs_launch_key ON runs (launch_key) WHERE launch_key IS NOT NULL
    """,
    """
    CREATE INDEX runs_status ON runs (status)
    """,
    """
    CREATE INDEX runs_job ON runs (job_name)
    """,
    """
    CREATE INDEX runs_updated ON runs (updated)
    """,
    """
    CREATE TABLE run_tags (
        run INTEGER NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (run, key)
    ) WITHOUT ROWID
    """,
    """
    CREATE INDEX run_tags_value ON run_tags (key, value, run)
    """,
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        run INTEGER,
        timestamp REAL NOT NULL,
        type INTEGER NOT NULL,
        step_key TEXT,
        asset INTEGER,
        partition INTEGER,
        body BLOB NOT NULL
    )
    """,
    """
    CREATE INDEX events_run ON events (run) WHERE run IS NOT NULL
    """,
    """
    CREATE INDEX events_run_type ON events (type) WHERE type < 20
    """,
    """
    CREATE INDEX events_asset ON events (asset, type) WHERE asset IS NOT NULL
    """,
    """
    CREATE INDEX events_partition ON events (asset, partition, type) WHERE partition IS NOT NULL
    """,
    """
    CREATE TABLE assets (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL,
        last_run TEXT,
        materialization INTEGER,
        materialization_run TEXT,
        materialization_time REAL,
        materialization_body BLOB,
        observation INTEGER,
        observation_run TEXT,
        observation_time REAL,
        observation_body BLOB,
        planned INTEGER,
        planned_run TEXT,
        wiped REAL,
        open_run INTEGER,
        failed INTEGER NOT NULL DEFAULT 0
    )
    """,
    """
    CREATE UNIQUE INDEX assets_key ON assets (key)
    """,
    """
    CREATE INDEX assets_open ON assets (open_run) WHERE open_run IS NOT NULL
    """,
    """
    CREATE TABLE partition_keys (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL
    )
    """,
    """
    CREATE UNIQUE INDEX partition_keys_key ON partition_keys (key)
    """,
    """
    CREATE TABLE partition_sets (
        asset INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        chunk INTEGER NOT NULL,
        keys BLOB NOT NULL,
        PRIMARY KEY (asset, kind, chunk)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE open_partitions (
        run INTEGER NOT NULL,
        asset INTEGER NOT NULL,
        chunk INTEGER NOT NULL,
        keys BLOB NOT NULL,
        PRIMARY KEY (run, asset, chunk)
    ) WITHOUT ROWID
    """,
    """
    CREATE INDEX open_partitions_asset ON open_partitions (asset, chunk)
    """,
    """
    CREATE TABLE asset_checks (
        asset INTEGER NOT NULL,
        name TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('IN_PROGRESS', 'SUCCEEDED', 'FAILED', 'EXECUTION_FAILED', 'SKIPPED')),
        evaluation INTEGER,
        evaluation_run TEXT,
        evaluation_time REAL,
        evaluation_body BLOB,
        planned INTEGER,
        planned_run TEXT,
        planned_step TEXT,
        open_run INTEGER,
        PRIMARY KEY (asset, name)
    ) WITHOUT ROWID
    """,
    """
    CREATE INDEX asset_checks_open ON asset_checks (open_run) WHERE open_run IS NOT NULL
    """,
    """
    CREATE TABLE dynamic_partitions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        definition TEXT NOT NULL,
        key TEXT NOT NULL
    )
    """,
    """
    CREATE UNIQUE INDEX dynamic_partitions_key ON dynamic_partitions (definition, key)
    """,
    """
    CREATE TABLE cursors (
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (name)
    ) WITHOUT ROWID
    """,
)


def upgrade() -> None:
    """Make them."""
    for statement in STATEMENTS:
        op.execute(statement)
