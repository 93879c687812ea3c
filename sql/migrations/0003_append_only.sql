-- The audit log takes rows and nothing else; the chain shows what got around this.
CREATE TRIGGER audit_not_changed BEFORE UPDATE ON audit
BEGIN
	SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_not_deleted BEFORE DELETE ON audit
BEGIN
	SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- Lists by state in the order in which they are shown.
DROP INDEX computer_by_status;
CREATE INDEX computer_by_status ON computer (status, name, id);
DROP INDEX command_by_state;
CREATE INDEX command_by_state ON command (state, issued, id);
DROP INDEX quarantine_item_by_state;
CREATE INDEX quarantine_item_by_state ON quarantine_item (state, quarantined, id);
