//! The Parquet file of a segment: how it is laid out.

use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::{
    ArrowSchemaConverter, ArrowWriter, PARQUET_FIELD_ID_META_KEY, add_encoded_arrow_schema_to_metadata,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use super::blob::Blob;
use crate::lake::Draft;
use crate::scan::ReadError;
use crate::schema::{Table, col};

/// Rows of one page at most: what a hit costs to decode, times the columns read.
pub(super) const PAGE_ROWS: usize = 1024;
const PAGE_BYTES: usize = 64 << 10;
/// Of texts of spans, which a hit decompresses: about 140 rows with eleven attributes. Lines of logs would take 7% more.
const TEXT_PAGE_BYTES: usize = 16 << 10;
/// Rows of one row group: what a read of a few rows costs beside them, the places of its pages and its
/// dictionaries, must not grow with the file.
pub(super) const GROUP_ROWS: usize = 64 * PAGE_ROWS;

/// The Arrow schema with the field ids that the catalogue knows the columns by.
pub fn file_schema(table: Table, field_id: impl Fn(&str) -> Option<i32>) -> SchemaRef {
    let fields: Vec<Field> = table
        .schema()
        .fields()
        .iter()
        .map(|field| {
            let id = field_id(field.name()).map(|id| (PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string()));
            field.as_ref().clone().with_metadata(id.into_iter().collect())
        })
        .collect();
    Arc::new(Schema::new(fields))
}

/// Holds a row group in memory, and hands on whole ones.
pub(super) fn writer<W: Write + Send>(table: Table, schema: SchemaRef, file: W) -> Result<ArrowWriter<W>> {
    ArrowWriter::try_new(file, schema, Some(properties(table)))
}

/// The columns that [`writer`] writes.
pub(super) fn columns(schema: &SchemaRef) -> Result<SchemaDescriptor> {
    ArrowSchemaConverter::new().convert(schema)
}

/// The row groups of several files with these columns, in one; nothing is decoded.
pub(super) fn concat<'a>(
    table: Table,
    schema: &SchemaRef,
    files: impl IntoIterator<Item = (&'a Arc<Blob>, &'a Arc<ParquetMetaData>)>,
    file: Draft,
) -> Result<Draft> {
    let mut properties = properties(table);
    add_encoded_arrow_schema_to_metadata(schema, &mut properties);
    let mut writer = SerializedFileWriter::new(file, columns(schema)?.root_schema_ptr(), Arc::new(properties))?;
    for (blob, footer) in files {
        let reader = BlobReader(blob.clone());
        let (indexes, pages) = (footer.column_index(), footer.offset_index());
        for (number, group) in footer.row_groups().iter().enumerate() {
            let mut copy = writer.next_row_group()?;
            for (column, metadata) in group.columns().iter().enumerate() {
                let close = ColumnCloseResult {
                    bytes_written: u64::try_from(metadata.compressed_size()).unwrap_or_default(),
                    rows_written: u64::try_from(group.num_rows()).unwrap_or_default(),
                    metadata: metadata.clone(),
                    bloom_filter: None,
                    column_index: indexes.map(|groups| groups[number][column].clone()).filter(has_bounds),
                    offset_index: pages.map(|groups| groups[number][column].clone()),
                };
                copy.append_column(&reader, close)?;
            }
            copy.close()?;
        }
    }
    writer.into_inner()
}

fn has_bounds(index: &ColumnIndexMetaData) -> bool {
    !matches!(index, ColumnIndexMetaData::NONE)
}

/// What went wrong with reading, where it was that.
pub(super) fn read_cause(error: &ParquetError) -> Option<ReadError> {
    let ParquetError::External(inner) = error else { return None };
    inner.downcast_ref::<ReadError>().cloned().or_else(|| super::blob::cause(inner.downcast_ref()?))
}

/// Bytes of the footer of a whole file: the last 8 bytes are its length and the magic (Parquet format, "File Format").
pub(super) fn footer_bytes(file: &Draft) -> u64 {
    let [a, b, c, d, ..] = file.tail();
    u64::from(u32::from_le_bytes([a, b, c, d]))
}

fn properties(table: Table) -> WriterProperties {
    let zstd = Compression::ZSTD(ZstdLevel::try_new(1).expect("level 1 exists"));
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("clew ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_write_batch_size(super::index::BLOCK_ROWS)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_dictionary_enabled(false);
    for field in table.schema().fields() {
        let path = ColumnPath::from(field.name().as_str());
        if is_compressed(field) {
            properties = properties.set_column_compression(path.clone(), zstd);
        }
        if table == Table::Spans && field.data_type() == &DataType::Utf8 {
            properties = properties.set_column_data_page_size_limit(path.clone(), TEXT_PAGE_BYTES);
        }
        properties = match field.data_type() {
            DataType::Dictionary(..) | DataType::Int32 | DataType::UInt32 => properties
                .set_column_dictionary_enabled(path.clone(), true)
                .set_column_statistics_enabled(path, EnabledStatistics::Chunk),
            DataType::Timestamp(..) | DataType::Int64 | DataType::UInt64 => properties
                .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED)
                .set_column_statistics_enabled(path, EnabledStatistics::Page),
            _ => properties,
        };
    }
    properties.build()
}

/// Whether zstd makes the column smaller by more than it costs to read: numbers and short dictionaries hardly shrink.
fn is_compressed(field: &Field) -> bool {
    match field.data_type() {
        DataType::Utf8 => true,
        // Of traces the ids repeat; ids of spans are random.
        DataType::FixedSizeBinary(_) => field.name() == col::TRACE_ID,
        // One a request: few values, which a trace's rows mix.
        DataType::Timestamp(..) => field.name() == col::RECEIVED_TIME,
        DataType::Dictionary(..) => LONG_TEXTS.contains(&field.name().as_str()),
        _ => false,
    }
}

/// Dictionaries whose texts are objects or sentences.
const LONG_TEXTS: [&str; 5] =
    [col::RESOURCE_ATTRIBUTES, col::SCOPE_ATTRIBUTES, col::TRACE_STATE, col::METRIC_DESCRIPTION, col::METRIC_METADATA];

/// The footer of a file, decoded once and kept.
pub(super) fn metadata(blob: &Arc<Blob>) -> Result<ArrowReaderMetadata> {
    let options = ArrowReaderOptions::new()
        .with_column_index_policy(PageIndexPolicy::Skip)
        .with_offset_index_policy(PageIndexPolicy::Optional);
    ArrowReaderMetadata::load(&BlobReader(blob.clone()), options)
}

/// The footer with all that it says of pages.
pub(super) fn whole_footer(blob: &Arc<Blob>) -> Result<Arc<ParquetMetaData>> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    Ok(ArrowReaderMetadata::load(&BlobReader(blob.clone()), options)?.metadata().clone())
}

/// A blob as the Parquet reader wants it.
pub(super) struct BlobReader(pub(super) Arc<Blob>);

impl Length for BlobReader {
    fn len(&self) -> u64 {
        self.0.size()
    }
}

impl ChunkReader for BlobReader {
    type T = BufReader<BlobStream>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::with_capacity(super::blob::BLOCK_BYTES, BlobStream { blob: self.0.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = start.checked_add(length as u64).ok_or_else(|| ParquetError::EOF("past the end".to_owned()))?;
        self.0.read(start..end).map_err(|error| ParquetError::External(Box::new(error)))
    }
}

pub(super) struct BlobStream {
    blob: Arc<Blob>,
    at: u64,
}

impl Read for BlobStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = (self.at + buffer.len() as u64).min(self.blob.size());
        let bytes = self.blob.read(self.at.min(end)..end).map_err(io::Error::other)?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        self.at = end;
        Ok(bytes.len())
    }
}
