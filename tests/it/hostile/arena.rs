//! Two shipped strategies that trade, and a file beside them that a test does with as it likes.

use super::ring::Ring;
use crate::plugin::fixtures::Fixture;
use crate::support::{run, stdout, strategies};
use pm_arb::journal::JournalReader;
use pm_arb::plugin::{Grants, Limits, Outcome, PluginHost, Preparer, Sources, Tracker};
use pm_arb_core::effect::{Effect, IntentRecord, Rejection};
use pm_arb_core::event::{Event, Record};
use pm_arb_core::ids::{IntentId, OpportunityId, Seq, TradeId};
use pm_arb_core::units::Bps;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use tempfile::TempDir;

/// Who trades beside it.
const NEIGHBOURS: [&str; 2] = ["mispricing-hunter", "oracle-sniper"];
/// The attacker's name, and its file: the first in its folder, so that it is loaded and asked first.
pub const ATTACKER: &str = "attacker";
/// Records between two looks at the disk.
const COMMIT_EVERY: usize = 1_000;
/// Events before the first attack.
const BEFORE: usize = 2_000;
/// Most events of the run that are used.
const EVENTS_MAX: usize = 80_000;

/// The events of a simulated run, without its strategies.
fn events() -> &'static [Record] {
    static EVENTS: OnceLock<Vec<Record>> = OnceLock::new();
    EVENTS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let files = format!("{}/*.wasm", strategies().display());
        stdout(&run(&[
            "pilot",
            "--strategies",
            &files,
            "--data-dir",
            data.to_str().unwrap(),
            "--seed",
            "7",
            "--speed",
            "40",
            "--for",
            "12s",
        ]));
        let mut runs = std::fs::read_dir(data.join("runs")).unwrap();
        let mut journal = JournalReader::open(&runs.next().unwrap().unwrap().path()).unwrap();
        let mut events = Vec::new();
        while let Some(record) = journal.next().unwrap() {
            if events.len() >= EVENTS_MAX {
                break;
            }
            let mut record = record.clone();
            match &mut record.event {
                Event::Strategy(_) | Event::Command(_) => continue,
                // A share that nobody's coming or going changes: what is told of free capital is the same.
                Event::Configured(config) => {
                    config.allocation.share_max = Bps(2_000);
                    config.allocation.trades_min = u32::MAX;
                    // Nor is trading halted for what one of them lost.
                    config.risk.daily_loss = Bps(10_000);
                    config.risk.drawdown = Bps(10_000);
                }
                _ => {}
            }
            events.push(record);
        }
        events
    })
}

/// What the neighbours did, one line each: JSON of the rows for the database.
pub type Deeds = Vec<String>;

pub struct Arena {
    folder: TempDir,
    tracker: Tracker,
    pub ring: Ring,
    /// What the loader said of the attacker's file since the attack began.
    pub said: Vec<String>,
    at: usize,
    places: BTreeMap<Seq, u64>,
    deeds: Deeds,
    /// What the attacker wished, and how often it was filled.
    spent: (Vec<IntentRecord>, usize),
}

impl Arena {
    /// The neighbours and one that does nothing have seen the first part of the events.
    pub fn new() -> Self {
        Self::granting(Grants::default())
    }

    /// The same, where not everything is granted to everybody.
    pub fn granting(grants: Grants) -> Self {
        let host = PluginHost::live(Limits::default(), None)
            .unwrap()
            .granting(grants);
        host.go_live().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources::parse(&[folder.path().to_str().unwrap()]).unwrap();
        let mut arena = Self {
            tracker: Tracker::new(sources, Preparer::new(host.clone(), BTreeMap::new())),
            ring: Ring::new(host),
            folder,
            said: Vec::new(),
            at: 0,
            places: BTreeMap::new(),
            deeds: Vec::new(),
            spent: (Vec::new(), 0),
        };
        arena.step();
        std::fs::write(arena.file(), Fixture::new(ATTACKER).component()).unwrap();
        arena.look();
        for name in NEIGHBOURS {
            let file = format!("{name}.wasm");
            let to = arena.folder.path().join(format!("b-{file}"));
            std::fs::copy(strategies().join(&file), to).unwrap();
        }
        arena.look();
        assert_eq!(arena.ring.loader.slots().count(), 3, "{:?}", arena.said);
        arena.play(BEFORE);
        arena.said.clear();
        arena
    }

    /// The attacker's file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("a.wasm")
    }

    /// Puts the bytes there in one go, and looks.
    pub fn put(&mut self, bytes: &[u8]) {
        let partial = self.folder.path().join(".partial");
        std::fs::write(&partial, bytes).unwrap();
        std::fs::rename(&partial, self.file()).unwrap();
        self.look();
    }

    /// As the pilot's watcher does it when something happened in the folder.
    pub fn look(&mut self) {
        let at = self.ring.session.last_at();
        for input in self.tracker.scan() {
            let outcome = self.ring.handle(at, input);
            self.said.push(match outcome {
                Outcome::Refused { path, why } => {
                    format!("{} refused: {why}", path.file_name().unwrap().display())
                }
                other => format!("{other:?}"),
            });
        }
    }

    /// So many more events, and the rest of the message that the last of them is of: the pilot takes a
    /// message as one, nothing comes between its parts.
    pub fn play(&mut self, count: usize) {
        for _ in 0..count.min(events().len() - self.at) {
            self.step();
        }
        while self.at < events().len() && self.amid_message() {
            self.step();
        }
    }

    /// Events that were not played yet.
    pub fn left(&self) -> usize {
        events().len() - self.at
    }

    /// What the attacker wished so far, and how often it was filled.
    pub fn spent(&mut self) -> (Vec<IntentRecord>, usize) {
        self.commit();
        self.spent.clone()
    }

    fn amid_message(&self) -> bool {
        match self.at.checked_sub(1).map(|last| &events()[last].event) {
            Some(Event::Level(level)) => level.more,
            Some(Event::Snapshot(snapshot)) => snapshot.more,
            _ => false,
        }
    }

    fn step(&mut self) {
        let event = &events()[self.at];
        self.places.insert(
            Seq(self.ring.session.last_seq().0 + 1),
            u64::try_from(self.at).unwrap(),
        );
        self.at += 1;
        self.ring.record(event.at, event.event.clone());
        if self.at.is_multiple_of(COMMIT_EVERY) || self.at == events().len() {
            self.commit();
        }
    }

    fn commit(&mut self) {
        let Self {
            ring,
            deeds,
            places,
            spent,
            ..
        } = self;
        for (seq, effect) in ring.session.commit().unwrap() {
            match &effect {
                Effect::RecordIntent(row) if row.strategy_name == ATTACKER => {
                    spent.0.push(row.as_ref().clone());
                }
                Effect::RecordTrade(row) if row.strategy_name == ATTACKER && row.qty.0 > 0 => {
                    spent.1 += 1;
                }
                _ => {}
            }
            deeds.extend(deed(seq, &effect, places));
        }
    }

    /// The bytes take the attacker's place for one part in so many of the events. Returns how it went: what
    /// was said of its file, its status, its last fault. Then the one that does nothing is back.
    pub fn attack(&mut self, what: &str, bytes: &[u8], parts: usize) -> String {
        self.said.clear();
        self.put(bytes);
        self.play((events().len() - BEFORE) / parts);
        self.commit();
        let how = self.how();
        for (n, (did, does)) in self.deeds.iter().zip(peace()).enumerate() {
            assert_eq!(did, does, "beside {what}: deed {n}");
        }
        self.put(&Fixture::new(ATTACKER).component());
        how
    }

    /// Plays to the end and returns what the neighbours did, and how the attacker ended.
    pub fn end(mut self) -> (Deeds, String) {
        self.play(events().len());
        self.commit();
        let how = self.how();
        (self.deeds, how)
    }

    fn how(&self) -> String {
        let slots = self.ring.loader.slots();
        let mut end = self.said.join("\n");
        for slot in slots {
            if NEIGHBOURS.contains(&slot.manifest.name.as_str()) {
                assert_eq!(slot.fault, None, "{}", slot.manifest.name);
                assert_eq!(slot.generation, 1, "{}", slot.manifest.name);
            } else {
                let fault = slot.fault.as_ref().map(ToString::to_string);
                end.push_str(&format!(
                    "\n{:?} {}",
                    slot.status,
                    fault.unwrap_or_default()
                ));
            }
        }
        end
    }
}

/// What the neighbours do beside one that does nothing.
pub fn peace() -> &'static Deeds {
    static PEACE: OnceLock<Deeds> = OnceLock::new();
    PEACE.get_or_init(|| {
        let (deeds, end) = Arena::new().end();
        assert_eq!(end, "\nRunning ");
        let fills = deeds.iter().filter(|d| d.starts_with("fill")).count();
        println!(
            "{} events, {} deeds, {fills} fills",
            events().len(),
            deeds.len()
        );
        assert!(fills > 0, "the neighbours trade: {deeds:#?}");
        deeds
    })
}

/// Fails unless the neighbours did what they do in peace.
pub fn undisturbed(what: &str, deeds: &Deeds) {
    let peace = peace();
    for (n, (did, does)) in deeds.iter().zip(peace).enumerate() {
        assert_eq!(did, does, "beside {what}: deed {n}");
    }
    assert_eq!(deeds.len(), peace.len(), "beside {what}");
}

/// A neighbour's row. Numbers count all records and wishes of a run, the attacker's too: instead of a
/// record's number stands which of the events it was.
fn deed(seq: Seq, effect: &Effect, places: &BTreeMap<Seq, u64>) -> Option<String> {
    let place = |seq: Seq| Seq(places.get(&seq).copied().unwrap_or(u64::MAX));
    let acted_on = |id: OpportunityId, own: bool| OpportunityId {
        seq: place(id.seq),
        n: if own { 0 } else { id.n },
    };
    let told = |rejection: &mut Rejection| {
        // The texts name opportunities by their records' numbers.
        if rejection.observed.contains("opportunity") {
            rejection.observed.clear();
        }
    };
    match effect {
        Effect::RecordIntent(row) if NEIGHBOURS.contains(&row.strategy_name.as_str()) => {
            let mut row = row.clone();
            row.opportunity = acted_on(row.opportunity, row.seen.is_none());
            if let Some(seen) = &mut row.seen {
                seen.id = acted_on(seen.id, false);
            }
            row.id = IntentId {
                seq: place(seq),
                n: 0,
            };
            if let Err(rejection) = &mut row.verdict {
                told(rejection);
            }
            Some(format!("wish {}", serde_json::to_string(&row).unwrap()))
        }
        Effect::RecordTrade(row) if NEIGHBOURS.contains(&row.strategy_name.as_str()) => {
            let mut row = row.clone();
            row.opportunity = acted_on(row.opportunity, false);
            row.intent = IntentId {
                seq: place(row.intent.seq),
                n: 0,
            };
            row.id = TradeId {
                seq: place(seq),
                n: 0,
            };
            if let Some(rejection) = &mut row.rejection {
                told(rejection);
            }
            let kind = if row.qty.0 > 0 { "fill" } else { "refusal" };
            Some(format!("{kind} {}", serde_json::to_string(&row).unwrap()))
        }
        _ => None,
    }
}

/// The workspace's shipped component, to be broken.
pub fn shipped() -> Vec<u8> {
    std::fs::read(strategies().join("cross-platform.wasm")).unwrap()
}
