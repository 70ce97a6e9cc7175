-- When somebody decided that nothing is to be done about a parked registration.
ALTER TABLE registrations ADD COLUMN dismissed_at INTEGER;

-- The console counts those that somebody has to look at again and again; of the others there are more every year.
CREATE INDEX registrations_undecided ON registrations (org, id) WHERE parked_code IS NOT NULL AND dismissed_at IS NULL;
