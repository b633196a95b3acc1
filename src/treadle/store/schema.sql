-- The store of a fresh home, made in one go. A test holds it equal to what the migrations make, one after the other.
-- Ids are 64 bit and never used twice: they are cursors, and processes keep them in memory.

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES ('0002');

-- Runs: `body` is the run as it was created (and re-tagged); `status` is the truth about its status.
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
);
CREATE UNIQUE INDEX runs_run_id ON runs (run_id);
CREATE UNIQUE INDEX runs_launch_key ON runs (launch_key) WHERE launch_key IS NOT NULL;
CREATE INDEX runs_status ON runs (status);
CREATE INDEX runs_job ON runs (job_name);
CREATE INDEX runs_updated ON runs (updated);

CREATE TABLE run_tags (
    run INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, key)
) WITHOUT ROWID;
CREATE INDEX run_tags_value ON run_tags (key, value, run);

-- The log. Ids are not AUTOINCREMENT (a page less to write in every commit): whoever deletes events leaves the newest row,
-- emptied (type 99), so that an id is never used twice. `run` is runs.id, NULL for what is reported from outside a run; `type` is a code of store.events; `asset` and
-- `partition` are the interned names below (NULL again once the asset is wiped: the run's log keeps the line).
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    run INTEGER,
    timestamp REAL NOT NULL,
    type INTEGER NOT NULL,
    step_key TEXT,
    asset INTEGER,
    partition INTEGER,
    body BLOB NOT NULL
);
CREATE INDEX events_run ON events (run) WHERE run IS NOT NULL;
CREATE INDEX events_run_type ON events (type) WHERE type < 20;
CREATE INDEX events_asset ON events (asset, type) WHERE asset IS NOT NULL;
CREATE INDEX events_partition ON events (asset, partition, type) WHERE partition IS NOT NULL;

-- What is true of an asset now. `open_run` is the run that has planned it and has neither made it nor ended; `failed`
-- says that the latest such run ended without making it. Both concern the asset without partitions.
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
);
CREATE UNIQUE INDEX assets_key ON assets (key);
CREATE INDEX assets_open ON assets (open_run) WHERE open_run IS NOT NULL;

-- Names of partitions, interned once for all assets and never forgotten.
CREATE TABLE partition_keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL
);
CREATE UNIQUE INDEX partition_keys_key ON partition_keys (key);

-- Sets of partitions of an asset, as roaring bitmaps over ids of partition_keys, a row for each 65,536 ids.
-- kind: 1 materialized, 2 in progress, 3 failed.
CREATE TABLE partition_sets (
    asset INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    keys BLOB NOT NULL,
    PRIMARY KEY (asset, kind, chunk)
) WITHOUT ROWID;

-- Which run each partition in progress waits for: for one asset, these sets are disjoint and their union is kind 2.
CREATE TABLE open_partitions (
    run INTEGER NOT NULL,
    asset INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    keys BLOB NOT NULL,
    PRIMARY KEY (run, asset, chunk)
) WITHOUT ROWID;
CREATE INDEX open_partitions_asset ON open_partitions (asset, chunk);

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
) WITHOUT ROWID;
CREATE INDEX asset_checks_open ON asset_checks (open_run) WHERE open_run IS NOT NULL;

CREATE TABLE dynamic_partitions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    definition TEXT NOT NULL,
    key TEXT NOT NULL
);
CREATE UNIQUE INDEX dynamic_partitions_key ON dynamic_partitions (definition, key);

-- Small values by name: cursors of sensors and daemons, and what a home was told once.
CREATE TABLE cursors (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name)
) WITHOUT ROWID;

-- Who owns a run, or a role such as the daemon's, until when. The token grows with each owner.
CREATE TABLE leases (
    name TEXT NOT NULL,
    token INTEGER NOT NULL,
    owner TEXT NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (name)
) WITHOUT ROWID;

-- Code locations, as the daemon that loaded them last saw them. The manifest is the last good one.
CREATE TABLE locations (
    name TEXT NOT NULL,
    body BLOB NOT NULL,
    manifest TEXT,
    PRIMARY KEY (name)
) WITHOUT ROWID;

-- What locations declare, by the hash of the content.
CREATE TABLE manifests (
    hash TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (hash)
);

-- How many may hold a slot of a pool at once, where that is not the default.
CREATE TABLE pools (
    name TEXT NOT NULL,
    slots INTEGER NOT NULL,
    PRIMARY KEY (name)
) WITHOUT ROWID;

-- Which steps hold a slot, or wait for one since `asked`. What belongs to a run without a live lease is nobody's.
CREATE TABLE pool_slots (
    pool TEXT NOT NULL,
    run TEXT NOT NULL,
    step TEXT NOT NULL,
    priority INTEGER NOT NULL,
    asked REAL NOT NULL,
    held INTEGER NOT NULL,
    PRIMARY KEY (pool, run, step)
) WITHOUT ROWID;
CREATE INDEX pool_slots_run ON pool_slots (run);
