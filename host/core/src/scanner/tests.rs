//! Edges by hand: seen, withheld with the right reason, and followed as episodes.

use super::*;
use crate::config::EngineConfig;
use crate::event::{BookSide, Event};
use crate::fixtures::*;
use crate::ids::{OracleId, Venue};
use crate::market::{ExclusiveSet, FeeSchedule, MarketSpec, SettlementRule};

pub(super) struct Bench {
    desk: Desk,
    pub scanner: Scanner,
    limits: ScanLimits,
}

impl Bench {
    pub fn new(events: impl IntoIterator<Item = Event>) -> Self {
        let config = EngineConfig::default();
        let mut bench = Self {
            desk: Desk::default(),
            scanner: Scanner::new(config.scanner.clone()),
            limits: ScanLimits::from(&config.risk),
        };
        for event in events {
            assert_eq!(bench.see(900_000, event), []);
        }
        bench
    }

    pub fn see(&mut self, ms: u64, event: Event) -> Vec<Opportunity> {
        self.desk.apply(ms, event).unwrap();
        let mut out = Vec::new();
        self.scanner.scan(
            self.desk.now,
            &self.desk.data,
            &self.desk.touched,
            self.limits,
            &mut out,
            self.desk.seq,
        );
        out
    }

    pub fn count(&self, reason: Reason) -> u64 {
        let mut counts = self.scanner.counts().by_reason();
        counts.find(|(r, _)| *r == reason).map_or(0, |(_, n)| n)
    }
}

pub(super) const CRYPTO: FeeSchedule = FeeSchedule::polymarket(70_000);

/// An Up/Down market with the crypto fee, its oracle 0 (stand-in 1) at 97,000 at the opening.
fn lagging() -> Bench {
    let mut spec = up_down(0, 0);
    spec.fee = CRYPTO;
    let mut b = Bench::new([oracle(0, Some(1)), oracle(1, None), listed(spec)]);
    assert_eq!(b.see(1_000_500, tick(0, 1_000_000, 97_000)), []);
    b
}

#[test]
fn a_market_that_lags_its_oracle() {
    let mut b = lagging();
    assert_eq!(b.see(1_001_000, more(book(0, 1, (49, 9), (52, 20)))), []);
    assert_eq!(b.see(1_001_000, book(1, 1, (48, 20), (51, 9))), []);
    // The oracle jumps by 40 dollars, x = ln(97040/97000), with 280 s to go. σ² is the prior's for 280
    // of 300 s and x² for the 20 s just seen: 7.96556e-9 a second; z = x/√(280σ²) = .27606. Under the
    // tails that are believed before any outcome that is .609065 (.608751 under the normal law), and
    // half and half in log-odds with a middle of 50.5 c it is .557665.
    let seen = b.see(1_020_600, tick(0, 1_020_000, 97_040));
    // The books are 19.6 s old by now.
    assert_eq!((seen.len(), b.count(Reason::StaleBook)), (0, 1));
    let seen = b.see(1_020_700, book(0, 2, (49, 9), (52, 20)));
    // Nothing changed at the top, so nothing was touched.
    assert_eq!(seen, []);
    let seen = b.see(1_020_800, book(0, 3, (49, 9), (52, 21)));
    let [seen] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(seen.kind, OpportunityKind::OracleLag);
    assert_eq!(seen.closes_at, Timestamp::from_secs(1_300));
    assert_eq!(seen.oracle_age, Nanos::from_ms(800));
    let [leg] = seen.legs.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(leg.instrument, InstrumentId(0));
    assert_eq!((leg.price, leg.qty), (cents(52), shares(21)));
    assert_eq!(leg.fee, Usd(17_472));
    assert_eq!(leg.fair, Some(Price(557_665)));
    // Net of the fee and of the smallest haircut.
    assert_eq!(seen.edge, Usd(557_665 - 520_000 - 17_472 - 5_000));
    assert_eq!(seen.qty, shares(21));
}

#[test]
fn a_market_on_a_candle_is_worth_what_one_on_two_ticks_is() {
    let mut b = Bench::new([
        oracle(0, None),
        listed(up_down(0, 0)),
        listed(of_candle(1, 0)),
    ]);
    b.see(1_000_500, tick(0, 999_900, 96_999));
    b.see(1_000_500, tick(0, 1_000_100, 97_000));
    for i in [0, 2] {
        b.see(1_020_000, book(i, 1, (40, 9), (52, 20)));
    }
    let seen = b.see(1_020_500, tick(0, 1_020_000, 97_040));
    let fair: Vec<_> = seen
        .iter()
        .map(|o| (o.legs[0].instrument.0, o.legs[0].fair))
        .collect();
    let [(0, Some(first)), (2, Some(second))] = fair[..] else {
        panic!("{seen:?}")
    };
    assert_eq!(first, second);
}

#[test]
fn a_fee_that_eats_the_edge_leaves_none() {
    // Half way to the middle, fair is .5577 at 52 c: gross 3.77 c, fee 1.75 c, haircut .5 c, net 1.52 c.
    // At 54 c it is .5626, and net .02 c.
    for (ask, reported) in [(52, 1), (54, 0)] {
        let mut b = lagging();
        b.see(1_020_600, tick(0, 1_020_000, 97_040));
        let seen = b.see(1_020_800, book(0, 3, (49, 9), (ask, 21)));
        assert_eq!(seen.len(), reported, "{ask}");
    }
}

#[test]
fn why_there_is_no_oracle_lag() {
    let good = || book(0, 3, (40, 9), (52, 20));
    let mut b = lagging();
    b.see(1_004_001, good());
    assert_eq!(b.count(Reason::StaleOracle), 2);

    let mut b = lagging();
    b.see(1_001_000, Event::OracleGap(OracleId(0)));
    b.see(1_001_001, good());
    assert_eq!(b.count(Reason::StaleOracle), 4);

    // No opening tick: no strike, whatever the oracle says now.
    let mut b = Bench::new([oracle(0, None), listed(up_down(0, 0))]);
    b.see(1_001_500, tick(0, 1_001_000, 97_000));
    assert_eq!(b.see(1_001_600, good()), []);
    assert_eq!(b.count(Reason::NoStrike), 4);

    type Change = fn(&mut MarketSpec);
    let cases: [(&str, Change, Event, Reason); 6] = [
        (
            "fee",
            |m| m.fee = FeeSchedule::Unknown,
            good(),
            Reason::UnknownFee,
        ),
        (
            "size",
            |_| {},
            book(0, 3, (40, 9), (45, 4)),
            Reason::BelowMinimum,
        ),
        (
            "crossed",
            |_| {},
            book(0, 3, (46, 9), (45, 9)),
            Reason::CrossedBook,
        ),
        (
            "too good",
            |_| {},
            book(0, 3, (1, 9), (2, 9)),
            Reason::EdgeImplausible,
        ),
        (
            "no asks",
            |_| {},
            book(0, 3, (46, 9), (0, 0)),
            Reason::OneSidedBook,
        ),
        ("other book", |_| {}, good(), Reason::NoBook),
    ];
    for (name, change, event, reason) in cases {
        let mut spec = up_down(0, 0);
        change(&mut spec);
        let mut b = Bench::new([oracle(0, None), listed(spec)]);
        b.see(1_000_500, tick(0, 1_000_000, 97_000));
        b.see(1_020_500, tick(0, 1_020_000, 97_040));
        let before = b.count(reason);
        let seen = b.see(1_020_600, event);
        assert!(
            seen.is_empty() || reason == Reason::NoBook,
            "{name}: {seen:?}"
        );
        assert_eq!(b.count(reason), before + 1, "{name}");
    }
}

#[test]
fn a_stand_in_speaks_when_the_source_is_silent() {
    let mut b = lagging();
    b.see(1_020_000, book(0, 1, (40, 9), (52, 20)));
    // The source's last tick is 20 s old; the stand-in is fresh. No basis was measured: 5 bp.
    // ln(97040/97000) = .00041229; σ²τ = .25·280/31536000 = 2.21969e-6, b² = 2.5e-7: z = .26235.
    // The book is 12 c wide: it has no middle to blend with.
    let seen = b.see(1_020_500, tick(1, 1_020_000, 97_040));
    let fair = seen.first().and_then(|o| o.legs.first()?.fair);
    assert_eq!(fair, Some(Price(603_785)));
    // The source speaks of the same instant, ten dollars higher: it needs no basis, and 20 s of its
    // volatility were seen.
    let seen = b.see(1_020_600, tick(0, 1_020_000, 97_050));
    let fair = seen.first().and_then(|o| o.legs.first()?.fair);
    assert_eq!(fair, Some(Price(632_755)));
}

#[test]
fn a_stand_in_answers_alone_where_the_strike_was_never_seen() {
    // It trades 100 dollars off the source, which came a second too late: 97,000 is its own opening.
    let mut b = Bench::new([oracle(0, Some(1)), oracle(1, None), listed(up_down(0, 0))]);
    b.see(1_000_500, tick(1, 1_000_000, 97_000));
    b.see(1_001_500, tick(0, 1_001_000, 96_900));
    b.see(1_020_000, book(0, 1, (40, 9), (52, 20)));
    assert_eq!(b.count(Reason::NoStrike), 0);
    let seen = b.see(1_020_500, tick(1, 1_020_000, 97_040));
    // r = ln(97040/97000), σ² = (r² + 280 s of the prior) / 300 s, b = 0.7 bp: r / √(σ²·280 s + b²) = .27575.
    let fair = seen.first().and_then(|o| o.legs.first()?.fair);
    assert_eq!(fair, Some(Price(608_949)));
    // The source's value is never put against the stand-in's opening: a silent stand-in is silence.
    let stale = b.count(Reason::StaleOracle);
    assert_eq!(b.see(1_030_000, tick(0, 1_030_000, 96_900)), []);
    assert_eq!(b.count(Reason::StaleOracle), stale + 2);
}

#[test]
fn a_mean_is_taken_from_the_stand_in_alone_as_well() {
    let mut spec = market(0);
    spec.settlement = SettlementRule::UpDownTwap {
        oracle: OracleId(0),
        lookback_secs: 4,
        strike: None,
    };
    let mut b = Bench::new([oracle(0, Some(1)), oracle(1, None), listed(spec)]);
    for s in 996..=1_000 {
        b.see(s * 1_000, tick(1, s * 1_000, 97_000));
    }
    b.see(1_297_000, book(0, 1, (40, 9), (90, 20)));
    for s in 1_296..=1_298 {
        b.see(s * 1_000, tick(1, s * 1_000, 97_100));
    }
    // Half of the closing mean is 97,100, the rest is near: only the basis could still turn it, and
    // nobody who knows tails calls that impossible.
    let seen = b.see(1_298_500, book(0, 2, (40, 9), (91, 20)));
    let fair = seen.first().and_then(|o| o.legs.first()?.fair);
    assert_eq!(fair, Some(Price(999_997)));
}

#[test]
fn a_barrier_is_worth_a_touch_only_where_the_window_was_watched() {
    let touch = |rises, barrier| {
        let mut spec = market(0);
        spec.settlement = SettlementRule::Touch {
            oracle: OracleId(0),
            barrier: spot(barrier),
            rises,
            interval_secs: 60,
        };
        let mut b = Bench::new([oracle(0, None), listed(spec)]);
        b.see(1_000_500, tick(0, 1_000_000, 97_000));
        b
    };
    let fair = |seen: Vec<Opportunity>| seen.first().and_then(|o| o.legs.first()?.fair);
    let quote = || book(0, 1, (40, 9), (52, 20));
    // 40 dollars to go, z = ln(97040/97000) / √(prior · 180 s) = .3451: 2·(1 − F) = .7294 under the tails
    // believed before any outcome. Two minutes of candles cover the window but for the one that runs.
    let mut b = touch(true, 97_040);
    for start in [1_000, 1_060] {
        let low_candle = candle(0, start, 60, (97_000, 97_010));
        b.see((start + 61) * 1_000, Event::Candle(Box::new(low_candle)));
    }
    b.see(1_121_500, quote());
    let seen = b.see(1_121_600, tick(0, 1_120_000, 97_000));
    let p = fair(seen).unwrap();
    assert!((Price(725_000)..Price(735_000)).contains(&p), "{p}");
    // A candle that touched it decides, wherever the price went since.
    let mut b = touch(true, 97_400);
    for (start, high) in [(1_000, 97_400), (1_060, 97_010)] {
        let seen = candle(0, start, 60, (97_000, high));
        b.see((start + 61) * 1_000, Event::Candle(Box::new(seen)));
    }
    b.see(1_121_500, book(0, 1, (70, 9), (82, 20)));
    let seen = b.see(1_121_600, tick(0, 1_120_000, 97_000));
    assert_eq!(fair(seen), Some(Price::DOLLAR));
    // Falling towards one below is the same question.
    let mut b = touch(false, 97_000);
    for start in [1_000, 1_060] {
        let above = candle(0, start, 60, (97_100, 97_200));
        b.see((start + 61) * 1_000, Event::Candle(Box::new(above)));
    }
    b.see(1_121_500, book(0, 1, (70, 9), (82, 20)));
    let seen = b.see(1_121_600, tick(0, 1_120_000, 97_000));
    assert_eq!(fair(seen), Some(Price::DOLLAR));
    // Without the candles nobody knows whether it was touched before.
    let mut b = touch(true, 97_040);
    b.see(1_121_500, quote());
    let stale = b.count(Reason::StaleOracle);
    assert_eq!(b.see(1_121_600, tick(0, 1_120_000, 97_000)), []);
    assert_eq!(b.count(Reason::StaleOracle), stale + 2);
}

#[test]
fn a_mean_above_a_threshold_is_a_twap() {
    let mut spec = market(0);
    spec.settlement = SettlementRule::MeanAbove {
        oracle: OracleId(0),
        lookback_secs: 60,
        strike: Some(spot(97_000)),
        strict: true,
    };
    let mut b = Bench::new([oracle(0, None), listed(spec)]);
    b.see(1_239_500, book(0, 1, (20, 9), (55, 20)));
    // 61 s before the close, a mean of 60 s is as uncertain as a value 21 s ahead: z = 1.0108, .8406.
    let seen = b.see(1_239_600, tick(0, 1_239_000, 97_040));
    let fair = seen.first().and_then(|o| o.legs.first()?.fair).unwrap();
    assert!((Price(836_000)..Price(844_000)).contains(&fair), "{fair}");
}

#[test]
fn outcomes_teach_the_scanner() {
    let mut b = lagging();
    b.see(1_020_000, book(0, 1, (40, 9), (52, 20)));
    let before = b.see(1_100_500, tick(0, 1_100_000, 97_040));
    assert_eq!(before.len(), 0, "the book is old");
    let estimate = |b: &Bench| {
        let data = &b.desk.data;
        let now = b.desk.now;
        b.scanner.estimate(data, MarketId(0), now, b.limits)
    };
    let fresh = estimate(&b).unwrap();
    // What was forecast 200 s before the end comes true.
    b.scanner
        .settled(MarketId(0), &[Price::DOLLAR, Price::ZERO]);
    let taught = estimate(&b).unwrap();
    assert_eq!(fresh.digital, taught.digital, "the textbook learns nothing");
    assert!(taught.model > fresh.model, "{fresh:?} {taught:?}");
    // It was kept once, and so it teaches once.
    b.scanner
        .settled(MarketId(0), &[Price::DOLLAR, Price::ZERO]);
    assert_eq!(estimate(&b).unwrap(), taught);
}

#[test]
fn a_known_basis_makes_the_newer_value_the_better_one() {
    let mut spec = market(0);
    spec.closes_at = Timestamp::from_secs(3_000);
    spec.settlement = SettlementRule::Above {
        oracle: OracleId(0),
        strike: spot(97_000),
        strict: true,
        candle_secs: None,
    };
    let mut b = Bench::new([oracle(0, Some(1)), oracle(1, None), listed(spec)]);
    // Both move every 10 s, and the stand-in trades 10 bp above the source, always.
    for s in 0..40 {
        let ms = 1_000_000 + 10_000 * s;
        b.see(ms, tick(1, ms, if s % 2 == 0 { 97_097 } else { 97_147 }));
        b.see(ms, tick(0, ms, if s % 2 == 0 { 97_000 } else { 97_050 }));
    }
    // Two seconds later only the stand-in has ticked, at what is 97,050 on the source.
    let now = 1_392_000;
    b.see(now, tick(1, now, 97_147));
    let seen = b.see(now, book(0, 1, (40, 9), (45, 20)));
    let [seen] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(seen.oracle_age, Nanos(0));
    // σ² = ln(97050/97000)²/10 a second, τ = 1608 s: z = .07886, .531556; uncorrected it were .59. Half
    // and half with a middle of 42.5 c: .478028.
    let fair = seen.legs[0].fair.unwrap();
    assert!((fair.0 - 478_028).abs() < 50, "{fair}");
}

#[test]
fn one_book_seen_at_two_times_is_a_phantom() {
    let mut b = Bench::new([listed(market(0))]);
    b.see(901_000, book(0, 1, (48, 9), (52, 9)));
    b.see(901_100, book(1, 2, (48, 9), (47, 9)));
    // YES asks 52 c as of 1 ms, NO 47 c as of 2 ms. That it is crossed as well is of no interest.
    assert_eq!(b.count(Reason::PhantomSum), 1);
    b.see(901_200, book(1, 3, (40, 9), (47, 9)));
    assert_eq!(b.count(Reason::PhantomSum), 2);
    // Two messages of one stamp are two messages: between them the other side was not seen.
    b.see(901_250, book(0, 3, (40, 9), (51, 9)));
    assert_eq!(b.count(Reason::PhantomSum), 3);
    // One message with two stamps is no better.
    b.see(901_260, more(book(0, 3, (40, 9), (50, 9))));
    assert_eq!(b.see(901_260, book(1, 4, (40, 9), (47, 9))), []);
    assert_eq!(b.count(Reason::PhantomSum), 4);
    let of = |kind| b.scanner.counts().refused(kind).collect::<Vec<_>>();
    assert_eq!(of(OpportunityKind::Mispricing), [(Reason::PhantomSum, 4)]);
    assert_eq!(of(OpportunityKind::CrossPlatform), []);
    // Both sides in one message: 52 + 46 c is an edge of 2 c, for the smaller size.
    assert_eq!(b.see(901_300, more(book(0, 4, (48, 9), (52, 30)))), []);
    let seen = b.see(901_300, book(1, 4, (40, 9), (46, 10)));
    let [seen] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(seen.kind, OpportunityKind::Mispricing);
    assert_eq!((seen.edge, seen.qty), (Usd(20_000), shares(10)));
    assert_eq!(seen.legs.len(), 2);
}

#[test]
fn fees_turn_the_textbook_complement_into_half() {
    // honest-paper: YES 45 c + NO 48 c is 7 c gross and 3.5 c after fees.
    let mut spec = market(0);
    spec.fee = CRYPTO;
    let mut b = Bench::new([listed(spec)]);
    b.see(901_300, more(book(0, 4, (40, 9), (45, 30))));
    let seen = b.see(901_300, book(1, 4, (40, 9), (48, 10)));
    // 0.07·.45·.55 = .017325, 0.07·.48·.52 = .017472.
    assert_eq!(seen[0].edge, Usd(70_000 - 17_325 - 17_472));
}

/// Three markets of one event, each with YES at 30 c and NO at 71 c; the set says `members`.
fn set(members: u16, augmented: bool) -> Bench {
    let member = |id| MarketSpec {
        exclusive_set: Some(ExclusiveSet {
            event: "who".into(),
            members,
            augmented,
        }),
        ..market(id)
    };
    let mut b = Bench::new((0..3).map(|id| listed(member(id))));
    for id in 0..3 {
        let at = 901_000;
        b.see(at, more(book(2 * id, 1, (29, 9), (35, 9))));
        assert_eq!(b.see(at, book(2 * id + 1, 1, (65, 9), (71, 9))), []);
    }
    b
}

#[test]
fn sums_over_a_set() {
    // YES: 35 + 35 + 25 = 95 c for a dollar.
    let mut b = set(3, false);
    let ask = |ms, p, q| Event::Level(level(4, ms, BookSide::Ask, (p, q)));
    let seen = b.see(901_500, ask(2, 25, 7));
    // The bid of 29 c is above that ask: no set. The complement (25 + 71 c) is of two times.
    assert_eq!((seen.len(), b.count(Reason::CrossedBook)), (0, 1));
    assert_eq!(b.count(Reason::PhantomSum), 1);
    let bid = Event::Level(level(4, 2, BookSide::Bid, (29, 0)));
    let seen = b.see(901_500, bid);
    let [seen] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(
        (seen.edge, seen.qty, seen.legs.len()),
        (Usd(50_000), shares(7), 3)
    );

    // NO: 71 + 71 + 55 = 1.97 for two dollars.
    let mut b = set(3, false);
    b.see(901_400, Event::Level(level(5, 2, BookSide::Bid, (65, 0))));
    let seen = b.see(901_500, Event::Level(level(5, 2, BookSide::Ask, (55, 8))));
    assert_eq!((seen[0].edge, seen[0].qty), (Usd(30_000), shares(8)));
    assert!(seen[0].legs.iter().all(|l| l.instrument.0 % 2 == 1));
}

#[test]
fn sums_that_are_none() {
    for (members, augmented) in [(4, false), (3, true)] {
        let mut b = set(members, augmented);
        b.see(901_400, Event::Level(level(4, 2, BookSide::Bid, (29, 0))));
        let seen = b.see(901_500, Event::Level(level(4, 2, BookSide::Ask, (25, 7))));
        assert_eq!(seen, [], "{members} {augmented}");
        assert_eq!(b.count(Reason::IncompleteSet), 1);
    }
    // The books of the others are 751 ms older than this one, its own other side among them.
    let mut b = set(3, false);
    b.see(901_751, Event::Level(level(4, 2, BookSide::Bid, (29, 0))));
    let seen = b.see(901_751, Event::Level(level(4, 2, BookSide::Ask, (25, 7))));
    assert_eq!((seen.len(), b.count(Reason::PhantomSum)), (0, 2));
}

#[test]
fn one_question_on_two_venues() {
    let paired = |id, venue, fee| MarketSpec {
        venue,
        fee,
        pair_key: Some("btc-5m-1000".into()),
        ..market(id)
    };
    let mut b = Bench::new([
        listed(paired(0, Venue::Polymarket, CRYPTO)),
        listed(paired(1, Venue::Kalshi, FeeSchedule::kalshi(70_000))),
    ]);
    for i in [0, 2] {
        b.see(901_000, more(book(i, 1, (49, 9), (51, 40))));
        assert_eq!(b.see(901_000, book(i + 1, 1, (49, 9), (51, 40))), []);
    }
    // Kalshi's NO falls to 40 c: Polymarket's YES at 51 c and it are 91 c. Fees: .07·.51·.49 = .017493
    // and .07·.40·.60 = .0168.
    let seen = b.see(901_700, book(3, 2, (39, 9), (40, 15)));
    let [seen] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(seen.kind, OpportunityKind::CrossPlatform);
    assert_eq!(seen.edge, Usd(90_000 - 17_493 - 16_800));
    assert_eq!(seen.qty, shares(15));
    let legs: Vec<_> = seen
        .legs
        .iter()
        .map(|l| (l.instrument.0, l.venue))
        .collect();
    assert_eq!(legs, [(0, Venue::Polymarket), (3, Venue::Kalshi)]);
    // Kalshi's own 51 + 40 c are of two times.
    assert_eq!(b.count(Reason::PhantomSum), 1);
    // A book that is 751 ms older than the other one does not count either.
    assert_eq!(b.see(901_751, book(3, 3, (39, 9), (40, 16))), []);
    assert_eq!(b.count(Reason::PhantomSum), 3);
}

#[test]
fn an_edge_is_one_episode_until_it_was_gone_for_a_while() {
    let mut b = Bench::new([listed(market(0))]);
    let mut show = |ms: u64, asks: (i64, i64), qty: i64| {
        b.see(ms, more(book(0, ms, (10, 9), (asks.0, qty))));
        let seen = b.see(ms, book(1, ms, (10, 9), (asks.1, qty)));
        seen.first().map(|o| (o.id, o.edge.0))
    };
    let (first, edge) = show(901_000, (50, 45), 20).unwrap();
    assert_eq!(edge, 50_000);
    // As before, or nearly: nothing to tell. Half the size, or another price: told, same id.
    assert_eq!(show(901_100, (50, 45), 21), None);
    assert_eq!(show(901_200, (50, 45), 10), Some((first, 50_000)));
    assert_eq!(show(901_300, (50, 44), 10), Some((first, 60_000)));
    // Gone for 999 ms is still the same; nothing changed, so nothing is told.
    assert_eq!(show(902_000, (50, 50), 10), None);
    assert_eq!(show(902_999, (50, 44), 10), None);
    assert_eq!(show(903_000, (50, 50), 10), None);
    let (second, _) = show(904_000, (50, 44), 10).unwrap();
    assert_ne!(first, second);
    let counts = b.scanner.counts();
    assert_eq!((counts.episodes[1], counts.reports), (2, 4));
}

#[test]
fn ids_are_numbered_within_their_record() {
    let fixed = |id| MarketSpec {
        settlement: SettlementRule::Above {
            oracle: OracleId(0),
            strike: spot(97_000),
            strict: false,
            candle_secs: None,
        },
        ..market(id)
    };
    let mut b = Bench::new([oracle(0, None), listed(fixed(0)), listed(fixed(1))]);
    for i in [0, 2] {
        b.see(1_020_000, book(i, 1, (40, 9), (52, 20)));
    }
    let seen = b.see(1_020_500, tick(0, 1_020_000, 97_040));
    let ids: Vec<_> = seen.iter().map(|o| (o.id.seq, o.id.n)).collect();
    assert_eq!(ids, [(b.desk.seq, 0), (b.desk.seq, 1)]);
}
