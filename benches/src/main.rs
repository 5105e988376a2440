//! Measurements of pm-arb beside its peers: one program, one table.
//!
//! ```text
//! cargo run --release                     every row
//! cargo run --release -- replay decode    these rows
//! cargo run --release -- --rounds 3       fewer rounds (7 by default)
//! ```
//!
//! Nothing here fails because of a figure: a goal that is missed prints "not reached". Only ratios of
//! one run mean something; the machine and the moment are printed with them.

mod bare;
mod barter;
mod component;
mod dashboard;
mod decode;
mod dispatch;
mod grading;
mod growth;
mod guest;
mod hft;
mod honest;
mod machine;
mod measure;
mod memory;
mod native;
mod platform;
mod refuse;
mod replay;
mod socket;
mod stage;
mod store;
mod store_bare;
mod stream;
mod swap;
mod trader;
mod trap;
mod viewers;

use measure::{Outcome, Row};

/// How much is measured.
pub struct Settings {
    /// Rounds of every contestant, after one that warms up.
    pub rounds: usize,
    /// Updates of the replayed stream.
    pub updates: usize,
}

type Measurement = fn(&Settings, &mut Vec<String>) -> Outcome<Vec<Row>>;

/// Every measurement, by name.
const MEASUREMENTS: &[(&str, Measurement)] = &[
    ("replay", replay::measure),
    ("component", component::measure),
    ("dispatch", dispatch::measure),
    ("decode", decode::measure),
    ("socket", socket::measure),
    ("memory", memory::measure),
    ("swap", swap::measure),
    ("trap", trap::measure),
    ("platform", platform::measure),
    ("refuse", refuse::measure),
    ("store", store::measure),
    ("dashboard", dashboard::measure),
    ("viewers", viewers::measure),
    ("honest", honest::measure),
    ("grading", grading::measure),
    ("growth", growth::measure),
];

fn main() -> Outcome<()> {
    let own: Vec<String> = std::env::args().skip(1).collect();
    let task = memory::task(&own)
        .or_else(|| growth::task(&own))
        .or_else(|| platform::task(&own));
    if let Some(done) = task {
        return done;
    }
    let mut settings = Settings {
        rounds: 7,
        updates: 2_000_000,
    };
    let mut wanted = Vec::new();
    let mut args = own.into_iter();
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0);
        match arg.as_str() {
            "--rounds" => settings.rounds = number().ok_or("--rounds takes a number above 0")?,
            "--updates" => settings.updates = number().ok_or("--updates takes a number above 0")?,
            name if MEASUREMENTS.iter().any(|(known, _)| *known == name) => wanted.push(arg),
            other => {
                let names: Vec<&str> = MEASUREMENTS.iter().map(|(name, _)| *name).collect();
                return Err(format!("unknown row {other}; there are: {}", names.join(", ")).into());
            }
        }
    }
    let machine = machine::describe()?;
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for (name, measurement) in MEASUREMENTS {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            eprintln!("measuring {name}");
            match measurement(&settings, &mut notes) {
                Ok(measured) => rows.extend(measured),
                Err(error) => notes.push(format!("{name}: could not be measured: {error}")),
            }
        }
    }
    println!("{machine}; {} rounds\n", settings.rounds);
    measure::print(&rows);
    println!();
    for note in notes {
        println!("- {note}");
    }
    Ok(())
}
