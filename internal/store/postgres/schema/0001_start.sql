-- Times are milliseconds since 1970, UTC. Sealed columns hold ciphertext only.
-- Texts are compared byte by byte, whatever the database's own collation is.

CREATE TABLE orgs (
  num      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  org      text COLLATE "C" NOT NULL UNIQUE,
  settings text NOT NULL,             -- JSON of turnout.Org, without secrets
  secrets  bytea NOT NULL,            -- sealed under the org key
  changed  bigint NOT NULL
);

CREATE TABLE org_keys (
  scope   text COLLATE "C" NOT NULL,
  purpose text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  wrapped bytea NOT NULL,             -- under the master key
  PRIMARY KEY (scope, purpose, version)
);

-- The one table that holds data keys: it is dumped apart from the rest.
CREATE TABLE people (
  org     bigint NOT NULL,
  person  bytea NOT NULL,             -- blind index of the e-mail address
  wrapped bytea NOT NULL,             -- the person's data key under the org key
  PRIMARY KEY (org, person)
);

CREATE TABLE tombstones (
  org    bigint NOT NULL,
  person bytea NOT NULL,
  at     bigint NOT NULL,
  PRIMARY KEY (org, person)
);

-- One lane for each event: what the store must know to take seats, and the
-- lease on its deliveries. Its row is the lock of everything in the event.
CREATE TABLE lanes (
  lane        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  org         bigint NOT NULL REFERENCES orgs (num),
  event       text COLLATE "C" NOT NULL,
  open        boolean NOT NULL,
  opens       bigint NOT NULL,        -- 0: always
  closes      bigint NOT NULL,        -- 0: never
  ends        bigint NOT NULL,
  owner       text NOT NULL DEFAULT '',
  fence       bigint NOT NULL DEFAULT 0,
  lease_until bigint NOT NULL DEFAULT 0,
  not_before  bigint NOT NULL DEFAULT 0,
  UNIQUE (org, event)
);

-- seat_limit is -1 for no limit. excess is how far an organiser's own doing (a
-- lowered limit, people added by hand) put a pool over its limit; accepting
-- never changes it, so the last CHECK is the guard against overselling (P2).
CREATE TABLE seats (
  lane       bigint NOT NULL REFERENCES lanes (lane),
  pool       text COLLATE "C" NOT NULL,
  counted    boolean NOT NULL,        -- false: the event no longer has this pool
  seat_limit bigint NOT NULL,
  taken      bigint NOT NULL DEFAULT 0 CHECK (taken >= 0),
  outside    bigint NOT NULL DEFAULT 0 CHECK (outside >= 0),
  waiting    bigint NOT NULL DEFAULT 0 CHECK (waiting >= 0),
  excess     bigint NOT NULL DEFAULT 0 CHECK (excess >= 0),
  PRIMARY KEY (lane, pool),
  CHECK (NOT counted OR seat_limit < 0 OR taken + outside <= seat_limit + excess)
) WITH (fillfactor = 50);             -- room for the next version of a row beside it

CREATE TABLE registrations (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  org         bigint NOT NULL,
  lane        bigint NOT NULL,        -- of a lane whose row the writer has locked
  key         text COLLATE "C" NOT NULL,
  fingerprint bytea NOT NULL,
  person      bytea NOT NULL,
  link        bytea,
  status      text NOT NULL CHECK (status = 'registered' OR status = 'waitlisted' OR status = 'cancelled' OR status = 'declined'),
  attendance  text NOT NULL DEFAULT '',
  claims      text NOT NULL,          -- JSON
  sealed      bytea,                  -- the details; NULL once shredded or forgotten
  revision    bigint NOT NULL,
  delivered   bigint NOT NULL,
  told        text NOT NULL DEFAULT '', -- the status that Salesforce has
  record      text NOT NULL DEFAULT '',
  attempts    bigint NOT NULL DEFAULT 0,
  due_at      bigint,                 -- NULL: nothing to deliver
  parked_code text,
  parked_text bytea,                  -- sealed
  parked_at   bigint,
  accepted_at bigint NOT NULL,
  changed_at  bigint NOT NULL,
  CHECK (delivered <= revision)
);

-- What is rare comes first: of several indexes that begin with the org, the
-- planner takes any one while it knows nothing of the table yet.
CREATE UNIQUE INDEX registrations_key ON registrations (key, org);
CREATE INDEX registrations_person ON registrations (person, org);
CREATE INDEX registrations_link ON registrations (link, org, id) WHERE link IS NOT NULL;
CREATE INDEX registrations_due ON registrations (lane, due_at, changed_at) WHERE due_at IS NOT NULL;
CREATE INDEX registrations_waitlist ON registrations (lane, id) WHERE status = 'waitlisted';
CREATE INDEX registrations_answers ON registrations (lane) WHERE sealed IS NOT NULL;
CREATE INDEX registrations_parked ON registrations (org, id) WHERE parked_code IS NOT NULL;

-- Rules that only one process at a time may follow, such as polling an org.
CREATE TABLE turns (
  name  text COLLATE "C" PRIMARY KEY,
  owner text NOT NULL,
  until bigint NOT NULL
);

-- The number of the feed's last entry. Whoever appends holds this row until the
-- commit, so numbers become visible in their order and without gaps.
CREATE TABLE feed_counter (
  one  boolean PRIMARY KEY DEFAULT true CHECK (one),
  last bigint NOT NULL
);
INSERT INTO feed_counter (last) VALUES (0);

CREATE TABLE feed (
  seq  bigint PRIMARY KEY,
  kind text NOT NULL,
  org  text NOT NULL,
  id   text NOT NULL,
  at   bigint NOT NULL
);

-- Records of people who are to be forgotten: remembered through any crash.
CREATE TABLE errands (
  org bigint NOT NULL,
  id  text COLLATE "C" NOT NULL,
  PRIMARY KEY (org, id)
);

-- Certificates of vanity domains, their keys and what else edges share. The
-- store does not look into them: value is sealed by the edge.
CREATE TABLE edge_files (
  name     text COLLATE "C" PRIMARY KEY,
  value    bytea NOT NULL,
  modified bigint NOT NULL
);
