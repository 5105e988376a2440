//! Commands that arrive on the bus. Strict: what is not exactly a command is nothing.
//!
//! ```json
//! {"schema":"pm-arb.command/1","command":"halt","why":"maintenance (anna)"}
//! {"schema":"pm-arb.command/1","command":"resume","note":"done (anna)"}
//! ```
//!
//! The bus is outside the program: nothing that arrives there is trusted, guessed or completed.

use pm_arb_core::event::Command;
use serde::Deserialize;

/// Most bytes of one command.
pub const COMMAND_BYTES_MAX: usize = 4_096;
/// Most characters of its text.
pub const COMMAND_TEXT_MAX: usize = 500;

const SCHEMA: &str = "pm-arb.command/1";

/// Why a message is no command.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Longer than any command.
    #[error("is longer than {COMMAND_BYTES_MAX} bytes")]
    TooLong,
    /// Not the documented object: unknown, missing, repeated or mistyped fields.
    #[error("has not the documented fields: {0}")]
    Shape(#[from] serde_json::Error),
    /// Another schema.
    #[error("has another schema than {SCHEMA:?}")]
    Schema,
    /// None of ours.
    #[error("is neither \"halt\" with \"why\" nor \"resume\" with \"note\"")]
    Unknown,
    /// Nobody said why, or too much.
    #[error("carries an empty text or one of more than {COMMAND_TEXT_MAX} characters")]
    Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    schema: String,
    command: String,
    why: Option<String>,
    note: Option<String>,
}

/// Reads a command, or says why it is none.
pub fn parse(payload: &[u8]) -> Result<Command, CommandError> {
    if payload.len() > COMMAND_BYTES_MAX {
        return Err(CommandError::TooLong);
    }
    // serde would also take the fields of an array, in order.
    if payload.trim_ascii_start().first() != Some(&b'{') {
        return Err(CommandError::Unknown);
    }
    let wire: Wire = serde_json::from_slice(payload)?;
    if wire.schema != SCHEMA {
        return Err(CommandError::Schema);
    }
    match (wire.command.as_str(), wire.why, wire.note) {
        ("halt", Some(why), None) => Ok(Command::Halt { why: text(&why)? }),
        ("resume", None, Some(note)) => Ok(Command::Resume { note: text(&note)? }),
        _ => Err(CommandError::Unknown),
    }
}

/// Control characters could forge lines of a log or a terminal.
fn text(raw: &str) -> Result<String, CommandError> {
    let clean: String = raw.chars().filter(|c| !c.is_control()).collect();
    let clean = clean.trim();
    if clean.is_empty() || clean.chars().count() > COMMAND_TEXT_MAX {
        return Err(CommandError::Text);
    }
    Ok(clean.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_exactly_or_not_at_all() {
        assert_eq!(
            parse(br#"{"schema":"pm-arb.command/1","command":"halt","why":" fire\u001b[2J "}"#)
                .unwrap(),
            Command::Halt {
                why: "fire[2J".into()
            }
        );
        assert_eq!(
            parse(br#"{"command":"resume","note":"ok","schema":"pm-arb.command/1"}"#).unwrap(),
            Command::Resume { note: "ok".into() }
        );
        let long = format!(
            r#"{{"schema":"pm-arb.command/1","command":"halt","why":"{}"}}"#,
            "x".repeat(COMMAND_TEXT_MAX + 1)
        );
        let refused = [
            "",
            "halt",
            "null",
            "[]",
            r#""halt""#,
            r#"["pm-arb.command/1","halt","why",null]"#,
            r#"{"schema":"pm-arb.command/1","command":"halt"}"#,
            r#"{"schema":"pm-arb.command/1","command":"halt","why":""}"#,
            r#"{"schema":"pm-arb.command/1","command":"halt","why":" \n "}"#,
            r#"{"schema":"pm-arb.command/1","command":"halt","why":true}"#,
            r#"{"schema":"pm-arb.command/1","command":"halt","why":null}"#,
            r#"{"schema":"pm-arb.command/1","command":"halt","why":"x","note":"y"}"#,
            r#"{"schema":"pm-arb.command/1","command":"halt","why":"x","approved":true}"#,
            r#"{"schema":"pm-arb.command/1","command":"halt","why":"x"} {}"#,
            r#"{"schema":"pm-arb.command/1","command":"halt","command":"resume","note":"x"}"#,
            r#"{"schema":"pm-arb.command/1","command":"HALT","why":"x"}"#,
            r#"{"schema":"pm-arb.command/1","command":"resume","why":"x"}"#,
            r#"{"schema":"pm-arb.command/1","command":"approve","why":"x"}"#,
            r#"{"schema":"pm-arb.command/1","command":["halt"],"why":"x"}"#,
            r#"{"schema":"pm-arb.command/2","command":"halt","why":"x"}"#,
            r#"{"command":"halt","why":"x"}"#,
            long.as_str(),
        ];
        for payload in refused {
            assert!(parse(payload.as_bytes()).is_err(), "{payload}");
        }
        let huge = vec![b' '; COMMAND_BYTES_MAX + 1];
        assert!(matches!(parse(&huge), Err(CommandError::TooLong)));
        assert!(parse(b"\xff\xfe").is_err());
    }
}
