//! What each kind of target is sent: one JSON body a message, with the target's own escaping.
//!
//! Pure. Whatever stands in a title or a log line of others is inert at every target: markup is escaped,
//! mentions are off, addresses in it are not links.

use super::inbox::Letter;
use super::{Level, Notice};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a target speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Our own JSON, to any address.
    Webhook,
    /// A bot's `sendMessage`.
    Telegram,
    /// An incoming webhook of a channel.
    Discord,
    /// An incoming webhook of a channel.
    Slack,
    /// A topic.
    Ntfy,
}

/// Longest text that each takes, with room to spare (Telegram 4,096 characters, Discord 2,000, ntfy 4,096
/// bytes; Slack and webhooks take more than anybody reads).
const fn text_max(kind: Kind) -> usize {
    match kind {
        Kind::Telegram | Kind::Ntfy => 3_500,
        Kind::Discord => 1_900,
        Kind::Slack | Kind::Webhook => 8_000,
    }
}

/// What is sent, before it is written for a target.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// Alerts and digest.
    pub letter: &'a Letter,
    /// Address of the dashboard; empty for none.
    pub link: &'a str,
    /// The chat of a Telegram bot.
    pub chat: &'a str,
    /// The topic of ntfy.
    pub topic: &'a str,
}

/// The body for a target of that kind.
#[must_use]
pub fn body(kind: Kind, envelope: Envelope<'_>) -> Value {
    let Envelope { letter, link, .. } = envelope;
    let title = title(letter);
    match kind {
        Kind::Webhook => json!({
            "schema": "pm-arb.alert/1",
            "level": worst(letter).as_str(),
            "title": title,
            "alerts": letter.notices,
            "digest": letter.digest,
            "lost": letter.lost,
            "link": link,
        }),
        Kind::Telegram => {
            let text = text(kind, letter, link, xml);
            json!({
                "chat_id": envelope.chat,
                "text": format!("<b>{}</b>\n{text}", xml(&title)),
                "parse_mode": "HTML",
                "link_preview_options": {"is_disabled": true},
            })
        }
        Kind::Discord => {
            let text = text(kind, letter, link, markdown);
            json!({
                "content": format!("**{}**\n{text}", markdown(&title)),
                "allowed_mentions": {"parse": []},
                // 4: no previews of links.
                "flags": 4,
            })
        }
        Kind::Slack => {
            let text = text(kind, letter, link, xml);
            json!({"text": format!("*{}*\n{text}", xml(&title)), "unfurl_links": false, "unfurl_media": false})
        }
        Kind::Ntfy => {
            let priority = match worst(letter) {
                Level::Info => 3,
                Level::Warning => 4,
                Level::Critical => 5,
            };
            let mut value = json!({
                "topic": envelope.topic,
                "title": title,
                "message": text(kind, letter, "", str::to_owned),
                "priority": priority,
            });
            if !link.is_empty() {
                value["click"] = json!(link);
            }
            value
        }
    }
}

fn worst(letter: &Letter) -> Level {
    let going_on = letter.notices.iter().filter(|notice| !notice.over);
    going_on.map(|n| n.level).max().unwrap_or(Level::Info)
}

fn title(letter: &Letter) -> String {
    match (letter.notices.as_slice(), &letter.digest) {
        ([], _) => "pm-arb: the day".to_owned(),
        ([one], None) => format!("pm-arb: {}", head(one)),
        (many, _) => {
            let going_on = many.iter().filter(|notice| !notice.over).count();
            format!(
                "pm-arb: {} alerts, {} over",
                going_on,
                many.len() - going_on
            )
        }
    }
}

fn head(notice: &Notice) -> String {
    let state = if notice.over {
        "over"
    } else {
        notice.level.as_str()
    };
    let about = if notice.about.is_empty() {
        String::new()
    } else {
        format!(" {}", notice.about)
    };
    format!("{state} {}{about}", notice.code)
}

fn text(kind: Kind, letter: &Letter, link: &str, escape: fn(&str) -> String) -> String {
    let mut lines = Vec::new();
    for notice in &letter.notices {
        let times = match notice.count {
            0 | 1 => String::new(),
            n => format!(" (×{n})"),
        };
        // An address that others wrote is not to be clicked on.
        let words = notice.text.replace("://", ": //");
        lines.push(escape(&format!("{}: {words}{times}", head(notice))));
    }
    if let Some(digest) = &letter.digest {
        lines.extend(
            digest
                .lines()
                .map(|line| escape(&line.replace("://", ": //"))),
        );
    }
    if letter.lost > 0 {
        lines.push(format!(
            "{} earlier alerts were not told: too many, or refused here",
            letter.lost
        ));
    }
    let mut text = String::new();
    let room = text_max(kind).saturating_sub(link.len());
    let mut left_out = 0;
    for line in lines {
        // Whole lines only: half an escape would be markup.
        if text.len() + line.len() + 1 > room {
            left_out += 1;
            continue;
        }
        text.push_str(&line);
        text.push('\n');
    }
    if left_out > 0 {
        text.push_str(&format!("{left_out} more lines: see the dashboard\n"));
    }
    text.push_str(link);
    text.trim_end().to_owned()
}

/// For Telegram's HTML and Slack's text alike.
fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if matches!(
            c,
            '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '<' | '#' | '[' | ']' | '(' | ')' | '@'
        ) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::snapshot::Instant;
    use pm_arb_core::ids::Timestamp;

    fn notice(code: &str, text: &str) -> Notice {
        Notice {
            at: Instant(Timestamp::from_secs(1_700_000_000)),
            ..Notice::new(Level::Warning, code, "binance", text)
        }
    }

    fn one(text: &str) -> Letter {
        Letter {
            notices: vec![notice("FEED_DOWN", text)],
            ..Letter::default()
        }
    }

    fn of(kind: Kind, letter: &Letter) -> Value {
        let envelope = Envelope {
            letter,
            link: "https://dash.example/system",
            chat: "-100",
            topic: "desk",
        };
        body(kind, envelope)
    }

    #[test]
    fn each_kind_is_sent_what_its_documentation_asks_for() {
        let letter = one("no data for 12 s");
        let words = "warning FEED_DOWN binance: no data for 12 s";
        assert_eq!(
            of(Kind::Telegram, &letter),
            json!({
                "chat_id": "-100", "parse_mode": "HTML", "link_preview_options": {"is_disabled": true},
                "text": format!("<b>pm-arb: warning FEED_DOWN binance</b>\n{words}\nhttps://dash.example/system"),
            })
        );
        assert_eq!(
            of(Kind::Discord, &letter),
            json!({
                "content": "**pm-arb: warning FEED\\_DOWN binance**\nwarning FEED\\_DOWN binance: no data for 12 s\nhttps://dash.example/system",
                "allowed_mentions": {"parse": []}, "flags": 4,
            })
        );
        assert_eq!(
            of(Kind::Slack, &letter),
            json!({
                "text": format!("*pm-arb: warning FEED_DOWN binance*\n{words}\nhttps://dash.example/system"),
                "unfurl_links": false, "unfurl_media": false,
            })
        );
        assert_eq!(
            of(Kind::Ntfy, &letter),
            json!({
                "topic": "desk", "title": "pm-arb: warning FEED_DOWN binance", "message": words,
                "priority": 4, "click": "https://dash.example/system",
            })
        );
        assert_eq!(
            of(Kind::Webhook, &letter),
            json!({
                "schema": "pm-arb.alert/1", "level": "warning", "title": "pm-arb: warning FEED_DOWN binance",
                "alerts": [{
                    "level": "warning", "code": "FEED_DOWN", "about": "binance", "text": "no data for 12 s",
                    "at": "2023-11-14T22:13:20.000000000Z", "over": false, "count": 1,
                }],
                "digest": null, "lost": 0, "link": "https://dash.example/system",
            })
        );
    }

    #[test]
    fn hostile_words_are_inert_everywhere() {
        let letter = one(
            "</b><a href=\"https://evil.example\">x</a> @everyone <!channel> *b* [l](https://evil.example)",
        );
        let telegram = of(Kind::Telegram, &letter)["text"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(telegram.matches('<').count(), 2, "{telegram}");
        let slack = of(Kind::Slack, &letter)["text"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            !slack.contains('<') && slack.contains("&lt;!channel&gt;"),
            "{slack}"
        );
        let discord = of(Kind::Discord, &letter);
        let content = discord["content"].as_str().unwrap();
        assert!(
            content.contains("\\@everyone") && content.contains("\\[l\\]\\("),
            "{content}"
        );
        assert_eq!(discord["allowed_mentions"]["parse"], json!([]));
        for text in [&telegram, &slack, content] {
            assert!(!text.contains("https://evil"), "{text}");
        }
    }

    #[test]
    fn nothing_is_longer_than_its_target_takes() {
        let mut letter = Letter {
            lost: 3,
            ..Letter::default()
        };
        for n in 0..32 {
            letter
                .notices
                .push(notice(&format!("CODE_{n}"), &"<&_*>".repeat(100)));
        }
        for (kind, max) in [
            (Kind::Telegram, 4_096),
            (Kind::Discord, 2_000),
            (Kind::Ntfy, 4_096),
        ] {
            let value = of(kind, &letter);
            let text = ["text", "content", "message"]
                .iter()
                .find_map(|k| value[k].as_str());
            let text = text.unwrap();
            assert!(text.len() <= max, "{kind:?}: {}", text.len());
            assert!(text.contains("more lines: see the dashboard"), "{kind:?}");
        }
    }

    #[test]
    fn many_alerts_make_one_message_that_counts() {
        let mut letter = one("again and again");
        letter.notices[0].count = 37;
        letter
            .notices
            .push(notice("DATABASE_AWAY", "it is back").over());
        letter.lost = 2;
        let slack = of(Kind::Slack, &letter)["text"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(slack.starts_with("*pm-arb: 1 alerts, 1 over*"), "{slack}");
        assert!(slack.contains("again and again (×37)"), "{slack}");
        assert!(
            slack.contains("over DATABASE_AWAY binance: it is back"),
            "{slack}"
        );
        assert!(slack.contains("2 earlier alerts were not told"), "{slack}");
    }
}
