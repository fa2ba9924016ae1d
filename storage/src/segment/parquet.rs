//! The Parquet file of a segment: how it is laid out, and how rows are read out of it.

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::arrow::{ArrowWriter, PARQUET_FIELD_ID_META_KEY, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::ColumnPath;

use super::blob::Blob;
use crate::schema::{Table, col};

/// Rows of one page at most: what a hit costs to decode, times the columns read.
const PAGE_ROWS: usize = 1024;
const PAGE_BYTES: usize = 64 << 10;

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

/// A whole file in memory, and the length of its footer.
pub(super) fn write(table: Table, schema: SchemaRef, batch: &RecordBatch) -> Result<(Vec<u8>, u64)> {
    let batch = RecordBatch::try_new(schema.clone(), batch.columns().to_vec())?;
    let mut file = Vec::with_capacity(batch.num_rows() * 96);
    let mut writer = ArrowWriter::try_new(&mut file, schema, Some(properties(table)))?;
    writer.write(&batch)?;
    writer.close()?;
    // The last 8 bytes are the footer's length and the magic (Parquet format, "File Format").
    let length =
        file.len().checked_sub(8).and_then(|at| file[at..].first_chunk()).map_or(0, |b| u32::from_le_bytes(*b));
    Ok((file, u64::from(length)))
}

fn properties(table: Table) -> WriterProperties {
    let zstd = Compression::ZSTD(ZstdLevel::try_new(1).expect("level 1 exists"));
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("clew ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(zstd)
        .set_max_row_group_row_count(None)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_write_batch_size(super::index::BLOCK_ROWS)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_dictionary_enabled(false);
    for field in table.schema().fields() {
        let path = ColumnPath::from(field.name().as_str());
        properties = match field.data_type() {
            DataType::Dictionary(..) => properties
                .set_column_dictionary_enabled(path.clone(), true)
                .set_column_statistics_enabled(path, EnabledStatistics::Chunk),
            DataType::Int32 | DataType::UInt32 => properties
                .set_column_dictionary_enabled(path.clone(), true)
                .set_column_statistics_enabled(path, EnabledStatistics::Chunk),
            DataType::Timestamp(..) | DataType::Int64 | DataType::UInt64 => properties
                .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED)
                .set_column_statistics_enabled(path, EnabledStatistics::Page),
            _ if field.name() == col::SPAN_ID => properties.set_column_compression(path, Compression::UNCOMPRESSED),
            _ => properties,
        };
    }
    properties.build()
}

/// The footer of a file, decoded once and kept.
pub(super) fn metadata(blob: &Arc<Blob>) -> Result<ArrowReaderMetadata> {
    let options = ArrowReaderOptions::new()
        .with_column_index_policy(PageIndexPolicy::Skip)
        .with_offset_index_policy(PageIndexPolicy::Optional);
    ArrowReaderMetadata::load(&BlobReader(blob.clone()), options)
}

/// A reader of some columns (in file order) of some rows.
pub(super) fn reader(
    blob: &Arc<Blob>,
    metadata: ArrowReaderMetadata,
    columns: &[&str],
    selection: Option<RowSelection>,
    batch_rows: usize,
) -> Result<ParquetRecordBatchReader> {
    let mask = ProjectionMask::columns(metadata.parquet_schema(), columns.iter().copied());
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(BlobReader(blob.clone()), metadata)
        .with_projection(mask)
        .with_batch_size(batch_rows);
    if let Some(selection) = selection {
        builder = builder.with_row_selection(selection);
    }
    builder.build()
}

/// A blob as the Parquet reader wants it.
struct BlobReader(Arc<Blob>);

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

struct BlobStream {
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
