//! The WebAssembly engine of the process: from a file's bytes to a component that may run.
//!
//! Owns the engine's settings (deterministic, bounded, no async) and the checks before anything of a
//! component runs. It never trusts compiled code from outside: bytes are always compiled here.

use super::apart;
use super::clock::Ticker;
use super::describe::Described;
use super::error::PluginError;
use super::grants::{self, Grants};
use super::imports::{self, Guest};
use super::instance::{ComponentStrategy, Instance};
use super::limits::{INTERPRETED_ABOVE, Limits};
use super::prescan;
use super::wasi;
use pm_arb_core::capabilities::Capabilities;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine};

/// The package of the contract, and the functions its world exports.
const PACKAGE: &str = "pm-arb:strategy/";
const EXPORTS: [&str; 6] = [
    "describe", "init", "on-quote", "on-event", "snapshot", "restore",
];
/// How WebAssembly begins, and the two kinds of it.
const MAGIC: &[u8] = b"\0asm";
const CORE_MODULE: &[u8] = &[1, 0, 0, 0];
const PREAMBLE_BYTES: usize = 8;
/// Most bytes of a 32-bit length.
const LEB_DIGITS_MAX: u32 = 5;

/// Compiles and instantiates strategies. One per process; cheap to clone.
#[derive(Clone)]
pub struct PluginHost {
    engine: Engine,
    bare: Arc<Linker<Guest>>,
    with_wasi: Arc<Linker<Guest>>,
    limits: Limits,
    /// Of components with an interpreter in them; none when they are refused.
    interpreted: Option<Limits>,
    grants: Arc<Grants>,
    live: Option<Arc<Live>>,
}

/// What only a pilot has: the clock, and the process to compile in.
struct Live {
    is: AtomicBool,
    ticker: Ticker,
    compiler: Option<PathBuf>,
}

/// A component that passed every check. Cheap to clone; instances are made from it.
#[derive(Clone)]
pub struct Compiled {
    /// SHA-256 of its bytes.
    pub digest: [u8; 32],
    /// What it says of itself.
    pub described: Arc<Described>,
    /// The interfaces it imports, in the component's order; every one of them is granted.
    pub imports: Arc<[String]>,
    /// The limits of a component of its size, before any grant.
    pub limits: Limits,
    pre: InstancePre<Guest>,
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiled")
            .field("described", &self.described)
            .finish_non_exhaustive()
    }
}

/// SHA-256, by which components are known.
#[must_use]
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A digest as it is written.
#[must_use]
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl PluginHost {
    /// For replays, backtests and trials: fuel alone ends a call, so that it ends alike every time.
    pub fn new(limits: Limits) -> Result<Self, PluginError> {
        Self::with(&config(), limits, None)
    }

    /// For a pilot, which [goes live](Self::go_live) later. New bytes are first compiled by that program in
    /// a process of its own, if there is one; see [`apart`].
    pub fn live(limits: Limits, compiler: Option<PathBuf>) -> Result<Self, PluginError> {
        if compiler.is_none() {
            tracing::warn!(
                "this program does not find itself: components are compiled without a deadline"
            );
        }
        let live = Live {
            is: AtomicBool::new(false),
            ticker: Ticker::default(),
            compiler,
        };
        Self::with(&live_config(), limits, Some(Arc::new(live)))
    }

    /// The replay of what was is over. From now on, for every clone of a [`live`](Self::live) host and every
    /// instance of theirs, calls also end by the clock, and new bytes have a deadline to be compiled. Ends
    /// with the last clone.
    pub fn go_live(&self) -> Result<(), PluginError> {
        let Some(live) = &self.live else {
            return Ok(());
        };
        live.is.store(true, Ordering::Relaxed);
        live.ticker.start(&self.engine)
    }

    fn with(config: &Config, limits: Limits, live: Option<Arc<Live>>) -> Result<Self, PluginError> {
        let engine = Engine::new(config).map_err(PluginError::Engine)?;
        let mut bare = Linker::new(&engine);
        imports::add_to_linker(&mut bare).map_err(PluginError::Engine)?;
        let mut with_wasi = Linker::new(&engine);
        imports::add_to_linker(&mut with_wasi)
            .and_then(|()| wasi::add_to_linker(&mut with_wasi))
            .map_err(PluginError::Engine)?;
        Ok(Self {
            engine,
            bare: Arc::new(bare),
            with_wasi: Arc::new(with_wasi),
            limits,
            interpreted: Some(Limits::interpreted()),
            grants: Arc::default(),
            live,
        })
    }

    /// Another with the same limits and grants that knows no clock, as replays have it.
    pub fn timeless(&self) -> Result<Self, PluginError> {
        Ok(Self {
            interpreted: self.interpreted,
            grants: self.grants.clone(),
            ..Self::new(self.limits)?
        })
    }

    /// The same with what the operator grants. Without it, everything is.
    #[must_use]
    pub fn granting(self, grants: Grants) -> Self {
        Self {
            interpreted: grants.interpreted.then(Limits::interpreted),
            grants: Arc::new(grants),
            ..self
        }
    }

    /// What the operator grants.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// The limits its strategies run under.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The limits of a component of that size.
    #[must_use]
    pub fn limits_for(&self, bytes: usize) -> Limits {
        match self.interpreted {
            Some(limits) if bytes > INTERPRETED_ABOVE => limits,
            _ => self.limits,
        }
    }

    /// Size of the largest file that may be a strategy.
    #[must_use]
    pub fn file_bytes_max(&self) -> usize {
        let interpreted = self.interpreted.map_or(0, |limits| limits.file_bytes);
        interpreted.max(self.limits.file_bytes)
    }

    /// Checks and compiles a component, and asks an instance that is then thrown away who it is.
    /// Takes milliseconds: not for the engine's thread.
    pub fn compile(&self, bytes: &[u8]) -> Result<Compiled, PluginError> {
        let limits = self.limits_for(bytes.len());
        check_form(bytes, limits.file_bytes)?;
        prescan::check(bytes, &limits)?;
        if let Some(live) = &self.live
            && live.is.load(Ordering::Relaxed)
            && let Some(compiler) = &live.compiler
        {
            apart::try_out(compiler, bytes, &limits)?;
        }
        let component = Component::new(&self.engine, bytes)
            .map_err(|error| PluginError::invalid(bytes, error))?;
        let uses_wasi = self.check_world(&component)?;
        let ty = component.component_type();
        let imports = ty.imports(&self.engine).map(|(name, _)| name.to_owned());
        let imports = imports.collect();
        let linker = if uses_wasi {
            &self.with_wasi
        } else {
            &self.bare
        };
        let pre = linker
            .instantiate_pre(&component)
            .map_err(|source| PluginError::WrongType {
                name: format!("{PACKAGE}host"),
                source,
            })?;
        let described = Instance::new(&pre, "?", &limits)?.describe()?;
        Ok(Compiled {
            digest: digest(bytes),
            described: Arc::new(described),
            imports,
            limits,
            pre,
        })
    }

    /// A new instance, initialised with its settings, of what it asks for and is granted.
    pub fn instantiate(
        &self,
        compiled: &Compiled,
        params: &[(String, String)],
    ) -> Result<ComponentStrategy, PluginError> {
        let may = self.grants.may(&compiled.described);
        grants::something_left(&compiled.described, &may)?;
        self.instantiate_within(compiled, params, &may)
    }

    /// The same with what it was once granted: a replay does not ask the present configuration.
    pub fn instantiate_within(
        &self,
        compiled: &Compiled,
        params: &[(String, String)],
        may: &Capabilities,
    ) -> Result<ComponentStrategy, PluginError> {
        let name = &compiled.described.manifest.name;
        let mut instance = Instance::new(&compiled.pre, name, &compiled.limits.within(may))?;
        instance.init(params)?;
        let sees_clock = compiled.imports.iter().any(|name| is_wasi(name));
        ComponentStrategy::new(instance, sees_clock, may.clone())
    }

    /// Whether it is a strategy of our version; returns whether it needs a WASI.
    fn check_world(&self, component: &Component) -> Result<bool, PluginError> {
        let ty = component.component_type();
        let mut uses_wasi = false;
        let mut unknown = Vec::new();
        for (name, _) in ty.imports(&self.engine) {
            if imports::is_ours(name) {
                continue;
            } else if name.starts_with(PACKAGE) {
                return Err(PluginError::WrongVersion {
                    found: name.to_owned(),
                });
            } else if is_wasi(name) {
                uses_wasi = true;
            } else {
                unknown.push(name.to_owned());
            }
        }
        if !unknown.is_empty() {
            return Err(PluginError::UnknownImport { names: unknown });
        }
        let exports: Vec<&str> = ty
            .exports(&self.engine)
            .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)))
            .map(|(name, _)| name)
            .collect();
        let names: Vec<String> = EXPORTS
            .iter()
            .filter(|name| !exports.contains(name))
            .map(|name| (*name).to_owned())
            .collect();
        if names.is_empty() {
            Ok(uses_wasi)
        } else {
            Err(PluginError::MissingExport { names })
        }
    }
}

/// Whether a strategy is given what it imports by that name.
pub(crate) fn is_granted(import: &str) -> bool {
    imports::is_ours(import) || is_wasi(import)
}

fn is_wasi(name: &str) -> bool {
    wasi::PACKAGES
        .iter()
        .any(|package| name.starts_with(package))
        && name.contains("@0.2.")
}

fn check_form(bytes: &[u8], max: usize) -> Result<(), PluginError> {
    if bytes.len() > max {
        return Err(PluginError::TooLarge {
            bytes: bytes.len() as u64,
            max,
        });
    }
    let Some(kind) = bytes.strip_prefix(MAGIC) else {
        return Err(PluginError::NotWasm {
            begins: bytes.iter().take(4).copied().collect(),
        });
    };
    if kind.starts_with(CORE_MODULE) {
        return Err(PluginError::CoreModule);
    }
    Ok(())
}

/// Whether a section claims more bytes than follow: a component is its preamble and then sections,
/// each an id, a length (LEB128) and that many bytes.
pub(super) fn is_cut_off(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(PREAMBLE_BYTES..).unwrap_or_default();
    while let Some((_id, after)) = rest.split_first() {
        let mut len: u64 = 0;
        let mut digits = 0;
        let mut body = after;
        loop {
            let Some((byte, tail)) = body.split_first() else {
                return true;
            };
            body = tail;
            len |= u64::from(byte & 0x7f) << (7 * digits);
            digits += 1;
            if byte & 0x80 == 0 || digits == LEB_DIGITS_MAX {
                break;
            }
        }
        match usize::try_from(len).ok().and_then(|len| body.get(len..)) {
            Some(next) => rest = next,
            None => return true,
        }
    }
    false
}

/// The same, and it looks at the clock.
pub(super) fn live_config() -> Config {
    let mut config = config();
    config.epoch_interruption(true);
    config
}

/// Deterministic, synchronous, metered; every proposal that strategies do not need is off.
fn config() -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .wasm_component_model(true)
        .consume_fuel(true)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .shared_memory(false)
        .max_wasm_stack(512 << 10);
    config
}
