//! Pages of Parquet files as the reader takes them: checked, decompressed, the last used of them kept.
//!
//! The reader that comes with Parquet makes a zstd context for each column of each read, copies the list of its
//! pages, and reads a dictionary as often as the column. Here contexts serve one read after another, and what a
//! small read has taken is there for the next: the pages of a search's hits are those of the traces it shows.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use lru::LruCache;
use parking_lot::Mutex;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;
use zstd::bulk::Decompressor;
use zstd::zstd_safe::get_frame_content_size;

use super::blob::Blob;
use super::parquet::BlobReader;

/// Pages in memory at most, bytes: those of two searches.
const BUDGET: usize = 8 << 20;
/// A larger page is not kept: it would drop too many others.
const KEPT_PAGE: usize = BUDGET / 16;
/// Contexts of zstd that wait for the next read.
const IDLE: usize = 8;

/// Shared by all segments of a store.
pub(super) struct PageCache {
    state: Mutex<State>,
    idle: Mutex<Vec<Decompressor<'static>>>,
}

struct State {
    /// By segment and place in its file.
    pages: LruCache<(i64, u64), Page>,
    bytes: usize,
}

impl Default for PageCache {
    fn default() -> Self {
        let state = State { pages: LruCache::unbounded(), bytes: 0 };
        Self { state: Mutex::new(state), idle: Mutex::default() }
    }
}

impl PageCache {
    fn get(&self, place: (i64, u64)) -> Option<Page> {
        self.state.lock().pages.get(&place).cloned()
    }

    fn keep(&self, place: (i64, u64), page: &Page) {
        let bytes = page.buffer().len();
        if bytes > KEPT_PAGE {
            return;
        }
        let mut state = self.state.lock();
        let before = state.pages.put(place, page.clone());
        state.bytes = state.bytes + bytes - before.map_or(0, |page| page.buffer().len());
        while state.bytes > BUDGET {
            let Some((_, page)) = state.pages.pop_lru() else { break };
            state.bytes -= page.buffer().len();
        }
    }

    /// One zstd frame of a known size, which is `most` bytes at most; None where it does not say its size.
    fn inflate(&self, frame: &[u8], most: usize) -> Result<Option<Bytes>> {
        let Some(size) = get_frame_content_size(frame).ok().flatten() else { return Ok(None) };
        let size = usize::try_from(size).ok().filter(|size| *size <= most);
        let size = size.ok_or_else(|| ParquetError::General("a page is larger than its column".to_owned()))?;
        let idle = self.idle.lock().pop();
        let mut context = idle.map_or_else(Decompressor::new, Ok)?;
        let inflated = context.decompress(frame, size)?;
        let mut idle = self.idle.lock();
        if idle.len() < IDLE {
            idle.push(context);
        }
        Ok(Some(Bytes::from(inflated)))
    }
}

/// Where the pages of one read come from.
pub(super) struct Origin {
    pub(super) blob: Arc<Blob>,
    pub(super) metadata: Arc<ParquetMetaData>,
    /// Row groups that are read, ascending.
    pub(super) groups: Vec<usize>,
    pub(super) cache: Arc<PageCache>,
    /// The segment, where its pages are to be kept: a read of many would only drop those of others.
    pub(super) keep_as: Option<i64>,
}

impl Origin {
    /// One page, with its header, at this place of the file.
    fn page(&self, column: &ColumnChunkMetaData, place: Range<u64>) -> Result<Page> {
        let key = self.keep_as.map(|segment| (segment, place.start));
        if let Some(page) = key.and_then(|key| self.cache.get(key)) {
            return Ok(page);
        }
        let bytes = self.blob.read(place).map_err(|error| ParquetError::External(Box::new(error)))?;
        let page = self.decode(column, bytes, key.is_some())?;
        if let Some(key) = key {
            self.cache.keep(key, &page);
        }
        Ok(page)
    }

    fn decode(&self, column: &ColumnChunkMetaData, bytes: Bytes, keep: bool) -> Result<Page> {
        let page = only_page(column, Compression::UNCOMPRESSED, bytes.clone())?;
        let most = usize::try_from(column.uncompressed_size()).unwrap_or_default();
        let inflated = match (column.compression(), &page) {
            // A slice of a block of the file would keep all of the block.
            (Compression::UNCOMPRESSED, page) if keep => Some(Bytes::copy_from_slice(page.buffer())),
            (Compression::UNCOMPRESSED, _) => return Ok(page),
            (Compression::ZSTD(_), Page::DataPage { .. } | Page::DictionaryPage { .. }) => {
                self.cache.inflate(page.buffer(), most)?
            }
            _ => None,
        };
        match inflated {
            Some(contents) => Ok(with_contents(page, contents)),
            // Not written by this program: another compression, or a page of the second version.
            None => only_page(column, column.compression(), bytes),
        }
    }
}

/// The page that these bytes are, as one of a column that is compressed so.
fn only_page(column: &ColumnChunkMetaData, compression: Compression, bytes: Bytes) -> Result<Page> {
    let whole = ColumnChunkMetaData::builder(column.column_descr_ptr())
        .set_compression(compression)
        .set_data_page_offset(0)
        .set_total_compressed_size(bytes.len() as i64)
        .build()?;
    let page = SerializedPageReader::new(Arc::new(bytes), &whole, 0, None)?.get_next_page()?;
    page.ok_or_else(|| ParquetError::EOF("a page is missing".to_owned()))
}

fn with_contents(mut page: Page, contents: Bytes) -> Page {
    match &mut page {
        Page::DataPage { buf, .. } | Page::DataPageV2 { buf, .. } | Page::DictionaryPage { buf, .. } => *buf = contents,
    }
    page
}

/// What Parquet's decoder asks for columns.
pub(super) struct Pages(pub(super) Arc<Origin>);

impl RowGroups for Pages {
    fn num_rows(&self) -> usize {
        self.row_groups().map(|group| usize::try_from(group.num_rows()).unwrap_or_default()).sum()
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        Ok(Box::new(Chunks { origin: self.0.clone(), column, groups: self.0.groups.clone().into() }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.0.groups.iter().map(|group| self.0.metadata.row_group(*group)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.0.metadata
    }
}

/// One column in the row groups of a read.
struct Chunks {
    origin: Arc<Origin>,
    column: usize,
    groups: VecDeque<usize>,
}

impl Iterator for Chunks {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let group = self.groups.pop_front()?;
        let index = self.origin.metadata.offset_index().and_then(|groups| groups.get(group)?.get(self.column));
        Some(match index {
            Some(_) => Ok(Box::new(ColumnPages::new(self.origin.clone(), group, self.column))),
            None => self.unlisted(group),
        })
    }
}

impl PageIterator for Chunks {}

impl Chunks {
    /// Of a file without a list of its pages.
    fn unlisted(&self, group: usize) -> Result<Box<dyn PageReader>> {
        let group = self.origin.metadata.row_group(group);
        let reader = Arc::new(BlobReader(self.origin.blob.clone()));
        let rows = usize::try_from(group.num_rows()).unwrap_or_default();
        Ok(Box::new(SerializedPageReader::new(reader, group.column(self.column), rows, None)?))
    }
}

/// The pages of one column in one row group.
struct ColumnPages {
    origin: Arc<Origin>,
    group: usize,
    column: usize,
    dictionary: Option<Range<u64>>,
    /// Number of the next page.
    next: usize,
}

/// Where a page lies, and how many rows it has.
struct Location {
    place: Range<u64>,
    rows: usize,
}

impl ColumnPages {
    fn new(origin: Arc<Origin>, group: usize, column: usize) -> Self {
        let (start, _) = origin.metadata.row_group(group).column(column).byte_range();
        let mut pages = Self { origin, group, column, dictionary: None, next: 0 };
        // A dictionary lies before the first page.
        let first = pages.location(0).map(|first| first.place.start);
        pages.dictionary = first.filter(|first| start < *first).map(|first| start..first);
        pages
    }

    fn location(&self, number: usize) -> Option<Location> {
        let index = self.origin.metadata.offset_index()?.get(self.group)?.get(self.column)?;
        let page = index.page_locations().get(number)?;
        let rows = self.origin.metadata.row_group(self.group).num_rows();
        let after = index.page_locations().get(number + 1).map_or(rows, |next| next.first_row_index);
        let start = u64::try_from(page.offset).ok()?;
        let length = u64::try_from(page.compressed_page_size).ok()?;
        Some(Location {
            place: start..start.checked_add(length)?,
            rows: usize::try_from(after - page.first_row_index).ok()?,
        })
    }
}

impl Iterator for ColumnPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for ColumnPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let place = match self.dictionary.take() {
            Some(dictionary) => dictionary,
            None => {
                let Some(location) = self.location(self.next) else { return Ok(None) };
                self.next += 1;
                location.place
            }
        };
        let column = self.origin.metadata.row_group(self.group).column(self.column);
        self.origin.page(column, place).map(Some)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        if self.dictionary.is_some() {
            return Ok(Some(PageMetadata { num_rows: None, num_levels: None, is_dict: true }));
        }
        let location = self.location(self.next);
        Ok(location.map(|page| PageMetadata { num_rows: Some(page.rows), num_levels: None, is_dict: false }))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        if self.dictionary.take().is_none() {
            self.next += 1;
        }
        Ok(())
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        // Pages that are listed begin with a row.
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use parquet::basic::Encoding;

    use super::*;

    fn page(bytes: usize) -> Page {
        let buf = Bytes::from(vec![7; bytes]);
        Page::DictionaryPage { buf, num_values: 1, encoding: Encoding::PLAIN, is_sorted: false }
    }

    #[test]
    fn the_last_pages_are_kept_within_the_budget() {
        let cache = PageCache::default();
        let many = 3 * (BUDGET / KEPT_PAGE) as u64;
        for at in 0..many {
            cache.keep((1, at), &page(KEPT_PAGE));
            cache.keep((1, at), &page(KEPT_PAGE));
        }
        let kept = (0..many).filter(|at| cache.get((1, *at)).is_some()).collect::<Vec<_>>();
        assert_eq!(kept, (many - (BUDGET / KEPT_PAGE) as u64..many).collect::<Vec<_>>());
        cache.keep((2, 0), &page(KEPT_PAGE + 1));
        assert!(cache.get((2, 0)).is_none());
    }

    #[test]
    fn a_frame_that_lies_of_its_size_is_refused() {
        let frame = zstd::bulk::compress(&[3; 5_000], 1).expect("compressed");
        let cache = PageCache::default();
        assert_eq!(cache.inflate(&frame, 5_000).expect("whole").expect("a size"), vec![3; 5_000]);
        assert!(cache.inflate(&frame, 4_999).is_err());
        assert!(cache.inflate(&frame[..frame.len() - 3], 5_000).is_err());
        assert!(cache.inflate(b"not a frame", 5_000).expect("no size").is_none());
    }
}
