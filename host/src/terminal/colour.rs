//! Whether text is coloured: the one place that decides, for standard output and standard error.
//!
//! `NO_COLOR` set to anything wins, then `CLICOLOR_FORCE` set to anything but 0, then `CLICOLOR=0` and
//! `TERM=dumb`, and otherwise a terminal gets colour and a pipe gets none. Help and usage are coloured by
//! `clap`, which keeps the same rules.

use std::ffi::OsString;

/// Whether text that goes there is coloured.
#[must_use]
pub fn wanted(is_terminal: bool) -> bool {
    decide(|name| std::env::var_os(name), is_terminal)
}

fn decide(env: impl Fn(&str) -> Option<OsString>, is_terminal: bool) -> bool {
    let set = |name| env(name).filter(|value| !value.is_empty());
    if set("NO_COLOR").is_some() {
        return false;
    }
    if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    let refused = set("CLICOLOR").is_some_and(|value| value == "0")
        || set("TERM").is_some_and(|value| value == "dumb");
    is_terminal && !refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wins() {
        for (env, terminal, pipe) in [
            (&[][..], true, false),
            (&[("NO_COLOR", "1")], false, false),
            (&[("NO_COLOR", "")], true, false),
            (&[("CLICOLOR_FORCE", "1")], true, true),
            (&[("CLICOLOR_FORCE", "0")], true, false),
            (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false, false),
            (&[("CLICOLOR", "0")], false, false),
            (&[("CLICOLOR", "0"), ("CLICOLOR_FORCE", "1")], true, true),
            (&[("TERM", "dumb")], false, false),
            (&[("TERM", "xterm")], true, false),
        ] {
            let look = |name: &str| {
                let found = env.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| OsString::from(value))
            };
            assert_eq!(decide(look, true), terminal, "{env:?} on a terminal");
            assert_eq!(decide(look, false), pipe, "{env:?} in a pipe");
        }
    }
}
