-- computer.direction is the one in force, as the agent reports it; the policy says which is wanted.
ALTER TABLE computer ADD COLUMN dial_address TEXT NOT NULL DEFAULT ''; -- where to dial it; '': as it reports
ALTER TABLE computer ADD COLUMN link_error TEXT NOT NULL DEFAULT '';   -- why it cannot be dialled; '': it can, or need not
