-- How a computer stands with this manager: managed, or why it is not (src/manager/front/membership.h). One that is not
-- has a time in `revoked`, its status says which kind, and it is in no shard.
ALTER TABLE computer ADD COLUMN standing TEXT NOT NULL DEFAULT 'managed';
-- The computer whose identity its agent had before it was given this one: a copy of it, or deleted.
ALTER TABLE computer ADD COLUMN origin BLOB;
UPDATE computer SET standing = 'revoked' WHERE revoked IS NOT NULL AND deleted IS NULL;
-- Who may be given commands: only those that are managed.
DROP INDEX computer_not_deleted;
CREATE INDEX computer_managed ON computer (id) WHERE deleted IS NULL AND revoked IS NULL;
