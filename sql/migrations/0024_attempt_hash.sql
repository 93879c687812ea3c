-- Attempts to enrol are kept as their SHA-256: who knows one may have its computer's identity again, and must not learn
-- it from the database or a backup of it. Those of before are over; their computers keep their identities.
UPDATE computer SET enrolment_attempt = NULL;
