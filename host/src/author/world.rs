//! The types of a component, beside those of the contract, and what differs in words.
//!
//! A component carries its own WIT. It is read here and held against the WIT of the version it was built
//! for, part by part, so that a refusal can say which function, which parameter, which field. Whether a
//! component may run is decided by `plugin`, which checks the same types once more; nothing here runs
//! anything of it.

use crate::plugin::{SPOKEN, is_granted};
use std::collections::BTreeSet;
use wit_component::DecodedWasm;
use wit_parser::{
    Function, Handle, InterfaceId, Resolve, Type, TypeDefKind, TypeId, WorldId, WorldItem,
};

/// The contract's text in every version that the host speaks, oldest first.
const TEXTS: [(&str, &str); SPOKEN.len()] = [
    (SPOKEN[0], include_str!("../../../wit/0.2/strategy.wit")),
    (SPOKEN[1], include_str!("../../../wit/strategy.wit")),
];
/// The contract's package without its version.
const PACKAGE: (&str, &str) = ("pm-arb", "strategy");
/// The world that every strategy is, and the one that takes several quotes in a call.
const STRATEGY: &str = "strategy";
const BATCHING: &str = "batching-strategy";
/// What tells the second from the first.
const BATCH_EXPORT: &str = "on-quotes";
/// How deep types are followed: deeper ones are not of the contract.
const DEPTH_MAX: usize = 16;
/// Most differences that are told.
pub const DIFFERENCES_MAX: usize = 32;

/// What a component or the contract is, by types.
struct World {
    resolve: Resolve,
    id: WorldId,
}

/// An interface that a component imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// With package and version.
    pub name: String,
    /// Its functions that are used.
    pub functions: Vec<String>,
    /// Whether a strategy gets it.
    pub granted: bool,
}

/// What the types of a component say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The version of the contract it was built for; `None` when it names none.
    pub version: Option<String>,
    /// Whether it can be told several quotes in one call.
    pub batches: bool,
    /// What it imports.
    pub imports: Vec<Import>,
    /// What it exports.
    pub exports: Vec<String>,
    /// Where it is not as the contract says, in words; nothing when it fits.
    pub differences: Vec<String>,
}

impl Shape {
    /// Reads a component's types. The error says why they can not be read.
    pub fn of(component: &[u8]) -> Result<Self, String> {
        let decoded = wit_component::decode(component).map_err(|e| format!("{e:#}"))?;
        let DecodedWasm::Component(resolve, id) = decoded else {
            return Err("it holds WIT and no code".to_owned());
        };
        let theirs = World { resolve, id };
        let version = theirs.version();
        let ours = World::contract(version.as_deref())?;
        let differences = differences(&ours, &theirs, version.as_deref());
        Ok(Self {
            batches: theirs.function(BATCH_EXPORT).is_some(),
            imports: theirs.imports(),
            exports: theirs.exports(),
            version,
            differences,
        })
    }
}

/// A version of the contract, or the newest.
fn text(version: Option<&str>) -> (&'static str, &'static str) {
    let [.., newest] = TEXTS;
    let asked = TEXTS.into_iter().find(|(v, _)| Some(*v) == version);
    asked.unwrap_or(newest)
}

impl World {
    fn contract(version: Option<&str>) -> Result<Self, String> {
        let (version, text) = text(version);
        let failed = |e| format!("the contract {version} of this host can not be read: {e}");
        let mut resolve = Resolve::default();
        let package = resolve.push_source("strategy.wit", text).map_err(failed)?;
        // A version without the larger world has the smaller one only.
        let id = resolve
            .select_world(&[package], Some(BATCHING))
            .or_else(|_| resolve.select_world(&[package], Some(STRATEGY)))
            .map_err(failed)?;
        Ok(Self { resolve, id })
    }

    fn items(&self, exported: bool) -> impl Iterator<Item = (String, &WorldItem)> {
        let world = self.resolve.worlds.get(self.id);
        let items = world.map(|w| if exported { &w.exports } else { &w.imports });
        items
            .into_iter()
            .flatten()
            .map(|(key, item)| (self.resolve.name_world_key(key), item))
    }

    fn interfaces(&self) -> impl Iterator<Item = (String, InterfaceId)> {
        self.items(false).filter_map(|(name, item)| match item {
            WorldItem::Interface { id, .. } => Some((name, *id)),
            _ => None,
        })
    }

    /// The version of the contract that its imports name.
    fn version(&self) -> Option<String> {
        self.interfaces().find_map(|(_, id)| {
            let package = self.resolve.interfaces.get(id)?.package?;
            let name = &self.resolve.packages.get(package)?.name;
            let ours = (name.namespace.as_str(), name.name.as_str()) == PACKAGE;
            ours.then(|| name.version.as_ref().map(ToString::to_string))?
        })
    }

    fn imports(&self) -> Vec<Import> {
        self.items(false)
            .filter_map(|(name, item)| {
                let functions = match item {
                    WorldItem::Interface { id, .. } => {
                        let interface = self.resolve.interfaces.get(*id)?;
                        interface.functions.keys().cloned().collect()
                    }
                    WorldItem::Function(_) => Vec::new(),
                    WorldItem::Type { .. } => return None,
                };
                Some(Import {
                    granted: is_granted(&name),
                    name,
                    functions,
                })
            })
            .collect()
    }

    fn exports(&self) -> Vec<String> {
        let items = self.items(true);
        let named = items.filter(|(_, item)| !matches!(item, WorldItem::Type { .. }));
        named.map(|(name, _)| name).collect()
    }

    /// A function that the world itself exports.
    fn function(&self, name: &str) -> Option<&Function> {
        self.items(true).find_map(|(key, item)| match item {
            WorldItem::Function(function) if key == name => Some(function),
            _ => None,
        })
    }

    /// The functions of the contract's interface of that name, whatever its version.
    fn of_interface(&self, name: &str) -> Vec<&Function> {
        let (namespace, package) = PACKAGE;
        let begins = format!("{namespace}:{package}/{name}@");
        self.interfaces()
            .filter(|(full, _)| full.starts_with(&begins))
            .filter_map(|(_, id)| self.resolve.interfaces.get(id))
            .flat_map(|interface| interface.functions.values())
            .collect()
    }
}

/// All that keeps `theirs` from being what the contract says.
fn differences(ours: &World, theirs: &World, version: Option<&str>) -> Vec<String> {
    let mut say = Differences {
        ours: &ours.resolve,
        theirs: &theirs.resolve,
        seen: BTreeSet::new(),
        said: Vec::new(),
    };
    match version {
        Some(version) if !SPOKEN.contains(&version) => say.that(format!(
            "the host speaks pm-arb:strategy {}; this component wants {version}",
            SPOKEN.join(" and ")
        )),
        _ => {}
    }
    for import in theirs.imports().iter().filter(|import| !import.granted) {
        let contract = import.name.starts_with("pm-arb:strategy/");
        if contract && version.is_some_and(|v| !SPOKEN.contains(&v)) {
            continue;
        }
        let uses = match import.functions.as_slice() {
            [] => String::new(),
            some => format!(" ({})", some.join(", ")),
        };
        say.that(format!(
            "it imports `{}`{uses}, which no strategy is given",
            import.name
        ));
    }
    let mut missing = Vec::new();
    for (name, item) in ours.items(true) {
        let WorldItem::Function(wanted) = item else {
            continue;
        };
        match theirs.function(&name) {
            Some(found) => say.function("", wanted, found),
            None if name == BATCH_EXPORT => {}
            None => missing.push(format!("`{name}`")),
        }
    }
    if !missing.is_empty() {
        say.that(format!("it does not export {}", missing.join(", ")));
    }
    let offered = ours.of_interface("host");
    for used in theirs.of_interface("host") {
        match offered.iter().find(|f| f.name == used.name) {
            Some(given) => say.function("host.", given, used),
            None => say.that(format!(
                "it calls `host.{}`, which the host does not offer; it offers {}",
                used.name,
                names(offered.iter().map(|f| f.name.as_str()))
            )),
        }
    }
    say.said
}

/// Walks both sides and keeps what differs.
struct Differences<'a> {
    ours: &'a Resolve,
    theirs: &'a Resolve,
    seen: BTreeSet<(String, String)>,
    said: Vec<String>,
}

impl Differences<'_> {
    fn that(&mut self, words: String) {
        if self.said.len() < DIFFERENCES_MAX && !self.said.contains(&words) {
            self.said.push(words);
        }
    }

    /// Names of parameters are for people: types in their order are what must fit.
    fn function(&mut self, of: &str, ours: &Function, theirs: &Function) {
        let name = format!("`{of}{}`", ours.name);
        let find = |f: &Function, name: &str| f.params.iter().position(|p| p.name == name);
        if ours.params.len() == theirs.params.len() {
            for (a, b) in ours.params.iter().zip(&theirs.params) {
                let what = format!("{name}: its parameter `{}`", a.name);
                self.types(&what, a.ty, b.ty, 0);
            }
        } else {
            for p in &ours.params {
                if find(theirs, &p.name).is_none() {
                    let ty = words(self.ours, p.ty, 0);
                    self.that(format!("{name} lacks `{}`, a {ty}", p.name));
                }
            }
            for p in &theirs.params {
                match find(ours, &p.name).and_then(|n| ours.params.get(n)) {
                    Some(known) => {
                        let what = format!("{name}: its parameter `{}`", p.name);
                        self.types(&what, known.ty, p.ty, 0);
                    }
                    None => {
                        let ty = words(self.theirs, p.ty, 0);
                        self.that(format!(
                            "{name} wants `{}`, a {ty}, which the host does not pass",
                            p.name
                        ));
                    }
                }
            }
            if self.said.is_empty() {
                let counts = (theirs.params.len(), ours.params.len());
                self.that(format!(
                    "{name} has {} parameters, not {}",
                    counts.0, counts.1
                ));
            }
        }
        let what = format!("{name}: what it returns");
        self.maybe(&what, ours.result, theirs.result, 0);
    }

    fn maybe(&mut self, what: &str, ours: Option<Type>, theirs: Option<Type>, depth: usize) {
        match (ours, theirs) {
            (Some(a), Some(b)) => self.types(what, a, b, depth),
            (None, None) => {}
            (a, b) => {
                let said = |r: &Resolve, t: Option<Type>| match t {
                    Some(t) => format!("a {}", words(r, t, 0)),
                    None => "nothing".to_owned(),
                };
                let (a, b) = (said(self.ours, a), said(self.theirs, b));
                self.that(format!("{what} is {b}, not {a}"));
            }
        }
    }

    fn types(&mut self, what: &str, ours: Type, theirs: Type, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        let (ours, theirs) = (bare(self.ours, ours), bare(self.theirs, theirs));
        let (Type::Id(a), Type::Id(b)) = (ours, theirs) else {
            if ours != theirs {
                self.unlike(what, ours, theirs);
            }
            return;
        };
        let next = depth + 1;
        let named = (name_of(self.ours, a), name_of(self.theirs, b));
        if let (Some(a), Some(b)) = named
            && !self.seen.insert((a.to_owned(), b.to_owned()))
        {
            return;
        }
        let called = named.0.map(str::to_owned);
        let called = |kind: &str| match &called {
            Some(name) => format!("{kind} `{name}`"),
            None => what.to_owned(),
        };
        let (Some(x), Some(y)) = (self.ours.types.get(a), self.theirs.types.get(b)) else {
            return;
        };
        match (&x.kind, &y.kind) {
            (TypeDefKind::Record(x), TypeDefKind::Record(y)) => {
                let own: Vec<_> = x.fields.iter().map(|f| (&*f.name, Some(f.ty))).collect();
                let new: Vec<_> = y.fields.iter().map(|f| (&*f.name, Some(f.ty))).collect();
                self.parts(&called("record"), &own, &new, next);
            }
            (TypeDefKind::Variant(x), TypeDefKind::Variant(y)) => {
                let own: Vec<_> = x.cases.iter().map(|c| (&*c.name, c.ty)).collect();
                let new: Vec<_> = y.cases.iter().map(|c| (&*c.name, c.ty)).collect();
                self.parts(&called("variant"), &own, &new, next);
            }
            (TypeDefKind::Enum(x), TypeDefKind::Enum(y)) => {
                let own: Vec<_> = x.cases.iter().map(|c| (&*c.name, None)).collect();
                let new: Vec<_> = y.cases.iter().map(|c| (&*c.name, None)).collect();
                self.parts(&called("enum"), &own, &new, next);
            }
            (TypeDefKind::Flags(x), TypeDefKind::Flags(y)) => {
                let own: Vec<_> = x.flags.iter().map(|f| (&*f.name, None)).collect();
                let new: Vec<_> = y.flags.iter().map(|f| (&*f.name, None)).collect();
                self.parts(&called("flags"), &own, &new, next);
            }
            (TypeDefKind::Tuple(x), TypeDefKind::Tuple(y)) if x.types.len() == y.types.len() => {
                let pairs: Vec<_> = x
                    .types
                    .iter()
                    .copied()
                    .zip(y.types.iter().copied())
                    .collect();
                for (a, b) in pairs {
                    self.types(what, a, b, next);
                }
            }
            (TypeDefKind::Option(x), TypeDefKind::Option(y))
            | (TypeDefKind::List(x), TypeDefKind::List(y)) => self.types(what, *x, *y, next),
            (TypeDefKind::Result(x), TypeDefKind::Result(y)) => {
                let (x, y) = (x.clone(), y.clone());
                self.maybe(what, x.ok, y.ok, next);
                self.maybe(what, x.err, y.err, next);
            }
            _ => self.unlike(what, ours, theirs),
        }
    }

    fn unlike(&mut self, what: &str, ours: Type, theirs: Type) {
        let (a, b) = (words(self.ours, ours, 0), words(self.theirs, theirs, 0));
        self.that(format!("{what} is a {b}, not a {a}"));
    }

    /// Fields, cases or flags of both sides, by name.
    fn parts(
        &mut self,
        called: &str,
        ours: &[(&str, Option<Type>)],
        theirs: &[(&str, Option<Type>)],
        depth: usize,
    ) {
        let has = |all: &[(&str, Option<Type>)], name: &str| all.iter().any(|(n, _)| *n == name);
        let lacks: Vec<&str> = ours
            .iter()
            .map(|(n, _)| *n)
            .filter(|n| !has(theirs, n))
            .collect();
        let more: Vec<&str> = theirs
            .iter()
            .map(|(n, _)| *n)
            .filter(|n| !has(ours, n))
            .collect();
        if !lacks.is_empty() {
            self.that(format!("{called} lacks {}", names(lacks.iter().copied())));
        }
        if !more.is_empty() {
            let names = names(more.iter().copied());
            self.that(format!(
                "{called} has {names}, which the host does not know"
            ));
        }
        for (name, a) in ours {
            let Some((_, b)) = theirs.iter().find(|(n, _)| n == name) else {
                continue;
            };
            self.maybe(&format!("{called}: `{name}`"), *a, *b, depth);
        }
        let order = |all: &[(&str, Option<Type>)]| -> Vec<String> {
            all.iter().map(|(n, _)| (*n).to_owned()).collect()
        };
        if lacks.is_empty() && more.is_empty() && order(ours) != order(theirs) {
            self.that(format!(
                "{called} has its parts in another order than {}",
                names(ours.iter().map(|(n, _)| *n))
            ));
        }
    }
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = all.map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// A type without the names that only stand for another.
fn bare(resolve: &Resolve, mut ty: Type) -> Type {
    for _ in 0..DEPTH_MAX {
        let Type::Id(id) = ty else { break };
        match resolve.types.get(id).map(|def| &def.kind) {
            Some(TypeDefKind::Type(inner)) => ty = *inner,
            _ => break,
        }
    }
    ty
}

fn name_of(resolve: &Resolve, id: TypeId) -> Option<&str> {
    resolve.types.get(id)?.name.as_deref()
}

/// A type as a reader of WIT knows it.
fn words(resolve: &Resolve, ty: Type, depth: usize) -> String {
    let inner = |ty: Type| words(resolve, ty, depth + 1);
    let maybe = |ty: Option<Type>| ty.map_or_else(|| "_".to_owned(), inner);
    let id = match bare(resolve, ty) {
        Type::Id(id) if depth < DEPTH_MAX => id,
        Type::Id(_) => return "…".to_owned(),
        plain => return format!("{plain:?}").to_ascii_lowercase(),
    };
    let Some(def) = resolve.types.get(id) else {
        return "…".to_owned();
    };
    if let Some(name) = &def.name {
        return format!("{} `{name}`", def.kind.as_str());
    }
    match &def.kind {
        TypeDefKind::List(ty) => format!("list<{}>", inner(*ty)),
        TypeDefKind::Option(ty) => format!("option<{}>", inner(*ty)),
        TypeDefKind::Result(r) => format!("result<{}, {}>", maybe(r.ok), maybe(r.err)),
        TypeDefKind::Tuple(t) => {
            let all: Vec<String> = t.types.iter().copied().map(inner).collect();
            format!("tuple<{}>", all.join(", "))
        }
        TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => {
            format!("handle of `{}`", name_of(resolve, *id).unwrap_or("?"))
        }
        other => other.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(text: &str) -> World {
        let mut resolve = Resolve::default();
        let package = resolve.push_source("other.wit", text).unwrap();
        let id = resolve.select_world(&[package], Some(STRATEGY)).unwrap();
        World { resolve, id }
    }

    /// What is said of the newest contract after that change of its text.
    fn said(from: &str, to: &str) -> Vec<String> {
        let [.., (_, newest)] = TEXTS;
        assert!(newest.contains(from), "{from}");
        let theirs = world(&newest.replacen(from, to, 1));
        let version = theirs.version();
        let ours = World::contract(version.as_deref()).unwrap();
        differences(&ours, &theirs, version.as_deref())
    }

    #[test]
    fn every_version_that_is_spoken_is_itself() {
        for (version, text) in TEXTS {
            assert!(text.contains(&format!("package pm-arb:strategy@{version};")));
            let theirs = world(text);
            assert_eq!(theirs.version().as_deref(), Some(version));
            let ours = World::contract(Some(version)).unwrap();
            assert_eq!(differences(&ours, &theirs, Some(version)), [""; 0]);
        }
    }

    #[test]
    fn what_differs_is_said_in_words() {
        for (from, to, expected) in [
            (
                "on-event: func(now: timestamp, event: event)",
                "on-event: func(event: event)",
                "`on-event` lacks `now`, a u64",
            ),
            (
                "on-event: func(now: timestamp, event: event)",
                "on-event: func(now: timestamp, event: event, urgent: bool)",
                "`on-event` wants `urgent`, a bool, which the host does not pass",
            ),
            (
                "        wants: wants,\n",
                "",
                "record `manifest` lacks `wants`",
            ),
            (
                "state: u32,",
                "state: string,",
                "record `manifest`: `state` is a string, not a u32",
            ),
            (
                "bid-qty: qty,",
                "bid-qty: qty,\n bid-count: u32,",
                "record `quote` has `bid-count`, which the host does not know",
            ),
            (
                "enum opportunity-kind { oracle-lag, mispricing, cross-platform }",
                "enum opportunity-kind { mispricing, oracle-lag, cross-platform }",
                "enum `opportunity-kind` has its parts in another order than `oracle-lag`, `mispricing`, \
                 `cross-platform`",
            ),
            (
                "export snapshot: func() -> list<u8>;",
                "",
                "it does not export `snapshot`",
            ),
            (
                "export snapshot: func() -> list<u8>;",
                "export snapshot: func();",
                "`snapshot`: what it returns is nothing, not a list<u8>",
            ),
            (
                "submit: func(intent: intent) -> bool;",
                "submit: func(intent: intent) -> bool;\n    now: func() -> timestamp;",
                "it calls `host.now`, which the host does not offer; it offers `log`, `submit`, `cancel`, \
                 `wake-at`",
            ),
        ] {
            let said = said(from, to);
            assert_eq!(said, [expected], "{from} → {to}");
        }
    }

    #[test]
    fn another_version_is_named_with_what_it_changed() {
        let [.., (newest, text)] = TEXTS;
        let other = text.replace(newest, "0.9.0").replacen(
            "on-quote: func(now: timestamp, quote: quote)",
            "on-quote: func(quote: quote)",
            1,
        );
        let theirs = world(&other);
        let version = theirs.version();
        let ours = World::contract(version.as_deref()).unwrap();
        assert_eq!(
            differences(&ours, &theirs, version.as_deref()),
            [
                "the host speaks pm-arb:strategy 0.2.0 and 0.3.0; this component wants 0.9.0",
                "`on-quote` lacks `now`, a u64"
            ]
        );
    }

    #[test]
    fn what_is_no_component_says_why() {
        assert!(Shape::of(b"").is_err());
        assert!(Shape::of(b"strategy, please").is_err());
    }
}
