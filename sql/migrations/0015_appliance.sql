-- Appliances are bidirectional only. A token says it of the computers that enrol with it.
ALTER TABLE computer ADD COLUMN appliance INTEGER NOT NULL DEFAULT 0;
ALTER TABLE enrolment_token ADD COLUMN appliance INTEGER NOT NULL DEFAULT 0;
