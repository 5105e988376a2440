//! Who wins, who said it, and what is said of a slip.

use super::*;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pm-arb.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

fn env(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    let own = |(a, b): &(&str, &str)| (a.to_string(), b.to_string());
    pairs.iter().map(own).collect::<Vec<_>>().into_iter()
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let text = "[risk]\norder_value_max = \"200\"\ncollar = \"0.2\"\n\n[strategies.oracle-sniper]\nhaircut = \"0.01\"";
    let (_dir, path) = file(text);
    let variables = [
        ("PM_ARB__RISK__ORDER_VALUE_MAX", "100"),
        ("PM_ARB__FEEDS__BINANCE__SYMBOLS", "[\"ethusdt\"]"),
        ("PM_ARB__SIM__SPEED", "5"),
        ("PM_ARB__STRATEGIES__ORACLE_SNIPER__HAIRCUT", "0.03"),
        ("PM_ARB_DATA_DIR", "elsewhere"),
    ];
    let mut wrong = variables;
    wrong[2].1 = "fast";
    let error = read(Some(&path), env(&wrong)).unwrap_err().to_string();
    assert!(error.contains("PM_ARB__SIM__SPEED"), "{error}");
    let Layered { config, origins } = read(Some(&path), env(&variables)).unwrap();
    assert_eq!(config.risk.order_value_max, "100");
    assert_eq!(config.risk.collar, "0.2");
    assert!((config.sim.speed - 5.0).abs() < 1e-9);
    assert_eq!(config.risk.profit_min, "0.05");
    assert_eq!(config.feeds.binance.symbols, ["ethusdt"]);
    assert_eq!(config.strategies["oracle-sniper"]["haircut"], "0.03");
    let said = |key: &str| origins.get(key).map(ToString::to_string);
    assert_eq!(
        said("risk.order_value_max").unwrap(),
        "env PM_ARB__RISK__ORDER_VALUE_MAX"
    );
    assert_eq!(
        said("risk.collar").unwrap(),
        format!("{}:3", path.display())
    );
    assert_eq!(said("risk.profit_min"), None);
}

#[test]
fn a_slip_is_named_with_its_line_and_what_was_meant() {
    for (text, line, meant) in [
        ("[risk]\n\ndrawdown_bp = 1", ":3: ", "risk.drawdown_bps"),
        (
            "[capital]\norder_value_max = \"1\"",
            ":2: ",
            "risk.order_value_max",
        ),
        (
            "[feeds.binance]\nsymbol = []",
            ":2: ",
            "feeds.binance.symbols",
        ),
    ] {
        let (_dir, path) = file(text);
        let error = read(Some(&path), env(&[])).unwrap_err().to_string();
        assert!(error.contains(line), "{error}");
        assert!(error.contains(&format!("did you mean {meant}?")), "{error}");
    }
    let (_dir, path) = file("[zzz]\nqqq = 1");
    let error = read(Some(&path), env(&[])).unwrap_err().to_string();
    assert!(
        error.contains("unknown key zzz.qqq") && !error.contains("did you mean"),
        "{error}"
    );
    let error = read(None, env(&[("PM_ARB__RISK__ORDER_VALUE_MX", "1")])).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("did you mean PM_ARB__RISK__ORDER_VALUE_MAX?"),
        "{error}"
    );
    let (_dir, path) = file("[risk]\ndrawdown_bps = 20000");
    let error = read(Some(&path), env(&[])).unwrap_err().to_string();
    assert!(
        error.contains("pm-arb.toml:2: risk.drawdown_bps must lie"),
        "{error}"
    );
}

#[test]
fn the_template_is_the_defaults_and_names_every_key() {
    let template = super::super::TEMPLATE;
    let read: Config = toml::from_str(template).unwrap();
    assert_eq!(in_force(&read), in_force(&Config::default()));
    for key in known().keys() {
        let name = key.rsplit('.').next().unwrap();
        let line = template.lines().find(|line| {
            let line = line.trim_start_matches("# ");
            line.starts_with(&format!("{name} = ")) || line.contains(&format!(" {name} = "))
        });
        let line = line.unwrap_or_else(|| panic!("{key} is not in the template"));
        assert!(
            line.contains('#'),
            "{key} has no word of what it does: {line}"
        );
    }
    // The example at its end is one.
    let last = template.split("# [strategies").nth(1).unwrap();
    toml::from_str::<Config>(&format!("[strategies{}", last.replace("\n# ", "\n"))).unwrap();
}

#[test]
fn secrets_stay_hidden() {
    let text = |text: &str| Value::String(text.into());
    for (key, value, expected) in [
        ("feeds.kalshi.key.id", "CANARY", "\"(hidden)\""),
        ("strategies.x.api_key", "CANARY", "\"(hidden)\""),
        ("strategies.x.auth-token", "CANARY", "\"(hidden)\""),
        ("feeds.kalshi.key.private_key_file", "k.pem", "\"k.pem\""),
        ("a.url", "https://u:CANARY@host/x", "\"https://u@host/x\""),
        ("risk.collar", "0.1", "\"0.1\""),
    ] {
        assert_eq!(shown(key, &text(value)), expected, "{key}");
    }
}
