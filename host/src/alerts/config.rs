//! `[alerts]`: who is told, and from which urgency on. Nothing is sent unless something is written here.
//!
//! An address that is a secret by itself (Discord's and Slack's webhooks, a ping's) and every token is
//! named by an environment variable or a file, so that the configuration can be shown and kept.

use super::Level;
use super::payload::Kind;
use crate::config::ConfigError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Targets at most.
const TARGETS_MAX: usize = 16;
/// Longest secret, in bytes; a longer file is not one.
const SECRET_MAX: u64 = 4_096;
/// Pings at most this often.
const PING_SECS: std::ops::RangeInclusive<u64> = 1..=3_600;

/// `[alerts]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertsConfig {
    /// Address of the dashboard as its readers reach it; empty for none. Stands in every message.
    pub link: String,
    /// `"08:00"`: one digest a day at that time; empty for none.
    pub digest_at: String,
    /// Of which place: `"UTC"`, `"Europe/Berlin"`.
    pub digest_zone: String,
    /// Pinged while the engine makes progress.
    pub dead_man: DeadManConfig,
    /// Who is told.
    pub targets: Vec<TargetConfig>,
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self {
            link: String::new(),
            digest_at: String::new(),
            digest_zone: "UTC".to_owned(),
            dead_man: DeadManConfig::default(),
            targets: Vec::new(),
        }
    }
}

/// `[alerts.dead_man]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeadManConfig {
    /// Variable with the address to ping; empty for none.
    pub url_env: String,
    /// Or the file with it.
    pub url_file: String,
    /// Seconds between two pings.
    pub every_secs: u64,
}

impl Default for DeadManConfig {
    fn default() -> Self {
        Self {
            url_env: String::new(),
            url_file: String::new(),
            every_secs: 60,
        }
    }
}

/// `[[alerts.targets]]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TargetConfig {
    /// What it speaks.
    pub kind: Kind,
    /// Its name on the System page; its kind when left out.
    #[serde(default)]
    pub name: String,
    /// Its address, where that is no secret (webhook, ntfy with its topic, a Telegram server of one's own).
    #[serde(default)]
    pub url: String,
    /// Variable with its address.
    #[serde(default)]
    pub url_env: String,
    /// File with its address.
    #[serde(default)]
    pub url_file: String,
    /// Variable with its token: of the bot, or sent as `Authorization: Bearer`.
    #[serde(default)]
    pub token_env: String,
    /// File with its token.
    #[serde(default)]
    pub token_file: String,
    /// The chat a Telegram bot writes to.
    #[serde(default)]
    pub chat: String,
    /// What is less urgent is not sent.
    #[serde(default = "warning")]
    pub level: Level,
    /// Whether it gets the digest.
    #[serde(default = "yes")]
    pub digest: bool,
}

fn warning() -> Level {
    Level::Warning
}

fn yes() -> bool {
    true
}

/// A secret; shows itself to nobody.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Of that text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For the request that needs it, and nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Text without it.
    #[must_use]
    pub fn strike_from(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        text.replace(&self.0, "•••")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

/// A target with its secrets.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub kind: Kind,
    /// Where requests go.
    pub url: Secret,
    /// Sent as `Authorization: Bearer`; in a Telegram address it is part of that.
    pub token: Secret,
    /// For Telegram.
    pub chat: String,
    /// For ntfy.
    pub topic: String,
    /// What is less urgent is not sent.
    pub level: Level,
    /// Whether it gets the digest.
    pub digest: bool,
}

impl Resolved {
    /// Text of others, or of an error, without any of its secrets.
    #[must_use]
    pub fn strike(&self, text: &str) -> String {
        let text = self.url.strike_from(text);
        self.token.strike_from(&text)
    }
}

/// When the digest is due.
#[derive(Debug, Clone)]
pub struct DigestAt {
    /// Time of day.
    pub time: jiff::civil::Time,
    /// Where.
    pub zone: jiff::tz::TimeZone,
}

impl AlertsConfig {
    /// Whether anything goes out at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.targets.is_empty() || self.pings()
    }

    fn pings(&self) -> bool {
        !(self.dead_man.url_env.is_empty() && self.dead_man.url_file.is_empty())
    }

    /// Everything that can be wrong without looking at a secret.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.targets.len() > TARGETS_MAX {
            return Err(wrong(
                "alerts.targets",
                format!("are more than {TARGETS_MAX}"),
            ));
        }
        for target in &self.targets {
            target.check()?;
        }
        if !PING_SECS.contains(&self.dead_man.every_secs) {
            return Err(wrong(
                "alerts.dead_man.every_secs",
                "must lie between 1 and 3600",
            ));
        }
        self.digest().map(|_| ())
    }

    /// When the digest is due; `None` for never.
    pub fn digest(&self) -> Result<Option<DigestAt>, ConfigError> {
        if self.digest_at.is_empty() {
            return Ok(None);
        }
        let time = jiff::civil::Time::strptime("%H:%M", &self.digest_at).map_err(|_| {
            wrong(
                "alerts.digest_at",
                format!("= {:?} is no time of day like \"08:00\"", self.digest_at),
            )
        })?;
        let zone = match self.digest_zone.as_str() {
            "UTC" => jiff::tz::TimeZone::UTC,
            name => jiff::tz::TimeZone::get(name).map_err(|e| {
                wrong(
                    "alerts.digest_zone",
                    format!("= {name:?} is not known here ({e}); write \"UTC\" or a name like \"Europe/Berlin\", and install tzdata"),
                )
            })?,
        };
        Ok(Some(DigestAt { time, zone }))
    }

    /// The address to ping.
    pub fn ping_url(&self) -> Result<Option<Secret>, ConfigError> {
        if !self.pings() {
            return Ok(None);
        }
        let (env, file) = (&self.dead_man.url_env, &self.dead_man.url_file);
        let url = secret("alerts.dead_man", env, file)?;
        http("alerts.dead_man", url.reveal())?;
        Ok(Some(url))
    }

    /// The targets with their secrets.
    pub fn resolve(&self) -> Result<Vec<Resolved>, ConfigError> {
        self.check()?;
        self.targets.iter().map(TargetConfig::resolve).collect()
    }
}

impl TargetConfig {
    fn named(&self) -> String {
        match self.name.is_empty() {
            true => format!("{:?}", self.kind).to_lowercase(),
            false => super::tame(&self.name),
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let name = self.named();
        let has_url = !self.url.is_empty();
        let has_hidden = !(self.url_env.is_empty() && self.url_file.is_empty());
        let has_token = !(self.token_env.is_empty() && self.token_file.is_empty());
        let why = match self.kind {
            Kind::Discord | Kind::Slack if has_url => {
                "has an address that is a secret: name it with url_env or url_file instead of url"
            }
            Kind::Telegram if !has_token => "needs its bot's token: token_env or token_file",
            Kind::Telegram if self.chat.is_empty() => "needs a chat",
            Kind::Telegram => "",
            _ if has_url == has_hidden => "needs one address: url, url_env or url_file",
            _ => "",
        };
        if !why.is_empty() {
            return Err(wrong("alerts.targets", format!("{name:?} {why}")));
        }
        if has_url {
            http("alerts.targets", &self.url)
        } else {
            Ok(())
        }
    }

    fn resolve(&self) -> Result<Resolved, ConfigError> {
        let key = "alerts.targets";
        let token = match (self.token_env.is_empty(), self.token_file.is_empty()) {
            (true, true) => Secret::default(),
            _ => secret(key, &self.token_env, &self.token_file)?,
        };
        let hidden = !(self.url_env.is_empty() && self.url_file.is_empty());
        let url = match (hidden, self.kind) {
            (true, _) => secret(key, &self.url_env, &self.url_file)?.0,
            (false, Kind::Telegram) if self.url.is_empty() => "https://api.telegram.org".to_owned(),
            (false, _) => self.url.clone(),
        };
        http(key, &url)?;
        let base = url.trim_end_matches('/');
        let (url, topic) = match self.kind {
            Kind::Telegram => (
                format!("{base}/bot{}/sendMessage", token.reveal()),
                String::new(),
            ),
            // Its JSON goes to the server's root and names the topic, which so needs no header.
            Kind::Ntfy => match base.rsplit_once('/') {
                Some((root, topic)) if !root.ends_with('/') && !root.ends_with(':') => {
                    (root.to_owned(), topic.to_owned())
                }
                _ => {
                    return Err(wrong(
                        key,
                        format!(
                            "{:?} needs its topic at the end of its address",
                            self.named()
                        ),
                    ));
                }
            },
            _ => (url.clone(), String::new()),
        };
        Ok(Resolved {
            name: self.named(),
            kind: self.kind,
            url: Secret(url),
            token,
            chat: self.chat.clone(),
            topic,
            level: self.level,
            digest: self.digest,
        })
    }
}

impl DeadManConfig {
    /// Between two pings.
    #[must_use]
    pub fn every(&self) -> Duration {
        Duration::from_secs(self.every_secs)
    }
}

fn wrong(key: &'static str, why: impl Into<String>) -> ConfigError {
    ConfigError::Value {
        key: key.into(),
        why: why.into(),
    }
}

fn http(key: &'static str, url: &str) -> Result<(), ConfigError> {
    let is_http = url.starts_with("https://") || url.starts_with("http://");
    // The address itself may be a secret: it is not repeated.
    is_http.then_some(()).ok_or_else(|| {
        wrong(
            key,
            "name an address that does not begin with https:// or http://",
        )
    })
}

fn secret(key: &'static str, env: &str, file: &str) -> Result<Secret, ConfigError> {
    let text = match (env.is_empty(), file.is_empty()) {
        (false, true) => std::env::var(env)
            .map_err(|_| wrong(key, format!("name the variable {env}, which is not set")))?,
        (true, false) => {
            let path = PathBuf::from(file);
            let size = std::fs::metadata(&path).map(|m| m.len());
            if size.is_ok_and(|size| size > SECRET_MAX) {
                return Err(wrong(
                    key,
                    format!("name the file {file}, which is too long for a secret"),
                ));
            }
            std::fs::read_to_string(&path).map_err(|e| {
                wrong(
                    key,
                    format!("name the file {file}, which can not be read: {e}"),
                )
            })?
        }
        _ => {
            return Err(wrong(
                key,
                "name a variable and a file for one secret; keep one",
            ));
        }
    };
    let text = text.trim();
    if text.is_empty() || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(wrong(
            key,
            "name a secret that is empty or has spaces in it",
        ));
    }
    Ok(Secret(text.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<AlertsConfig, String> {
        let config: AlertsConfig = toml::from_str(text).map_err(|e| e.to_string())?;
        config.check().map_err(|e| e.to_string())?;
        Ok(config)
    }

    #[test]
    fn nothing_is_sent_unless_told() {
        assert!(!AlertsConfig::default().is_on());
        assert!(AlertsConfig::default().check().is_ok());
    }

    #[test]
    fn what_is_wrong_is_said_by_name() {
        for (text, word) in [
            (
                "[[targets]]\nkind = \"slack\"\nurl = \"https://hooks.example/T/B/x\"",
                "is a secret",
            ),
            ("[[targets]]\nkind = \"telegram\"\nchat = \"1\"", "token"),
            (
                "[[targets]]\nkind = \"telegram\"\ntoken_env = \"T\"",
                "chat",
            ),
            ("[[targets]]\nkind = \"webhook\"", "one address"),
            (
                "[[targets]]\nkind = \"webhook\"\nurl = \"ftp://x\"",
                "https://",
            ),
            ("[[targets]]\nkind = \"pager\"", "pager"),
            ("digest_at = \"25:00\"", "alerts.digest_at"),
            (
                "digest_at = \"08:00\"\ndigest_zone = \"Mars/Olympus\"",
                "alerts.digest_zone",
            ),
            ("[dead_man]\nevery_secs = 0", "every_secs"),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
    }

    #[test]
    fn secrets_come_from_files_and_show_themselves_to_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let token = dir.path().join("token");
        std::fs::write(&token, "12345:canary-b71c\n").unwrap();
        let text = format!(
            "[[targets]]\nkind = \"telegram\"\nchat = \"-1\"\ntoken_file = {token:?}\n\
             [[targets]]\nkind = \"ntfy\"\nurl = \"https://ntfy.example/desk\"\nlevel = \"critical\""
        );
        let targets = parse(&text).unwrap().resolve().unwrap();
        let bot = &targets[0];
        assert_eq!(
            bot.url.reveal(),
            "https://api.telegram.org/bot12345:canary-b71c/sendMessage"
        );
        assert!(!format!("{targets:?}").contains("canary"), "{targets:?}");
        assert!(
            !bot.strike(&format!(
                "POST {} failed, token 12345:canary-b71c",
                bot.url.reveal()
            ))
            .contains("canary")
        );
        assert_eq!(
            (targets[1].url.reveal(), targets[1].topic.as_str()),
            ("https://ntfy.example", "desk")
        );
        assert_eq!(targets[1].level, Level::Critical);
        std::fs::remove_file(&token).unwrap();
        let why = parse(&text).unwrap().resolve().unwrap_err().to_string();
        assert!(why.contains("can not be read"), "{why}");
    }
}
