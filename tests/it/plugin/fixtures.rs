//! Components written by hand, for what no honest toolchain would produce.
//!
//! A core module in text implements the world's functions at the level of the canonical ABI;
//! `wit-component` makes a component of it, exactly as for a Rust guest.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The contract, as the host reads it.
pub const WIT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/strategy.wit"));

/// A strategy's parts; those of [`Fixture::new`] do nothing.
pub struct Fixture {
    /// Its WIT package.
    pub wit: String,
    /// Packages it depends on.
    pub dependencies: Vec<&'static str>,
    /// The manifest's name, at most 32 bytes.
    pub name: &'static str,
    /// The manifest's version: tells the bytes of two generations apart.
    pub version: &'static str,
    /// What it hears: bits of the contract's `topics`, quotes first, markets second.
    pub topics: u8,
    /// Pages of 64 KiB that its memory has.
    pub pages: u32,
    /// More imports of the core module; functions and tables of its own may follow them.
    pub imports: String,
    /// More exports of it.
    pub exports: &'static str,
    /// Body that runs at the start of `init`.
    pub init: &'static str,
    /// Body of `on-event`.
    pub on_event: String,
    /// Body of `on-quote`: `$now` is the time, `$instrument` whose quote it is.
    pub on_quote: String,
    /// What `restore` answers: nothing for yes, or the reason for no.
    pub restore: &'static str,
    /// Body that runs at the start of `restore`: local 0 is where the state is, local 1 how long.
    pub on_restore: &'static str,
    /// Body that runs at the start of `snapshot`.
    pub snapshot: &'static str,
    /// Number of the form of its snapshot.
    pub state: u32,
}

impl Fixture {
    /// One that listens to quotes and does nothing.
    pub fn new(name: &'static str) -> Self {
        Self {
            wit: WIT.to_owned(),
            dependencies: Vec::new(),
            name,
            version: "1",
            topics: 1,
            pages: 2,
            imports: String::new(),
            exports: "",
            init: "",
            on_event: String::new(),
            on_quote: String::new(),
            restore: "",
            on_restore: "",
            snapshot: "",
            state: 1,
        }
    }

    /// One that does that on every quote but those of instrument 0, which the host's probe uses.
    pub fn on_quote(name: &'static str, body: &str) -> Self {
        Self {
            on_quote: format!("(if (local.get $instrument) (then {body}))"),
            ..Self::new(name)
        }
    }

    /// The core module, with the component's type embedded.
    pub fn core_module(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        for dependency in &self.dependencies {
            resolve.push_str("dependency.wit", dependency).unwrap();
        }
        let package = resolve.push_str("strategy.wit", &self.wit).unwrap();
        let world = resolve.select_world(&[package], Some("strategy")).unwrap();
        let mut module = wat::parse_str(self.text()).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        module
    }

    /// The component.
    pub fn component(&self) -> Vec<u8> {
        ComponentEncoder::default()
            .module(&self.core_module())
            .unwrap()
            .validate(true)
            .encode()
            .unwrap()
    }

    fn text(&self) -> String {
        let other = self.wit.contains("package pm-arb:strategy@0.9.0;");
        let version = if other { "0.9.0" } else { "0.3.0" };
        let host = format!("pm-arb:strategy/host@{version}");
        format!(
            r#"(module
  (import "{host}" "log" (func $log (param i32 i32 i32)))
  (import "{host}" "submit"
    (func $submit (param i32 i64 i32 i64 i32 i32 i64 i32 i64 i64) (result i32)))
  (import "{host}" "cancel" (func $cancel (param i64) (result i32)))
  (import "{host}" "wake-at" (func $wake_at (param i64)))
  {imports}
  (memory (export "memory") {pages})
  (global $free (mut i32) (i32.const 4096))
  (global $count (export "count") (mut i32) (i32.const 0))
  (data (i32.const 64) "{name}")
  (data (i32.const 128) "{version}")
  (data (i32.const 192) "{restore}")
  (data (i32.const 256) "\1b[31mhello\07\n")
  ;; one leg: instrument 1, buy, limit 500,000
  (data (i32.const 320) "\01\00\00\00\01\00\00\00\20\a1\07\00\00\00\00\00")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
    (global.set $free (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func (export "describe") (result i32)
    (i32.store (i32.const 512) (i32.const 64))
    (i32.store (i32.const 516) (i32.const {name_len}))
    (i32.store (i32.const 520) (i32.const 128))
    (i32.store (i32.const 524) (i32.const {version_len}))
    (i32.store8 (i32.const 528) (i32.const {topics}))
    ;; wants: at 536, all zero; state at 608; reads at 612
    (i32.store (i32.const 608) (i32.const {state}))
    (i32.const 512))
  (func (export "init") (param i32 i32) (result i32) {init} (i32.store8 (i32.const 0) (i32.const 0)) (i32.const 0))
  (func (export "on-quote") (param $now i64) (param $instrument i32) (param i64 i64 i64 i64)
    (local $i i32) (local $taken i32)
    {on_quote})
  (func (export "on-event") (param i32) (local $i i32) (local $taken i32)
    {on_event}
    ;; what it was told may be forgotten: the memory is used again
    (global.set $free (i32.const 4096)))
  (func (export "snapshot") (result i32)
    {snapshot}
    (i32.store (i32.const 32) (i32.const 128))
    (i32.store (i32.const 36) (i32.const {version_len}))
    (i32.const 32))
  (func (export "restore") (param i32 i32) (result i32)
    {on_restore}
    (i32.store8 (i32.const 32) (i32.const {refuses}))
    (i32.store (i32.const 36) (i32.const 192))
    (i32.store (i32.const 40) (i32.const {restore_len}))
    (i32.const 32))
  {exports})"#,
            topics = self.topics,
            pages = self.pages,
            imports = self.imports,
            exports = self.exports,
            init = self.init,
            on_event = self.on_event,
            name = self.name,
            name_len = self.name.len(),
            version = self.version,
            version_len = self.version.len(),
            on_quote = self.on_quote,
            snapshot = self.snapshot,
            state = self.state,
            restore = self.restore,
            on_restore = self.on_restore,
            restore_len = self.restore.len(),
            refuses = i32::from(!self.restore.is_empty()),
        )
    }
}

/// Repeats a body so many times.
pub fn times(count: u32, body: &str) -> String {
    format!(
        "(loop $again {body} (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $i) (i32.const {count}))))"
    )
}

/// Submits one intent: buy 10 shares of instrument 1 at 0.50.
pub const SUBMIT: &str = "(local.set $taken (i32.add (local.get $taken)
    (call $submit (i32.const 0) (i64.const 0) (i32.const 0) (i64.const 9) (i32.const 320) (i32.const 1)
      (i64.const 10000000) (i32.const 0) (i64.const 0) (i64.const 1000))))";
/// The same, resting until it is cancelled.
pub const SUBMIT_GTC: &str = "(drop (call $submit (i32.const 0) (i64.const 0) (i32.const 0) (i64.const 9)
    (i32.const 320) (i32.const 1) (i64.const 10000000) (i32.const 2) (i64.const 0) (i64.const 20000)))";
/// Cancels the tag of that intent.
pub const CANCEL: &str = "(drop (call $cancel (i64.const 9)))";
/// Writes a line with control characters at level error.
pub const LOG: &str = "(call $log (i32.const 3) (i32.const 256) (i32.const 11))";
