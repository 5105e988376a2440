//! Pages that live: each is drawn once a second for all its viewers together, and what changed is pushed.
//!
//! Server-sent events at `/live?page=PATH`: `panels` (the ids there are, in order), `panel` (`{id, html}`, to be put in place of what has that
//! id), `state` (every second; the sign of life) and `toast`. A viewer holds no queue: it takes the latest
//! drawing when its connection has room, so a slow one skips what it was too slow for. Drawing happens on
//! the dashboard's own thread, from a picture that the engine left behind.

use super::answer::Refusal;
use super::app::{App, View};
use super::layout::{self, Page, Panel};
use super::pages::PAGES;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::Markup;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Where the stream is.
pub const PATH: &str = "/live";
/// Pages are drawn this often, at most.
pub const EVERY: Duration = Duration::from_secs(1);
/// Viewers at a time; a further one is refused and its page stays as it was loaded. The connections that
/// remain below the server's limit are for everything else.
pub const VIEWERS_MAX: usize = 112;
/// Toasts kept for viewers that have not had them; older ones are only in the log.
const TOASTS_MAX: usize = 16;

/// A remark that appears for a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Toast {
    /// `info`, `warn` or `bad`.
    pub level: &'static str,
    /// What is to be said.
    pub text: String,
}

/// What a page looks like now.
#[derive(Debug, Clone, Default)]
struct Frame {
    /// Counts drawings; a panel's version is the drawing it last changed with.
    number: u64,
    panels: Vec<Drawn>,
    state: String,
    /// Numbered from the beginning.
    toasts: VecDeque<(u64, Toast)>,
}

#[derive(Debug, Clone)]
struct Drawn {
    id: &'static str,
    html: Arc<str>,
    version: u64,
}

/// All pages and their viewers.
#[derive(Clone)]
pub struct Live {
    /// In the order of [`PAGES`], and one for pages that have nothing of their own.
    frames: Arc<Vec<watch::Sender<Arc<Frame>>>>,
    viewers: Arc<AtomicUsize>,
    /// Turns true when every stream has to end.
    ending: watch::Receiver<bool>,
}

impl Live {
    /// None is drawn before somebody looks. Streams end when `ending` turns true.
    #[must_use]
    pub fn new(ending: watch::Receiver<bool>) -> Self {
        let frames = (0..=PAGES.len()).map(|_| watch::channel(Arc::default()).0);
        Self {
            frames: Arc::new(frames.collect()),
            viewers: Arc::default(),
            ending,
        }
    }

    /// Viewers now.
    #[must_use]
    pub fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Relaxed)
    }

    fn subscribe(&self, page: &str) -> Option<watch::Receiver<Arc<Frame>>> {
        let exact = PAGES.iter().position(|p| p.path == page);
        let frame = self.frames.get(exact.unwrap_or(PAGES.len()))?;
        Some(frame.subscribe())
    }
}

/// Draws what is watched, once a second, for as long as the dashboard lives.
pub async fn draw(app: App) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut before: Option<View> = None;
    let mut toasts = Toasts::default();
    loop {
        tick.tick().await;
        let view = app.view();
        if let Some(before) = &before {
            toasts.add(before, &view);
        }
        for (frame, page) in app
            .live
            .frames
            .iter()
            .zip(PAGES.iter().map(Some).chain([None]))
        {
            if frame.receiver_count() > 0 {
                let next = next(&frame.borrow(), &view, page, &toasts.recent);
                frame.send_replace(Arc::new(next));
                // A page may take milliseconds: whoever asks something meanwhile goes first.
                tokio::task::yield_now().await;
            }
        }
        before = Some(view);
    }
}

fn next(last: &Frame, view: &View, page: Option<&Page>, toasts: &VecDeque<(u64, Toast)>) -> Frame {
    let number = last.number + 1;
    let panels = page
        .and_then(|page| page.panels)
        .map_or_else(Vec::new, |draw| draw(view));
    let frame = layout::moving(view);
    let drawn = frame.into_iter().chain(
        panels
            .iter()
            .map(|panel: &Panel| (panel.id, layout::section(panel))),
    );
    let panels = drawn
        .map(|(id, html): (&'static str, Markup)| {
            let html: Arc<str> = html.into_string().into();
            match last.panels.iter().find(|p| p.id == id && p.html == html) {
                Some(same) => same.clone(),
                None => Drawn {
                    id,
                    html,
                    version: number,
                },
            }
        })
        .collect();
    Frame {
        number,
        panels,
        state: layout::state(view),
        toasts: toasts.clone(),
    }
}

/// The last remarks, numbered.
#[derive(Default)]
struct Toasts {
    number: u64,
    recent: VecDeque<(u64, Toast)>,
}

impl Toasts {
    fn add(&mut self, before: &View, now: &View) {
        for toast in remarks(before, now) {
            self.number += 1;
            self.recent.push_back((self.number, toast));
            if self.recent.len() > TOASTS_MAX {
                self.recent.pop_front();
            }
        }
    }
}

/// What is worth a remark between two views.
fn remarks(before: &View, now: &View) -> Vec<Toast> {
    let halted = |view: &View| view.pilot.as_ref().and_then(|p| p.trading.halted.clone());
    let toast = |level, text| vec![Toast { level, text }];
    let mut remarks = match (&before.pilot, &now.pilot) {
        (Some(_), None) => toast("bad", "The pilot does not answer any more.".into()),
        (None, Some(_)) => toast("info", "The pilot answers.".into()),
        _ => match (halted(before), halted(now)) {
            (None, Some(why)) => toast("bad", format!("Trading is halted: {why}")),
            (Some(_), None) => toast("info", "Trading again.".into()),
            _ => Vec::new(),
        },
    };
    // Of one life of one pilot: another counts its news anew.
    if let (Some(before), Some(now)) = (&before.pilot, &now.pilot) {
        let seen = before.strategies.news.last().map_or(0, |news| news.number);
        let news = now.strategies.news.iter().filter(|news| news.number > seen);
        remarks.extend(news.map(|news| Toast {
            level: if news.good { "info" } else { "bad" },
            text: news.text.clone(),
        }));
    }
    remarks
}

/// The query of [`PATH`].
#[derive(Debug, Deserialize)]
pub struct Watched {
    /// The path of the page.
    page: String,
}

/// Counts a viewer for as long as its stream lives.
struct Seat(Arc<AtomicUsize>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One viewer.
struct Viewer {
    frames: watch::Receiver<Arc<Frame>>,
    ending: watch::Receiver<bool>,
    /// The drawing it had last.
    seen: u64,
    /// The ids it was last told of.
    ids: Vec<&'static str>,
    toasted: Option<u64>,
    _seat: Seat,
}

/// `GET /live`
pub async fn live(State(app): State<App>, Query(query): Query<Watched>) -> Response {
    let seats = app.live.viewers.clone();
    if seats.fetch_add(1, Ordering::Relaxed) >= VIEWERS_MAX {
        seats.fetch_sub(1, Ordering::Relaxed);
        return Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "viewers",
            format!("{VIEWERS_MAX} pages are being watched already"),
            "close some; this one shows what it showed when it was loaded",
        )
        .into_response();
    }
    let seat = Seat(seats);
    let Some(mut frames) = app.live.subscribe(&query.page) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // What was drawn for others may be old: begin with the next.
    frames.borrow_and_update();
    let viewer = Viewer {
        frames,
        ending: app.live.ending.clone(),
        seen: 0,
        ids: Vec::new(),
        toasted: None,
        _seat: seat,
    };
    let stream = futures_util::stream::unfold(viewer, |mut viewer| async move {
        let text = viewer.next().await?;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(text)), viewer))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Body::from_stream(stream)).into_response()
}

impl Viewer {
    /// Everything since the last time, or `None` at the end.
    async fn next(&mut self) -> Option<String> {
        let changed = tokio::select! {
            biased;
            _ = self.ending.wait_for(|ending| *ending) => return None,
            changed = self.frames.changed() => changed,
        };
        changed.ok()?;
        let frame = self.frames.borrow_and_update().clone();
        let mut text = String::new();
        event(&mut text, "state", &frame.state);
        let ids: Vec<&'static str> = frame.panels.iter().map(|panel| panel.id).collect();
        if ids != self.ids {
            event(&mut text, "panels", &serde_json::json!(ids).to_string());
            self.ids = ids;
        }
        for panel in frame
            .panels
            .iter()
            .filter(|panel| panel.version > self.seen)
        {
            let data = serde_json::json!({ "id": panel.id, "html": &*panel.html });
            event(&mut text, "panel", &data.to_string());
        }
        self.seen = frame.number;
        let newest = frame.toasts.back().map_or(0, |(number, _)| *number);
        // What happened before it came is not news.
        let after = self.toasted.replace(newest).unwrap_or(newest);
        for (_, toast) in frame.toasts.iter().filter(|(number, _)| *number > after) {
            let data = serde_json::to_string(toast).unwrap_or_default();
            event(&mut text, "toast", &data);
        }
        Some(text)
    }
}

/// One event; JSON holds no line breaks.
fn event(to: &mut String, name: &str, data: &str) {
    // Writing to a string cannot fail.
    let _ = write!(to, "event: {name}\ndata: {data}\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Instant, NewsRow};
    use crate::web::pages::samples;
    use pm_arb_core::ids::Timestamp;

    fn after(view: &View, news: &[(u64, bool, &str)]) -> View {
        let mut view = view.clone();
        samples::change(&mut view, |snapshot| {
            snapshot.strategies.news = news
                .iter()
                .map(|(number, good, text)| NewsRow {
                    number: *number,
                    at: Instant(Timestamp(1)),
                    good: *good,
                    text: (*text).to_owned(),
                })
                .collect();
        });
        view
    }

    #[test]
    fn a_swap_and_a_refusal_are_told_once_in_the_loaders_words() {
        let live = "oracle-sniper 1.3.0 (gen 4, ab12cd34) live; pause 0.3 ms; state kept";
        let refused =
            "oracle-sniper.wasm refused: it asks for the network; oracle-sniper (gen 4) goes on";
        let before = samples::view();
        let swapped = after(&before, &[(1, true, live)]);
        let both = after(&before, &[(1, true, live), (2, false, refused)]);
        let told = |before: &View, now: &View| {
            let toasts = remarks(before, now).into_iter();
            toasts.map(|t| (t.level, t.text)).collect::<Vec<_>>()
        };
        assert_eq!(told(&before, &swapped), [("info", live.to_owned())]);
        assert_eq!(told(&swapped, &both), [("bad", refused.to_owned())]);
        assert_eq!(told(&both, &both), []);
        // Another pilot's news were not missed: they are on its page.
        let gone = View {
            pilot: None,
            ..before.clone()
        };
        assert_eq!(
            told(&gone, &both),
            [("info", "The pilot answers.".to_owned())]
        );
    }

    #[test]
    fn a_viewer_is_pushed_what_happened_since_it_came() {
        let mut toasts = Toasts::default();
        let before = samples::view();
        toasts.add(
            &before,
            &after(&before, &[(1, true, "old live; state kept")]),
        );
        let first = next(&Frame::default(), &before, None, &toasts.recent);
        let now = after(
            &before,
            &[
                (1, true, "old live; state kept"),
                (2, false, "x.wasm refused: why"),
            ],
        );
        toasts.add(&after(&before, &[(1, true, "old live; state kept")]), &now);
        let second = next(&first, &now, None, &toasts.recent);
        let (to, frames) = watch::channel(Arc::new(Frame::default()));
        let (_end, ending) = watch::channel(false);
        let mut viewer = Viewer {
            frames,
            ending,
            seen: 0,
            ids: Vec::new(),
            toasted: None,
            _seat: Seat(Arc::new(AtomicUsize::new(1))),
        };
        let mut read = |frame: Frame| {
            to.send_replace(Arc::new(frame));
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.unwrap().block_on(viewer.next()).unwrap()
        };
        let text = read(first);
        assert!(
            text.contains("event: panel") && !text.contains("event: toast"),
            "{text}"
        );
        let text = read(second);
        let toast = r#"{"level":"bad","text":"x.wasm refused: why"}"#;
        assert_eq!(text.matches("event: toast").count(), 1, "{text}");
        assert!(
            text.contains(&format!("event: toast\ndata: {toast}\n")),
            "{text}"
        );
    }
}
