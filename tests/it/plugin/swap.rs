//! The watch over what takes over, on the real engine with a real journal: it ends well, or the generation
//! before is put back with the state it kept. Whatever happens, a replay of the journal is the same run.

use super::fixtures::{Fixture, SUBMIT};
use super::{host, market};
use pm_arb::journal::{JournalReader, JournalWriter, RunMeta};
use pm_arb::pilot::{LoaderView, Session, attend};
use pm_arb::plugin::loader::{Slot, Status};
use pm_arb::plugin::{
    Candidate, Contender, Done, Incumbent, Loader, LoaderInput, Order, OrderError, Outcome,
    PluginHost, Preparer, StatePolicy, SwapPolicy, What,
};
use pm_arb::replay::{Cast, Replayed, replay};
use pm_arb_core::config::EngineConfig;
use pm_arb_core::effect::{Effect, Message};
use pm_arb_core::event::{BookSnapshot, Event, StrategyChangeKind};
use pm_arb_core::ids::{InstrumentId, Nanos, Timestamp};
use pm_arb_core::units::{Price, Qty};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Counts the quotes it is told in `$count`, and traps when one is missing or comes twice: the size of the
/// ask is its number.
const IN_ORDER: &str = "(if (i32.eq (local.get $instrument) (i32.const 1)) (then
    (if (global.get $count) (then (if (i64.ne
        (local.get 5)
        (i64.mul (i64.const 10000000) (i64.extend_i32_u (i32.add (global.get $count) (i32.const 1)))))
      (then unreachable))))
    (global.set $count (i32.wrap_i64 (i64.div_u (local.get 5) (i64.const 10000000))))))";
/// Submits on every third quote.
pub const NOW_AND_THEN: &str =
    "(if (i32.eqz (i32.rem_u (global.get $count) (i32.const 3))) (then SUBMIT))";
/// The count is the state.
const KEEP: &str = "(i32.store (i32.const 128) (global.get $count))";
const TAKE: &str = "(global.set $count (i32.load (local.get 0)))";

/// A strategy that checks the order of what it is told, carries its count as state, trades now and then,
/// and does `more` on every quote.
pub fn counting(version: &'static str, more: &str) -> Fixture {
    assert_eq!(
        version.len(),
        4,
        "as long as the state that is put in its place"
    );
    let then = NOW_AND_THEN.replace("SUBMIT", SUBMIT);
    Fixture {
        version,
        snapshot: KEEP,
        on_restore: TAKE,
        ..Fixture::on_quote("a", &format!("{IN_ORDER} {then} {more}"))
    }
}

/// The same without a wish.
fn quiet(version: &'static str) -> Fixture {
    Fixture {
        on_quote: IN_ORDER.to_owned(),
        ..counting(version, "")
    }
}

/// Once it counted so far.
fn from(count: u32, body: &str) -> String {
    format!("(if (i32.ge_u (global.get $count) (i32.const {count})) (then {body}))")
}

/// A pilot without its thread: session, loader, and quotes in order.
pub struct Desk {
    folder: tempfile::TempDir,
    pub host: PluginHost,
    pub loader: Loader,
    pub session: Session,
    quotes: i64,
    now: Timestamp,
}

impl Desk {
    pub fn new(policy: SwapPolicy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::from_secs(10);
        let run = folder.path().join("run");
        let meta = RunMeta::new(RunMeta::fresh_id(now, folder.path()), "sim", now);
        let journal = JournalWriter::create(&run, &meta).unwrap();
        let host = host();
        let mut loader = Loader::new(host.clone());
        loader.govern(policy);
        let mut desk = Self {
            session: Session::new(run, journal, Replayed::default()),
            folder,
            host,
            loader,
            quotes: 0,
            now,
        };
        let config = EngineConfig::default();
        desk.record(Event::Configured(Box::new(config)));
        desk.record(Event::MarketListed(Box::new(market(0))));
        desk
    }

    pub fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn record(&mut self, event: Event) {
        self.session.record(self.now, event).unwrap();
        attend(&mut self.session, &mut self.loader, self.now).unwrap();
    }

    /// The next quote, a tenth of a second later.
    pub fn quote(&mut self) {
        self.quotes += 1;
        self.now = self.now.plus(Nanos::from_ms(100));
        let book = BookSnapshot {
            instrument: InstrumentId(1),
            more: false,
            venue_time: self.now,
            bids: vec![(Price(400_000), Qty(100_000_000))],
            asks: vec![(Price(490_000), Qty(10_000_000 * self.quotes))],
        };
        self.record(Event::Snapshot(Box::new(book)));
        let (now, session) = (self.now, &mut self.session);
        let view = &mut LoaderView { session, at: now };
        if self.loader.next_due().is_some_and(|due| due <= now) {
            self.loader.tick(now, view).unwrap();
        }
    }

    pub fn quotes(&mut self, count: usize) {
        (0..count).for_each(|_| self.quote());
    }

    pub fn candidate(&self, fixture: &Fixture, params: &[(&str, &str)]) -> Box<Candidate> {
        let params = params
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let preparer = Preparer::new(self.host.clone(), BTreeMap::new());
        let (path, bytes) = (Path::new("a.wasm"), fixture.component());
        Box::new(
            preparer
                .prepare_with(path, bytes, params.collect())
                .unwrap(),
        )
    }

    pub fn load(&mut self, candidate: Box<Candidate>) -> Outcome {
        let (at, session) = (self.now, &mut self.session);
        let view = &mut LoaderView { session, at };
        let outcome = self
            .loader
            .handle(LoaderInput::Ready(candidate), view)
            .unwrap();
        attend(&mut self.session, &mut self.loader, at).unwrap();
        outcome
    }

    pub fn put(&mut self, fixture: &Fixture) -> Outcome {
        let candidate = self.candidate(fixture, &[]);
        self.load(candidate)
    }

    pub fn order(&mut self, what: What) -> Result<Done, OrderError> {
        let (at, session) = (self.now, &mut self.session);
        let order = Order {
            name: "a".to_owned(),
            what,
            note: "ann".to_owned(),
        };
        let view = &mut LoaderView { session, at };
        self.loader.order(order, view).unwrap()
    }

    /// What runs, for a rehearsal of that.
    pub fn incumbent(&mut self, contender: &Contender) -> Option<Incumbent> {
        let (at, session) = (self.now, &mut self.session);
        let view = &mut LoaderView { session, at };
        self.loader.incumbent("a", Some(contender), view).unwrap()
    }

    pub fn slot(&self) -> &Slot {
        self.loader.slots().next().unwrap()
    }

    /// What the journal says became of the strategy.
    pub fn kinds(&mut self) -> Vec<String> {
        self.session.commit().map(drop).unwrap();
        let mut reader = JournalReader::open(&self.run()).unwrap();
        let mut kinds = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            if let Event::Strategy(change) = &record.event {
                kinds.push(match &change.kind {
                    StrategyChangeKind::Loaded { generation, .. } => format!("loaded {generation}"),
                    StrategyChangeKind::Reverted { generation, .. } => {
                        format!("reverted {generation}")
                    }
                    kind => kind.as_str().to_owned(),
                });
            }
        }
        kinds
    }

    /// A replay of its journal: it is the same run, and knows the strategies as the live one does.
    pub fn replayed(&mut self) -> Loader {
        self.session.commit().map(drop).unwrap();
        let ignore = &mut |_, _: &_| {};
        let (state, loader) =
            replay(&self.run(), self.host.clone(), None, Cast::Own, ignore).unwrap();
        assert_eq!(
            state.digest.hex(&state.engine),
            self.session.digest(),
            "a replay is the same run"
        );
        assert_eq!(state.engine.status(), self.session.engine.status());
        let again = loader.slots().next().unwrap();
        let (live, told) = (self.slot(), |slot: &Slot| slot.earlier().cloned());
        assert_eq!(
            (again.generation, again.digest, &again.status, told(again)),
            (live.generation, live.digest, &live.status, told(live))
        );
        assert_eq!(again.params(), live.params());
        assert_eq!(
            again.watch.as_ref().map(|w| (w.since, w.standby())),
            live.watch.as_ref().map(|w| (w.since, w.standby()))
        );
        loader
    }

    /// Quotes that it was told, and calls that failed. Nothing fills, so what else it is told of is denials.
    pub fn calls(&self) -> (u64, u64) {
        let status = self.session.engine.status();
        let one = &status.strategies[0];
        assert_eq!(one.fills, 0);
        (one.calls - one.denied, one.faults)
    }
}

#[test]
fn a_watch_that_ends_well_lets_the_generation_before_go() {
    let mut desk = Desk::new(SwapPolicy::default());
    desk.put(&counting("1.00", ""));
    desk.quotes(10);
    desk.put(&counting("2.00", ""));
    let watch = desk.slot().watch.as_ref().unwrap();
    assert_eq!(watch.standby(), 1);
    desk.quotes(590);
    assert!(desk.session.engine.status().strategies[0].standby);
    desk.replayed();
    desk.quotes(20);
    assert!(desk.slot().watch.is_none());
    assert!(!desk.session.engine.status().strategies[0].standby);
    assert_eq!(
        desk.kinds(),
        ["loaded 1", "loaded 2", "watched", "committed"]
    );
    assert_eq!(desk.calls(), (620, 0), "none missed, none twice");
    desk.replayed();
}

#[test]
fn a_strike_in_the_watch_puts_the_generation_before_back_within_one_event() {
    let mut desk = Desk::new(SwapPolicy::default());
    desk.put(&counting("1.00", ""));
    desk.quotes(10);
    let bad = counting("2.00", &from(25, "unreachable"));
    desk.put(&bad);
    desk.quotes(15);
    let slot = desk.slot();
    assert_eq!(
        (
            slot.generation,
            &slot.status,
            slot.manifest.version.as_str()
        ),
        (3, &Status::Running, "1.00")
    );
    let news = desk.loader.news().last().unwrap();
    assert!(
        !news.good && news.text.contains("gen 2 was rolled back: it trapped"),
        "{news:?}"
    );
    assert!(news.text.contains("(gen 1, now gen 3)"), "{news:?}");
    // It was told the quote that the other one failed at: the next one is in order.
    desk.quotes(20);
    assert_eq!(desk.calls(), (45, 1));
    assert_eq!(desk.slot().strikes(), 0, "the strike was the other one's");
    desk.replayed();
    let outcome = desk.put(&bad);
    assert!(
        matches!(&outcome, Outcome::NotFollowed { why, .. } if why.contains("rolled back")),
        "{outcome:?}"
    );
    // So it is after a restart.
    let mut loader = desk.replayed();
    let candidate = desk.candidate(&bad, &[]);
    std::mem::swap(&mut loader, &mut desk.loader);
    assert!(matches!(desk.load(candidate), Outcome::NotFollowed { .. }));
    desk.put(&counting("3.00", ""));
    assert_eq!(
        desk.kinds(),
        ["loaded 1", "loaded 2", "watched", "reverted 3", "loaded 4"]
    );
}

#[test]
fn fuel_and_denials_end_a_watch_too() {
    let spin = "(local.set $i (i32.const 0)) (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $l (i32.lt_u (local.get $i) (i32.const LIMIT))))";
    let cases = [
        ("fuel on average", spin.replace("LIMIT", "2000")),
        (
            "a call of it used",
            from(30, &spin.replace("LIMIT", "2350000")),
        ),
        ("intents were denied", String::new()),
    ];
    for (why, more) in cases {
        let mut desk = Desk::new(SwapPolicy::default());
        let denied = more.is_empty();
        desk.put(&if denied {
            quiet("1.00")
        } else {
            counting("1.00", "")
        });
        desk.quotes(20);
        desk.put(&counting("2.00", &more));
        desk.quotes(300);
        let said = desk.loader.news().last().unwrap().text.clone();
        assert!(said.contains(why), "{why}: {said}");
        assert_eq!(desk.slot().generation, 3, "{why}");
        assert_eq!(desk.calls().1, 0, "no call failed");
        desk.replayed();
    }
}

#[test]
fn a_rollback_during_the_watch_is_to_what_stands_by() {
    let mut desk = Desk::new(SwapPolicy::default());
    let first = counting("1.00", "");
    desk.put(&first);
    desk.quotes(10);
    desk.put(&counting("2.00", ""));
    desk.quotes(10);
    let candidate = desk.candidate(&first, &[]);
    let what = What::RollBack {
        candidate,
        fresh: false,
    };
    let done = desk.order(what).unwrap();
    assert!(
        done.generation == 3 && done.text.contains("state kept"),
        "{done:?}"
    );
    desk.quotes(10);
    assert_eq!(desk.calls(), (30, 0));
    assert_eq!(
        desk.kinds(),
        ["loaded 1", "loaded 2", "watched", "rollback", "reverted 3"]
    );
    desk.replayed();
}

#[test]
fn what_takes_over_in_a_watch_ends_it_well_first() {
    let mut desk = Desk::new(SwapPolicy::default());
    desk.put(&counting("1.00", ""));
    desk.quotes(10);
    desk.put(&counting("2.00", ""));
    desk.quotes(10);
    desk.put(&counting("3.00", ""));
    desk.quotes(10);
    assert_eq!(desk.slot().watch.as_ref().unwrap().standby(), 2);
    desk.order(What::Quarantine).unwrap();
    desk.replayed();
    let expected = [
        "loaded 1",
        "loaded 2",
        "watched",
        "committed",
        "loaded 3",
        "watched",
        "committed",
        "quarantine",
    ];
    assert_eq!(desk.kinds(), expected);
}

#[test]
fn state_in_another_form_is_handed_over_refused_or_left_as_the_operator_chose() {
    let form = |version, state| Fixture {
        state,
        ..counting(version, "")
    };
    let cases = [
        (
            StatePolicy::Migrate,
            Err("has form 2 and it reads no other; the running version's has form 1"),
        ),
        (StatePolicy::Refuse, Err("[swap] state = \"migrate\"")),
        (StatePolicy::Fresh, Ok(false)),
    ];
    for (state, expected) in cases {
        let mut desk = Desk::new(SwapPolicy {
            state,
            ..SwapPolicy::default()
        });
        desk.put(&form("1.00", 1));
        desk.quotes(5);
        match (desk.put(&form("2.00", 2)), expected) {
            (Outcome::Refused { why, .. }, Err(said)) => assert!(why.contains(said), "{why}"),
            (Outcome::Loaded { restored, .. }, Ok(kept)) => assert_eq!(restored, kept),
            (outcome, _) => panic!("{state:?}: {outcome:?}"),
        }
        desk.quotes(5);
        assert_eq!(desk.calls().1, 0);
        desk.replayed();
    }
}

#[test]
fn a_state_that_was_asked_for_in_vain_is_asked_for_in_a_replay_too() {
    let mut desk = Desk::new(SwapPolicy::default());
    // Being asked changes what it does: it wishes for more from then on.
    let asked = Fixture {
        imports: "(global $asked (mut i32) (i32.const 0))".to_owned(),
        snapshot: "(global.set $asked (i32.const 1))",
        ..Fixture::on_quote("a", &format!("(if (global.get $asked) (then {SUBMIT}))"))
    };
    desk.put(&asked);
    desk.quotes(5);
    // Takes over its own state, which begins with a 2, and no other.
    let refusing = Fixture {
        on_restore: "(if (i32.ne (i32.load8_u (local.get 0)) (i32.const 50)) (then unreachable))",
        version: "2",
        ..Fixture::new("a")
    };
    assert!(matches!(desk.put(&refusing), Outcome::Refused { .. }));
    desk.quotes(5);
    assert_eq!(desk.kinds(), ["loaded 1", "asked for its state", "refused"]);
    assert_eq!(desk.session.engine.status().strategies[0].denied, 5);
    desk.replayed();
}

#[test]
fn new_settings_take_over_with_state_and_are_watched() {
    let mut desk = Desk::new(SwapPolicy::default());
    let fixture = counting("1.00", "");
    desk.put(&fixture);
    desk.quotes(10);
    let changed = desk.candidate(&fixture, &[("edge", "0.02")]);
    assert!(matches!(
        desk.load(changed),
        Outcome::Loaded {
            generation: 2,
            restored: true,
            ..
        }
    ));
    let why = desk.slot().changes().last().unwrap().why.clone();
    assert_eq!(why, "its settings changed");
    desk.quotes(10);
    assert_eq!(desk.slot().watch.as_ref().unwrap().standby(), 1);
    assert_eq!(desk.calls(), (20, 0));
    desk.replayed();
}

/// Resident pages of this process.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|n| n.parse().ok());
    pages.unwrap_or(0)
}

/// The same bytes are no news to a loader, so that settings that say nothing tell the swaps apart.
#[test]
fn a_thousand_swaps_change_no_intent_and_miss_no_event() {
    let fixture = counting("1.00", "");
    let mut alone = Desk::new(SwapPolicy::unwatched());
    alone.put(&fixture);
    let mut desk = Desk::new(SwapPolicy::default());
    desk.put(&fixture);
    let mut after_ten = 0;
    for swap in 0..1_000_u32 {
        let number = swap.to_string();
        let candidate = desk.candidate(&fixture, &[("swap", &number)]);
        assert!(matches!(
            desk.load(candidate),
            Outcome::Loaded { restored: true, .. }
        ));
        for _ in 0..2 {
            alone.quote();
            desk.quote();
        }
        if swap == 10 {
            after_ten = resident();
        }
    }
    let grown = resident().saturating_sub(after_ten);
    assert!(grown < after_ten, "{grown} pages more than {after_ten}");
    assert_eq!(desk.slot().generation, 1_001);
    assert_eq!(desk.calls(), (2_000, 0), "each quote once, in order");
    let figures = |desk: &Desk| {
        let status = desk.session.engine.status();
        let one = &status.strategies[0];
        (one.calls, one.intents, one.denied, one.fills)
    };
    assert_eq!(
        figures(&desk),
        figures(&alone),
        "as if nothing had been swapped"
    );
    assert_eq!(wishes(&mut desk), wishes(&mut alone));
    desk.replayed();
}

/// Every wish and what became of it, with the time it was made at.
fn wishes(desk: &mut Desk) -> Vec<String> {
    desk.session.commit().map(drop).unwrap();
    let mut wishes = Vec::new();
    let each = &mut |_, effect: &Effect| {
        let Effect::Publish(message) = effect else {
            return;
        };
        match message.as_ref() {
            Message::Request(wish) => {
                wishes.push(format!("{:?} {:?} {:?}", wish.at, wish.qty, wish.legs));
            }
            Message::Decision(decision) => wishes.push(format!("{:?}", decision.verdict.is_ok())),
            _ => {}
        }
    };
    replay(&desk.run(), desk.host.clone(), None, Cast::Own, each).unwrap();
    assert!(!wishes.is_empty());
    wishes
}
