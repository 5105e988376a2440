//! The oracles' watchers against the simulated exchange: ticks, gaps, candles and the candles of before.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn venues_oracles_tick_and_say_when_they_do_not() {
    let mut world = World::at(ORIGIN_S + 330, 1.0).await;
    let binance = binance::BinanceConfig {
        ws_url: world.sim.endpoints().binance_ws.clone(),
        rest_url: world.sim.endpoints().binance_rest.clone(),
        ..binance::BinanceConfig::default()
    };
    let chainlink = chainlink::ChainlinkConfig {
        ws_url: world.sim.endpoints().rtds.clone(),
        ..chainlink::ChainlinkConfig::default()
    };
    let (catalog, sender, clock) = (world.catalog.clone(), world.sender.clone(), world.clock);
    let agent = binance::run(world.ctx(), binance, catalog.clone(), clock, sender.clone());
    world.agents.push(tokio::spawn(agent));
    let agent = chainlink::run(world.ctx(), chainlink, catalog.clone(), clock, sender);
    world.agents.push(tokio::spawn(agent));
    for (venue, source, symbol) in [
        (SimVenue::Binance, "binance", "btcusdt"),
        (SimVenue::Rtds, "chainlink", "btcusd"),
    ] {
        let (id, _) = catalog.lock().list_oracle(source, symbol);
        let tick = |_: &World, e: &Event| matches!(e, Event::OracleTick(t) if t.oracle == id);
        let Event::OracleTick(seen) = world.until("a tick", tick).await else {
            unreachable!()
        };
        assert!(
            seen.source_time.secs().abs_diff(clock.now().secs()) <= 30,
            "{seen:?}"
        );
        world.strike(venue, FaultKind::Drop);
        world
            .until("a gap", |_, e| matches!(e, Event::OracleGap(o) if *o == id))
            .await;
        world.until("a tick", tick).await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn venues_binance_hours_end_with_a_candle_and_begin_with_an_exact_strike() {
    // Ten seconds before a full hour.
    let hour = Timestamp::from_secs(ORIGIN_S + 2_700);
    let mut world = World::at(hour.secs() - 10, 5.0).await;
    let cfg = binance::BinanceConfig {
        ws_url: world.sim.endpoints().binance_ws.clone(),
        rest_url: world.sim.endpoints().binance_rest.clone(),
        ..binance::BinanceConfig::default()
    };
    let (catalog, sender, clock) = (world.catalog.clone(), world.sender.clone(), world.clock);
    let agent = binance::run(world.ctx(), cfg, catalog.clone(), clock, sender);
    world.agents.push(tokio::spawn(agent));
    let mut oracle = None;
    let mut candle = None;
    let strike = loop {
        for event in world.next().await {
            match (&event, &mut oracle) {
                (Event::OracleListed(spec), None) => {
                    oracle = Some(OracleState::new((**spec).clone()))
                }
                (Event::OracleTick(tick), Some(oracle)) => {
                    oracle.apply(tick, clock.now()).unwrap();
                }
                // Those of before are fetched; the one that ends now is told.
                (Event::Candle(last), Some(_)) => {
                    let start = Timestamp::from_secs(hour.secs() - 3_600);
                    if last.spans(start, 3_600) {
                        candle = Some(**last);
                    }
                }
                (other, _) => panic!("{other:?}"),
            }
        }
        let strike = oracle.as_ref().and_then(|o| o.first_since(hour));
        if let (Some(strike), Some(_)) = (strike, candle) {
            break strike;
        }
    };
    let candle = candle.unwrap();
    let rest = world.sim.endpoints().binance_rest.clone();
    let url = format!("{rest}/api/v3/klines");
    let http = Http::new().unwrap();
    let price = |row: &Value, at: usize| SpotPrice::parse(row[at].as_str().unwrap()).unwrap();
    let row = async |from: Timestamp| {
        let start = (from.secs() * 1_000).to_string();
        let query = [
            ("symbol", "BTCUSDT"),
            ("interval", "1h"),
            ("startTime", &start),
            ("limit", "1"),
        ];
        http.json(&url, &query).await.unwrap()[0].clone()
    };
    let over = row(candle.open_time).await;
    assert_eq!(
        (candle.open, candle.close),
        (price(&over, 1), price(&over, 4))
    );
    // What the trades say the new hour opened at is what the venue draws.
    assert_eq!(strike, price(&row(hour).await, 1));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn venues_binance_candles_of_before_and_of_an_outage_are_fetched() {
    // Twenty seconds a second: the eight without data below are more than two minutes.
    let start = ORIGIN_S + 600;
    let mut world = World::at(start, 20.0).await;
    let cfg = binance::BinanceConfig {
        ws_url: world.sim.endpoints().binance_ws.clone(),
        rest_url: world.sim.endpoints().binance_rest.clone(),
        candles: vec!["1m".to_owned()],
        replace_after_ms: 8_000,
        ..binance::BinanceConfig::default()
    };
    let (catalog, sender, clock) = (world.catalog.clone(), world.sender.clone(), world.clock);
    let agent = binance::run(world.ctx(), cfg, catalog, clock, sender);
    world.agents.push(tokio::spawn(agent));
    let (mut minutes, mut late) = (BTreeSet::new(), BTreeSet::new());
    let mut frozen = None;
    loop {
        for event in world.next().await {
            let Event::Candle(candle) = event else {
                continue;
            };
            let minute = candle.open_time.secs();
            if minutes.last().is_some_and(|last| minute < *last) && minutes.insert(minute) {
                late.insert(minute);
            }
            minutes.insert(minute);
        }
        let Some(frozen) = frozen else {
            if minutes.first().is_some_and(|m| *m < start) && minutes.last() >= Some(&start) {
                world.strike(SimVenue::Binance, FaultKind::Freeze);
                frozen = Some(clock.now().secs());
            }
            continue;
        };
        let first = *minutes.first().unwrap();
        let due = (first..frozen + 240).step_by(60);
        if due.clone().all(|minute| minutes.contains(&minute)) {
            break;
        }
        let missing: Vec<u64> = due.filter(|minute| !minutes.contains(minute)).collect();
        assert!(
            clock.now().secs() < frozen + 1_200,
            "never came: {missing:?}"
        );
    }
    let frozen = frozen.unwrap();
    assert!(late.iter().any(|minute| *minute > frozen - 60), "{late:?}");
    world.end().await;
}

#[tokio::test]
async fn venues_binance_lengths_of_candles_that_do_not_exist_are_refused_with_words() {
    let (_stop, stopping) = watch::channel(false);
    let (sender, _inbox) = input::channel();
    let cfg = binance::BinanceConfig {
        candles: vec!["1h".to_owned(), "61m".to_owned()],
        ..binance::BinanceConfig::default()
    };
    let ctx = AgentContext::new(stopping);
    let ended = binance::run(ctx, cfg, SharedCatalog::default(), Clock::utc(), sender).await;
    assert!(matches!(ended, Err(AgentError::Fatal(why)) if why.contains("\"61m\"")));
}
