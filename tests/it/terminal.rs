//! The terminal as people see it: the binary in a pseudo-terminal of a given size, and in a pipe.

use crate::support::{pm_arb, run, stdout, strategies};
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What a terminal of that size shows: enough of one to follow what the program writes.
struct Terminal {
    columns: usize,
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

impl Terminal {
    fn new(columns: usize) -> Self {
        Self {
            columns,
            rows: vec![Vec::new()],
            row: 0,
            column: 0,
        }
    }

    fn feed(&mut self, text: &str) {
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\r' => self.column = 0,
                '\n' => self.down(),
                '\x1b' => {
                    assert_eq!(chars.next(), Some('['), "only CSI sequences are written");
                    let mut number = String::new();
                    while let Some(c) = chars.next_if(|c| c.is_ascii_digit() || *c == ';') {
                        number.push(c);
                    }
                    match chars.next().unwrap() {
                        'A' => self.row -= number.parse::<usize>().unwrap(),
                        'J' => {
                            self.rows.truncate(self.row + 1);
                            self.rows[self.row].truncate(self.column);
                        }
                        'm' => {}
                        other => panic!("an unexpected sequence: {number}{other}"),
                    }
                }
                c => {
                    if self.column == self.columns {
                        self.column = 0;
                        self.down();
                    }
                    let line = &mut self.rows[self.row];
                    line.truncate(self.column);
                    line.push(c);
                    self.column += 1;
                }
            }
        }
    }

    fn down(&mut self) {
        self.row += 1;
        if self.row == self.rows.len() {
            self.rows.push(Vec::new());
        }
    }

    fn text(&self) -> String {
        let line = |row: &Vec<char>| row.iter().collect::<String>();
        self.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Everything the command writes in a terminal of that size; Ctrl-C after that time, if one is given.
fn in_terminal(size: (usize, usize), args: &[&str], ctrl_c: Option<Duration>) -> String {
    let quoted = |arg: &&str| format!("'{arg}'");
    let words: Vec<String> = args.iter().map(quoted).collect();
    let command = format!(
        "stty cols {} rows {}; exec '{}' {}",
        size.0,
        size.1,
        env!("CARGO_BIN_EXE_pm-arb"),
        words.join(" ")
    );
    let mut script = Command::new("script");
    script.args(["-qefc", &command, "/dev/null"]);
    for name in [
        "DATABASE_URL",
        "REDIS_URL",
        "RUST_LOG",
        "NO_COLOR",
        "CLICOLOR",
    ] {
        script.env_remove(name);
    }
    script.env("TERM", "xterm");
    let mut child = script
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script of util-linux makes pseudo-terminals");
    // Kept open: at its end `script` would write an end-of-file of its own.
    let mut keys = child.stdin.take().unwrap();
    if let Some(after) = ctrl_c {
        std::thread::sleep(after);
        keys.write_all(b"\x03").unwrap();
        keys.flush().unwrap();
    }
    let mut output = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut output)
        .unwrap();
    assert!(
        child.wait().unwrap().success(),
        "{}",
        String::from_utf8_lossy(&output)
    );
    String::from_utf8(output).unwrap()
}

/// Follows the output frame by frame: no frame is torn, none is left behind.
fn follow(output: &str, columns: usize) -> (usize, String) {
    let mut terminal = Terminal::new(columns);
    let mut frames = 0;
    for part in output.split_inclusive("\x1b[J") {
        terminal.feed(part);
        let text = terminal.text();
        let views = text
            .lines()
            .filter(|line| line.starts_with("TRADING · "))
            .count();
        assert!(views <= 1, "two views at once:\n{text}");
    }
    frames += output.matches("\x1b[J").count();
    (frames, terminal.text())
}

#[test]
fn the_view_appears_fits_and_ends() {
    let strategies = format!("{}/*.wasm", strategies().display());
    for (size, ctrl_c) in [((80, 24), None), ((40, 10), Some(Duration::from_secs(6)))] {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let mut args = vec![
            "pilot",
            "--strategies",
            &strategies,
            "--seed",
            "7",
            "--data-dir",
        ];
        args.push(data.to_str().unwrap());
        if ctrl_c.is_none() {
            args.extend(["--for", "6s"]);
        }
        let output = in_terminal(size, &args, ctrl_c);
        let (frames, last) = follow(&output, size.0);
        assert!(frames >= 2, "{frames} frames in\n{output}");
        assert!(output.contains("\x1b[32mTRADING"), "{output}");
        // Erased at the end, with the summary in its place; log lines stand above it.
        assert!(
            !last.lines().any(|line| line.starts_with("TRADING · ")),
            "{last}"
        );
        let whole = last.replace('\n', "");
        assert!(whole.contains("stopping: "), "{last}");
        assert!(whole.contains(" records · digest "), "{last}");
        if size.0 == 80 {
            assert!(
                output.contains("last trades") || output.contains("strategies"),
                "{output}"
            );
        }
        // Never wider than the window: the view's own lines begin behind an erasure.
        for frame in output.split("\x1b[J").skip(1) {
            let view = frame.split("\x1b[32mTRADING").nth(1).unwrap_or_default();
            let view = view.split('\x1b').next().unwrap_or_default();
            assert!(view.chars().count() < size.0, "{view:?}");
        }
    }
}

#[test]
fn a_pipe_gets_no_escape_codes_and_quiet_is_quiet() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let strategies = format!("{}/*.wasm", strategies().display());
    let args = [
        "pilot",
        "--strategies",
        &strategies,
        "--for",
        "4s",
        "--data-dir",
    ];
    let mut args = args.to_vec();
    args.push(data.to_str().unwrap());
    let output = run(&args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stdout(&output).contains('\x1b'));
    assert!(said.contains("new run") && !said.contains('\x1b'), "{said}");
    args.insert(0, "--quiet");
    let output = run(&args);
    assert!(stdout(&output).contains("digest"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !said.contains("INFO") && !said.contains("continuing"),
        "{said}"
    );
    // In a terminal neither quiet nor machine-readable logs draw anything.
    args[0] = "--log=json";
    let output = in_terminal((80, 24), &args, None);
    assert!(!output.contains("\x1b[J"), "{output}");
    let line = output.lines().next().unwrap();
    serde_json::from_str::<serde_json::Value>(line).unwrap();
    args[0] = "--quiet";
    assert!(!in_terminal((80, 24), &args, None).contains("\x1b[J"));
    // Where colour is forced it is there, and refusing is stronger.
    let report = [
        "report",
        "--run",
        "latest",
        "--data-dir",
        data.to_str().unwrap(),
    ];
    let coloured = |no: &str| {
        let mut command = pm_arb(&report);
        let output = command
            .env("CLICOLOR_FORCE", "1")
            .env("NO_COLOR", no)
            .output();
        stdout(&output.unwrap()).contains("\x1b[")
    };
    assert!(!coloured("1"));
    let traded = stdout(&run(&report)).contains("+$") || stdout(&run(&report)).contains("-$");
    assert_eq!(coloured(""), traded);
}

#[test]
fn the_program_speaks_of_itself() {
    let dir = tempfile::tempdir().unwrap();
    let here = |args: &[&str]| pm_arb(args).current_dir(dir.path()).output().unwrap();
    assert!(stdout(&here(&["init"])).contains("pm-arb.toml"));
    let written = std::fs::read_to_string(dir.path().join("pm-arb.toml")).unwrap();
    assert_eq!(written, pm_arb::config::TEMPLATE);
    assert_eq!(
        here(&["init"]).status.code(),
        Some(1),
        "it never overwrites"
    );
    std::fs::write(dir.path().join("pm-arb.toml"), "[risk]\ncollar = \"0.2\"\n").unwrap();
    let show = [
        "config",
        "show",
        "--origin",
        "--config",
        "pm-arb.toml",
        "--speed",
        "3",
    ];
    let output = pm_arb(&show)
        .current_dir(dir.path())
        .env("PM_ARB__RISK__ORDER_VALUE_MAX", "99")
        .output();
    let text = stdout(&output.unwrap());
    for (key, from) in [
        ("collar = \"0.2\"", "# pm-arb.toml:2"),
        (
            "order_value_max = \"99\"",
            "# env PM_ARB__RISK__ORDER_VALUE_MAX",
        ),
        ("speed = 3.0", "# flag --speed"),
        ("intents_per_second = 20", "# default"),
    ] {
        let line = text.lines().find(|line| line.starts_with(key));
        let line = line.unwrap_or_else(|| panic!("no {key} in\n{text}"));
        assert!(line.ends_with(from), "{line}");
    }
    toml::from_str::<pm_arb::config::Config>(&text).unwrap();
    assert!(stdout(&here(&["config", "check", "pm-arb.toml"])).contains("good"));
    assert!(stdout(&here(&["init", "--force"])).contains("every setting"));
    std::fs::write(dir.path().join("bad.toml"), "[risk]\ncolar = 1\n").unwrap();
    let output = here(&["config", "check", "bad.toml"]);
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("bad.toml:2: unknown key risk.colar; did you mean risk.collar?"),
        "{said}"
    );

    assert!(stdout(&here(&["man", "pages"])).contains("pages in pages"));
    for page in [
        "pm-arb.1",
        "pm-arb-pilot.1",
        "pm-arb-doctor.1",
        "pm-arb-config-show.1",
    ] {
        let text = std::fs::read_to_string(dir.path().join("pages").join(page)).unwrap();
        assert!(text.contains(".TH") && text.contains("Examples"), "{page}");
    }
    assert!(stdout(&here(&["help", "exit-codes"])).contains("78"));
    assert!(stdout(&here(&["help", "environment"])).contains("PM_ARB__"));
    assert!(stdout(&here(&["help", "config", "show"])).contains("--origin"));
    assert_eq!(here(&["help", "nothing"]).status.code(), Some(2));
    let info = stdout(&here(&[
        "info",
        "--database-url",
        "postgres://u:CANARY@h/d",
    ]));
    assert!(
        info.contains("kalshi-frames") && !info.contains("CANARY"),
        "{info}"
    );
    let contract =
        std::fs::read_to_string(crate::support::root().join("wit/strategy.wit")).unwrap();
    let spoken = pm_arb::plugin::CONTRACT;
    assert!(contract.contains(&format!("package {spoken};")) && info.contains(spoken));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(
            stdout(&here(&["completions", shell])).contains("doctor"),
            "{shell}"
        );
    }
}
