//! What a strategy is configured with: `key=value` pairs from the command line or the configuration.
//!
//! Owns reading them. A value that is no number, lies out of range or has a key nobody asked for is
//! an error in words: a misspelt limit must never be silently the default.

use crate::money;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The pairs, and which of them were asked for.
#[derive(Debug, Default)]
pub struct Settings {
    given: BTreeMap<String, String>,
    known: Vec<&'static str>,
}

impl Settings {
    /// From pairs; the last of a key counts.
    #[must_use]
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        Self {
            given: pairs.into_iter().collect(),
            known: Vec::new(),
        }
    }

    /// A decimal (dollars, shares, a fraction of one) in millionths, or its default.
    pub fn decimal(
        &mut self,
        key: &'static str,
        default: i64,
        range: RangeInclusive<i64>,
    ) -> Result<i64, String> {
        self.known.push(key);
        let Some(text) = self.given.get(key) else {
            return Ok(default);
        };
        let value = money::parse(text).ok_or_else(|| {
            format!("setting {key}={text}: write a decimal number with at most six decimals")
        })?;
        if !range.contains(&value) {
            let (low, high) = (money::show(*range.start()), money::show(*range.end()));
            return Err(format!(
                "setting {key}={text}: it must lie between {low} and {high}"
            ));
        }
        Ok(value)
    }

    /// The same with its unit: dollars, shares, or dollars a share.
    pub fn money<M: From<i64> + Into<i64> + Copy>(
        &mut self,
        key: &'static str,
        default: M,
        range: RangeInclusive<M>,
    ) -> Result<M, String> {
        let range = (*range.start()).into()..=(*range.end()).into();
        self.decimal(key, default.into(), range).map(M::from)
    }

    /// A whole number (of orders, of seconds), or its default.
    pub fn whole(
        &mut self,
        key: &'static str,
        default: u32,
        range: RangeInclusive<u32>,
    ) -> Result<u32, String> {
        self.known.push(key);
        let Some(text) = self.given.get(key) else {
            return Ok(default);
        };
        let value: u32 = text
            .parse()
            .map_err(|_| format!("setting {key}={text}: write a whole number"))?;
        if !range.contains(&value) {
            let (low, high) = (range.start(), range.end());
            return Err(format!(
                "setting {key}={text}: it must lie between {low} and {high}"
            ));
        }
        Ok(value)
    }

    /// Refuses keys nobody asked for. Called by the glue after [`Strategy::new`](crate::Strategy::new).
    pub fn finish(&self) -> Result<(), String> {
        match self
            .given
            .keys()
            .find(|k| !self.known.contains(&k.as_str()))
        {
            None => Ok(()),
            Some(key) => Err(format!(
                "setting {key} is unknown; this strategy knows {}",
                self.known.join(", ")
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_or_refused_in_words() {
        let pair = |k: &str, v: &str| vec![(k.to_owned(), v.to_owned())];
        let read = |pairs| Settings::new(pairs).decimal("edge_min", 5_000, 0..=1_000_000);
        assert_eq!(read(vec![]), Ok(5_000));
        assert_eq!(read(pair("edge_min", "0.02")), Ok(20_000));
        assert!(
            read(pair("edge_min", "two"))
                .unwrap_err()
                .contains("edge_min=two")
        );
        assert!(
            read(pair("edge_min", "1.5"))
                .unwrap_err()
                .contains("between 0 and 1")
        );

        let whole = |v: &str| Settings::new(pair("orders_max", v)).whole("orders_max", 8, 1..=64);
        assert_eq!(whole("12"), Ok(12));
        assert!(whole("1.5").unwrap_err().contains("whole number"));
        assert!(whole("65").unwrap_err().contains("between 1 and 64"));

        let mut settings = Settings::new(pair("egde_min", "0.02"));
        assert_eq!(
            settings.decimal("edge_min", 5_000, 0..=1_000_000),
            Ok(5_000)
        );
        assert!(settings.finish().unwrap_err().contains("knows edge_min"));
    }
}
