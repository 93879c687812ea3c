-- Two agents with one identity number their events alike, and so does one that was set back to an earlier state.
-- mark: drawn by the agent when it recorded the event (NULL: stored before there were any). Of several events with one
-- number the first has it in `number`, the others in `other_number`.
ALTER TABLE event ADD COLUMN mark INTEGER;
ALTER TABLE event ADD COLUMN other_number INTEGER;
CREATE UNIQUE INDEX event_by_other_number ON event (computer, other_number, mark) WHERE other_number IS NOT NULL;
