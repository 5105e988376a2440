//! Names the machine and the moment: figures without them mean nothing.

use crate::measure::Outcome;
use std::fs;
use std::process::Command;

/// One line: processor, cores, memory, kernel, compiler, load, date.
pub fn describe() -> Outcome<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism()?;
    let meminfo = fs::read_to_string("/proc/meminfo")?;
    let kib = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let gib = kib
        .and_then(|kib| kib.trim().parse::<f64>().ok())
        .unwrap_or(f64::NAN)
        / 1_048_576.0;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split_whitespace().next().unwrap_or("?");
    let rustc = said("rustc", &["--version"])?;
    let date = said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])?;
    Ok(format!(
        "{model}, {cores} cores, {gib:.0} GiB, Linux {}, {rustc}, load {load} at the start, {date}",
        kernel.trim()
    ))
}

fn said(program: &str, args: &[&str]) -> Outcome<String> {
    let output = Command::new(program).args(args).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
