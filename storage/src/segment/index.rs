//! The index of a segment: one file that says which blocks of rows may hold what is asked for.
//!
//! ```text
//!   ┌──────────┬───────────────┬──────────┬─────────┬──────────────┬──────────────┬──────────┬────────────────┬──────────┐
//!   │ CLEWIDX3 │ tantivy files │ postings │ names   │ fingerprints │ block times  │ contents │ contents bytes │ CLEWIDX3 │
//!   │ 8 bytes  │ words of logs │ of terms │ of them │ of traces    │ 16 B a block │ JSON     │ u64 LE         │ 8 bytes  │
//!   └──────────┴───────────────┴──────────┴─────────┴──────────────┴──────────────┴──────────┴────────────────┴──────────┘
//! ```
//! A block is [`BLOCK_ROWS`] rows, in row order; it holds each distinct term of its rows once. So a term that
//! repeats in neighbours costs once, and a hit names rows to look at.
//!
//! * Keys, tags and operations are in [`postings`] by their hash, and by name in [`names`] where listings need it:
//!   a tenth of the time that a dictionary of all of them takes, and a fifth of the room (docs/performance.md).
//! * Words of texts are tantivy's ([`documents`]): parts of words are asked for too, so all are kept as they are.
//! * Trace ids are a sorted list of [`fingerprints`] that finds a trace in one or two reads.
//! * Contents also say what runs the rows are of ([`Runs`]), and the statistics of the columns: [`join`] makes one index
//!   out of several without seeing a row.

mod bits;
mod directory;
mod documents;
mod fingerprints;
mod join;
mod names;
mod postings;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::blob::Blob;
use super::extract::{self, BlockWords};
use super::order;
use super::runs::Runs;
use crate::catalog::ColumnStats;
use crate::scan::ReadError;
use crate::schema::Table;
use crate::terms::{Field, Prune};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use documents::{DocumentWriter, Documents, Files};
pub(super) use fingerprints::fingerprint;
use fingerprints::{Fingerprints, Pairs};
pub(super) use join::{JoinError, Joinable, join};
use names::{Names, NamesWriter};
use postings::{Postings, PostingsWriter};

/// Rows of one document. Small enough that a rare hit reads one page, large enough that values repeat.
pub(super) const BLOCK_ROWS: usize = 256;

const MAGIC: &[u8; 8] = b"CLEWIDX3";
/// Of an index that keeps all terms in tantivy, and of one that knows neither runs nor statistics.
const EARLIER: [&[u8; 8]; 2] = [b"CLEWIDX1", b"CLEWIDX2"];

#[derive(Serialize, Deserialize)]
struct Contents {
    /// None but for tables with texts.
    files: Files,
    fingerprints: Range<u64>,
    /// Least and greatest time of each block, i64 LE.
    times: Range<u64>,
    /// Of keys, tags and operations; the first format has them in tantivy.
    terms: Option<Terms<Range<u64>, Range<u64>>>,
    /// Rows of each run. Earlier formats have one run, and do not say how long it is.
    #[serde(default)]
    runs: Vec<u32>,
    /// None in earlier formats, and where a bound cannot be told shortly.
    #[serde(default)]
    columns: Option<Vec<ColumnStats>>,
}

impl Contents {
    fn parts(&self) -> impl Iterator<Item = &Range<u64>> {
        let terms = self.terms.iter().flat_map(|terms| [&terms.postings, &terms.names]);
        self.files.iter().map(|(_, range)| range).chain([&self.fingerprints, &self.times]).chain(terms)
    }
}

/// Two views of the same terms.
#[derive(Serialize, Deserialize)]
struct Terms<P, N> {
    postings: P,
    names: N,
}

/// The rows cannot be indexed: a fault of tantivy or of this program.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("the index cannot be written: {0}")]
    Tantivy(#[from] tantivy::TantivyError),
    #[error("rows cannot be put together for the index: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
}

/// An index in the making. Rows come in the order of the Parquet file, in batches of any size.
pub(super) struct IndexWriter {
    table: Table,
    /// Of the words of texts, where the table has texts.
    documents: Option<DocumentWriter>,
    words: BlockWords,
    terms: Terms<PostingsWriter, NamesWriter>,
    /// Of the block that is being indexed, its terms: hash, field, and where the text lies in the arena.
    begun_terms: Vec<(u64, Field, Range<usize>)>,
    arena: Vec<u8>,
    /// Rows of a block that is not yet full.
    begun: Option<RecordBatch>,
    blocks: u32,
    rows: u32,
    pairs: Pairs,
    /// Least and greatest time of each block, i64 LE.
    times: Vec<u8>,
}

impl IndexWriter {
    pub(super) fn new(table: Table) -> Result<Self, IndexError> {
        let documents = (table == Table::Logs).then(DocumentWriter::new).transpose()?;
        let terms = Terms { postings: PostingsWriter::default(), names: NamesWriter::default() };
        let (words, pairs, times) = (BlockWords::default(), Pairs::default(), Vec::new());
        let (begun_terms, arena) = (Vec::new(), Vec::new());
        Ok(Self { table, documents, words, terms, begun_terms, arena, begun: None, blocks: 0, rows: 0, pairs, times })
    }

    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<(), IndexError> {
        let rows = match self.begun.take() {
            Some(begun) => concat_batches(batch.schema_ref(), [&begun, batch])?,
            None => batch.clone(),
        };
        let whole = rows.num_rows() / BLOCK_ROWS * BLOCK_ROWS;
        for block in blocks(whole) {
            self.block(&rows, block)?;
        }
        self.begun = (whole < rows.num_rows()).then(|| rows.slice(whole, rows.num_rows() - whole));
        Ok(())
    }

    /// `columns` are the statistics of all rows.
    pub(super) fn finish(mut self, columns: &[ColumnStats]) -> Result<Vec<u8>, IndexError> {
        if let Some(rest) = self.begun.take() {
            self.block(&rest, 0..rest.num_rows())?;
        }
        let mut packer = Packer::new();
        let files = match self.documents {
            Some(documents) => documents.write(&mut packer.packed)?,
            None => Files::default(),
        };
        let Terms { postings, names } = self.terms;
        let terms =
            Terms { postings: packer.part(|out| postings.write(out)), names: packer.part(|out| names.write(out)) };
        let fingerprints = packer.part(|out| self.pairs.write(out));
        let times = packer.part(|out| out.extend_from_slice(&self.times));
        let columns = columns.iter().map(ColumnStats::shortened).collect();
        let runs = Vec::from_iter((self.rows > 0).then_some(self.rows));
        Ok(packer.finish(&Contents { files, fingerprints, times, terms: Some(terms), runs, columns }))
    }

    fn block(&mut self, batch: &RecordBatch, rows: Range<usize>) -> Result<(), IndexError> {
        self.rows += rows.len() as u32;
        let Self { terms: Terms { postings, names }, arena, begun_terms, .. } = self;
        arena.clear();
        begun_terms.clear();
        extract::each_tag(self.table, batch, rows.clone(), |field, term| {
            let from = arena.len();
            arena.extend_from_slice(term);
            begun_terms.push((postings::hash(field, term), field, from..arena.len()));
        });
        // Apart from the extraction, so that the processor fetches the places of many terms at once.
        for (hash, field, range) in begun_terms {
            if postings.add(*hash) {
                names.add(*field, &arena[range.clone()]);
            }
        }
        postings.end_block();
        if let Some(documents) = &mut self.documents {
            self.words.collect(batch, rows.clone());
            documents.push(self.words.iter())?;
        }
        self.pairs.add(batch, rows.clone(), self.blocks);
        let times = &order::times(self.table, batch)[rows];
        let bounds = [times.iter().min(), times.iter().max()].map(|bound| bound.copied().unwrap_or_default());
        self.times.extend(bounds.iter().flat_map(|bound| bound.to_le_bytes()));
        self.blocks += 1;
        Ok(())
    }
}

/// The file in the making, part after part.
struct Packer {
    packed: Vec<u8>,
}

impl Packer {
    fn new() -> Self {
        Self { packed: MAGIC.to_vec() }
    }

    fn part(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<u64> {
        let from = self.packed.len() as u64;
        write(&mut self.packed);
        from..self.packed.len() as u64
    }

    fn finish(self, contents: &Contents) -> Vec<u8> {
        let mut packed = self.packed;
        let from = packed.len();
        serde_json::to_writer(&mut packed, contents).expect("a Vec takes every write");
        let length = (packed.len() - from) as u64;
        packed.extend_from_slice(&length.to_le_bytes());
        packed.extend_from_slice(MAGIC);
        packed
    }
}

/// Ranges of the blocks of `rows` rows.
fn blocks(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(BLOCK_ROWS).map(move |from| from..(from + BLOCK_ROWS).min(rows))
}

/// An opened index.
pub(super) struct IndexReader {
    blob: Arc<Blob>,
    documents: Option<Documents>,
    terms: Option<Terms<Postings, Names>>,
    fingerprints: Fingerprints,
    times: Vec<(i64, i64)>,
    runs: Runs,
}

impl IndexReader {
    /// Of a segment of `rows` rows.
    pub(super) fn open(blob: Arc<Blob>, rows: u64) -> Result<Self, ReadError> {
        let contents = contents(&blob)?;
        let runs = match &*contents.runs {
            [] => Runs::new((rows > 0).then_some(rows as u32)),
            runs => Runs::new(runs.iter().copied()),
        };
        let times = blob.read(contents.times)?;
        let bound = |bytes: &[u8]| bytes.try_into().map_or(0, i64::from_le_bytes);
        let times: Vec<_> = times.as_chunks::<16>().0.iter().map(|t| (bound(&t[..8]), bound(&t[8..]))).collect();
        if runs.rows() as u64 != rows || runs.blocks() as usize != times.len() {
            let found =
                format!("{} blocks of {} rows, and {} times of blocks", runs.blocks(), runs.rows(), times.len());
            return Err(blob.damaged(format!("{found}, for {rows} rows")));
        }
        let documents = (!contents.files.is_empty()).then(|| Documents::open(&blob, contents.files)).transpose()?;
        if let Some(documents) = documents.as_ref().filter(|documents| documents.count() != times.len()) {
            return Err(blob.damaged(format!("{} documents for {} blocks", documents.count(), times.len())));
        }
        let open = |terms: Terms<Range<u64>, Range<u64>>| {
            Ok(Terms { postings: Postings::open(&blob, terms.postings)?, names: Names::open(&blob, terms.names)? })
        };
        let terms = contents.terms.map(open).transpose()?;
        let fingerprints = Fingerprints::open(&blob, contents.fingerprints)?;
        Ok(Self { blob, documents, terms, fingerprints, times, runs })
    }

    /// Numbers of the blocks that may hold a matching row, ascending; None: all of them.
    pub(super) fn blocks(&self, prune: &Prune) -> Result<Option<Vec<u32>>, ReadError> {
        match prune {
            Prune::All => Ok(None),
            Prune::Term(Field::TraceId, id) => self.fingerprints.find(&self.blob, id).map(Some),
            Prune::Term(field, term) => self.find(*field, term).map(Some),
            Prune::WordContaining(part) => {
                let documents = self.documents.as_ref();
                let found = documents.map(|documents| documents.words_containing(&self.blob, part)).transpose()?;
                Ok(Some(found.unwrap_or_default()))
            }
            Prune::Every(all) => {
                let mut found: Option<Vec<u32>> = None;
                for one in all {
                    let Some(blocks) = self.blocks(one)? else { continue };
                    let kept = match found {
                        None => blocks,
                        Some(found) => found.into_iter().filter(|b| blocks.binary_search(b).is_ok()).collect(),
                    };
                    if kept.is_empty() {
                        return Ok(Some(kept));
                    }
                    found = Some(kept);
                }
                Ok(found)
            }
            Prune::Any(any) => {
                let mut found = BTreeSet::new();
                for one in any {
                    match self.blocks(one)? {
                        None => return Ok(None),
                        Some(blocks) => found.extend(blocks),
                    }
                }
                Ok(Some(found.into_iter().collect()))
            }
        }
    }

    fn find(&self, field: Field, term: &[u8]) -> Result<Vec<u32>, ReadError> {
        match (&self.terms, &self.documents) {
            (Some(terms), _) if field != Field::Word => terms.postings.find(&self.blob, postings::hash(field, term)),
            (_, Some(documents)) => documents.find(&self.blob, field, term),
            (_, None) => Ok(Vec::new()),
        }
    }

    /// Adds the distinct terms of `field` that begin with `prefix`, in order, at most `limit`. True where
    /// there are others that the index does not know by name.
    pub(super) fn terms(
        &self,
        field: Field,
        prefix: &[u8],
        limit: usize,
        found: &mut BTreeSet<Vec<u8>>,
    ) -> Result<bool, ReadError> {
        match (&self.terms, &self.documents) {
            (Some(terms), _) if field != Field::Word => terms.names.list(&self.blob, field, prefix, limit, found),
            (_, Some(documents)) => documents.list(&self.blob, field, prefix, limit, found).map(|()| false),
            (_, None) => Ok(false),
        }
    }

    /// Bytes that this reader keeps in memory, about: of tantivy the dictionary, which is read whole.
    pub(super) fn memory(&self) -> usize {
        let documents = self.documents.as_ref().map_or(0, |_| (self.blob.size() / 2) as usize);
        let terms = self.terms.as_ref().map_or(0, |terms| terms.postings.memory() + terms.names.memory());
        documents + terms + self.fingerprints.memory() + size_of_val(self.times.as_slice())
    }

    pub(super) fn trace_pairs(&self) -> u64 {
        self.fingerprints.pairs()
    }

    /// Every pair of a trace's fingerprint and a block, ascending.
    pub(super) fn each_trace(&self, see: impl FnMut(u64, u32)) -> Result<(), ReadError> {
        self.fingerprints.each(&self.blob, see)
    }

    pub(super) fn runs(&self) -> &Runs {
        &self.runs
    }

    /// Least and greatest time of each block, ns.
    pub(super) fn times(&self) -> &[(i64, i64)] {
        &self.times
    }
}

fn contents(blob: &Blob) -> Result<Contents, ReadError> {
    let tail = 8 + MAGIC.len() as u64;
    let foreign = || blob.damaged("not an index of this version");
    let from = blob.size().checked_sub(tail).ok_or_else(foreign)?;
    let end = blob.read(from..blob.size())?;
    let (length, magic) = end.split_at(8);
    if magic != MAGIC && EARLIER.iter().all(|earlier| magic != *earlier) {
        return Err(foreign());
    }
    let length = u64::from_le_bytes(length.try_into().map_err(|_| foreign())?);
    let json = blob.read(from.checked_sub(length).ok_or_else(foreign)?..from)?;
    let contents: Contents = serde_json::from_slice(&json).map_err(|error| blob.damaged(error.to_string()))?;
    let inside = |range: &Range<u64>| range.start <= range.end && range.end <= blob.size();
    if contents.parts().all(inside) { Ok(contents) } else { Err(blob.damaged("its contents lie outside of it")) }
}
