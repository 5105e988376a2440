//! How one Rust value travels into and out of a column of either database.
//!
//! Owns the [`Field`] trait and the [`row!`] macro that derives both databases' bindings from one list
//! of columns, so that the two can not drift apart. It knows no table.
//!
//! Money is `NUMERIC` in PostgreSQL (through [`Decimal`]) and INTEGER millionths in SQLite; no float is
//! involved in either. Whole numbers are signed 64-bit in both.

use super::CountKind;
use pm_arb_core::effect::{FillLevel, Tape, TradeStatus};
use pm_arb_core::ids::{Nanos, Seq, Timestamp, Venue};
use pm_arb_core::opportunity::OpportunityKind;
use pm_arb_core::units::{DECIMALS, Price, Qty, Usd};
use rust_decimal::Decimal;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use std::ops::RangeFrom;
use uuid::Uuid;

/// A stored value that is none of ours, or a value of ours that can not be stored.
#[derive(Debug, thiserror::Error)]
#[error("{value:?} is no {what}")]
pub struct FieldError {
    what: &'static str,
    value: String,
}

impl FieldError {
    fn new(what: &'static str, value: impl ToString) -> Self {
        Self {
            what,
            value: value.to_string(),
        }
    }
}

/// A value that both databases can hold.
pub(super) trait Field: Sized {
    /// What is sent to PostgreSQL.
    type Pg;
    /// What is sent to SQLite.
    type Lite;
    /// PostgreSQL's name of the column's type.
    const PG_TYPE: &'static str;
    /// What SQLite's column name carries more than PostgreSQL's.
    const LITE_SUFFIX: &'static str = "";

    fn to_pg(&self) -> Result<Self::Pg, FieldError>;
    fn of_pg(value: Self::Pg) -> Result<Self, FieldError>;
    fn to_lite(&self) -> Result<Self::Lite, FieldError>;
    fn of_lite(value: Self::Lite) -> Result<Self, FieldError>;
}

/// Same wire value in both databases.
macro_rules! plain_field {
    ($ty:ty, $wire:ty, $pg:literal, $to:expr, $of:expr) => {
        impl Field for $ty {
            type Pg = $wire;
            type Lite = $wire;
            const PG_TYPE: &'static str = $pg;
            fn to_pg(&self) -> Result<$wire, FieldError> {
                ($to)(self)
            }
            fn of_pg(value: $wire) -> Result<Self, FieldError> {
                ($of)(value)
            }
            fn to_lite(&self) -> Result<$wire, FieldError> {
                ($to)(self)
            }
            fn of_lite(value: $wire) -> Result<Self, FieldError> {
                ($of)(value)
            }
        }
    };
}

// PostgreSQL takes no zero character in a text, and names of venues are whatever they send.
plain_field!(
    String,
    String,
    "text",
    |v: &String| Ok(v.replace('\0', "\u{fffd}")),
    Ok
);
plain_field!(bool, bool, "boolean", |v: &bool| Ok(*v), Ok);
plain_field!(
    [u8; 32],
    Vec<u8>,
    "bytea",
    |v: &[u8; 32]| Ok(v.to_vec()),
    |v: Vec<u8>| <[u8; 32]>::try_from(v).map_err(|v| FieldError::new("SHA-256", v.len()))
);

macro_rules! whole_field {
    ($($ty:ty, $what:literal, $get:expr, $make:expr;)+) => {$(
        plain_field!(
            $ty,
            i64,
            "bigint",
            |v: &$ty| i64::try_from(($get)(v)).map_err(|_| FieldError::new($what, ($get)(v))),
            |v: i64| v.try_into().map($make).map_err(|_| FieldError::new($what, v))
        );
    )+};
}

whole_field!(
    u16, "16-bit number", |v: &u16| *v, |v: u16| v;
    u32, "32-bit number", |v: &u32| *v, |v: u32| v;
    u64, "count", |v: &u64| *v, |v: u64| v;
    Seq, "journal position", |v: &Seq| v.0, Seq;
    Timestamp, "time", |v: &Timestamp| v.0, Timestamp;
    Nanos, "span of time", |v: &Nanos| v.0, Nanos;
);

macro_rules! text_field {
    ($ty:ty, $what:literal, $all:expr) => {
        plain_field!(
            $ty,
            String,
            "text",
            |v: &$ty| Ok(v.as_str().to_owned()),
            |v: String| $all
                .into_iter()
                .find(|known| known.as_str() == v)
                .ok_or_else(|| FieldError::new($what, v))
        );
    };
}

text_field!(Venue, "venue", Venue::ALL);
text_field!(
    TradeStatus,
    "trade status",
    [
        TradeStatus::Open,
        TradeStatus::Closed,
        TradeStatus::Resolved,
        TradeStatus::Rejected
    ]
);
text_field!(
    OpportunityKind,
    "opportunity type",
    [
        OpportunityKind::OracleLag,
        OpportunityKind::Mispricing,
        OpportunityKind::CrossPlatform,
        OpportunityKind::Signal
    ]
);
text_field!(super::Side, "side", [super::Side::Buy, super::Side::Sell]);
text_field!(
    Tape,
    "word of the tape",
    [Tape::Confirmed, Tape::NotSeen, Tape::NoTape]
);
text_field!(CountKind, "kind of count", CountKind::ALL);

/// The price levels of a fill, best first: `[[price, quantity, fee], …]` in millionths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Levels(pub Vec<FillLevel>);

plain_field!(
    Levels,
    String,
    "text",
    |v: &Levels| {
        let levels: Vec<[i64; 3]> =
            v.0.iter()
                .map(|level| [level.price.0, level.qty.0, level.fee.0])
                .collect();
        serde_json::to_string(&levels).map_err(|_| FieldError::new("list of levels", levels.len()))
    },
    |v: String| {
        let levels: Vec<[i64; 3]> =
            serde_json::from_str(&v).map_err(|_| FieldError::new("list of levels", v))?;
        let level = |[price, qty, fee]: [i64; 3]| FillLevel {
            price: Price(price),
            qty: Qty(qty),
            fee: Usd(fee),
        };
        Ok(Levels(levels.into_iter().map(level).collect()))
    }
);

impl Field for Uuid {
    type Pg = Uuid;
    type Lite = String;
    const PG_TYPE: &'static str = "uuid";
    fn to_pg(&self) -> Result<Uuid, FieldError> {
        Ok(*self)
    }
    fn of_pg(value: Uuid) -> Result<Self, FieldError> {
        Ok(value)
    }
    fn to_lite(&self) -> Result<String, FieldError> {
        Ok(self.to_string())
    }
    fn of_lite(value: String) -> Result<Self, FieldError> {
        Uuid::parse_str(&value).map_err(|_| FieldError::new("uuid", value))
    }
}

/// Millionths as a decimal, exactly.
pub(super) fn decimal(micro: i64) -> Decimal {
    Decimal::new(micro, DECIMALS)
}

/// A decimal as millionths; refused when it has more decimals or does not fit.
pub(super) fn micro(value: Decimal) -> Result<i64, FieldError> {
    let mut exact = value.normalize();
    if exact.scale() <= DECIMALS {
        exact.rescale(DECIMALS);
    }
    if exact.scale() != DECIMALS {
        return Err(FieldError::new("amount in millionths", value));
    }
    i64::try_from(exact.mantissa()).map_err(|_| FieldError::new("amount in millionths", value))
}

macro_rules! money_field {
    ($($ty:ident),+) => {$(
        impl Field for $ty {
            type Pg = Decimal;
            type Lite = i64;
            const PG_TYPE: &'static str = "numeric";
            const LITE_SUFFIX: &'static str = "_micro";
            fn to_pg(&self) -> Result<Decimal, FieldError> {
                Ok(decimal(self.0))
            }
            fn of_pg(value: Decimal) -> Result<Self, FieldError> {
                micro(value).map($ty)
            }
            fn to_lite(&self) -> Result<i64, FieldError> {
                Ok(self.0)
            }
            fn of_lite(value: i64) -> Result<Self, FieldError> {
                Ok($ty(value))
            }
        }
    )+};
}

money_field!(Price, Qty, Usd);

impl<T: Field> Field for Option<T> {
    type Pg = Option<T::Pg>;
    type Lite = Option<T::Lite>;
    const PG_TYPE: &'static str = T::PG_TYPE;
    const LITE_SUFFIX: &'static str = T::LITE_SUFFIX;
    fn to_pg(&self) -> Result<Self::Pg, FieldError> {
        self.as_ref().map(Field::to_pg).transpose()
    }
    fn of_pg(value: Self::Pg) -> Result<Self, FieldError> {
        value.map(T::of_pg).transpose()
    }
    fn to_lite(&self) -> Result<Self::Lite, FieldError> {
        self.as_ref().map(Field::to_lite).transpose()
    }
    fn of_lite(value: Self::Lite) -> Result<Self, FieldError> {
        value.map(T::of_lite).transpose()
    }
}

/// A column as SQL needs it.
#[derive(Debug)]
pub(super) struct Column {
    /// In PostgreSQL.
    pub name: &'static str,
    /// Its type in PostgreSQL.
    pub pg_type: &'static str,
    lite_suffix: &'static str,
}

impl Column {
    pub const fn new(name: &'static str, pg_type: &'static str, lite_suffix: &'static str) -> Self {
        Self {
            name,
            pg_type,
            lite_suffix,
        }
    }

    /// Its name in SQLite.
    pub fn lite_name(&self) -> String {
        format!("{}{}", self.name, self.lite_suffix)
    }
}

/// The next column of a row, as a value of ours.
pub(super) fn read<'r, T, R, W>(
    row: &'r R,
    column: &mut RangeFrom<usize>,
    name: &'static str,
    of: impl FnOnce(W) -> Result<T, FieldError>,
) -> Result<T, sqlx::Error>
where
    R: sqlx::Row,
    usize: sqlx::ColumnIndex<R>,
    W: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    let wire: W = row.try_get(column.next().unwrap_or_default())?;
    of(wire).map_err(|e| sqlx::Error::ColumnDecode {
        index: name.to_owned(),
        source: e.into(),
    })
}

/// A struct whose fields are columns. Implemented by [`row!`] only.
pub(super) trait TableRow: Sized {
    /// Its columns, in the order of the bindings.
    const COLUMNS: &'static [Column];
    /// One array a column, for `unnest`.
    fn pg_arrays(rows: &[Self]) -> Result<PgArguments, sqlx::Error>;
    /// One value a column.
    fn lite_values(&self) -> Result<SqliteArguments, sqlx::Error>;
    /// From a row whose columns are in that order.
    fn of_pg(row: &PgRow) -> Result<Self, sqlx::Error>;
    /// From a row whose columns are in that order.
    fn of_lite(row: &SqliteRow) -> Result<Self, sqlx::Error>;
}

/// Defines a struct whose fields are columns, with the bindings of both databases.
macro_rules! row {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field:ident: $ty:ty,)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        $vis struct $name {
            $($(#[$field_meta])* $vis $field: $ty,)+
        }

        impl $crate::store::field::TableRow for $name {
            const COLUMNS: &'static [$crate::store::field::Column] = &[$(
                $crate::store::field::Column::new(
                    stringify!($field),
                    <$ty as $crate::store::field::Field>::PG_TYPE,
                    <$ty as $crate::store::field::Field>::LITE_SUFFIX,
                ),
            )+];

            fn pg_arrays(rows: &[Self]) -> Result<sqlx::postgres::PgArguments, sqlx::Error> {
                use $crate::store::field::Field as _;
                let mut arguments = sqlx::postgres::PgArguments::default();
                $(
                    let column = rows.iter().map(|r| r.$field.to_pg()).collect::<Result<Vec<_>, _>>();
                    let column = column.map_err(|e| sqlx::Error::Encode(e.into()))?;
                    sqlx::Arguments::add(&mut arguments, column).map_err(sqlx::Error::Encode)?;
                )+
                Ok(arguments)
            }

            fn lite_values(&self) -> Result<sqlx::sqlite::SqliteArguments, sqlx::Error> {
                use $crate::store::field::Field as _;
                let mut arguments = sqlx::sqlite::SqliteArguments::default();
                $(
                    let value = self.$field.to_lite().map_err(|e| sqlx::Error::Encode(e.into()))?;
                    sqlx::Arguments::add(&mut arguments, value).map_err(sqlx::Error::Encode)?;
                )+
                Ok(arguments)
            }

            fn of_pg(row: &sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
                let mut column = 0..;
                Ok(Self { $($field: $crate::store::field::read::<$ty, _, _>(
                    row, &mut column, stringify!($field), <$ty as $crate::store::field::Field>::of_pg)?,)+ })
            }

            fn of_lite(row: &sqlx::sqlite::SqliteRow) -> Result<Self, sqlx::Error> {
                let mut column = 0..;
                Ok(Self { $($field: $crate::store::field::read::<$ty, _, _>(
                    row, &mut column, stringify!($field), <$ty as $crate::store::field::Field>::of_lite)?,)+ })
            }
        }
    };
}

pub(super) use row;
