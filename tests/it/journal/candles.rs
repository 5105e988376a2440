//! Layouts that came after the golden hash was taken: they were appended, so it did not change.

use super::{encoded, hex};
use pm_arb::journal::codec;
use pm_arb_core::event::{Candle, Event};
use pm_arb_core::ids::{OracleId, Timestamp};
use pm_arb_core::market::SettlementRule;
use pm_arb_core::units::SpotPrice;

#[test]
fn candles_and_markets_on_them_have_their_golden_bytes() {
    let candle = Event::Candle(Box::new(Candle {
        oracle: OracleId(3),
        open_time: Timestamp(1),
        close_time: Timestamp(2),
        open: SpotPrice(3),
        close: SpotPrice(-4),
        high: SpotPrice(5),
        low: SpotPrice(-5),
    }));
    let bytes = encoded(&candle);
    assert_eq!(hex(&bytes), "001003010206070a09");
    let mut back = Event::Tick;
    codec::decode_into(&bytes, &mut back).unwrap();
    assert_eq!(back, candle);
    for cut in 0..bytes.len() {
        assert!(codec::decode_into(&bytes[..cut], &mut back).is_err());
    }
    let rule = SettlementRule::Candle {
        oracle: OracleId(3),
        interval_secs: 60,
    };
    assert_eq!(hex(&postcard::to_stdvec(&rule).unwrap()), "04033c");
}
