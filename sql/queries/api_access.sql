-- Tokens one at a time, and what keeps the last administrator.

-- name: api_token_by_id
SELECT * FROM api_token WHERE id = :id;

-- name: enrolment_token_by_id
SELECT * FROM enrolment_token WHERE id = :id;
