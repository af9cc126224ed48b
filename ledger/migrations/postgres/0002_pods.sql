-- Pods of virtual clusters, where their labels are read from Kubernetes. There are many and most are short:
-- one narrow row each, more only if its labels change or it comes back. Every hour looks up those that had not ended
-- before it.
CREATE TABLE pods (
    cluster           TEXT COLLATE "C" NOT NULL,
    uid               TEXT COLLATE "C" NOT NULL,
    n                 BIGINT NOT NULL CHECK (n >= 1),
    namespace         TEXT COLLATE "C" NOT NULL,
    name              TEXT COLLATE "C" NOT NULL,
    virtual_namespace TEXT COLLATE "C" NOT NULL,
    since             BIGINT NOT NULL,
    until             BIGINT CHECK (until >= since),
    PRIMARY KEY (cluster, uid, n)
);
CREATE INDEX pods_by_end ON pods (cluster, until);

-- When all pods of a cluster were last listed.
CREATE TABLE pod_lists (
    cluster TEXT COLLATE "C" PRIMARY KEY,
    last    BIGINT NOT NULL
);

-- What has ended may one day be forgotten; what holds may not.
CREATE TRIGGER pods_only_end BEFORE UPDATE ON pods FOR EACH ROW
WHEN (OLD.until IS NOT NULL OR NEW.until IS NULL OR NEW.cluster <> OLD.cluster OR NEW.uid <> OLD.uid
  OR NEW.n <> OLD.n OR NEW.namespace <> OLD.namespace OR NEW.name <> OLD.name
  OR NEW.virtual_namespace <> OLD.virtual_namespace OR NEW.since <> OLD.since)
EXECUTE FUNCTION ledger_refuse('a span of a pod only ever ends');
CREATE TRIGGER pods_no_delete BEFORE DELETE ON pods FOR EACH ROW WHEN (OLD.until IS NULL)
EXECUTE FUNCTION ledger_refuse('a pod that is there is never forgotten');
