//! The measured strategy: reads both best prices of every quote and buys five shares once a second.
//!
//! The same as `OnceASecond` in the measurements' `native.rs`; both must trade alike, and the
//! measurements say so when they do not. `reach` (dollars beyond the ask) is a setting so that two
//! loads of one file can differ; `hang` makes it loop for ever, `trap` fail at so many quotes.

use pm_arb_sdk::state::{self, Writer};
use pm_arb_sdk::{
    Event, Host, Intent, IntentLeg, Quote, Settings, Strategy, TimeInForce, Timestamp, Topics,
};

const SHARES: i64 = 5_000_000;
const EDGE: i64 = 20_000;

struct OnceASecond {
    reach: i64,
    hang: bool,
    /// Quotes until it traps; never when it is 0.
    trap: u32,
    second: u64,
    mids: i64,
}

impl Strategy for OnceASecond {
    const NAME: &'static str = "once-a-second";
    const TOPICS: Topics = Topics::QUOTES;

    fn new(settings: &mut Settings) -> Result<Self, String> {
        Ok(Self {
            reach: settings.decimal("reach", 10_000, 0..=100_000)?,
            hang: settings.decimal("hang", 0, 0..=pm_arb_sdk::money::ONE)? > 0,
            trap: settings.whole("trap", 0, 0..=1_000_000)?,
            second: 0,
            mids: 0,
        })
    }

    fn on_quote(&mut self, now: Timestamp, quote: &Quote, host: &mut dyn Host) {
        while self.hang && quote.instrument > 0 {
            std::hint::black_box(&mut self.mids);
        }
        if quote.instrument == 0 && self.trap > 0 {
            self.trap -= 1;
            assert!(self.trap > 0, "as its settings say");
        }
        if quote.bid_qty == 0 || quote.ask_qty == 0 {
            return;
        }
        self.mids = self
            .mids
            .wrapping_add(quote.bid_price)
            .wrapping_add(quote.ask_price);
        let second = now / 1_000_000_000;
        if second != self.second {
            self.second = second;
            host.submit(&Intent {
                opportunity: None,
                tag: second,
                legs: vec![IntentLeg {
                    instrument: quote.instrument,
                    buy: true,
                    limit: quote.ask_price.saturating_add(self.reach),
                }],
                qty: SHARES,
                time_in_force: TimeInForce::Fak,
                expected_edge: EDGE,
            });
        }
    }

    fn on_event(&mut self, _: Timestamp, _: &Event, _: &mut dyn Host) {}

    fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer::new(Self::NAME, Self::STATE);
        out.line(format_args!("at {} {}", self.second, self.mids));
        out.into_bytes()
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        for words in state::read(Self::NAME, Self::STATE, bytes)? {
            match words.as_slice() {
                ["at", second, mids] => {
                    self.second = state::number(second)?;
                    self.mids = state::number(mids)?;
                }
                other => return Err(state::unknown(other)),
            }
        }
        Ok(())
    }
}

pm_arb_sdk::export!(crate::OnceASecond);
