-- Answers kept for requests that came with an Idempotency-Key.

-- name: idempotency_expire
DELETE FROM idempotency WHERE created < :before;

-- name: idempotency_by_key
SELECT request, created, status, content_type, answer FROM idempotency WHERE owner = :owner AND key = :key;

-- name: idempotency_reserve
INSERT INTO idempotency (owner, key, request, created) VALUES (:owner, :key, :request, :created);

-- name: idempotency_answer
UPDATE idempotency SET status = :status, content_type = :content_type, answer = :answer
WHERE owner = :owner AND key = :key;
