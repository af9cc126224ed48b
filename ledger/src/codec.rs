//! Rows as Parquet: a table of text and whole-number columns, any of which may be empty in a row.
//!
//! Files are written under a digest of their bytes, which is checked before anything here reads them.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use crate::error::LedgerError;

pub(crate) mod charges;
pub(crate) mod ownership;
pub(crate) mod usage;

/// The columns of a table.
pub(crate) struct Columns<const T: usize, const I: usize> {
    pub(crate) texts: [&'static str; T],
    pub(crate) ints: [&'static str; I],
}

/// A row to be written.
pub(crate) struct Flat<'a, const T: usize, const I: usize> {
    pub(crate) texts: [Option<Cow<'a, str>>; T],
    pub(crate) ints: [Option<i64>; I],
}

impl<const T: usize, const I: usize> Columns<T, I> {
    /// Writes a file. `about` says what it is, for whoever finds it.
    pub(crate) fn write(
        &self,
        rows: &[Flat<'_, T, I>],
        about: &[(&str, String)],
    ) -> Result<Vec<u8>, LedgerError> {
        self.write_parts(std::iter::once(rows), about)
    }

    /// Writes a file of parts that can be read one by one. Each is a row group; an empty one is not written.
    pub(crate) fn write_parts<'a>(
        &self,
        parts: impl Iterator<Item = impl AsRef<[Flat<'a, T, I>]>>,
        about: &[(&str, String)],
    ) -> Result<Vec<u8>, LedgerError> {
        let schema = Arc::new(Schema::new(self.fields()));
        let about =
            about.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())).collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).map_err(unwritable)?))
            .set_statistics_enabled(EnabledStatistics::None)
            .set_key_value_metadata(Some(about))
            .build();
        let mut writer =
            ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties)).map_err(unwritable)?;
        for rows in parts {
            writer.write(&batch(&schema, rows.as_ref())?).map_err(unwritable)?;
            writer.flush().map_err(unwritable)?;
        }
        writer.into_inner().map_err(unwritable)
    }

    /// Reads a file, row by row.
    pub(crate) fn read(
        &self,
        file: Vec<u8>,
        each: impl FnMut(&Stored<'_, T, I>) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.read_part(Bytes::from(file), None, each)
    }

    /// Reads one part of a file, or all of it, row by row.
    pub(crate) fn read_part(
        &self,
        file: Bytes,
        part: Option<usize>,
        mut each: impl FnMut(&Stored<'_, T, I>) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let mut reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(unreadable)?;
        if let Some(part) = part {
            if part >= reader.metadata().num_row_groups() {
                return Err(unreadable(format!("there is no part {part}")));
            }
            reader = reader.with_row_groups(vec![part]);
        }
        let batches = reader.build().map_err(unreadable)?;
        for batch in batches {
            let batch = batch.map_err(unreadable)?;
            let texts =
                self.texts.map(|name| batch.column_by_name(name).and_then(|c| c.as_any().downcast_ref()));
            let ints =
                self.ints.map(|name| batch.column_by_name(name).and_then(|c| c.as_any().downcast_ref()));
            for row in 0..batch.num_rows() {
                each(&Stored { texts, ints, row })?;
            }
        }
        Ok(())
    }

    fn fields(&self) -> Vec<Field> {
        let texts = self.texts.iter().map(|name| Field::new(*name, DataType::Utf8, true));
        let ints = self.ints.iter().map(|name| Field::new(*name, DataType::Int64, true));
        texts.chain(ints).collect()
    }
}

fn batch<const T: usize, const I: usize>(
    schema: &Arc<Schema>,
    rows: &[Flat<'_, T, I>],
) -> Result<RecordBatch, LedgerError> {
    let texts = (0..T).map(|i| {
        let column: StringArray =
            rows.iter().map(|row| row.texts.get(i).and_then(Option::as_deref)).collect();
        Arc::new(column) as ArrayRef
    });
    let ints = (0..I).map(|i| {
        let column: Int64Array = rows.iter().map(|row| row.ints.get(i).copied().flatten()).collect();
        Arc::new(column) as ArrayRef
    });
    RecordBatch::try_new(Arc::clone(schema), texts.chain(ints).collect()).map_err(unwritable)
}

/// A row that was read.
pub(crate) struct Stored<'a, const T: usize, const I: usize> {
    texts: [Option<&'a StringArray>; T],
    ints: [Option<&'a Int64Array>; I],
    row: usize,
}

impl<const T: usize, const I: usize> Stored<'_, T, I> {
    pub(crate) fn text_or(&self, column: usize) -> Option<&str> {
        let array = (*self.texts.get(column)?)?;
        array.is_valid(self.row).then(|| array.value(self.row))
    }

    pub(crate) fn int_or(&self, column: usize) -> Option<i64> {
        let array = (*self.ints.get(column)?)?;
        array.is_valid(self.row).then(|| array.value(self.row))
    }

    pub(crate) fn text(&self, column: usize) -> Result<&str, LedgerError> {
        self.text_or(column).ok_or_else(|| LedgerError::Corrupt(format!("text column {column} is empty")))
    }

    pub(crate) fn int(&self, column: usize) -> Result<i64, LedgerError> {
        self.int_or(column).ok_or_else(|| LedgerError::Corrupt(format!("number column {column} is empty")))
    }
}

fn unwritable(error: impl std::fmt::Display) -> LedgerError {
    LedgerError::Encode(format!("Parquet: {error}"))
}

fn unreadable(error: impl std::fmt::Display) -> LedgerError {
    LedgerError::Corrupt(format!("Parquet: {error}"))
}
