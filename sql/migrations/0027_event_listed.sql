-- An agent may say any time of an event. One that is yet to come goes by when it arrived, or it would stay at the top of
-- every list, and in the database, until then.
ALTER TABLE event ADD COLUMN listed INTEGER AS (min(time, received)) VIRTUAL;
DROP INDEX event_by_computer;
DROP INDEX event_by_type;
DROP INDEX event_by_time;
CREATE INDEX event_by_computer ON event (computer, listed, id);
CREATE INDEX event_by_type ON event (type, listed, id);
CREATE INDEX event_by_listed ON event (listed, id);
UPDATE quarantine_item SET quarantined = min(quarantined, 1000000 * unixepoch()) WHERE quarantined > 1000000 * unixepoch();
