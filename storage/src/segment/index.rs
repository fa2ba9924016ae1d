//! The index of a segment: one file that holds a tantivy segment and the fingerprints of its traces.
//!
//! ```text
//!   ┌──────────┬───────────────┬──────────────┬──────────────┬──────────┬────────────────┬──────────┐
//!   │ CLEWIDX1 │ tantivy files │ fingerprints │ block times  │ contents │ contents bytes │ CLEWIDX1 │
//!   │ 8 bytes  │ one by one    │ 12 B a trace │ 16 B a block │ JSON     │ u64 LE         │ 8 bytes  │
//!   └──────────┴───────────────┴──────────────┴──────────────┴──────────┴────────────────┴──────────┘
//! ```
//! A document is a block of [`BLOCK_ROWS`] rows, in row order; it holds each distinct term of its
//! rows once. So a term that repeats in neighbours costs once, and a hit names rows to look at.
//! Trace ids are not terms: random 16 bytes are the worst a dictionary can be given. A sorted list
//! of (64-bit fingerprint, block) finds them in two reads.

mod directory;
mod fingerprints;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tantivy::directory::RamDirectory;
use tantivy::directory::error::OpenReadError;
use tantivy::schema::{BytesOptions, IndexRecordOption, Schema};
use tantivy::{Directory, DocSet, Index, IndexSettings, SingleSegmentIndexWriter, TERMINATED, TantivyDocument, Term};

use super::blob::{Blob, cause};
use super::extract::BlockTerms;
use super::order;
use crate::scan::ReadError;
use crate::schema::Table;
use crate::terms::{Field, Prune};
use crate::text::LONG_WORD;
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use directory::{Part, PartsDirectory};
pub(super) use fingerprints::fingerprint;
use fingerprints::{Fingerprints, Pairs};

/// Rows of one document. Small enough that a rare hit reads one page, large enough that values repeat.
pub(super) const BLOCK_ROWS: usize = 256;

const MAGIC: &[u8; 8] = b"CLEWIDX1";
/// What tantivy's arena may take before it grows; the smallest it allows.
const WRITER_BYTES: usize = 15_000_000;
const TERM_FIELDS: [(Field, &str); 4] =
    [(Field::Key, "key"), (Field::Tag, "tag"), (Field::Operation, "operation"), (Field::Word, "word")];

#[derive(Serialize, Deserialize)]
struct Contents {
    files: Vec<(PathBuf, Range<u64>)>,
    fingerprints: Range<u64>,
    /// Least and greatest time of each block, i64 LE.
    times: Range<u64>,
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
    fields: [(Field, tantivy::schema::Field); TERM_FIELDS.len()],
    directory: RamDirectory,
    writer: SingleSegmentIndexWriter<TantivyDocument>,
    terms: BlockTerms,
    /// Rows of a block that is not yet full.
    begun: Option<RecordBatch>,
    blocks: u32,
    pairs: Pairs,
    /// Least and greatest time of each block, i64 LE.
    times: Vec<u8>,
}

impl IndexWriter {
    pub(super) fn new(table: Table) -> Result<Self, IndexError> {
        let schema = schema();
        let fields = TERM_FIELDS.map(|(field, name)| (field, schema.get_field(name).expect("a field of the schema")));
        let directory = RamDirectory::create();
        let settings = IndexSettings { docstore_compress_dedicated_thread: false, ..IndexSettings::default() };
        let writer = Index::builder()
            .schema(schema)
            .settings(settings)
            .single_segment_index_writer::<TantivyDocument>(directory.clone(), WRITER_BYTES)?;
        let (terms, pairs, times) = (BlockTerms::default(), Pairs::default(), Vec::new());
        Ok(Self { table, fields, directory, writer, terms, begun: None, blocks: 0, pairs, times })
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

    pub(super) fn finish(mut self) -> Result<Vec<u8>, IndexError> {
        if let Some(rest) = self.begun.take() {
            self.block(&rest, 0..rest.num_rows())?;
        }
        let index = self.writer.finalize()?;
        pack(&index, &self.directory, self.pairs, &self.times)
    }

    fn block(&mut self, batch: &RecordBatch, rows: Range<usize>) -> Result<(), IndexError> {
        self.terms.collect(self.table, batch, rows.clone());
        let mut document = TantivyDocument::default();
        for (field, term) in self.terms.iter() {
            let (_, field) = self.fields.iter().find(|(known, _)| *known == field).expect("a field with terms");
            document.add_bytes(*field, term);
        }
        self.writer.add_document(document)?;
        self.pairs.add(batch, rows.clone(), self.blocks);
        let times = &order::times(self.table, batch)[rows];
        let bounds = [times.iter().min(), times.iter().max()].map(|bound| bound.copied().unwrap_or_default());
        self.times.extend(bounds.iter().flat_map(|bound| bound.to_le_bytes()));
        self.blocks += 1;
        Ok(())
    }
}

/// Row ranges of the blocks of a segment of `rows` rows.
pub(super) fn blocks(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(BLOCK_ROWS).map(move |from| from..(from + BLOCK_ROWS).min(rows))
}

fn schema() -> Schema {
    let mut schema = Schema::builder();
    for (_, name) in TERM_FIELDS {
        schema.add_bytes_field(name, BytesOptions::default().set_indexed());
    }
    schema.build()
}

fn pack(index: &Index, directory: &RamDirectory, pairs: Pairs, times: &[u8]) -> Result<Vec<u8>, IndexError> {
    let mut packed = MAGIC.to_vec();
    let mut files = Vec::new();
    let mut names: Vec<PathBuf> = index.load_metas()?.list_segment_files().into_iter().collect();
    names.sort();
    for name in names.into_iter().chain([PathBuf::from("meta.json")]) {
        if !directory.exists(&name).map_err(tantivy::TantivyError::from)? {
            continue; // tantivy lists files that a segment may have, such as deletes
        }
        let bytes = directory
            .open_read(&name)
            .map_err(tantivy::TantivyError::from)?
            .read_bytes()
            .map_err(tantivy::TantivyError::from)?;
        let from = packed.len() as u64;
        packed.extend_from_slice(&bytes);
        files.push((name, from..packed.len() as u64));
    }
    let from = packed.len() as u64;
    pairs.write(&mut packed);
    let fingerprints = from..packed.len() as u64;
    packed.extend_from_slice(times);
    let times = fingerprints.end..packed.len() as u64;
    let contents = Contents { files, fingerprints, times };
    let from = packed.len();
    serde_json::to_writer(&mut packed, &contents).expect("a Vec takes every write");
    let length = (packed.len() - from) as u64;
    packed.extend_from_slice(&length.to_le_bytes());
    packed.extend_from_slice(MAGIC);
    Ok(packed)
}

/// An opened index.
pub(super) struct IndexReader {
    blob: Arc<Blob>,
    reader: tantivy::SegmentReader,
    schema: Schema,
    fingerprints: Fingerprints,
    times: Vec<(i64, i64)>,
}

impl IndexReader {
    pub(super) fn open(blob: Arc<Blob>) -> Result<Self, ReadError> {
        let contents = contents(&blob)?;
        let parts = contents
            .files
            .iter()
            .map(|(name, range)| (name.clone(), Arc::new(Part::new(blob.clone(), range.clone()))))
            .collect();
        let open = || -> tantivy::Result<_> {
            let index = Index::open(PartsDirectory::new(parts))?;
            let [segment] = index.searchable_segments()?.try_into().map_err(|segments: Vec<_>| {
                tantivy::TantivyError::InternalError(format!("{} segments where one was written", segments.len()))
            })?;
            Ok((tantivy::SegmentReader::open(&segment)?, index.schema()))
        };
        let (reader, schema) = open().map_err(|error| failed(&blob, &error))?;
        let times = blob.read(contents.times)?;
        let bound = |bytes: &[u8]| bytes.try_into().map_or(0, i64::from_le_bytes);
        let times: Vec<_> = times.as_chunks::<16>().0.iter().map(|t| (bound(&t[..8]), bound(&t[8..]))).collect();
        if reader.max_doc() as usize != times.len() {
            return Err(blob.damaged(format!("{} documents for {} blocks", reader.max_doc(), times.len())));
        }
        let fingerprints = Fingerprints::open(&blob, contents.fingerprints)?;
        Ok(Self { blob, reader, schema, fingerprints, times })
    }

    /// Numbers of the blocks that may hold a matching row, ascending; None: all of them.
    pub(super) fn blocks(&self, prune: &Prune) -> Result<Option<Vec<u32>>, ReadError> {
        match prune {
            Prune::All => Ok(None),
            Prune::Term(Field::TraceId, id) => self.fingerprints.find(&self.blob, id).map(Some),
            Prune::Term(field, term) => self.postings(*field, term).map(Some),
            Prune::WordContaining(part) => self.words_containing(part).map(Some),
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

    /// Adds the distinct terms of `field` that begin with `prefix`, in order, until `found` holds `limit`.
    pub(super) fn terms(
        &self,
        field: Field,
        prefix: &[u8],
        limit: usize,
        found: &mut BTreeSet<Vec<u8>>,
    ) -> Result<(), ReadError> {
        if field == Field::TraceId {
            return Ok(());
        }
        let inverted = self.inverted(field)?;
        let mut stream = inverted.terms().range().ge(prefix).into_stream().map_err(|error| self.io(error))?;
        // Only the first `limit` of all matter; those of other segments may be smaller.
        let mut taken = 0;
        while taken < limit && stream.advance() && stream.key().starts_with(prefix) {
            found.insert(stream.key().to_vec());
            taken += 1;
        }
        Ok(())
    }

    /// Bytes that this reader keeps in memory, about: dictionaries are read whole.
    pub(super) fn memory(&self) -> usize {
        (self.blob.size() / 2) as usize + self.fingerprints.memory()
    }

    pub(super) fn trace_pairs(&self) -> u64 {
        self.fingerprints.pairs()
    }

    /// Every pair of a trace's fingerprint and a block, ascending.
    pub(super) fn each_trace(&self, see: impl FnMut(u64, u32)) -> Result<(), ReadError> {
        self.fingerprints.each(&self.blob, see)
    }

    /// Least and greatest time of each block, ns.
    pub(super) fn times(&self) -> &[(i64, i64)] {
        &self.times
    }

    fn inverted(&self, field: Field) -> Result<Arc<tantivy::InvertedIndexReader>, ReadError> {
        let (_, name) = TERM_FIELDS.iter().find(|(known, _)| *known == field).expect("a field with terms");
        let field = self.schema.get_field(name).map_err(|error| self.blob.damaged(error.to_string()))?;
        self.reader.inverted_index(field).map_err(|error| failed(&self.blob, &error))
    }

    fn postings(&self, field: Field, term: &[u8]) -> Result<Vec<u32>, ReadError> {
        let inverted = self.inverted(field)?;
        let (_, name) = TERM_FIELDS.iter().find(|(known, _)| *known == field).expect("a field with terms");
        let field = self.schema.get_field(name).map_err(|error| self.blob.damaged(error.to_string()))?;
        let term = Term::from_field_bytes(field, term);
        match inverted.read_postings(&term, IndexRecordOption::Basic).map_err(|error| self.io(error))? {
            Some(postings) => Ok(documents(postings)),
            None => Ok(Vec::new()),
        }
    }

    fn words_containing(&self, part: &str) -> Result<Vec<u32>, ReadError> {
        let inverted = self.inverted(Field::Word)?;
        let finder = memchr::memmem::Finder::new(part);
        let mut stream = inverted.terms().stream().map_err(|error| self.io(error))?;
        let mut found = BTreeSet::new();
        while stream.advance() {
            if finder.find(stream.key()).is_some() || stream.key() == LONG_WORD.as_bytes() {
                let postings = inverted
                    .read_postings_from_terminfo(stream.value(), IndexRecordOption::Basic)
                    .map_err(|error| self.io(error))?;
                found.extend(documents(postings));
            }
        }
        Ok(found.into_iter().collect())
    }

    fn io(&self, error: std::io::Error) -> ReadError {
        cause(&error).unwrap_or_else(|| self.blob.damaged(error.to_string()))
    }
}

/// A bucket that does not answer is no damage, though tantivy has wrapped what it said.
fn failed(blob: &Blob, error: &tantivy::TantivyError) -> ReadError {
    let io = match error {
        tantivy::TantivyError::IoError(io)
        | tantivy::TantivyError::OpenReadError(OpenReadError::IoError { io_error: io, .. }) => Some(io),
        _ => None,
    };
    io.and_then(|io| cause(io)).unwrap_or_else(|| blob.damaged(error.to_string()))
}

fn documents(mut postings: impl DocSet) -> Vec<u32> {
    let mut found = Vec::with_capacity(postings.size_hint() as usize);
    let mut document = postings.doc();
    while document != TERMINATED {
        found.push(document);
        document = postings.advance();
    }
    found
}

fn contents(blob: &Blob) -> Result<Contents, ReadError> {
    let tail = 8 + MAGIC.len() as u64;
    let foreign = || blob.damaged("not an index of this version");
    let from = blob.size().checked_sub(tail).ok_or_else(foreign)?;
    let end = blob.read(from..blob.size())?;
    let (length, magic) = end.split_at(8);
    if magic != MAGIC {
        return Err(foreign());
    }
    let length = u64::from_le_bytes(length.try_into().map_err(|_| foreign())?);
    let json = blob.read(from.checked_sub(length).ok_or_else(foreign)?..from)?;
    let contents: Contents = serde_json::from_slice(&json).map_err(|error| blob.damaged(error.to_string()))?;
    let inside = |range: &Range<u64>| range.start <= range.end && range.end <= blob.size();
    let parts = contents.files.iter().map(|(_, range)| range).chain([&contents.fingerprints, &contents.times]);
    if parts.into_iter().all(inside) { Ok(contents) } else { Err(blob.damaged("its contents lie outside of it")) }
}
