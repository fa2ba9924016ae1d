//! One index out of several, for rows that lie one segment after the other: no row is looked at.

use super::documents::{self, Files};
use super::fingerprints::Pairs;
use super::names::Names;
use super::postings::Postings;
use super::{Contents, IndexError, IndexReader, Packer, Terms, contents, names, postings};
use crate::catalog::ColumnStats;
use crate::scan::ReadError;

/// An index that may become a part of another.
pub(in crate::segment) struct Joinable<'a> {
    reader: &'a IndexReader,
    terms: &'a Terms<Postings, Names>,
    files: Files,
    columns: Vec<ColumnStats>,
}

/// Indexes could not be joined.
#[derive(Debug, thiserror::Error)]
pub(in crate::segment) enum JoinError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl IndexReader {
    /// None for an earlier format.
    pub(in crate::segment) fn joinable(&self) -> Result<Option<Joinable<'_>>, ReadError> {
        let Contents { files, columns, .. } = contents(&self.blob)?;
        let parts = self.terms.as_ref().zip(columns);
        Ok(parts.map(|(terms, columns)| Joinable { reader: self, terms, files, columns }))
    }
}

impl Joinable<'_> {
    /// Names of the columns of which it has statistics.
    pub(in crate::segment) fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.column.as_str())
    }
}

/// The index of all rows, and the statistics of their columns, which are the same in all sources.
pub(in crate::segment) fn join(sources: &[Joinable<'_>]) -> Result<(Vec<u8>, Vec<ColumnStats>), JoinError> {
    let mut columns = Vec::new();
    sources.iter().for_each(|source| ColumnStats::add(&mut columns, source.columns.clone()));

    let mut packer = Packer::new();
    let documents = sources.iter().filter(|source| !source.files.is_empty());
    let documents: Vec<_> = documents.map(|source| (&source.reader.blob, source.files.clone())).collect();
    let files = if documents.is_empty() { Files::default() } else { documents::join(documents, &mut packer.packed)? };

    let mut first_block = 0;
    let (mut lists, mut pairs, mut times, mut runs) = (Vec::new(), Pairs::default(), Vec::new(), Vec::new());
    for source in sources {
        lists.push(postings::Source { blob: &source.reader.blob, postings: &source.terms.postings, first_block });
        source.reader.each_trace(|fingerprint, block| pairs.push(fingerprint, first_block + block))?;
        let bounds = source.reader.times().iter();
        times.extend(bounds.flat_map(|(least, greatest)| [least.to_le_bytes(), greatest.to_le_bytes()]).flatten());
        runs.extend(source.reader.runs().lengths());
        first_block += source.reader.runs().blocks();
    }
    let names: Vec<_> = sources.iter().map(|source| (&*source.reader.blob, &source.terms.names)).collect();
    let (mut joined, mut named) = (Ok(()), Ok(()));
    let terms = Terms {
        postings: packer.part(|out| joined = postings::join(&lists, first_block, out)),
        names: packer.part(|out| named = names::join(&names, out)),
    };
    joined.and(named)?;
    let fingerprints = packer.part(|out| pairs.write(out));
    let times = packer.part(|out| out.extend_from_slice(&times));
    let told = Some(columns.clone());
    let index = packer.finish(&Contents { files, fingerprints, times, terms: Some(terms), runs, columns: told });
    Ok((index, columns))
}
