-- Pods of virtual clusters, where their labels are read from Kubernetes. There are many and most are short:
-- one narrow row each, more only if its labels change or it comes back. Every hour looks up those that had not ended
-- before it.
CREATE TABLE pods (
    cluster           TEXT NOT NULL,
    uid               TEXT NOT NULL,
    n                 INTEGER NOT NULL CHECK (n >= 1),
    namespace         TEXT NOT NULL,
    name              TEXT NOT NULL,
    virtual_namespace TEXT NOT NULL,
    since             INTEGER NOT NULL,
    until             INTEGER CHECK (until >= since),
    PRIMARY KEY (cluster, uid, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX pods_by_end ON pods (cluster, until);

-- When all pods of a cluster were last listed.
CREATE TABLE pod_lists (
    cluster TEXT PRIMARY KEY,
    last    INTEGER NOT NULL
) STRICT;

-- What has ended may one day be forgotten; what holds may not.
CREATE TRIGGER pods_only_end BEFORE UPDATE ON pods
WHEN OLD.until IS NOT NULL OR NEW.until IS NULL OR NEW.cluster <> OLD.cluster OR NEW.uid <> OLD.uid
  OR NEW.n <> OLD.n OR NEW.namespace <> OLD.namespace OR NEW.name <> OLD.name
  OR NEW.virtual_namespace <> OLD.virtual_namespace OR NEW.since <> OLD.since
BEGIN SELECT RAISE(ABORT, 'a span of a pod only ever ends'); END;
CREATE TRIGGER pods_no_delete BEFORE DELETE ON pods WHEN OLD.until IS NULL
BEGIN SELECT RAISE(ABORT, 'a pod that is there is never forgotten'); END;
