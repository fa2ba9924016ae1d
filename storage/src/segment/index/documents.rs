//! The tantivy part of an index: the words of texts. A document is a block of rows.
//!
//! Indexes of the first format hold keys, tags and operations here too, and are read so.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use tantivy::directory::RamDirectory;
use tantivy::directory::error::OpenReadError;
use tantivy::indexer::merge_indices;
use tantivy::schema::{BytesOptions, IndexRecordOption, Schema};
use tantivy::{Directory, DocSet, Index, IndexSettings, SingleSegmentIndexWriter, TERMINATED, TantivyDocument, Term};

use super::directory::{Part, PartsDirectory};
use super::join::JoinError;
use super::{Blob, IndexError};
use crate::scan::ReadError;
use crate::segment::blob::cause;
use crate::terms::Field;
use crate::text::LONG_WORD;

/// What tantivy's arena may take before it grows; the smallest it allows.
const WRITER_BYTES: usize = 15_000_000;

/// Where files of a tantivy segment lie in the packed file.
pub(super) type Files = Vec<(PathBuf, Range<u64>)>;

fn name_of(field: Field) -> Option<&'static str> {
    match field {
        Field::Word => Some("word"),
        Field::Key => Some("key"),
        Field::Tag => Some("tag"),
        Field::Operation => Some("operation"),
        Field::TraceId => None,
    }
}

/// Documents in the making.
pub(super) struct DocumentWriter {
    word: tantivy::schema::Field,
    directory: RamDirectory,
    writer: SingleSegmentIndexWriter<TantivyDocument>,
}

impl DocumentWriter {
    pub(super) fn new() -> Result<Self, IndexError> {
        let mut schema = Schema::builder();
        let word = schema.add_bytes_field("word", BytesOptions::default().set_indexed());
        let directory = RamDirectory::create();
        let settings = IndexSettings { docstore_compress_dedicated_thread: false, ..IndexSettings::default() };
        let writer = Index::builder()
            .schema(schema.build())
            .settings(settings)
            .single_segment_index_writer::<TantivyDocument>(directory.clone(), WRITER_BYTES)?;
        Ok(Self { word, directory, writer })
    }

    pub(super) fn push<'a>(&mut self, words: impl Iterator<Item = &'a [u8]>) -> Result<(), IndexError> {
        let mut document = TantivyDocument::default();
        words.for_each(|word| document.add_bytes(self.word, word));
        Ok(self.writer.add_document(document)?)
    }

    /// Appends the files of the tantivy segment.
    pub(super) fn write(self, out: &mut Vec<u8>) -> Result<Files, IndexError> {
        pack(&self.writer.finalize()?, &self.directory, out)
    }
}

/// Appends the documents of several indexes, one index after the other.
pub(super) fn join(sources: Vec<(&Arc<Blob>, Files)>, out: &mut Vec<u8>) -> Result<Files, JoinError> {
    let directory = RamDirectory::create();
    let joined = || {
        let open = |(blob, files)| Index::open(parts(blob, files));
        let indexes = sources.into_iter().map(open).collect::<tantivy::Result<Vec<_>>>()?;
        merge_indices(&indexes, directory.clone())
    };
    let joined = joined().map_err(|error| match read_failure(&error) {
        Some(read) => JoinError::Read(read),
        None => JoinError::Index(error.into()),
    })?;
    Ok(pack(&joined, &directory, out)?)
}

fn pack(index: &Index, directory: &RamDirectory, out: &mut Vec<u8>) -> Result<Files, IndexError> {
    let mut files = Vec::new();
    let mut names: Vec<PathBuf> = index.load_metas()?.list_segment_files().into_iter().collect();
    names.sort();
    for name in names.into_iter().chain([PathBuf::from("meta.json")]) {
        if !directory.exists(&name).map_err(tantivy::TantivyError::from)? {
            continue; // tantivy lists files that a segment may have, such as deletes
        }
        let file = directory.open_read(&name).map_err(tantivy::TantivyError::from)?;
        let bytes = file.read_bytes().map_err(tantivy::TantivyError::from)?;
        let from = out.len() as u64;
        out.extend_from_slice(&bytes);
        files.push((name, from..out.len() as u64));
    }
    Ok(files)
}

fn parts(blob: &Arc<Blob>, files: Files) -> PartsDirectory {
    let part = |(name, range): (PathBuf, Range<u64>)| (name, Arc::new(Part::new(blob.clone(), range)));
    PartsDirectory::new(files.into_iter().map(part).collect())
}

/// Opened documents.
pub(super) struct Documents {
    reader: tantivy::SegmentReader,
    schema: Schema,
}

impl Documents {
    pub(super) fn open(blob: &Arc<Blob>, files: Files) -> Result<Self, ReadError> {
        let open = || -> tantivy::Result<_> {
            let index = Index::open(parts(blob, files))?;
            let [segment] = index.searchable_segments()?.try_into().map_err(|segments: Vec<_>| {
                tantivy::TantivyError::InternalError(format!("{} segments where one was written", segments.len()))
            })?;
            Ok((tantivy::SegmentReader::open(&segment)?, index.schema()))
        };
        let (reader, schema) = open().map_err(|error| failed(blob, &error))?;
        Ok(Self { reader, schema })
    }

    pub(super) fn count(&self) -> usize {
        self.reader.max_doc() as usize
    }

    /// Blocks that hold a term, ascending.
    pub(super) fn find(&self, blob: &Blob, field: Field, term: &[u8]) -> Result<Vec<u32>, ReadError> {
        let Some((field, inverted)) = self.field(blob, field)? else { return Ok(Vec::new()) };
        let term = Term::from_field_bytes(field, term);
        let postings = inverted.read_postings(&term, IndexRecordOption::Basic).map_err(|error| io(blob, error))?;
        Ok(postings.map_or_else(Vec::new, documents))
    }

    /// Blocks that hold a word with `part` in it, ascending.
    pub(super) fn words_containing(&self, blob: &Blob, part: &str) -> Result<Vec<u32>, ReadError> {
        let Some((_, inverted)) = self.field(blob, Field::Word)? else { return Ok(Vec::new()) };
        let finder = memchr::memmem::Finder::new(part);
        let mut stream = inverted.terms().stream().map_err(|error| io(blob, error))?;
        let mut found = BTreeSet::new();
        while stream.advance() {
            if finder.find(stream.key()).is_some() || stream.key() == LONG_WORD.as_bytes() {
                let postings = inverted
                    .read_postings_from_terminfo(stream.value(), IndexRecordOption::Basic)
                    .map_err(|error| io(blob, error))?;
                found.extend(documents(postings));
            }
        }
        Ok(found.into_iter().collect())
    }

    /// Adds the distinct terms of `field` that begin with `prefix`, in order, at most `limit`.
    pub(super) fn list(
        &self,
        blob: &Blob,
        field: Field,
        prefix: &[u8],
        limit: usize,
        found: &mut BTreeSet<Vec<u8>>,
    ) -> Result<(), ReadError> {
        let Some((_, inverted)) = self.field(blob, field)? else { return Ok(()) };
        let mut stream = inverted.terms().range().ge(prefix).into_stream().map_err(|error| io(blob, error))?;
        let mut taken = 0;
        while taken < limit && stream.advance() && stream.key().starts_with(prefix) {
            found.insert(stream.key().to_vec());
            taken += 1;
        }
        Ok(())
    }

    fn field(
        &self,
        blob: &Blob,
        field: Field,
    ) -> Result<Option<(tantivy::schema::Field, Arc<tantivy::InvertedIndexReader>)>, ReadError> {
        let Some(field) = name_of(field).and_then(|name| self.schema.get_field(name).ok()) else { return Ok(None) };
        let inverted = self.reader.inverted_index(field).map_err(|error| failed(blob, &error))?;
        Ok(Some((field, inverted)))
    }
}

fn io(blob: &Blob, error: std::io::Error) -> ReadError {
    cause(&error).unwrap_or_else(|| blob.damaged(error.to_string()))
}

/// A bucket that does not answer is no damage, though tantivy has wrapped what it said.
fn failed(blob: &Blob, error: &tantivy::TantivyError) -> ReadError {
    read_failure(error).unwrap_or_else(|| blob.damaged(error.to_string()))
}

fn read_failure(error: &tantivy::TantivyError) -> Option<ReadError> {
    match error {
        tantivy::TantivyError::IoError(io)
        | tantivy::TantivyError::OpenReadError(OpenReadError::IoError { io_error: io, .. }) => cause(io),
        _ => None,
    }
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
