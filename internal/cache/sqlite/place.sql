-- Added after expand.sql, in the same way.

-- Where reading something stands, in its source's words.
CREATE TABLE place (
	org   INTEGER NOT NULL,
	name  TEXT    NOT NULL,
	place TEXT    NOT NULL,
	PRIMARY KEY (org, name)
) STRICT, WITHOUT ROWID;
