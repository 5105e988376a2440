//! A look at a component before it is compiled: whether it is of a size that compiles quickly.
//!
//! Compilers are built for programs, not for attacks: work can grow faster than a file. What honest
//! toolchains never produce is refused here, by name, in one pass over the bytes and with memory that
//! does not grow with them. Bytes that can not be parsed are left to the compiler, which says why.

use super::error::PluginError;
use super::limits::{
    BLOCKS_DEEP_MAX, BRANCHES_MAX, ITEMS_MAX, LOCALS_MAX, Limits, MODULES_MAX, NESTING_MAX,
};
use wasmparser::{BinaryReaderError, FunctionBody, Operator, Parser, Payload};

/// Why the look ended early.
enum End {
    /// There is too much of something.
    Refused(PluginError),
    /// Not for us to say.
    Damaged,
}

impl From<BinaryReaderError> for End {
    fn from(_: BinaryReaderError) -> Self {
        Self::Damaged
    }
}

/// What was counted so far.
#[derive(Default)]
struct Census {
    functions: u64,
    modules: u64,
    items: u64,
    depth: u64,
}

/// Refuses what would take the compiler too long.
pub(super) fn check(bytes: &[u8], limits: &Limits) -> Result<(), PluginError> {
    match look(bytes, limits) {
        Ok(()) | Err(End::Damaged) => Ok(()),
        Err(End::Refused(error)) => Err(error),
    }
}

fn look(bytes: &[u8], limits: &Limits) -> Result<(), End> {
    let mut seen = Census::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let items = match payload? {
            Payload::CodeSectionStart { count, .. } => {
                seen.functions = seen.functions.saturating_add(u64::from(count));
                at_most("functions", seen.functions, limits.functions)?;
                0
            }
            Payload::CodeSectionEntry(body) => {
                function(&body, limits)?;
                0
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                seen.modules = seen.modules.saturating_add(1);
                seen.depth = seen.depth.saturating_add(1);
                at_most("modules within it", seen.modules, MODULES_MAX)?;
                at_most("levels of modules within modules", seen.depth, NESTING_MAX)?;
                0
            }
            Payload::End(_) => {
                seen.depth = seen.depth.saturating_sub(1);
                0
            }
            Payload::TypeSection(list) => list.count(),
            Payload::ImportSection(list) => list.count(),
            Payload::FunctionSection(list) => list.count(),
            Payload::TableSection(list) => list.count(),
            Payload::MemorySection(list) => list.count(),
            Payload::GlobalSection(list) => list.count(),
            Payload::ExportSection(list) => list.count(),
            Payload::ElementSection(list) => list.count(),
            Payload::DataSection(list) => list.count(),
            Payload::InstanceSection(list) => list.count(),
            Payload::CoreTypeSection(list) => list.count(),
            Payload::ComponentInstanceSection(list) => list.count(),
            Payload::ComponentAliasSection(list) => list.count(),
            Payload::ComponentTypeSection(list) => list.count(),
            Payload::ComponentCanonicalSection(list) => list.count(),
            Payload::ComponentImportSection(list) => list.count(),
            Payload::ComponentExportSection(list) => list.count(),
            _ => 0,
        };
        seen.items = seen.items.saturating_add(u64::from(items));
        at_most(
            "types, imports, exports, globals and segments",
            seen.items,
            ITEMS_MAX,
        )?;
    }
    Ok(())
}

fn function(body: &FunctionBody<'_>, limits: &Limits) -> Result<(), End> {
    let bytes = body.range().len() as u64;
    at_most("bytes in one function", bytes, limits.function_bytes)?;
    let mut locals = 0_u64;
    for group in body.get_locals_reader()? {
        let (count, _) = group?;
        locals = locals.saturating_add(u64::from(count));
        at_most("variables in one function", locals, LOCALS_MAX)?;
    }
    let (mut deep, mut branches) = (0_u64, 0_u64);
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        match operators.read()? {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                deep = deep.saturating_add(1);
                at_most("blocks within one another", deep, BLOCKS_DEEP_MAX)?;
            }
            Operator::End => deep = deep.saturating_sub(1),
            Operator::BrTable { targets } => {
                branches = branches.saturating_add(u64::from(targets.len()));
                at_most("branches in tables of one function", branches, BRANCHES_MAX)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn at_most(what: &'static str, found: u64, max: u64) -> Result<(), End> {
    if found > max {
        return Err(End::Refused(PluginError::TooComplex { what, found, max }));
    }
    Ok(())
}
