//! Why a file is not a strategy that can run: one variant per cause, each with the next step.

use super::limits::{NAME_BYTES, WANTS_MAX};
use super::{CONTRACT, SPOKEN};
use crate::causes::chain;
use pm_arb_core::strategy::StrategyFault;

/// A component that was refused. Nothing of it runs.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The host's own engine could not be set up.
    #[error("the WebAssembly engine does not start on this machine")]
    Engine(#[source] wasmtime::Error),
    /// The thread of the strategies' clock does not start.
    #[error("the thread that ends slow strategies can not be started")]
    Clock(#[source] std::io::Error),
    /// The file is larger than a strategy may be.
    #[error(
        "it is {bytes} bytes; a strategy may have {max}. Build with `--release` and `strip = true`"
    )]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        max: usize,
    },
    /// It is not of a size that compiles quickly.
    #[error(
        "it has {found} {what}; a strategy may have {max}. Build it with `--release`, and leave out what \
         it does not need"
    )]
    TooComplex {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        found: u64,
        /// The limit.
        max: u64,
    },
    /// Compiling did not end in time.
    #[error(
        "compiling it took longer than {max:?}, which a strategy may take. Make it smaller, or try again \
         when the machine is less busy"
    )]
    CompileTooLong {
        /// The limit.
        max: std::time::Duration,
    },
    /// Compiling wanted too much memory, or the compiler gave up.
    #[error(
        "it can not be compiled within {} MiB of memory, which a strategy may take. Make it smaller",
        max >> 20
    )]
    CompileTooLarge {
        /// The limit.
        max: u64,
    },
    /// The process that compiles can not be waited for.
    #[error("the process that compiles it can not be waited for. Try again")]
    Compiler(#[source] std::io::Error),
    /// It does not begin as WebAssembly does.
    #[error(
        "it is not WebAssembly (it begins with {begins:02x?}). Build the strategy with `make build`"
    )]
    NotWasm {
        /// Its first bytes.
        begins: Vec<u8>,
    },
    /// It is a core module.
    #[error(
        "it is a core module, not a component. Turn it into one with `cargo component build --release` \
         or `make build`"
    )]
    CoreModule,
    /// It ends in the middle.
    #[error("it is cut off: the file ends in the middle. Copy it again")]
    Truncated(#[source] wasmtime::Error),
    /// It is damaged, or uses a feature that is off (threads, 64-bit memory, relaxed SIMD, async).
    #[error("it is damaged or uses a WebAssembly feature that strategies do not have")]
    Invalid(#[source] wasmtime::Error),
    /// It was built for another version of the world.
    #[error(
        "it speaks {found}; this host speaks pm-arb:strategy {}. Rebuild it against this host's \
         wit/strategy.wit", SPOKEN.join(" and ")
    )]
    WrongVersion {
        /// The interface it names.
        found: String,
    },
    /// It imports what the host does not give.
    #[error(
        "it imports {}, which no strategy gets: only pm-arb:strategy/host and a WASI 0.2 \
         without files, network and real time. Remove the dependency that needs it", names.join(", ")
    )]
    UnknownImport {
        /// Their names.
        names: Vec<String>,
    },
    /// It does not export the world.
    #[error(
        "it lacks {}, which the world `strategy` of pm-arb:strategy exports. Is it a strategy? \
         Implement the SDK's trait and name it in `export!`", names.join(", ")
    )]
    MissingExport {
        /// Their names.
        names: Vec<String>,
    },
    /// A function has other types than the world says.
    #[error(
        "`{name}` has other types than in {CONTRACT}. Rebuild it against this host's \
         wit/strategy.wit"
    )]
    WrongType {
        /// Which.
        name: String,
        /// What differs.
        #[source]
        source: wasmtime::Error,
    },
    /// It failed while being set up.
    #[error("it failed in `{call}`: {fault}")]
    Failed {
        /// In which call.
        call: &'static str,
        /// How.
        fault: StrategyFault,
    },
    /// What it says of itself can not be used.
    #[error(
        "its {what} {value:?} can not be used. Names and versions have 1 to {NAME_BYTES} characters, a name \
         lower case letters, digits and hyphens only; an oracle is source.symbol; a list has at most \
         {WANTS_MAX} entries; a number asked for is above zero"
    )]
    BadManifest {
        /// Which part of it.
        what: &'static str,
        /// What it says.
        value: String,
    },
    /// It asks for what there is not.
    #[error("it asks for the {what} {value:?}, which there is not; there are {known}")]
    UnknownWant {
        /// Which kind of thing.
        what: &'static str,
        /// What it says.
        value: String,
        /// What there is.
        known: String,
    },
    /// Nothing is left of what it asks for.
    #[error(
        "it is granted no {what} (it asks for {asked}), so it could trade nowhere. Grant one in \
         [grants.for.{name}] or [grants] of pm-arb.toml"
    )]
    NothingGranted {
        /// Its name.
        name: String,
        /// Of which there is none.
        what: &'static str,
        /// What it asks for.
        asked: String,
    },
    /// It did not accept its settings.
    #[error("it does not accept its settings: {0}")]
    InitRefused(String),
    /// The state of the running version has a form that it can not take over, or may not.
    #[error(
        "its state has form {own}{}; the running version's has form {found}{}. {}",
        others(.reads), if *.refused { ", and [swap] state = \"refuse\"" } else { "" }, form_advice(*.refused, *.found)
    )]
    StateForm {
        /// Its own form.
        own: u32,
        /// Others that it reads.
        reads: Vec<u32>,
        /// That of the running version.
        found: u32,
        /// Whether the operator wants no form but its own.
        refused: bool,
    },
    /// It did not accept its predecessor's state.
    #[error("it does not take over the state of the running version: {0}")]
    RestoreRefused(String),
}

fn others(forms: &[u32]) -> String {
    if forms.is_empty() {
        return " and it reads no other".to_owned();
    }
    let forms: Vec<String> = forms.iter().map(u32::to_string).collect();
    format!(" and it reads {}", forms.join(", "))
}

fn form_advice(refused: bool, found: u32) -> String {
    let without = "or start it without state: `pm-arb strategy swap NAME FILE --fresh`";
    if refused {
        format!("Set [swap] state = \"migrate\", {without}")
    } else {
        format!(
            "Teach its `restore` form {found} and name that in `reads`, {without}, or [swap] state = \"fresh\""
        )
    }
}

impl PluginError {
    /// These bytes do not compile.
    pub(super) fn invalid(bytes: &[u8], why: wasmtime::Error) -> Self {
        if super::engine::is_cut_off(bytes) {
            Self::Truncated(why)
        } else {
            Self::Invalid(why)
        }
    }

    /// The whole story in one line: what happened and its causes.
    #[must_use]
    pub fn story(&self) -> String {
        super::imports::printable(&chain(self))
    }
}
