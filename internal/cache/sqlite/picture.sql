-- Pictures of events, in each of their widths. Names are made of their bytes, so that no
-- name ever stands for two.
CREATE TABLE picture (
	org    INTEGER NOT NULL,
	name   TEXT    NOT NULL,
	sealed BLOB    NOT NULL,
	at     INTEGER NOT NULL, -- when it was stored, as event.modified
	PRIMARY KEY (org, name)
) STRICT;
