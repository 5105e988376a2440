//! Rows for other programs: CSV and Parquet, one row a fill or refusal, and JSON.
//!
//! Owns the list of columns, the same in all three. Amounts are exact: decimals as text in CSV and JSON,
//! `DECIMAL(18,6)` in Parquet. Times are RFC 3339 in nanoseconds, `TIMESTAMP(NANOS, UTC)` in Parquet.
//! The grades are those of the leg: a leg that was filled in parts has them on each of its rows.

use super::text::rfc3339;
use crate::store::view::{GradeView, TradeView};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::Usd;
use serde_json::{Map, Value};
use std::io::Write;
use std::sync::Arc;

/// Rows of a row group: what is held in memory before it is written.
const GROUP_ROWS: usize = 20_000;

/// Why rows could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A line of CSV.
    #[error("can not write the rows as CSV")]
    Csv(#[source] ::csv::Error),
    /// A part of a Parquet file.
    #[error("can not write the rows as Parquet")]
    Parquet(#[source] ParquetError),
}

impl ExportError {
    /// Whether whoever reads the other end has seen enough.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        let io = match self {
            ExportError::Csv(error) => match error.kind() {
                ::csv::ErrorKind::Io(io) => Some(io),
                _ => None,
            },
            ExportError::Parquet(ParquetError::External(error)) => error.downcast_ref(),
            ExportError::Parquet(_) => None,
        };
        io.is_some_and(|io: &std::io::Error| io.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

/// A value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Text(Option<String>),
    /// In millionths.
    Money(Option<i64>),
    Time(Option<Timestamp>),
    Whole(i64),
    Flag(bool),
}

/// A column: its name, and what a row has in it.
struct Column {
    name: &'static str,
    of: fn(&TradeView) -> Field,
}

macro_rules! columns {
    ($($name:literal: $of:expr;)+) => {
        &[$(Column { name: $name, of: $of },)+]
    };
}

fn text(value: impl ToString) -> Field {
    Field::Text(Some(value.to_string()))
}

fn money(micro: i64) -> Field {
    Field::Money(Some(micro))
}

fn time(at: Timestamp) -> Field {
    Field::Time((at.0 > 0).then_some(at))
}

fn of_grade(grade: Option<GradeView>, micro: fn(GradeView) -> i64) -> Field {
    Field::Money(grade.map(micro))
}

const COLUMNS: &[Column] = columns! {
    "id": |t| text(t.id);
    "run_id": |t| text(t.run_id);
    "seq": |t| Field::Whole(t.seq);
    "n": |t| Field::Whole(t.n);
    "created_at": |t| time(t.created);
    "status": |t| text(&t.status);
    "strategy": |t| text(&t.strategy_id);
    "strategy_version": |t| text(&t.strategy_version);
    "strategy_digest": |t| text(&t.strategy_digest);
    "generation": |t| Field::Whole(t.generation);
    "opportunity_id": |t| text(&t.opportunity_id);
    "opportunity_type": |t| text(&t.opportunity_type);
    "intent_id": |t| text(&t.intent_id);
    "leg": |t| Field::Whole(t.leg);
    "fill": |t| Field::Whole(t.fill);
    "venue": |t| text(&t.venue);
    "market_id": |t| text(&t.market_id);
    "market_slug": |t| text(&t.market_slug);
    "market_family": |t| text(&t.market_family);
    "closes_at": |t| time(t.closes);
    "outcome": |t| text(&t.outcome);
    "side": |t| text(&t.side);
    "requested_quantity": |t| money(t.requested_quantity.0);
    "quantity": |t| money(t.quantity.0);
    "price": |t| money(t.price.0);
    "cost": |t| money(t.cost.0);
    "fees": |t| money(t.fees.0);
    "fee_rule": |t| text(&t.fee_rule);
    "maker": |t| Field::Flag(t.maker);
    "levels": |t| text(&t.levels);
    "expected_edge": |t| money(t.expected_edge.0);
    "risk_approved": |t| Field::Flag(t.risk_approved);
    "reason": |t| Field::Text(t.reason.clone());
    "reason_limit": |t| Field::Text(t.limit.clone());
    "reason_observed": |t| Field::Text(t.observed.clone());
    "decided_at": |t| time(t.decided);
    "arrived_at": |t| time(t.arrived);
    "decision_book_age_ns": |t| Field::Whole(t.decision_book_age_ns);
    "fill_book_age_ns": |t| Field::Whole(t.fill_book_age_ns);
    "book_epoch": |t| Field::Whole(t.book_epoch);
    "remaining_quantity": |t| money(t.remaining_quantity.0);
    "exit_price": |t| Field::Money(t.exit_price.map(|p| p.0));
    "realized_pnl": |t| Field::Money(t.realized_pnl.map(|p| p.0));
    "resolved_at": |t| Field::Time(t.resolved);
    "settlement_evidence": |t| Field::Text(t.evidence.clone());
    "tape": |t| Field::Text(t.tape.clone());
    "leg_naive_quantity": |t| of_grade(t.naive, |g| g.quantity.0);
    "leg_naive_price": |t| of_grade(t.naive, |g| g.price.0);
    "leg_naive_value": |t| of_grade(t.naive, |g| g.value.0);
    "leg_naive_fee": |t| of_grade(t.naive, |g| g.fee.0);
    "leg_mid_quantity": |t| of_grade(t.mid, |g| g.quantity.0);
    "leg_mid_price": |t| of_grade(t.mid, |g| g.price.0);
    "leg_mid_value": |t| of_grade(t.mid, |g| g.value.0);
    "leg_mid_fee": |t| of_grade(t.mid, |g| g.fee.0);
};

impl Field {
    /// As a cell of text; empty for nothing.
    fn cell(&self) -> String {
        match self {
            Field::Text(value) => value.clone().unwrap_or_default(),
            Field::Money(micro) => micro.map_or(String::new(), |m| Usd(m).to_string()),
            Field::Time(at) => at.map_or(String::new(), rfc3339),
            Field::Whole(value) => value.to_string(),
            Field::Flag(value) => value.to_string(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Field::Text(None) | Field::Money(None) | Field::Time(None) => Value::Null,
            Field::Whole(value) => (*value).into(),
            Field::Flag(value) => (*value).into(),
            Field::Text(_) | Field::Money(_) | Field::Time(_) => self.cell().into(),
        }
    }
}

/// A row as JSON: amounts and times as strings.
#[must_use]
pub fn json(trade: &TradeView) -> Value {
    let fields = COLUMNS
        .iter()
        .map(|c| (c.name.to_owned(), (c.of)(trade).json()));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// Takes rows, writes a file.
pub trait Export {
    /// One more row.
    fn row(&mut self, trade: &TradeView) -> Result<(), ExportError>;
    /// No more rows.
    fn end(self: Box<Self>) -> Result<(), ExportError>;
}

/// CSV with a line of headings.
pub fn csv<'w>(to: impl Write + 'w) -> Result<Box<dyn Export + 'w>, ExportError> {
    let mut writer = ::csv::Writer::from_writer(to);
    let names = COLUMNS.iter().map(|c| c.name);
    writer.write_record(names).map_err(ExportError::Csv)?;
    Ok(Box::new(CsvExport(writer)))
}

/// More rows of a CSV that has its headings already.
pub fn csv_rows<'w>(to: impl Write + 'w) -> Box<dyn Export + 'w> {
    Box::new(CsvExport(::csv::Writer::from_writer(to)))
}

struct CsvExport<W: Write>(::csv::Writer<W>);

impl<W: Write> Export for CsvExport<W> {
    fn row(&mut self, trade: &TradeView) -> Result<(), ExportError> {
        let cells = COLUMNS.iter().map(|c| (c.of)(trade).cell());
        self.0.write_record(cells).map_err(ExportError::Csv)
    }

    fn end(mut self: Box<Self>) -> Result<(), ExportError> {
        self.0.flush().map_err(|e| ExportError::Csv(e.into()))
    }
}

/// Parquet, compressed with Snappy.
pub fn parquet<'w>(to: impl Write + Send + 'w) -> Result<Box<dyn Export + 'w>, ExportError> {
    let schema = parse_message_type(&schema()).map_err(ExportError::Parquet)?;
    let properties = WriterProperties::builder()
        .set_compression(parquet::basic::Compression::SNAPPY)
        .set_created_by(format!("pm-arb {}", env!("CARGO_PKG_VERSION")))
        .build();
    let writer = SerializedFileWriter::new(to, Arc::new(schema), Arc::new(properties));
    Ok(Box::new(ParquetExport {
        writer: writer.map_err(ExportError::Parquet)?,
        columns: vec![Vec::new(); COLUMNS.len()],
    }))
}

struct ParquetExport<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    /// The rows of the group so far, by column.
    columns: Vec<Vec<Field>>,
}

/// The columns as Parquet's own text. A column's kind is that of an empty row's field.
fn schema() -> String {
    let empty = TradeView::default();
    let mut schema = String::from("message trade {");
    for column in COLUMNS {
        let kind = match (column.of)(&empty) {
            Field::Text(_) => "OPTIONAL BYTE_ARRAY {} (STRING);",
            Field::Money(_) => "OPTIONAL INT64 {} (DECIMAL(18,6));",
            Field::Time(_) => "OPTIONAL INT64 {} (TIMESTAMP(NANOS,true));",
            Field::Whole(_) => "OPTIONAL INT64 {};",
            Field::Flag(_) => "OPTIONAL BOOLEAN {};",
        };
        schema.push_str(&kind.replace("{}", column.name));
    }
    schema.push('}');
    schema
}

impl<W: Write + Send> ParquetExport<W> {
    fn write_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        for fields in &mut self.columns {
            write_column(&mut group, std::mem::take(fields))?;
        }
        group.close()?;
        Ok(())
    }
}

/// Writes the values that are there, and for every row whether one is.
fn write_column<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    fields: Vec<Field>,
) -> Result<(), ParquetError> {
    match fields.first() {
        Some(Field::Text(_)) => write::<ByteArrayType, W>(group, fields, |f| match f {
            Field::Text(value) => value.map(|v| ByteArray::from(v.into_bytes())),
            _ => None,
        }),
        Some(Field::Flag(_)) => write::<BoolType, W>(group, fields, |f| match f {
            Field::Flag(value) => Some(value),
            _ => None,
        }),
        _ => write::<Int64Type, W>(group, fields, |f| match f {
            Field::Money(micro) => micro,
            Field::Time(at) => at.and_then(|at| i64::try_from(at.0).ok()),
            Field::Whole(value) => Some(value),
            Field::Text(_) | Field::Flag(_) => None,
        }),
    }
}

fn write<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    fields: Vec<Field>,
    value: fn(Field) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let values: Vec<Option<T::T>> = fields.into_iter().map(value).collect();
    let there: Vec<i16> = values.iter().map(|v| i16::from(v.is_some())).collect();
    let values: Vec<T::T> = values.into_iter().flatten().collect();
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("a column too many".to_owned()));
    };
    column
        .typed::<T>()
        .write_batch(&values, Some(&there), None)?;
    column.close()
}

impl<W: Write + Send> Export for ParquetExport<W> {
    fn row(&mut self, trade: &TradeView) -> Result<(), ExportError> {
        for (fields, column) in self.columns.iter_mut().zip(COLUMNS) {
            fields.push((column.of)(trade));
        }
        if self.columns.first().is_some_and(|c| c.len() >= GROUP_ROWS) {
            self.write_group().map_err(ExportError::Parquet)?;
        }
        Ok(())
    }

    fn end(mut self: Box<Self>) -> Result<(), ExportError> {
        if self.columns.first().is_some_and(|c| !c.is_empty()) {
            self.write_group().map_err(ExportError::Parquet)?;
        }
        self.writer.close().map_err(ExportError::Parquet)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    /// A pipe that nobody reads, or a disk that is full.
    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    type Begin = fn(Broken) -> Result<Box<dyn Export>, ExportError>;

    #[test]
    fn a_reader_that_has_seen_enough_is_told_from_a_full_disk() {
        let begins: [Begin; 2] = [|to| csv(to), |to| parquet(to)];
        for begin in begins {
            for (kind, closed) in [
                (io::ErrorKind::BrokenPipe, true),
                (io::ErrorKind::StorageFull, false),
            ] {
                let written = begin(Broken(kind)).and_then(|mut export| {
                    export.row(&TradeView::default())?;
                    export.end()
                });
                assert_eq!(written.unwrap_err().is_closed_pipe(), closed, "{kind}");
            }
        }
    }
}
