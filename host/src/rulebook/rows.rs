//! The tables of a file, row by row.

use super::value::{fee, grid, micros, settles, time};
use super::{BUILT_IN_NAME, ROWS_MAX, RulesError, SCHEMA};
use pm_arb_core::ids::{Nanos, Timestamp, Venue};
use pm_arb_core::rulebook::{Asked, Family, Question, Row, Rulebook, Subject, Table};
use pm_arb_core::units::Qty;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use toml::Spanned;

/// The longest delay that is believed.
const DELAY_MAX_MS: u64 = 600_000;

/// A file. Rows are read one by one, so that an error can name its row.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: i64,
    #[serde(default)]
    taker_fee: Vec<Spanned<toml::Table>>,
    #[serde(default)]
    maker_fee: Vec<Spanned<toml::Table>>,
    #[serde(default)]
    taker_delay: Vec<Spanned<toml::Table>>,
    #[serde(default)]
    minimum: Vec<Spanned<toml::Table>>,
    #[serde(default)]
    lot: Vec<Spanned<toml::Table>>,
    #[serde(default)]
    tick: Vec<Spanned<toml::Table>>,
    #[serde(default)]
    settlement: Vec<Spanned<toml::Table>>,
}

/// What every row has.
#[derive(Deserialize)]
struct Head {
    venue: String,
    source: String,
    #[serde(default)]
    unknown: bool,
}

/// Of what a row of fees, sizes or steps speaks.
#[derive(Deserialize)]
struct Of {
    family: String,
    kind: Option<String>,
}

/// Of what a row of settlements speaks.
#[derive(Deserialize)]
struct OfQuestion {
    question: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delay {
    delay_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shares {
    shares: String,
}

/// Adds the rows of `text`; `file` is `None` for the built-in rules.
pub(super) fn add(book: &mut Rulebook, text: &str, file: Option<&str>) -> Result<(), RulesError> {
    let name = file.unwrap_or(BUILT_IN_NAME);
    let read: File = toml::from_str(text).map_err(|source| RulesError::Parse {
        file: name.to_owned(),
        source: Box::new(source),
    })?;
    if read.schema != SCHEMA {
        return Err(RulesError::Schema {
            file: name.to_owned(),
            found: read.schema,
        });
    }
    let lists = [
        &read.taker_fee,
        &read.maker_fee,
        &read.taker_delay,
        &read.minimum,
        &read.lot,
        &read.tick,
        &read.settlement,
    ];
    if lists.iter().map(|list| list.len()).sum::<usize>() > ROWS_MAX {
        return Err(RulesError::Long {
            file: name.to_owned(),
        });
    }
    let reader = Reader { name, file, text };
    let b = book;
    reader.table(&mut b.taker_fees, "taker_fee", read.taker_fee, of, fee)?;
    reader.table(&mut b.maker_fees, "maker_fee", read.maker_fee, of, fee)?;
    reader.table(
        &mut b.taker_delays,
        "taker_delay",
        read.taker_delay,
        of,
        delay,
    )?;
    reader.table(&mut b.minimums, "minimum", read.minimum, of, |row| {
        shares(row, 0)
    })?;
    reader.table(&mut b.lots, "lot", read.lot, of, |row| shares(row, 1))?;
    reader.table(&mut b.ticks, "tick", read.tick, of, grid)?;
    let asked = of_question;
    reader.table(
        &mut b.settlements,
        "settlement",
        read.settlement,
        asked,
        settles,
    )
}

struct Reader<'a> {
    name: &'a str,
    file: Option<&'a str>,
    text: &'a str,
}

impl Reader<'_> {
    fn table<K, T>(
        &self,
        into: &mut Table<K, T>,
        table: &'static str,
        rows: Vec<Spanned<toml::Table>>,
        subjects: impl Fn(Venue, &mut toml::Table) -> Result<Vec<K>, String>,
        says: impl Fn(toml::Table) -> Result<T, String>,
    ) -> Result<(), RulesError>
    where
        K: Ord + Clone + fmt::Display,
        T: Clone,
    {
        let mut last: BTreeMap<K, Timestamp> = BTreeMap::new();
        for (index, spanned) in rows.into_iter().enumerate() {
            let before = self.text.get(..spanned.span().start).unwrap_or_default();
            let error = |why: String| RulesError::Row {
                file: self.name.to_owned(),
                line: before.matches('\n').count() + 1,
                table,
                row: index + 1,
                why,
            };
            let mut fields = spanned.into_inner();
            // Taken as it stands: what is read through a type is no date any more.
            let from = fields.remove("from").ok_or("from is missing".to_owned());
            let from = from.and_then(|from| time(&from)).map_err(error)?;
            let head: Head = take(&mut fields, &["venue", "source", "unknown"]).map_err(error)?;
            let venue = venue(&head.venue).map_err(error)?;
            if head.source.trim().is_empty() {
                return Err(error(
                    "source is empty; say where the rule was read".to_owned(),
                ));
            }
            let subjects = subjects(venue, &mut fields).map_err(error)?;
            let says = match (head.unknown, fields.keys().next()) {
                (true, None) => None,
                (true, Some(key)) => {
                    return Err(error(format!(
                        "unknown = true and {key} exclude each other"
                    )));
                }
                (false, _) => Some(says(fields).map_err(error)?),
            };
            for subject in subjects {
                if let Some(last) = last.insert(subject.clone(), from)
                    && last >= from
                {
                    return Err(error(format!(
                        "from: rows of {subject} must stand in the order of their dates, each date once"
                    )));
                }
                let row = Row {
                    says: says.clone(),
                    source: head.source.clone(),
                    file: self.file.map(str::to_owned),
                };
                into.put(subject, from, row);
            }
        }
        Ok(())
    }
}

/// Takes the named keys out of a row.
fn take<T: DeserializeOwned>(fields: &mut toml::Table, keys: &[&str]) -> Result<T, String> {
    let mut own = toml::Table::new();
    for key in keys {
        if let Some(value) = fields.remove(*key) {
            own.insert((*key).to_owned(), value);
        }
    }
    read(own)
}

/// The whole of what is left of a row.
pub(super) fn read<T: DeserializeOwned>(fields: toml::Table) -> Result<T, String> {
    let value = toml::Value::Table(fields);
    value
        .try_into()
        .map_err(|e: toml::de::Error| e.message().to_owned())
}

fn venue(text: &str) -> Result<Venue, String> {
    let found = Venue::ALL.into_iter().find(|v| v.as_str() == text);
    found.ok_or_else(|| one_of("venue", text, Venue::ALL.map(Venue::as_str).as_slice()))
}

fn of(venue: Venue, fields: &mut toml::Table) -> Result<Vec<Subject>, String> {
    let of: Of = take(fields, &["family", "kind"])?;
    if of.kind.as_deref() == Some("") {
        return Err("kind is empty; leave it out for markets that name none".to_owned());
    }
    let families = Family::ALL.into_iter();
    let found: Vec<Subject> = families
        .filter(|family| of.family == "any" || of.family == family.as_str())
        .map(|family| Subject {
            venue,
            family,
            kind: of.kind.clone(),
        })
        .collect();
    if found.is_empty() {
        return Err(one_of("family", &of.family, &["crypto", "other", "any"]));
    }
    Ok(found)
}

fn of_question(venue: Venue, fields: &mut toml::Table) -> Result<Vec<Asked>, String> {
    let OfQuestion { question } = take(fields, &["question"])?;
    let found = Question::ALL.into_iter().find(|q| q.as_str() == question);
    let known = Question::ALL.map(Question::as_str);
    let question = found.ok_or_else(|| one_of("question", &question, &known))?;
    Ok(vec![Asked { venue, question }])
}

fn delay(fields: toml::Table) -> Result<Nanos, String> {
    let Delay { delay_ms } = read(fields)?;
    if delay_ms > DELAY_MAX_MS {
        return Err(format!(
            "delay_ms = {delay_ms} is longer than {DELAY_MAX_MS}"
        ));
    }
    Ok(Nanos::from_ms(delay_ms))
}

fn shares(fields: toml::Table, least: i64) -> Result<Qty, String> {
    let Shares { shares } = read(fields)?;
    let units = micros("shares", &shares)?;
    if units < least {
        return Err(format!("shares = {shares:?} is too small"));
    }
    Ok(Qty(units))
}

/// What a word may be instead.
pub(super) fn one_of(key: &str, found: &str, known: &[&str]) -> String {
    format!("{key} = {found:?} is none of {}", known.join(", "))
}
