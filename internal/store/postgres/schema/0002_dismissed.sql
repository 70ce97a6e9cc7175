-- When somebody decided that nothing is to be done about a parked registration.
ALTER TABLE registrations ADD COLUMN dismissed_at bigint;
