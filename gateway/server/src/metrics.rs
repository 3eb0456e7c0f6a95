//! The gateway's figures, by the names of the outside contract (design 5). Labels are closed sets of words.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use pimap_account::contract::Count;
use pimap_types::preference::ChannelKind;
use std::time::Duration;

/// Bounds of the time histograms, in seconds.
const SECONDS: &[f64] =
    &[0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Between two takings of what was measured.
const UPKEEP: Duration = Duration::from_secs(5);

/// Starts counting; at most once in a process, whoever comes later counts with the first.
pub fn install() -> PrometheusHandle {
    let builder = PrometheusBuilder::new();
    let builder = match builder.set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS) {
        Ok(builder) => builder,
        // Only an empty list of bounds is refused.
        Err(_) => PrometheusBuilder::new(),
    };
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_ok() {
        describe();
    }
    handle
}

/// Takes what was measured into the histograms every few seconds, whether anybody asks for them or not: else each sample is
/// kept until somebody does.
pub async fn upkeep(handle: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}

fn describe() {
    describe_gauge!("pimap_sessions", "P-IMAP sessions alive, connected or not");
    describe_gauge!("pimap_connections", "Open connections of handsets");
    describe_gauge!(
        "pimap_connections_resting",
        "Open connections that nothing is said on, and that need no task"
    );
    describe_gauge!("pimap_upstream_connections", "Open connections to the mail server");
    describe_counter!("pimap_events_total", "Events appended to session logs");
    describe_histogram!("pimap_push_seconds", "From the upstream's octets to the handset's");
    describe_counter!("pimap_commands_total", "Commands answered");
    describe_counter!("pimap_resync_total", "Times a handset was told RESYNC");
    describe_counter!("pimap_outband_total", "Notices sent outband");
    describe_histogram!("pimap_store_seconds", "Time the store took");
    describe_counter!("pimap_watch_missed_total", "Changes upstream that no event announced");
    describe_counter!("pimap_account_failures_total", "Accounts begun anew after a fault of ours");
    gauge!("pimap_sessions").set(0);
    gauge!("pimap_connections_resting").set(0);
    for transport in ["http", "imap", "imaps"] {
        gauge!("pimap_connections", "transport" => transport).set(0);
    }
    for role in ["watch", "pool"] {
        gauge!("pimap_upstream_connections", "role" => role).set(0);
    }
}

/// Something the account owner counted.
pub fn count(count: &Count) {
    match *count {
        Count::Event(class) => counter!("pimap_events_total", "class" => class).increment(1),
        Count::Resync(reason) => counter!("pimap_resync_total", "reason" => reason).increment(1),
        Count::Command(name, result) => command(name, result),
        // Sessions are far fewer than 2^53, up to which this is exact.
        Count::Sessions(change) => gauge!("pimap_sessions").increment(change as f64),
        Count::WatchMissed => counter!("pimap_watch_missed_total").increment(1),
    }
}

/// A command was answered.
pub fn command(name: &'static str, result: &'static str) {
    counter!("pimap_commands_total", "command" => name, "result" => result).increment(1);
}

/// A notice left, or did not.
pub fn outband(channel: ChannelKind, outcome: &'static str) {
    let channel = match channel {
        ChannelKind::None => "none",
        ChannelKind::Udp => "udp",
        other => other.as_str(),
    };
    counter!("pimap_outband_total", "channel" => channel, "outcome" => outcome).increment(1);
}

/// A push reached its handset's socket.
pub fn push_seconds(took: Duration) {
    histogram!("pimap_push_seconds").record(took.as_secs_f64());
}

/// The store answered.
pub fn store_seconds(operation: &'static str, took: Duration) {
    histogram!("pimap_store_seconds", "operation" => operation).record(took.as_secs_f64());
}

/// An account's task failed.
pub fn account_failed() {
    counter!("pimap_account_failures_total").increment(1);
}

/// Counts one open connection for as long as it lives.
#[derive(Debug)]
pub struct Connected(&'static str);

impl Connected {
    /// A connection over this transport.
    pub fn over(transport: &'static str) -> Self {
        gauge!("pimap_connections", "transport" => transport).increment(1);
        Self(transport)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        gauge!("pimap_connections", "transport" => self.0).decrement(1);
    }
}

/// Counts one connection for as long as it rests.
#[derive(Debug)]
pub struct AtRest(());

impl AtRest {
    /// It begins to.
    pub fn begin() -> Self {
        gauge!("pimap_connections_resting").increment(1);
        Self(())
    }
}

impl Drop for AtRest {
    fn drop(&mut self) {
        gauge!("pimap_connections_resting").decrement(1);
    }
}

/// Counts an account's upstream connections for as long as it is at work.
#[derive(Debug, Default)]
pub struct UpstreamConnected {
    watching: usize,
    pooled: usize,
}

impl UpstreamConnected {
    /// So many now.
    pub fn now(&mut self, watching: usize, pooled: usize) {
        for (role, before, after) in [("watch", self.watching, watching), ("pool", self.pooled, pooled)] {
            if before != after {
                gauge!("pimap_upstream_connections", "role" => role).increment(after as f64 - before as f64);
            }
        }
        (self.watching, self.pooled) = (watching, pooled);
    }
}

impl Drop for UpstreamConnected {
    fn drop(&mut self) {
        self.now(0, 0);
    }
}
