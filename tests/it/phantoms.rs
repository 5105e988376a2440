//! Phantoms: prices of recordings that look like arbitrage and are none. Every one is counted with its
//! reason, and the counts are computed here a second time, from the files themselves.
#![allow(clippy::unwrap_used)]

use crate::support::{json, recordings, run, stdout};
use flate2::read::MultiGzDecoder;
use pm_arb_core::units::{DECIMALS, ONE, parse_fixed};
use serde_json::{Value, json as value};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// `(price, size)` in millionths; `None` where nothing stands.
type Best = Option<(i64, i64)>;

/// One side of a market as a message shows it: best bid, best ask, and the grid its prices need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Top {
    bid: Best,
    ask: Best,
    grid: i64,
}

/// A market as a reader of the files would follow it.
struct Followed {
    sides: [Option<Top>; 2],
    grid: i64,
}

impl Default for Followed {
    fn default() -> Self {
        Self {
            sides: [None, None],
            grid: 10_000,
        }
    }
}

impl Followed {
    /// Takes a message. Tells whether the top of a side changed and both asks are now below a dollar.
    fn take(&mut self, message: &[(usize, Top)]) -> bool {
        let mut changed = false;
        for (_, top) in message {
            if top.grid < self.grid {
                // A finer grid: every level known so far is of the past.
                *self = Self {
                    sides: [None, None],
                    grid: top.grid,
                };
            }
        }
        for (side, top) in message {
            let before = self.sides[*side].replace(*top);
            changed |= before.map(|t| (t.bid, t.ask)) != Some((top.bid, top.ask));
        }
        changed && self.sum().is_some_and(|sum| sum < ONE)
    }

    fn sum(&self) -> Option<i64> {
        let ask = |side: usize| Some(self.sides[side]?.ask?.0);
        Some(ask(0)? + ask(1)?)
    }
}

fn lines(path: &Path) -> Vec<String> {
    let file = BufReader::new(MultiGzDecoder::new(File::open(path).unwrap()));
    file.lines().map(Result::unwrap).collect()
}

fn number(text: &str) -> i64 {
    i64::try_from(parse_fixed(text, DECIMALS).unwrap()).unwrap()
}

/// The coarsest grid of the venue, up to a cent, that the price lies on.
fn grid(price: i64) -> i64 {
    [10_000, 1_000, 100]
        .into_iter()
        .find(|g| price % g == 0)
        .unwrap()
}

/// What the program says of a recording.
fn replayed(format: &str, files: &Path) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let (out, files) = (out.to_str().unwrap(), files.to_str().unwrap());
    stdout(&run(&["import", "--from", format, "--out", out, files]));
    let said = json(&run(&["replay", out, "--json"]));
    let text = stdout(&run(&["replay", out]));
    assert!(text.contains("mispricing opportunities: 0; none because: PHANTOM_SUM "));
    said
}

#[test]
fn two_sides_polled_apart_are_never_an_opportunity() {
    let Some(data) = recordings("two_sides_polled_apart_are_never_an_opportunity") else {
        return;
    };
    let file = data.join("polymarket/top_btc15m_1hz/market_data_20251226.csv.gz");
    let mut rows: Vec<(String, String, [Top; 2])> = Vec::new();
    for line in lines(&file).iter().skip(1) {
        let column: Vec<&str> = line.split(',').collect();
        let best = |price: usize, size: usize| {
            let best = (number(column[price]), number(column[size]));
            (best.0 > 0).then_some(best)
        };
        let side = |first: usize| {
            let (bid, ask) = (best(first, first + 4), best(first + 1, first + 5));
            let grids = bid.iter().chain(&ask).map(|(price, _)| grid(*price));
            let grid = grids.min().unwrap_or(10_000);
            Top { bid, ask, grid }
        };
        rows.push((
            column[0].to_owned(),
            column[1].to_owned(),
            [side(3), side(9)],
        ));
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));

    let asks = |tops: &[Top; 2]| Some(tops[0].ask?.0 + tops[1].ask?.0);
    let apparent = rows
        .iter()
        .filter(|(_, _, tops)| asks(tops).is_some_and(|s| s < ONE));
    assert_eq!(
        apparent.count(),
        2_178,
        "as the recording's description says"
    );

    // A row is two messages. Looked at are states that differ from the one before: the pair of the row
    // itself once both sides are in, and on the way there the new Up beside the old Down.
    let mut markets: BTreeMap<&str, Followed> = BTreeMap::new();
    let (mut of_rows, mut repeated, mut between) = (0, 0, 0);
    for (_, window, tops) in &rows {
        let market = markets.entry(window).or_default();
        let up = market.take(&[(0, tops[0])]);
        let with_up = market.sides;
        let down = market.take(&[(1, tops[1])]);
        let is_row = asks(tops).is_some_and(|s| s < ONE);
        // What Up was seen beside is the row's own Down when that did not change.
        let up_saw_row = up && with_up == market.sides;
        of_rows += u64::from(is_row && (down || up_saw_row));
        repeated += u64::from(is_row && !down && !up_saw_row);
        between += u64::from(up && !up_saw_row);
    }
    assert_eq!((of_rows + repeated, markets.len()), (2_178, 32));
    println!("2178 rows: {of_rows} seen, {repeated} as the second before; {between} in between");

    let said = replayed("top-of-book", &file);
    assert_eq!(said["opportunities"]["mispricing"], 0);
    assert_eq!(
        said["no_opportunity"]["mispricing"],
        value!({ "PHANTOM_SUM": of_rows + between })
    );
    assert_eq!(said["no_opportunity"]["cross_platform"], value!({}));
}

#[test]
fn snapshots_of_one_book_are_never_an_opportunity() {
    let Some(data) = recordings("snapshots_of_one_book_are_never_an_opportunity") else {
        return;
    };
    let dir = data.join("polymarket/l2_btc15m_20260928");
    let (mut apart, mut crossed, mut together) = (0, 0, 0);
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "gz") {
            continue;
        }
        let mut messages: Vec<(u64, Vec<(usize, Top)>)> = Vec::new();
        for line in lines(&path) {
            let line: Value = serde_json::from_str(&line).unwrap();
            let levels = |name: &str| -> Vec<i64> {
                let all = line[name].as_array().unwrap();
                all.iter().map(|n| number(&n.to_string())).collect()
            };
            let sizes = |name: &str| line[name][0].as_f64().map(|q| (q * 1e6) as i64);
            let (bids, asks) = (levels("bid_px"), levels("ask_px"));
            let all = bids.iter().chain(&asks).map(|p| grid(*p));
            let top = Top {
                bid: bids.first().copied().zip(sizes("bid_sz")),
                ask: asks.first().copied().zip(sizes("ask_sz")),
                grid: all.min().unwrap_or(10_000),
            };
            let side = usize::from(line["side"] == "DOWN");
            let at = line["ts"].as_u64().unwrap();
            match messages.last_mut() {
                Some((last, sides)) if *last == at && sides.len() == 1 && sides[0].0 != side => {
                    sides.push((side, top));
                }
                _ => messages.push((at, vec![(side, top)])),
            }
        }
        messages.sort_by_key(|(at, _)| *at);
        let mut market = Followed::default();
        for (_, message) in &messages {
            together += u64::from(message.len() == 2);
            if !market.take(message) {
                continue;
            }
            let is_crossed = |side: usize| {
                let top = market.sides[side].unwrap();
                top.bid
                    .zip(top.ask)
                    .is_some_and(|(bid, ask)| bid.0 >= ask.0)
            };
            match message.len() {
                2 => crossed += u64::from(is_crossed(0) || is_crossed(1)),
                _ => apart += 1,
            }
        }
    }
    println!("{together} polls of both sides; apart {apart}, crossed {crossed}");
    assert!(together > 12_000 && apart > 0 && crossed > 0);

    let said = replayed("l2-snapshots", &dir);
    assert_eq!(said["opportunities"]["mispricing"], 0);
    let expected = value!({ "PHANTOM_SUM": apart, "CROSSED_BOOK": crossed });
    assert_eq!(said["no_opportunity"]["mispricing"], expected);
}

/// The text stamps of the recording carry no time zone and its columns name no asset. Both follow from
/// how the windows ended: one offset makes them the windows of BTC, every other one makes them noise.
#[test]
fn the_tops_of_book_are_of_btc_in_utc() {
    let Some(data) = recordings("the_tops_of_book_are_of_btc_in_utc") else {
        return;
    };
    let quarter = 900_i64;
    // Binance's open and close of every five minutes.
    let mut moved: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    let file = data.join("aligned/btc5m_outcomes_binance/until_2026-02-14.csv.gz");
    for line in lines(&file).iter().skip(1) {
        let column: Vec<&str> = line.split(',').collect();
        let at = column[0].parse().unwrap();
        moved.insert(at, (number(column[7]), number(column[8])));
    }
    // Which side stands at the end of each window; stamps are unique per second, so the last row wins.
    let mut ended: BTreeMap<i64, (String, bool)> = BTreeMap::new();
    let file = data.join("polymarket/top_btc15m_1hz/market_data_20251226.csv.gz");
    for line in lines(&file).iter().skip(1) {
        let column: Vec<&str> = line.split(',').collect();
        let opens: jiff::Timestamp = format!("{}Z", column[1]).parse().unwrap();
        let end = ended.entry(opens.as_second()).or_default();
        if column[0] >= end.0.as_str() {
            *end = (column[0].to_owned(), number(column[3]) > number(column[9]));
        }
    }
    assert_eq!(ended.len(), 32);
    let agreeing = |offset: i64| {
        let agrees = |(opens, (_, up)): (&i64, &(String, bool))| {
            let first = moved[&(opens - offset)];
            let last = moved[&(opens - offset + 600)];
            (last.1 >= first.0) == *up
        };
        ended.iter().filter(|end| agrees(*end)).count()
    };
    let others = (-52..=56)
        .filter(|q| *q != 0)
        .map(|q| agreeing(q * quarter));
    assert_eq!((agreeing(0), others.max().unwrap()), (31, 22));
}
