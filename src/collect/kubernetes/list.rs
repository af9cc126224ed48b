//! Complete lists: all pages of one snapshot, or nothing.

use std::future::Future;

use kube::api::ListParams;
use kube::core::ObjectList;

/// How often a list is begun anew when its snapshot expired or did not hold together.
const ATTEMPTS: u32 = 3;

/// Why a list came to no end.
#[derive(Debug)]
pub(super) enum ListError {
    /// The API, or the way to it, answered with an error.
    Kube(kube::Error),
    /// The pages do not make a whole.
    Incomplete(String),
}

/// Lists all objects, page by page, each page turned into something smaller at once.
///
/// Only pages of one snapshot are put together: the server serves what follows a continue token from the
/// snapshot of the first page, and says so by its resource version. The server's own count of what remains
/// must come out. Otherwise the list begins anew, a few times.
pub(super) async fn complete<K, T, Page>(
    params: &ListParams,
    page: impl Fn(ListParams) -> Page,
    turn: impl Fn(K) -> T,
) -> Result<Vec<T>, ListError>
where
    K: Clone,
    Page: Future<Output = kube::Result<ObjectList<K>>>,
{
    let mut reason = String::new();
    for _ in 0..ATTEMPTS {
        match attempt(params, &page, &turn).await {
            // The snapshot expired between two pages.
            Err(ListError::Kube(kube::Error::Api(status))) if status.code == 410 => {
                reason.clone_from(&status.message);
            }
            Err(ListError::Incomplete(why)) => reason = why,
            done => return done,
        }
    }
    Err(ListError::Incomplete(format!("{reason} ({ATTEMPTS} attempts)")))
}

async fn attempt<K, T, Page>(
    params: &ListParams,
    page: &impl Fn(ListParams) -> Page,
    turn: &impl Fn(K) -> T,
) -> Result<Vec<T>, ListError>
where
    K: Clone,
    Page: Future<Output = kube::Result<ObjectList<K>>>,
{
    let mut pages = Pages::default();
    let mut items = Vec::new();
    let mut params = params.clone();
    loop {
        let ObjectList { metadata, items: found, .. } =
            page(params.clone()).await.map_err(ListError::Kube)?;
        items.extend(found.into_iter().map(turn));
        let more = pages.next(
            metadata.resource_version,
            metadata.continue_.filter(|token| !token.is_empty()),
            metadata.remaining_item_count,
            items.len(),
        );
        match more.map_err(ListError::Incomplete)? {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(items),
        }
    }
}

/// What the pages so far promised.
#[derive(Debug, Default)]
struct Pages {
    version: Option<String>,
    token: Option<String>,
    promised: Option<usize>,
}

impl Pages {
    /// Takes a page's word: the snapshot it is from, what follows, how much remains after it.
    fn next(
        &mut self,
        version: Option<String>,
        token: Option<String>,
        remaining: Option<i64>,
        read: usize,
    ) -> Result<Option<String>, String> {
        let version = version.filter(|version| !version.is_empty()).ok_or("a page names no snapshot")?;
        if let Some(first) = &self.version
            && *first != version
        {
            return Err(format!("its pages are of two snapshots, {first} and {version}"));
        }
        self.version = Some(version);
        if let Some(remaining) = remaining {
            let remaining =
                usize::try_from(remaining).map_err(|_| "a page says that less than nothing remains")?;
            self.promised = Some(read.saturating_add(remaining));
        }
        if token.is_none() {
            return match self.promised {
                Some(promised) if promised != read => {
                    Err(format!("{promised} objects were promised and {read} came"))
                }
                _ => Ok(None),
            };
        }
        if token == self.token {
            return Err("the server gives the same continue token twice".to_string());
        }
        self.token.clone_from(&token);
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde_json::json;

    use super::*;

    #[test]
    fn pages_of_one_snapshot_that_come_out_as_promised_are_a_whole() {
        let mut pages = Pages::default();
        assert_eq!(
            pages.next("7".to_string().into(), "a".to_string().into(), Some(3), 2),
            Ok(Some("a".to_string()))
        );
        assert_eq!(
            pages.next("7".to_string().into(), "b".to_string().into(), Some(1), 4),
            Ok(Some("b".to_string()))
        );
        assert_eq!(pages.next("7".to_string().into(), None, None, 5), Ok(None));
        assert_eq!(Pages::default().next("7".to_string().into(), None, None, 0), Ok(None));
        assert_eq!(Pages::default().next("7".to_string().into(), None, Some(0), 3), Ok(None));
    }

    #[test]
    fn a_page_that_breaks_its_promise_makes_no_whole() {
        let begun = || {
            let mut pages = Pages::default();
            assert_eq!(
                pages.next("7".to_string().into(), "a".to_string().into(), Some(3), 2),
                Ok(Some("a".to_string()))
            );
            pages
        };
        assert!(
            begun()
                .next("7".to_string().into(), None, None, 4)
                .unwrap_err()
                .contains("5 objects were promised")
        );
        assert!(begun().next("8".to_string().into(), None, None, 5).unwrap_err().contains("two snapshots"));
        assert!(
            begun()
                .next("7".to_string().into(), "a".to_string().into(), Some(3), 4)
                .unwrap_err()
                .contains("same continue token")
        );
        assert!(begun().next(None, None, None, 5).unwrap_err().contains("names no snapshot"));
        assert!(Pages::default().next("7".to_string().into(), None, Some(-1), 2).is_err());
    }

    fn list(version: &str, token: &str, remaining: Option<i64>, items: &[u32]) -> ObjectList<u32> {
        serde_json::from_value(json!({
            "metadata": {"resourceVersion": version, "continue": token, "remainingItemCount": remaining},
            "items": items,
        }))
        .unwrap()
    }

    fn expired() -> kube::Error {
        let status = json!({"code": 410, "reason": "Expired", "message": "the snapshot is gone"});
        kube::Error::Api(Box::new(serde_json::from_value(status).unwrap()))
    }

    #[tokio::test]
    async fn a_list_whose_snapshot_expires_begins_anew_and_keeps_nothing_of_before() {
        let calls = Cell::new(0);
        let pages = |params: ListParams| {
            calls.set(calls.get() + 1);
            std::future::ready(match (calls.get(), params.continue_token.as_deref()) {
                (1, None) => Ok(list("7", "a", Some(1), &[1, 2])),
                (2, Some("a")) => Err(expired()),
                (3, None) => Ok(list("9", "b", Some(1), &[2, 3])),
                (4, Some("b")) => Ok(list("9", "", None, &[4])),
                other => panic!("not to be asked: {other:?}"),
            })
        };
        let items = complete(&ListParams::default(), pages, |item| item * 10).await.unwrap();
        assert_eq!(items, [20, 30, 40]);
    }

    #[tokio::test]
    async fn a_list_that_never_holds_together_is_an_error_and_not_a_part() {
        let pages = |_: ListParams| std::future::ready(Ok(list("7", "", Some(5), &[1])));
        let error = complete(&ListParams::default(), pages, |item| item).await.unwrap_err();
        assert!(matches!(&error, ListError::Incomplete(why) if why.contains("6 objects were promised")));
    }
}
