-- Ids of orgs are text and long; every row would repeat one.
CREATE TABLE org (
	num INTEGER PRIMARY KEY,
	id  TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE event (
	org      INTEGER NOT NULL,
	id       TEXT    NOT NULL,
	slug     TEXT    NOT NULL,
	sealed   BLOB    NOT NULL,
	modified INTEGER NOT NULL, -- milliseconds since 1970, UTC; 0 for no time
	PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;

-- One key column and one column to read: both are cheaper than several, and
-- no query is hotter. person and changed stand in the row twice for that. A
-- link that was removed keeps a row without a body, with PersonID 0.
CREATE TABLE link (
	key     BLOB    NOT NULL PRIMARY KEY, -- org.num in 4 bytes, LinkID in 16
	person  BLOB    NOT NULL,             -- org.num in 4 bytes, PersonID in 16
	changed INTEGER NOT NULL,             -- as event.modified
	body    BLOB    NOT NULL              -- see pack
) STRICT, WITHOUT ROWID;

-- A person is forgotten by this index.
CREATE INDEX link_person ON link (person);

CREATE TABLE cursor (
	org  INTEGER NOT NULL,
	name TEXT    NOT NULL,
	at   INTEGER NOT NULL, -- as event.modified
	PRIMARY KEY (org, name)
) STRICT, WITHOUT ROWID;
