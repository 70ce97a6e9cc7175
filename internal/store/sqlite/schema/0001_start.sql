-- Times are milliseconds since 1970, UTC. Sealed columns hold ciphertext only.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE orgs (
  num      INTEGER PRIMARY KEY,
  org      TEXT NOT NULL UNIQUE,
  settings TEXT NOT NULL,             -- JSON of turnout.Org, without secrets
  secrets  BLOB NOT NULL,             -- sealed under the org key
  changed  INTEGER NOT NULL
) STRICT;

CREATE TABLE org_keys (
  scope   TEXT NOT NULL,
  purpose TEXT NOT NULL,
  version INTEGER NOT NULL,
  wrapped BLOB NOT NULL,              -- under the master key
  PRIMARY KEY (scope, purpose, version)
) STRICT;

-- The one table that holds data keys: it is backed up apart from the rest.
CREATE TABLE people (
  org     INTEGER NOT NULL,
  person  BLOB NOT NULL,              -- blind index of the e-mail address
  wrapped BLOB NOT NULL,              -- the person's data key under the org key
  PRIMARY KEY (org, person)
) STRICT, WITHOUT ROWID;

CREATE TABLE tombstones (
  org    INTEGER NOT NULL,
  person BLOB NOT NULL,
  at     INTEGER NOT NULL,
  PRIMARY KEY (org, person)
) STRICT, WITHOUT ROWID;

-- One lane for each event: what the store must know to take seats, and the
-- lease on its deliveries.
CREATE TABLE lanes (
  lane        INTEGER PRIMARY KEY,
  org         INTEGER NOT NULL REFERENCES orgs (num),
  event       TEXT NOT NULL,
  open        INTEGER NOT NULL,
  opens       INTEGER NOT NULL,       -- 0: always
  closes      INTEGER NOT NULL,       -- 0: never
  ends        INTEGER NOT NULL,
  owner       TEXT NOT NULL DEFAULT '',
  fence       INTEGER NOT NULL DEFAULT 0,
  lease_until INTEGER NOT NULL DEFAULT 0,
  not_before  INTEGER NOT NULL DEFAULT 0,
  UNIQUE (org, event)
) STRICT;

-- seat_limit is -1 for no limit. excess is how far an organiser's own doing (a
-- lowered limit, people added by hand) put a pool over its limit; accepting
-- never changes it, so the last CHECK is the guard against overselling (P2).
CREATE TABLE seats (
  lane       INTEGER NOT NULL REFERENCES lanes (lane),
  pool       TEXT NOT NULL,
  counted    INTEGER NOT NULL,        -- 0: the event no longer has this pool
  seat_limit INTEGER NOT NULL,
  taken      INTEGER NOT NULL DEFAULT 0 CHECK (taken >= 0),
  outside    INTEGER NOT NULL DEFAULT 0 CHECK (outside >= 0),
  waiting    INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),
  excess     INTEGER NOT NULL DEFAULT 0 CHECK (excess >= 0),
  PRIMARY KEY (lane, pool),
  CHECK (counted = 0 OR seat_limit < 0 OR taken + outside <= seat_limit + excess)
) STRICT, WITHOUT ROWID;

CREATE TABLE registrations (
  id          INTEGER PRIMARY KEY,
  org         INTEGER NOT NULL,
  lane        INTEGER NOT NULL REFERENCES lanes (lane),
  key         TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  person      BLOB NOT NULL,
  link        BLOB,
  -- Not written with IN: SQLite would build a table of the list for each row.
  status      TEXT NOT NULL CHECK (status = 'registered' OR status = 'waitlisted' OR status = 'cancelled' OR status = 'declined'),
  attendance  TEXT NOT NULL DEFAULT '',
  claims      TEXT NOT NULL,          -- JSON
  sealed      BLOB,                   -- the details; NULL once shredded or forgotten
  revision    INTEGER NOT NULL,
  delivered   INTEGER NOT NULL,
  told        TEXT NOT NULL DEFAULT '', -- the status that Salesforce has
  record      TEXT NOT NULL DEFAULT '',
  attempts    INTEGER NOT NULL DEFAULT 0,
  due_at      INTEGER,                -- NULL: nothing to deliver
  parked_code TEXT,
  parked_text BLOB,                   -- sealed
  parked_at   INTEGER,
  accepted_at INTEGER NOT NULL,
  changed_at  INTEGER NOT NULL,
  CHECK (delivered <= revision)
) STRICT;

CREATE UNIQUE INDEX registrations_key ON registrations (org, key);
CREATE INDEX registrations_person ON registrations (org, person);
CREATE INDEX registrations_link ON registrations (org, link, id) WHERE link IS NOT NULL;
CREATE INDEX registrations_due ON registrations (lane, due_at, changed_at) WHERE due_at IS NOT NULL;
CREATE INDEX registrations_waitlist ON registrations (lane, id) WHERE status = 'waitlisted';
CREATE INDEX registrations_answers ON registrations (lane) WHERE sealed IS NOT NULL;
CREATE INDEX registrations_parked ON registrations (org, id) WHERE parked_code IS NOT NULL;

-- Rules that only one process at a time may follow, such as polling an org.
CREATE TABLE turns (
  name  TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  until INTEGER NOT NULL
) STRICT;

CREATE TABLE feed (
  seq  INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  org  TEXT NOT NULL,
  id   TEXT NOT NULL,
  at   INTEGER NOT NULL
) STRICT;
