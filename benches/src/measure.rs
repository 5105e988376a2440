//! How things are timed, and what a line of the table is.
//!
//! Compute is timed in CPU time of the whole process, because one of the peers works on two threads;
//! for a program with one busy thread that is its thread's CPU time. All cases of a measurement run
//! in turns, round by round and each round in another order, so that whatever else the machine does
//! falls on all of them. Nothing here judges: a goal that is missed prints as missed.

use cpu_time::ProcessTime;
use std::time::Duration;

/// What every measurement answers with.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Times the part of a case that counts; what it does outside is set-up.
#[derive(Default)]
pub struct Stopwatch {
    spent: Duration,
}

impl Stopwatch {
    /// Runs `f` and counts its CPU time.
    pub fn time<T>(&mut self, f: impl FnOnce() -> T) -> T {
        let start = ProcessTime::now();
        let value = f();
        self.spent += start.elapsed();
        value
    }
}

/// What a contestant does in a round.
type Round<'a> = dyn FnMut(&mut Stopwatch) -> Outcome<()> + 'a;

/// One contestant.
pub struct Case<'a> {
    name: &'static str,
    run: Box<Round<'a>>,
}

impl<'a> Case<'a> {
    /// `run` is called once a round.
    pub fn new(name: &'static str, run: impl FnMut(&mut Stopwatch) -> Outcome<()> + 'a) -> Self {
        Self {
            name,
            run: Box::new(run),
        }
    }
}

/// The rounds of one case, in seconds.
#[derive(Debug, Clone)]
pub struct Times(Vec<f64>);

impl Times {
    /// From samples in seconds.
    pub fn new(seconds: Vec<f64>) -> Self {
        Self(seconds)
    }

    /// The fastest round.
    pub fn best(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The middle round.
    pub fn median(&self) -> f64 {
        quantile(&mut self.0.clone(), 0.5)
    }

    /// Nanoseconds of one of `count` steps: best and median.
    pub fn each(&self, count: f64) -> String {
        format!(
            "{} ({})",
            nanos(self.best() * 1e9 / count),
            nanos(self.median() * 1e9 / count)
        )
    }

    /// How many times as long as `other`: in the best rounds, and in the middle one of all rounds.
    pub fn over(&self, other: &Self) -> (f64, f64) {
        let mut rounds: Vec<f64> = self.0.iter().zip(&other.0).map(|(a, b)| a / b).collect();
        (self.best() / other.best(), quantile(&mut rounds, 0.5))
    }
}

/// Nanoseconds with as many digits as they deserve.
pub fn nanos(ns: f64) -> String {
    match ns {
        ns if ns < 100.0 => format!("{ns:.1} ns"),
        ns if ns < 10_000.0 => format!("{ns:.0} ns"),
        ns if ns < 10_000_000.0 => format!("{:.1} us", ns / 1e3),
        ns => format!("{:.1} ms", ns / 1e6),
    }
}

/// The `q`-th quantile, by rank.
pub fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len().saturating_sub(1)) as f64 * q;
    values
        .get(rank.round() as usize)
        .copied()
        .unwrap_or(f64::NAN)
}

/// Runs every case once a round, rotating the order. The first round only warms up.
pub fn interleave(rounds: usize, cases: &mut [Case<'_>]) -> Outcome<Vec<Times>> {
    let mut times = vec![Vec::with_capacity(rounds); cases.len()];
    for round in 0..=rounds {
        eprint!("\r{round}/{rounds} ");
        for turn in 0..cases.len() {
            let n = (turn + round) % cases.len();
            let (Some(case), Some(times)) = (cases.get_mut(n), times.get_mut(n)) else {
                continue;
            };
            let mut watch = Stopwatch::default();
            (case.run)(&mut watch).map_err(|error| format!("{}: {error}", case.name))?;
            if round > 0 {
                times.push(watch.spent.as_secs_f64());
            }
        }
    }
    eprint!("\r");
    Ok(times.into_iter().map(Times).collect())
}

/// What a ratio should be.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// No less than.
    AtLeast(f64),
    /// No more than.
    AtMost(f64),
    /// A figure that is no ratio, and its limit.
    Within {
        /// What was measured.
        value: f64,
        /// What it may be.
        most: f64,
        /// Of both.
        unit: &'static str,
    },
    /// Only shown.
    None,
}

/// A line of the table.
#[derive(Debug)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// Our figure.
    pub ours: String,
    /// The figure beside it.
    pub theirs: String,
    /// The ratio the goal is about, of the best rounds; no number where there is none.
    pub best: f64,
    /// The same, the middle of all rounds.
    pub median: f64,
    /// See [`Goal`].
    pub goal: Goal,
}

impl Row {
    /// A line that compares two cases by how many times faster ours is.
    pub fn faster(what: &str, (ours, theirs): (&Times, &Times), count: f64, goal: Goal) -> Self {
        Self::between(what, (ours, theirs), theirs.over(ours), count, goal)
    }

    /// A line that compares two cases by how many times as long ours takes.
    pub fn longer(what: &str, (ours, theirs): (&Times, &Times), count: f64, goal: Goal) -> Self {
        Self::between(what, (ours, theirs), ours.over(theirs), count, goal)
    }

    fn between(
        what: &str,
        (ours, theirs): (&Times, &Times),
        (best, median): (f64, f64),
        count: f64,
        goal: Goal,
    ) -> Self {
        Self {
            what: what.to_owned(),
            ours: ours.each(count),
            theirs: theirs.each(count),
            best,
            median,
            goal,
        }
    }

    /// Whether the goal is reached, in words.
    fn verdict(&self) -> (String, &'static str) {
        let answer = |reached: bool| if reached { "yes" } else { "not reached" };
        match self.goal {
            Goal::AtLeast(least) => (format!(">= {least}"), answer(self.best >= least)),
            Goal::AtMost(most) => (format!("<= {most}"), answer(self.best <= most)),
            Goal::Within { value, most, unit } => {
                (format!("<= {most} {unit}"), answer(value <= most))
            }
            Goal::None => ("shown".to_owned(), ""),
        }
    }

    /// A line without a ratio.
    pub fn figure(what: &str, ours: String, theirs: &str, goal: Goal) -> Self {
        Self {
            what: what.to_owned(),
            ours,
            theirs: theirs.to_owned(),
            best: f64::NAN,
            median: f64::NAN,
            goal,
        }
    }
}

fn ratio(value: f64) -> String {
    match value.is_finite() {
        true => format!("{value:.2}"),
        false => "-".to_owned(),
    }
}

/// Prints the table as Markdown.
pub fn print(rows: &[Row]) {
    println!("| what | ours | theirs | ratio best | ratio median | goal | reached |");
    println!("|---|---|---|---|---|---|---|");
    for row in rows {
        let (goal, reached) = row.verdict();
        println!(
            "| {} | {} | {} | {} | {} | {goal} | {reached} |",
            row.what,
            row.ours,
            row.theirs,
            ratio(row.best),
            ratio(row.median)
        );
    }
}
