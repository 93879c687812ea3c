-- Hypervisors, and whose machine a computer is.

-- name: hypervisor_insert
INSERT INTO hypervisor (id, name, uri, enabled, created, created_by)
VALUES (:id, :name, :uri, :enabled, :created, :created_by);

-- name: hypervisor_update
UPDATE hypervisor SET name = :name, uri = :uri, enabled = :enabled WHERE id = :id;

-- name: hypervisor_delete
DELETE FROM hypervisor WHERE id = :id;

-- name: hypervisor_by_id
SELECT * FROM hypervisor WHERE id = :id;

-- name: hypervisor_all
SELECT * FROM hypervisor ORDER BY created, id;

-- name: hypervisor_count
SELECT count(*) AS count FROM hypervisor;

-- name: machine_computers
-- swapped: the same UUID in the other byte order.
SELECT id, name, machine FROM computer WHERE machine IN (:machine, :swapped) AND deleted IS NULL ORDER BY name, id;

-- name: machine_stopped
-- What is remembered of machines until hypervisors are asked again.
SELECT machine FROM computer WHERE machine IS NOT NULL AND status = 'vm_stopped' AND status <> 'online' AND deleted IS NULL;
