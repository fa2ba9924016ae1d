//! Findings, releases and the last report as documents of the catalogue.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use storage::store::{DocumentChange, Store};

use super::keeper::unwritten;
use super::ledger::{Finding, Ledger};
use super::model::Unjudged;
use super::releases::Releases;
use crate::engine::QueryError;

/// Kinds of documents. They are stored: never give one another meaning.
const FINDING: &str = "finding";
const RELEASES: &str = "releases";
const REPORT: &str = "findings-report";

/// Of the last evaluation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) evaluated: Option<i64>,
    pub(super) unjudged: Vec<Unjudged>,
}

/// All findings by id. One that cannot be read is left out, and logged.
pub(super) async fn ledger(store: &Arc<Store>) -> Result<Ledger, QueryError> {
    let documents = store.documents(FINDING).await.map_err(unwritten)?;
    Ok(documents.into_iter().filter_map(|(id, body)| Some((id.clone(), read::<Finding>(&id, &body)?))).collect())
}

pub(super) async fn releases(store: &Arc<Store>) -> Result<Releases, QueryError> {
    let documents = store.documents(RELEASES).await.map_err(unwritten)?;
    Ok(documents.into_iter().filter_map(|(service, body)| Some((service.clone(), read(&service, &body)?))).collect())
}

pub(super) async fn report(store: &Arc<Store>) -> Result<Report, QueryError> {
    let documents = store.documents(REPORT).await.map_err(unwritten)?;
    Ok(documents.first().and_then(|(id, body)| read(id, body)).unwrap_or_default())
}

/// A finding as it is in the ledger, or gone.
pub(super) fn change(ledger: &Ledger, id: &str) -> DocumentChange {
    (id.to_owned(), ledger.get(id).map(text))
}

pub(super) async fn put_findings(store: &Arc<Store>, changes: &[DocumentChange]) -> Result<(), QueryError> {
    store.put_documents(FINDING, changes).await.map_err(unwritten)
}

pub(super) async fn put_releases(store: &Arc<Store>, all: &Releases, changed: &[String]) -> Result<(), QueryError> {
    let changes: Vec<DocumentChange> =
        changed.iter().map(|service| (service.clone(), all.get(service).map(text))).collect();
    store.put_documents(RELEASES, &changes).await.map_err(unwritten)
}

pub(super) async fn put_report(
    store: &Arc<Store>,
    evaluated: Option<i64>,
    unjudged: &[Unjudged],
) -> Result<(), QueryError> {
    let report = Report { evaluated, unjudged: unjudged.to_vec() };
    store.put_documents(REPORT, &[("last".to_owned(), Some(text(&report)))]).await.map_err(unwritten)
}

fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("keys are texts, and nothing here fails to serialise")
}

fn read<T: for<'de> Deserialize<'de>>(id: &str, body: &str) -> Option<T> {
    let read = serde_json::from_str(body);
    if let Err(error) = &read {
        tracing::warn!(id, %error, "a document of the findings cannot be read and is left out");
    }
    read.ok()
}
