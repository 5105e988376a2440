//! `strategy watch`: what is saved is built, lands whole beside a running pilot, and the pilot swaps it in.

use super::{NAME, builder, project};
use crate::pilot::Pilot;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A watch on a project, and what it says.
struct Watch {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watch {
    fn start(dir: &Path, into: &Path, data: &Path) -> Self {
        let mut child = builder(&["strategy", "watch"])
            .arg(dir)
            .arg("--into")
            .arg(into)
            .arg("--data-dir")
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next line that holds that; every other is passed over.
    fn says(&mut self, what: &str) -> String {
        let mut all = String::new();
        loop {
            let begin = all.len();
            let read = self.lines.read_line(&mut all).unwrap();
            assert!(read > 0, "ended without {what:?}:\n{all}");
            if all[begin..].contains(what) {
                return all[begin..].to_owned();
            }
        }
    }

    fn end(mut self) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
        self.says("ended; what was built stays");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn what_is_saved_is_built_and_swapped_in() {
    let dir = project("rust", "watch");
    let temporary = tempfile::tempdir().unwrap();
    let (into, data) = (temporary.path().join("run"), temporary.path().join("data"));
    std::fs::create_dir(&into).unwrap();
    let mut watch = Watch::start(&dir, &into, &data);
    let first = watch.says("built in");
    assert!(first.starts_with(&format!("{NAME} 0.1.0 · ")), "{first}");
    assert!(
        !first.contains("after the save"),
        "nothing was saved yet: {first}"
    );

    let mut pilot = Pilot::start_with(into.to_str().unwrap(), &data, &[]);
    pilot.wait_for("the first one", |p| {
        let list = p.ask(&["strategy", "list"]);
        String::from_utf8_lossy(&list.stdout)
            .contains(NAME)
            .then_some(())
    });

    let source = dir.join("src/lib.rs");
    let text = std::fs::read_to_string(&source).unwrap();
    // What does not compile changes nothing and ends nothing.
    std::fs::write(&source, format!("{text}\nbroken")).unwrap();
    let broken = watch.says("not built: ");
    assert!(broken.contains("cargo build failed"), "{broken}");
    let other = text.replace("Usd(10_000)", "Usd(11_000)");
    assert_ne!(
        other, text,
        "the default of the template's setting is another one"
    );
    std::fs::write(&source, other).unwrap();
    let second = watch.says("built in");
    assert!(second.contains("after the save"), "{second}");
    let verdict = watch.says("the pilot");
    assert!(
        verdict.contains("the pilot runs it: generation 2"),
        "{verdict}"
    );
    assert!(verdict.contains("state kept"), "{verdict}");
    watch.end();

    let names: Vec<_> = std::fs::read_dir(&into)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(
        names,
        [format!("{NAME}.wasm").as_str()],
        "nothing half-written is left"
    );
    pilot.signal("-TERM");
    assert!(pilot.ended(), "{}", pilot.said());
}
