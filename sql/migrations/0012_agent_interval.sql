-- The heartbeat interval that the agent goes by, as it said last: by it silence is measured
-- while it does not have its policy's yet.
ALTER TABLE computer ADD COLUMN agent_interval_us INTEGER NOT NULL DEFAULT 0;
