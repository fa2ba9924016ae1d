//! Documents by kind and id.

use super::*;

on_both! {
    async fn documents_are_replaced_and_removed_together(database) {
        let fixture = Fixture::new(database);
        let catalog = fixture.open().await;
        let change = |id: &str, body: Option<&str>| (id.to_owned(), body.map(str::to_owned));
        let text = "{\"a\":\"共享\"}";
        catalog.put_documents("finding", &[change("b", Some("1")), change("a", Some(text))]).await.expect("put");
        catalog.put_documents("other", &[change("a", Some("2"))]).await.expect("put");
        let pairs = |list: &[(&str, &str)]| list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
        assert_eq!(catalog.documents("finding").await.expect("all"), pairs(&[("a", text), ("b", "1")]));
        catalog.put_documents("finding", &[change("b", None), change("a", Some("3")), change("c", None)]).await.expect("put");
        catalog.close().await;
        let again = fixture.open().await;
        assert_eq!(again.documents("finding").await.expect("all"), pairs(&[("a", "3")]));
        assert_eq!(again.documents("other").await.expect("all"), pairs(&[("a", "2")]));
        assert_eq!(again.documents("none").await.expect("all"), pairs(&[]));
    }
}

/// A lake of an earlier version has no such table, and gets one when it is opened.
#[tokio::test]
async fn an_old_lake_gets_the_table() {
    let fixture = Fixture::new(Database::Sqlite);
    fixture.open().await.close().await;
    fixture.execute("DROP TABLE clew_document").await;
    let catalog = fixture.open().await;
    catalog.put_documents("finding", &[("a".to_owned(), Some("1".to_owned()))]).await.expect("put");
    assert_eq!(catalog.documents("finding").await.expect("all").len(), 1);
}
