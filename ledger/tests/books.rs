//! Remembering price books.

use defray_ledger::Scope;
use defray_pricing::book::Source;
use defray_pricing::digest::Digest;

use crate::support::both;

both! {
    /// Once, in the order of the files, and never changed.
    async fn a_book_is_kept_under_its_digest(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let files = ["b.yaml", "a.yaml"].map(|name| Source { name: name.into(), text: format!("# {name} é") });
        let digest = Digest::of(b"book");
        assert!(ledger.put_book(&guard, digest, &files).await.unwrap());
        assert!(!ledger.put_book(&guard, digest, &files[..1]).await.unwrap());
        let kept = ledger.book(&Scope::everything(), digest).await.unwrap().unwrap();
        let kept: Vec<_> = kept.into_iter().map(|file| (file.name, file.text)).collect();
        assert_eq!(kept, files.map(|file| (file.name, file.text)));
        assert!(ledger.book(&Scope::everything(), Digest::of(b"other")).await.unwrap().is_none());
        assert!(ledger.book(&Scope::tenants(["team-a".into()].into()), digest).await.is_err());
        assert!(home.refusal("UPDATE books SET text = ''").await.contains("never changed"));
    }
}
