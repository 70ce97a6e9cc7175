-- Records of people who are to be forgotten: remembered through any crash.
CREATE TABLE errands (
  org INTEGER NOT NULL,
  id  TEXT NOT NULL,
  PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
