-- Which certificate authorities people were told of: that issues, and that is to follow. What keys has and this has
-- not is told, so that a crash between the two loses nothing.
CREATE TABLE authority_told (
    place TEXT PRIMARY KEY CHECK (place IN ('issuing', 'next')),
    fingerprint BLOB NOT NULL
) STRICT;
