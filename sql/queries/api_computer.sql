-- Computers as people see them: deleted ones are gone.

-- name: api_computer_by_id
SELECT * FROM computer WHERE id = :id AND deleted IS NULL;
