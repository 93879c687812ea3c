-- The boot of the manager's machine by whose steady clock clock_base_us was measured; NULL: not known, or the computer
-- was never heard. It was not kept before: the next report says where a clock is measured from.
ALTER TABLE computer ADD COLUMN clock_boot BLOB;
