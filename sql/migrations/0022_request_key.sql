-- What was asked for is kept as an HMAC under front/request.key from now on. Plain hashes of before, by which a body
-- could be guessed, go: such a request that is repeated is refused as another one (422), and not done twice.
UPDATE idempotency SET request = x'00';
