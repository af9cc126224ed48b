//! The chain over recorded hours: each link holds the one before, so that nothing recorded can be
//! altered, dropped or cut off without being seen. The database's own checks miss altered rows.

use defray_pricing::digest::Digest;
use defray_pricing::names::ClusterName;
use defray_pricing::time::Hour;

use crate::archive::Archive;
use crate::backend::args;
use crate::error::LedgerError;
use crate::transaction::Transaction;

const GENESIS: [u8; 32] = [0; 32];

/// The newest link of a cluster's chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) seq: i64,
    pub(crate) chain: Digest,
}

impl Head {
    pub(crate) const NONE: Self = Self { seq: 0, chain: Digest::from_bytes(GENESIS) };

    /// The link after this one.
    pub(crate) fn next(self, cluster: &ClusterName, hour: Hour, revision: u32, content: Digest) -> Self {
        let chain = Digest::of_fields([
            self.chain.as_bytes().as_slice(),
            cluster.as_str().as_bytes(),
            &hour.index().to_le_bytes(),
            &revision.to_le_bytes(),
            content.as_bytes(),
        ]);
        Self { seq: self.seq.saturating_add(1), chain }
    }
}

pub(crate) async fn head(tx: &mut Transaction, cluster: &ClusterName) -> Result<Head, LedgerError> {
    let row = tx
        .fetch_one("SELECT seq, chain FROM chain_heads WHERE cluster = $1", args![cluster.as_str()])
        .await?;
    match row {
        None => Ok(Head::NONE),
        Some(mut row) => Ok(Head { seq: row.int()?, chain: row.digest()? }),
    }
}

pub(crate) async fn move_head(
    tx: &mut Transaction,
    cluster: &ClusterName,
    head: Head,
) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO chain_heads (cluster, seq, chain) VALUES ($1, $2, $3) \
         ON CONFLICT (cluster) DO UPDATE SET seq = excluded.seq, chain = excluded.chain",
        args![cluster.as_str(), head.seq, head.chain],
    )
    .await?;
    Ok(())
}

/// How far back a chain is followed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reach {
    /// The newest links and their blobs, as far as they are in the database.
    Tail,
    /// Every link and every blob.
    All,
    /// Every link, and no blob.
    Links,
}

/// Links followed when a ledger is opened: about six weeks of one cluster.
const TAIL_LINKS: i64 = 1_000;
/// Blobs read when a ledger is opened.
const TAIL_BLOBS: i64 = 48;
const PAGE: i64 = 500;

/// Follows every cluster's chain; says how many links held.
pub(crate) async fn verify(
    tx: &mut Transaction,
    archive: Option<&Archive>,
    reach: Reach,
) -> Result<u64, LedgerError> {
    let mut links = 0_u64;
    for cluster in clusters(tx).await? {
        links = links.saturating_add(verify_cluster(tx, archive, &cluster, reach).await?);
    }
    Ok(links)
}

/// Every cluster that has a chain, or a part of one, in order.
pub(crate) async fn clusters(tx: &mut Transaction) -> Result<Vec<ClusterName>, LedgerError> {
    let sql = "SELECT DISTINCT cluster FROM hours UNION SELECT cluster FROM chain_heads ORDER BY 1";
    let rows = tx.fetch(sql, args![]).await?;
    rows.into_iter().map(|mut row| row.text().map(ClusterName::from)).collect()
}

pub(crate) async fn verify_cluster(
    tx: &mut Transaction,
    archive: Option<&Archive>,
    cluster: &ClusterName,
    reach: Reach,
) -> Result<u64, LedgerError> {
    let recorded = head(tx, cluster).await?;
    let counted = tx
        .fetch_one(
            "SELECT COUNT(*), CAST(COALESCE(MAX(seq), 0) AS BIGINT) FROM hours WHERE cluster = $1",
            args![cluster.as_str()],
        )
        .await?;
    let (count, last) = match counted {
        Some(mut row) => (row.int()?, row.int()?),
        None => (0, 0),
    };
    if count != last || last != recorded.seq {
        return Err(LedgerError::Corrupt(format!(
            "{cluster} has {count} recorded revisions, the last numbered {last}, and its chain {}",
            recorded.seq
        )));
    }
    let (start, blobs_after) = match reach {
        Reach::Tail => (last.saturating_sub(TAIL_LINKS).max(0), last.saturating_sub(TAIL_BLOBS)),
        Reach::All => (0, 0),
        Reach::Links => (0, last),
    };
    let mut at = if start == 0 { Head::NONE } else { link_at(tx, cluster, start).await? };
    while at.seq < last {
        at = verify_page(tx, archive, cluster, at, blobs_after, reach).await?;
    }
    if at.chain != recorded.chain {
        return Err(LedgerError::Corrupt(format!(
            "the chain of {cluster} does not end in its recorded head"
        )));
    }
    Ok(u64::try_from(last.saturating_sub(start)).unwrap_or(0))
}

async fn link_at(tx: &mut Transaction, cluster: &ClusterName, seq: i64) -> Result<Head, LedgerError> {
    let row = tx
        .fetch_one("SELECT chain FROM hours WHERE cluster = $1 AND seq = $2", args![cluster.as_str(), seq])
        .await?;
    match row {
        Some(mut row) => Ok(Head { seq, chain: row.digest()? }),
        None => Err(LedgerError::Corrupt(format!("link {seq} of the chain of {cluster} is gone"))),
    }
}

/// One page of links, each recomputed from the one before it.
async fn verify_page(
    tx: &mut Transaction,
    archive: Option<&Archive>,
    cluster: &ClusterName,
    from: Head,
    blobs_after: i64,
    reach: Reach,
) -> Result<Head, LedgerError> {
    let rows = tx
        .fetch(
            "SELECT seq, hour, revision, digest, blob_digest, chain FROM hours \
             WHERE cluster = $1 AND seq > $2 AND seq <= $3 ORDER BY seq",
            args![cluster.as_str(), from.seq, from.seq.saturating_add(PAGE)],
        )
        .await?;
    let mut at = from;
    for mut row in rows {
        let seq = row.int()?;
        let (hour, revision) = (Hour::from_index(row.int()?), row.number::<u32>("revision")?);
        let (content, blob, chain) = (row.digest()?, row.digest()?, row.digest()?);
        at = at.next(cluster, hour, revision, content);
        if at.seq != seq || at.chain != chain {
            return Err(LedgerError::Corrupt(format!(
                "link {seq} of the chain of {cluster} ({hour}, revision {revision}) does not follow from the one before"
            )));
        }
        if seq > blobs_after {
            let kept = crate::hours::load_kept(tx, cluster, hour, revision, content, blob).await?;
            if kept.is_none() && matches!(reach, Reach::All) {
                match crate::hours::load(tx, archive, cluster, hour, revision, content, blob).await {
                    // By its digest only: that is a link like any other.
                    Ok(_) | Err(LedgerError::Pruned { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
    if at.seq == from.seq {
        return Err(LedgerError::Corrupt(format!("the chain of {cluster} breaks off after link {}", at.seq)));
    }
    Ok(at)
}
