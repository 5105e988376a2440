//! Asks whoever knows, in order: the running pilot, the database; and puts the answer together.

use super::live::{Live, opportunity_id};
use super::words::{clause, clock, names_like};
use super::{Answer, Found, NAMES_MAX, Name, Past, QUESTION_MAX, Verdict, reasons};
use crate::control::{self, ControlError, Request};
use crate::snapshot::Instant;
use crate::store::why::{KnownMarket, Of, Traded, Wished};
use crate::store::{Store, StoreError};
use std::path::Path;

/// Past events in the sentence itself.
const IN_SENTENCE: usize = 2;
/// Markets that are looked through for near names.
const NEAR_AMONG: usize = 2_000;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Neither runs a pilot, nor is there a database.
    #[error(
        "no pilot is running and the database can not be read; start one, or name its folder with --data-dir"
    )]
    NobodyToAsk {
        /// Of the database.
        #[source]
        source: StoreError,
    },
    /// The pilot runs and does not answer.
    #[error("the running pilot does not answer")]
    Pilot(#[source] ControlError),
    /// The question is none.
    #[error("ask for a market or an opportunity, in 1 to {QUESTION_MAX} bytes")]
    Question,
}

/// Asks the pilot of that folder and that database, whichever are there.
pub async fn ask(
    data_dir: &Path,
    store: Result<Store, StoreError>,
    about: &str,
) -> Result<Answer, AskError> {
    let about = about.trim();
    if about.is_empty() || about.len() > QUESTION_MAX {
        return Err(AskError::Question);
    }
    let live = ask_pilot(data_dir, about).await?;
    let past = match store {
        Ok(store) => remember(&store, about, live.as_ref()).await,
        Err(error) => Err(error),
    };
    match (live, past) {
        (None, Err(source)) => Err(AskError::NobodyToAsk { source }),
        (live, past) => Ok(put_together(about, live, past.unwrap_or_default())),
    }
}

/// `None` where no pilot runs.
async fn ask_pilot(data_dir: &Path, about: &str) -> Result<Option<Live>, AskError> {
    let (data_dir, about) = (data_dir.to_owned(), about.to_owned());
    // The socket is asked as the command line does, which waits.
    let asked =
        tokio::task::spawn_blocking(move || control::ask(&data_dir, &Request::Why { about }));
    let unreadable = |why: String| AskError::Pilot(ControlError::Refused(why));
    match asked.await.map_err(|e| unreadable(e.to_string()))? {
        Ok(mut answer) => serde_json::from_value(answer["why"].take())
            .map(Some)
            .map_err(|e| unreadable(e.to_string())),
        Err(ControlError::NotRunning(_)) => Ok(None),
        Err(error) => Err(AskError::Pilot(error)),
    }
}

/// What the database knows.
#[derive(Debug, Default)]
struct Memory {
    subject: Option<String>,
    market: Option<KnownMarket>,
    before: Vec<Past>,
    names: Vec<Name>,
    meant: bool,
}

async fn remember(store: &Store, about: &str, live: Option<&Live>) -> Result<Memory, StoreError> {
    let known = live.and_then(|live| live.verdict.as_ref());
    if opportunity_id(about).is_some() {
        let keys = store.opportunities_like(about, NAMES_MAX).await?;
        let Some(key) = keys.into_iter().next() else {
            return Ok(Memory::default());
        };
        return Ok(Memory {
            before: events(store, Of::Opportunity(&key)).await?,
            subject: Some(format!("opportunity {key}")),
            meant: true,
            ..Memory::default()
        });
    }
    if let Some(market) = known.and_then(|now| now.market.as_ref()) {
        return Ok(Memory {
            before: events(store, Of::Market(&market.id)).await?,
            subject: Some(market.slug.clone()),
            meant: true,
            ..Memory::default()
        });
    }
    let mut markets = store.markets_named(about, NAMES_MAX).await?;
    if markets.is_empty() && about.len() >= 3 {
        markets = store.markets_like(about, NAMES_MAX + 1).await?;
    } else {
        // Equal names: the newest is meant.
        markets.truncate(1);
    }
    match markets.as_slice() {
        [market] => Ok(Memory {
            before: events(store, Of::Market(&market.market_id)).await?,
            subject: Some(market.slug.clone()),
            market: Some(market.clone()),
            meant: true,
            ..Memory::default()
        }),
        [] => unknown(store, about).await,
        several => Ok(Memory {
            names: several.iter().take(NAMES_MAX).map(name).collect(),
            meant: true,
            ..Memory::default()
        }),
    }
}

/// No market and no opportunity: a trade, or nothing that is known.
async fn unknown(store: &Store, about: &str) -> Result<Memory, StoreError> {
    let is_id = about.len() >= 8 && about.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if is_id && let [trade] = store.trades_like(about, 2).await?.as_slice() {
        let of = Of::Market(&trade.market_id);
        let mut before = events(store, of).await?;
        before.retain(|past| past.trade.as_deref() == Some(&trade.id.to_string()));
        if before.is_empty() {
            before.push(denied_row(trade));
        }
        return Ok(Memory {
            subject: Some(format!("trade {} in {}", trade.id, trade.market_slug)),
            before,
            meant: true,
            ..Memory::default()
        });
    }
    let all = store.markets_like("", NEAR_AMONG).await?;
    let (near, _) = names_like(about, all.iter().map(|m| (m.slug.as_str(), m)), |m| {
        &m.market_id
    });
    Ok(Memory {
        names: near.into_iter().map(name).collect(),
        ..Memory::default()
    })
}

/// Wishes that were denied and what became of the others, newest first.
async fn events(store: &Store, of: Of<'_>) -> Result<Vec<Past>, StoreError> {
    let wished = store.wished(of, NAMES_MAX).await?;
    let traded = store.traded(of, NAMES_MAX).await?;
    let mut events: Vec<Past> = wished
        .iter()
        .map(wish)
        .chain(traded.iter().map(trade))
        .collect();
    // An order follows its wish: of one moment it comes first.
    events.sort_by_key(|past| (std::cmp::Reverse(past.at.0), past.trade.is_none()));
    events.truncate(NAMES_MAX);
    Ok(events)
}

fn wish(wish: &Wished) -> Past {
    let Wished {
        strategy,
        kind,
        qty,
        edge,
        ..
    } = wish;
    let wished =
        format!("{strategy} wished for {qty} shares ({kind}, expecting {edge} USD a share)");
    let what = match &wish.denied {
        None => format!("{wished} and risk approved"),
        Some((code, ..)) => format!("{wished} and risk denied it: {}", meaning(code)),
    };
    past(wish.at.0, what, wish.denied.as_ref(), None)
}

fn trade(trade: &Traded) -> Past {
    let Traded {
        strategy,
        qty,
        price,
        outcome,
        status,
        ..
    } = trade;
    let what = match &trade.refused {
        Some((code, ..)) => format!(
            "{strategy}'s approved order for {outcome} was not filled: {}",
            meaning(code)
        ),
        None => {
            let ended = match (status.as_str(), trade.pnl) {
                ("resolved", Some(pnl)) => format!("settled, {} USD", sign(pnl)),
                ("closed", Some(pnl)) => format!("sold, {} USD", sign(pnl)),
                _ => "open".to_owned(),
            };
            format!("{strategy} bought {qty} {outcome} at {price} USD: {ended}")
        }
    };
    past(
        trade.at.0,
        what,
        trade.refused.as_ref(),
        Some(trade.id.to_string()),
    )
}

fn denied_row(row: &crate::store::view::TradeView) -> Past {
    let refused = row.reason.clone().map(|code| {
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        (code, text(&row.limit), text(&row.observed))
    });
    let why = refused
        .as_ref()
        .map_or_else(|| row.status.clone(), |(code, ..)| meaning(code));
    let what = format!(
        "{} wished for {} {} and risk denied it: {why}",
        row.strategy_id, row.requested_quantity, row.outcome
    );
    past(
        row.created.0,
        what,
        refused.as_ref(),
        Some(row.id.to_string()),
    )
}

fn past(
    at: u64,
    what: String,
    refused: Option<&(String, String, String)>,
    trade: Option<String>,
) -> Past {
    Past {
        at: Instant(pm_arb_core::ids::Timestamp(at)),
        what,
        code: refused.map(|r| r.0.clone()),
        limit: refused.map(|r| r.1.clone()),
        observed: refused.map(|r| r.2.clone()),
        trade,
    }
}

fn meaning(code: &str) -> String {
    reasons::by_code(code).map_or_else(|| code.to_owned(), |r| clause(r.meaning()))
}

fn sign(amount: pm_arb_core::units::Usd) -> String {
    if amount.0 < 0 {
        amount.to_string()
    } else {
        format!("+{amount}")
    }
}

fn name(market: &KnownMarket) -> Name {
    Name {
        slug: market.slug.clone(),
        id: market.market_id.clone(),
        venue: market.venue.clone(),
        status: market.status.clone(),
    }
}

fn put_together(about: &str, live: Option<Live>, memory: Memory) -> Answer {
    let live = live.unwrap_or_default();
    let mut names = live.names;
    for name in memory.names {
        if names.len() < NAMES_MAX
            && !names
                .iter()
                .any(|n| (&n.venue, &n.id) == (&name.venue, &name.id))
        {
            names.push(name);
        }
    }
    let answer = |found, sentence| Answer {
        asked: about.to_owned(),
        found,
        sentence,
        subject: None,
        now: None,
        before: Vec::new(),
        names: Vec::new(),
    };
    let is_one = live.verdict.is_some() || (memory.subject.is_some() && !live.meant);
    if is_one {
        let subject = live.verdict.as_ref().and_then(|now| now.market.as_ref());
        let subject = subject
            .map(|market| market.slug.clone())
            .filter(|_| opportunity_id(about).is_none());
        let subject = subject
            .or(memory.subject)
            .unwrap_or_else(|| format!("opportunity {about}"));
        return Answer {
            sentence: sentence(
                &subject,
                live.verdict.as_ref(),
                memory.market.as_ref(),
                &memory.before,
            ),
            subject: Some(subject),
            now: live.verdict,
            before: memory.before,
            ..answer(Found::Answered, String::new())
        };
    }
    let listed: Vec<&str> = names.iter().map(|n| n.slug.as_str()).collect();
    let listed = listed.join(", ");
    if live.meant || memory.meant {
        let text = format!("{about} is part of several names: {listed}");
        return Answer {
            names,
            ..answer(Found::Ambiguous, text)
        };
    }
    let text = if names.is_empty() {
        format!("{about} was never seen here, and no known name is near it")
    } else {
        format!("{about} was never seen here; the nearest names are {listed}")
    };
    Answer {
        names,
        ..answer(Found::Unknown, text)
    }
}

fn sentence(
    subject: &str,
    now: Option<&Verdict>,
    market: Option<&KnownMarket>,
    before: &[Past],
) -> String {
    let traded = before
        .iter()
        .any(|past| past.trade.is_some() && past.code.is_none());
    let mut text = match now {
        Some(now) => {
            let begin = match (now.tradable, traded) {
                (true, _) => "can be traded:",
                (false, true) => "was traded and is not now, because",
                (false, false) => "not traded because",
            };
            format!(
                "{subject}: {begin} {} (limit {}, observed {}) at {}",
                now.because,
                now.limit,
                now.observed,
                clock(now.at.0)
            )
        }
        None => match market {
            Some(market) => format!(
                "{subject}: {} since the pilot last looked, closing {}",
                market.status,
                clock(market.closes)
            ),
            None => format!("{subject}:"),
        },
    };
    let told: Vec<String> = before.iter().take(IN_SENTENCE).map(tell).collect();
    if !told.is_empty() {
        let join = match (now, market) {
            (Some(_), _) => "; before that ",
            (None, Some(_)) => "; last ",
            (None, None) => " ",
        };
        text.push_str(join);
        text.push_str(&told.join("; before that "));
    }
    text.push('.');
    text
}

fn tell(past: &Past) -> String {
    let compared = match (&past.limit, &past.observed) {
        (Some(limit), Some(observed)) => format!(" (limit {limit}, observed {observed})"),
        _ => String::new(),
    };
    format!("{}{compared} at {}", past.what, clock(past.at.0))
}
