//! Games with files: half written, renamed over, linked elsewhere, written all the time, far too large.

use super::arena::{ATTACKER, Arena, undisturbed};
use crate::plugin::fixtures::{Fixture, SUBMIT};
use std::fs;

/// Size of a file that is no strategy: sparse, so that a test can have it.
const HUGE: u64 = 100 << 20;

fn version(version: &'static str) -> Vec<u8> {
    Fixture {
        version,
        ..Fixture::on_quote(ATTACKER, SUBMIT)
    }
    .component()
}

#[test]
fn games_with_files_reach_no_neighbour() {
    let mut arena = Arena::new();
    let file = arena.file();
    let said = |arena: &mut Arena, what: &str, words: &[&str]| {
        arena.play(20);
        let said = std::mem::take(&mut arena.said);
        assert_eq!(said.len(), words.len(), "{what}: {said:?}");
        for (said, words) in said.iter().zip(words) {
            assert!(said.contains(words), "{what}: {said}");
        }
    };

    let whole = version("2");
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    arena.look();
    said(
        &mut arena,
        "half a file",
        &["a.wasm refused: it is cut off"],
    );
    fs::write(&file, &whole).unwrap();
    arena.look();
    said(&mut arena, "the whole of it", &["Loaded"]);

    arena.put(&version("3"));
    said(&mut arena, "another in its place", &["Loaded"]);
    arena.put(&version("3"));
    said(&mut arena, "the same in its place", &[]);

    let elsewhere = tempfile::tempdir().unwrap();
    for (n, bytes) in [version("4"), b"not a strategy".to_vec()]
        .iter()
        .enumerate()
    {
        fs::write(elsewhere.path().join(n.to_string()), bytes).unwrap();
    }
    for (n, words) in [(0, "Loaded"), (1, "a.wasm refused: it is not WebAssembly")] {
        let link = elsewhere.path().join("link");
        std::os::unix::fs::symlink(elsewhere.path().join(n.to_string()), &link).unwrap();
        fs::rename(&link, &file).unwrap();
        arena.look();
        said(&mut arena, "a link in its place", &[words]);
    }
    fs::remove_file(elsewhere.path().join("1")).unwrap();
    arena.look();
    arena.said.clear();
    fs::remove_file(&file).unwrap();

    fs::File::create(&file).unwrap().set_len(HUGE).unwrap();
    arena.look();
    said(
        &mut arena,
        "100 MiB",
        &["a.wasm refused: it is 104857600 bytes; a strategy may have"],
    );
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    arena.look();
    arena.said.clear();
    fs::remove_dir(&file).unwrap();

    // Written without a pause while it is looked at: whatever is seen is whole, or refused.
    let storm = {
        let file = file.clone();
        let (a, b) = (version("5"), version("6"));
        std::thread::spawn(move || {
            for n in 0..400 {
                let bytes = if n % 2 == 0 { &a } else { &b };
                fs::write(&file, &bytes[..bytes.len() - n % 7 * 100]).unwrap();
            }
            fs::write(&file, &b).unwrap();
        })
    };
    while !storm.is_finished() {
        arena.look();
        arena.play(2);
    }
    storm.join().unwrap();
    arena.look();
    for said in &arena.said {
        let known = said.starts_with("Loaded") || said.contains("a.wasm refused: it is");
        assert!(
            known || said.starts_with("Orphaned") || said.starts_with("Unchanged"),
            "{said}"
        );
    }
    let (deeds, end) = arena.end();
    undisturbed("games with files", &deeds);
    assert!(end.ends_with("\nRunning "), "the last bytes run: {end}");
}
