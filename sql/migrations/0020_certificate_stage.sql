-- Which stage of the end of a certificate of the manager was told last: each is told once, and of a certificate
-- that takes its place all are told anew.
CREATE TABLE certificate_stage (
    name TEXT PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    stage INTEGER NOT NULL
) STRICT;
