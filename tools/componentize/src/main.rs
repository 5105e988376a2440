//! Turns a core module with an embedded component type into a component.
fn main() {}
