-- What was added since schema.sql: run on every file that lacks it, old ones
-- too, so that a newer version costs no backfill. It only ever adds: an older
-- version may have the same file open, and goes on as if nothing were new.

-- When the mirror last fetched the event, as event.modified.
ALTER TABLE event ADD COLUMN fetched INTEGER NOT NULL DEFAULT 0;

-- Why a published event cannot be shown.
CREATE TABLE fault (
	org    INTEGER NOT NULL,
	event  TEXT    NOT NULL,
	sealed BLOB    NOT NULL,
	PRIMARY KEY (org, event)
) STRICT, WITHOUT ROWID;

-- The event's id out of the body, where it stands behind its length in one
-- byte (see pack). Nothing is stored for it.
ALTER TABLE link ADD COLUMN event BLOB GENERATED ALWAYS AS
	(substr(body, 26, coalesce(unicode(CAST(substr(body, 25, 1) AS TEXT)), 0))) VIRTUAL;

-- How many links each event has, so that nobody need count a million. The
-- triggers count within the transaction of each write, whoever writes.
CREATE TABLE invited (
	org   BLOB    NOT NULL, -- org.num in 4 bytes
	event BLOB    NOT NULL,
	links INTEGER NOT NULL,
	PRIMARY KEY (org, event)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER link_added AFTER INSERT ON link WHEN length(NEW.body) > 0 BEGIN
	INSERT INTO invited (org, event, links) VALUES (substr(NEW.key, 1, 4), NEW.event, 1)
		ON CONFLICT (org, event) DO UPDATE SET links = links + 1;
END;

CREATE TRIGGER link_removed AFTER DELETE ON link WHEN length(OLD.body) > 0 BEGIN
	UPDATE invited SET links = links - 1 WHERE org = substr(OLD.key, 1, 4) AND event = OLD.event;
END;

CREATE TRIGGER link_moved AFTER UPDATE OF body ON link
WHEN OLD.event <> NEW.event OR (length(OLD.body) > 0) <> (length(NEW.body) > 0) BEGIN
	UPDATE invited SET links = links - 1 WHERE length(OLD.body) > 0 AND org = substr(OLD.key, 1, 4) AND event = OLD.event;
	INSERT INTO invited (org, event, links) SELECT substr(NEW.key, 1, 4), NEW.event, 1 WHERE length(NEW.body) > 0
		ON CONFLICT (org, event) DO UPDATE SET links = links + 1;
END;

INSERT INTO invited (org, event, links) SELECT substr(key, 1, 4), event, count(*) FROM link WHERE length(body) > 0 GROUP BY 1, 2;
