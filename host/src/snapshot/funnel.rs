//! From markets seen to trades settled, and what was refused on the way.
//!
//! Owns the funnel as it is shown, sent and stored: the engine's own ([`pm_arb_core::funnel`]) with the words
//! around its numbers. It counts nothing.

use super::Instant;
use pm_arb_core::engine::Engine;
use pm_arb_core::funnel::{self, StageKey};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::reason::Reason;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The stored count that is no count: when the others were counted.
const TAKEN: &str = "taken_ns";

/// See the top of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Funnel {
    /// In the order things go through them; what passed one is what first entered the next.
    pub stages: Vec<Stage>,
}

/// One stage. What entered = passed + refused + ended + waiting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stage {
    /// Stable name.
    pub key: String,
    /// What goes through it.
    pub title: String,
    /// What entered, by where it came from; the first is what passed the stage before.
    pub entered: Vec<Part>,
    /// What went on.
    pub passed: u64,
    /// What passing it means.
    pub passed_as: String,
    /// What was refused, by reason code.
    pub refused: Vec<Part>,
    /// What ended here without a refusal.
    pub ended: Vec<Part>,
    /// What is still here.
    pub waiting: Vec<Part>,
}

/// A name and how many; of refusals the name is a reason code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Part {
    /// What.
    pub name: String,
    /// How many.
    pub count: u64,
}

/// One number of the funnel, for lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Row {
    /// The stage.
    pub stage: String,
    /// `entered`, `passed`, `refused`, `ended` or `waiting`.
    pub part: &'static str,
    /// Which part of that: a name, or a reason code.
    pub name: String,
    /// How many.
    pub count: u64,
}

impl Funnel {
    /// As of now.
    #[must_use]
    pub fn of(engine: &Engine) -> Self {
        let funnel = engine.funnel();
        Self {
            stages: funnel.stages.iter().map(Stage::of).collect(),
        }
    }

    /// Every number in a row of its own, in order.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.stages.iter().flat_map(Stage::rows).collect()
    }

    /// As the database keeps it: names and counts, the moment among them.
    #[must_use]
    pub fn to_counts(&self, taken: Timestamp) -> Vec<(String, u64)> {
        let counts = self.stages.iter().flat_map(Stage::to_counts);
        counts.chain([(TAKEN.to_owned(), taken.0)]).collect()
    }

    /// From what the database keeps, in order of the names, with the moment it was counted; `None` where
    /// there is nothing. Names that another version made and this one does not know are left out.
    #[must_use]
    pub fn of_counts(counts: &[(String, u64)]) -> Option<(Self, Instant)> {
        let taken = counts.iter().find(|(name, _)| name == TAKEN)?.1;
        let stages = StageKey::ALL.map(|key| Stage::of_counts(key, counts));
        let funnel = Self {
            stages: stages.into(),
        };
        Some((funnel, Instant(Timestamp(taken))))
    }
}

impl Stage {
    fn of(stage: &funnel::Stage) -> Self {
        let refused = stage.refused.iter().map(|(r, n)| (r.code(), *n));
        let mut stage = Self {
            entered: parts(stage.entered.iter().copied()),
            passed: stage.passed,
            refused: parts(refused),
            ended: parts(stage.ended.iter().copied()),
            waiting: parts(stage.waiting.iter().copied()),
            ..Self::empty(stage.key)
        };
        stage.rank();
        stage
    }

    /// The commonest refusals first.
    fn rank(&mut self) {
        self.refused
            .sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    }

    fn empty(key: StageKey) -> Self {
        Self {
            key: key.as_str().to_owned(),
            title: title(key).to_owned(),
            entered: Vec::new(),
            passed: 0,
            passed_as: key.passed_as().to_owned(),
            refused: Vec::new(),
            ended: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Names and counts; the parts of one sort are numbered, so that their names keep their order.
    fn to_counts(&self) -> Vec<(String, u64)> {
        let key = &self.key;
        let mut counts = vec![(format!("{key}/passed"), self.passed)];
        for part in &self.refused {
            counts.push((format!("{key}/refused/{}", part.name), part.count));
        }
        let ordered = [
            ("entered", &self.entered),
            ("ended", &self.ended),
            ("waiting", &self.waiting),
        ];
        for (sort, parts) in ordered {
            for (n, part) in parts.iter().enumerate() {
                counts.push((format!("{key}/{sort}/{n}/{}", part.name), part.count));
            }
        }
        counts
    }

    fn of_counts(key: StageKey, counts: &[(String, u64)]) -> Self {
        let mut stage = Self::empty(key);
        for (name, count) in counts {
            let Some(("", rest)) = name
                .strip_prefix(key.as_str())
                .and_then(|rest| rest.split_once('/'))
            else {
                continue;
            };
            let (part, name) = rest.split_once('/').unwrap_or((rest, ""));
            let numberless = name.split_once('/').map_or(name, |(_, name)| name);
            let (part, name) = match part {
                "passed" => {
                    stage.passed = *count;
                    continue;
                }
                "entered" => (&mut stage.entered, numberless),
                "ended" => (&mut stage.ended, numberless),
                "waiting" => (&mut stage.waiting, numberless),
                "refused" => (&mut stage.refused, name),
                _ => continue,
            };
            part.push(Part {
                name: name.to_owned(),
                count: *count,
            });
        }
        stage.rank();
        stage
    }

    /// Everything that entered.
    #[must_use]
    pub fn entered(&self) -> u64 {
        sum(&self.entered)
    }

    /// Everything that was refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        sum(&self.refused)
    }

    /// Everything that ended without a refusal.
    #[must_use]
    pub fn ended(&self) -> u64 {
        sum(&self.ended)
    }

    /// Everything that is still here.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        sum(&self.waiting)
    }

    /// Whether its refusals have rows of their own.
    #[must_use]
    pub fn has_rows(&self) -> bool {
        [StageKey::Wishes, StageKey::Legs]
            .iter()
            .any(|key| key.as_str() == self.key)
    }

    fn rows(&self) -> Vec<Row> {
        let row = |part, name: &str, count| Row {
            stage: self.key.clone(),
            part,
            name: name.to_owned(),
            count,
        };
        let of = |part, parts: &[Part]| {
            let rows = parts.iter().map(|p| row(part, &p.name, p.count));
            rows.collect::<Vec<_>>()
        };
        [
            of("entered", &self.entered),
            vec![row("passed", &self.passed_as, self.passed)],
            of("refused", &self.refused),
            of("ended", &self.ended),
            of("waiting", &self.waiting),
        ]
        .concat()
    }
}

fn parts<'a>(parts: impl Iterator<Item = (&'a str, u64)>) -> Vec<Part> {
    let part = |(name, count): (&str, u64)| Part {
        name: name.to_owned(),
        count,
    };
    parts.map(part).collect()
}

fn sum(parts: &[Part]) -> u64 {
    parts.iter().map(|p| p.count).fold(0, u64::saturating_add)
}

/// The name of a stage for people: what goes through it.
fn title(key: StageKey) -> &'static str {
    match key {
        StageKey::Inputs => "Records",
        StageKey::Markets => "Markets",
        StageKey::Looks => "Looks at prices",
        StageKey::Sights => "Sights of an edge",
        StageKey::Opportunities => "Opportunities",
        StageKey::Wishes => "Wishes of strategies",
        StageKey::Legs => "Legs of approved wishes",
        StageKey::Fills => "Fills",
        StageKey::Trades => "Trades",
    }
}

/// The reason of a refusal, where this version knows its code.
#[must_use]
pub fn reason_of(part: &Part) -> Option<Reason> {
    crate::why::reasons::by_code(&part.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn some() -> Funnel {
        let part = |name: &str, count| Part {
            name: name.to_owned(),
            count,
        };
        let mut stages: Vec<Stage> = StageKey::ALL.map(Stage::empty).into();
        for (n, stage) in (0..).zip(&mut stages) {
            stage.entered = vec![part("a/b", 10 + n)];
            stage.passed = n;
            stage.refused = vec![part("NO_BOOK", 4), part("STALE_BOOK", 3)];
            stage.ended = vec![part("over", 2)];
            stage.waiting = vec![part("open", 1)];
        }
        Funnel { stages }
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let funnel = some();
        let at = Timestamp(1_800_000_000_123_456_789);
        let counts = funnel.to_counts(at);
        let names: BTreeSet<&String> = counts.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), counts.len(), "every name is told once");
        assert_eq!(Funnel::of_counts(&counts), Some((funnel, Instant(at))));
        assert_eq!(Funnel::of_counts(&[]), None);
        // What another version counted does not hide what this one knows.
        let odd = [("markets/odd/x".to_owned(), 1), (TAKEN.to_owned(), 5)];
        let (read, _) = Funnel::of_counts(&odd).unwrap();
        assert_eq!(read.stages.len(), StageKey::ALL.len());
    }

    #[test]
    fn a_list_has_every_number() {
        let rows = some().rows();
        assert_eq!(rows.len(), StageKey::ALL.len() * 6);
        let of = |part| {
            rows.iter()
                .filter(move |r| r.stage == "looks" && r.part == part)
                .map(|r| r.count)
                .sum::<u64>()
        };
        assert_eq!(of("entered"), of("passed") + of("refused") + 3);
    }
}
