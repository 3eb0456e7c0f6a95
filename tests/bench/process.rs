//! What programs take, with all processes that they started: memory and processor time. Read from /proc.

use std::fs;

/// The proportional memory of a program, in KiB. Kernel memory of sockets is not in it.
pub fn memory_kib(process: u32) -> f64 {
    tree(process).into_iter().map(own_memory_kib).sum()
}

/// The processor time that a program has had, in seconds; of threads that ended nothing is known.
pub fn processor_seconds(process: u32) -> f64 {
    tree(process).into_iter().map(own_processor_seconds).sum()
}

/// How many processes of that name a program has started.
pub fn count_named(process: u32, name: &str) -> usize {
    let named =
        |id: &u32| fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|comm| comm.trim_end() == name);
    tree(process).iter().filter(|id| named(id)).count()
}

/// A process and all below it.
fn tree(process: u32) -> Vec<u32> {
    let mut found = vec![process];
    let mut at = 0;
    while let Some(process) = found.get(at) {
        let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
        let children: Vec<String> =
            threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok()).collect();
        found.extend(
            children.iter().flat_map(|ids| ids.split_whitespace()).filter_map(|id| id.parse::<u32>().ok()),
        );
        at += 1;
    }
    found
}

/// Nothing of a process that has ended.
fn own_memory_kib(process: u32) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse().ok()).unwrap_or(0.0)
}

/// The scheduler counts in nanoseconds, where utime and stime have ticks of ten milliseconds.
fn own_processor_seconds(process: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let nanos = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    threads.filter_map(nanos).sum::<f64>() / 1e9
}
