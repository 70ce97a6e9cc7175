-- Certificates of vanity domains, their keys and what else edges share. The
-- store does not look into them: value is sealed by the edge.
CREATE TABLE edge_files (
  name     TEXT PRIMARY KEY,
  value    BLOB NOT NULL,
  modified INTEGER NOT NULL
) STRICT;
