//! The log: lines for people or JSON objects, on standard error. No secrets: the libraries that could print them are
//! silenced whatever the level, ours have types that do not print.

use crate::config::{Log, LogFormat, LogLevel};
use std::io::IsTerminal;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

/// By which the level can be changed while running.
#[derive(Clone, Debug)]
pub struct LogHandle(reload::Handle<EnvFilter, Registry>);

impl LogHandle {
    /// Logs at another level from now on.
    pub fn set_level(&self, level: LogLevel) {
        if let Err(error) = self.0.reload(filter(level)) {
            tracing::warn!(%error, "the level stays as it was");
        }
    }
}

/// Starts logging; at most once in a process, whoever comes later logs where the first does.
pub fn start(log: &Log) -> LogHandle {
    let (filter, handle) = reload::Layer::new(filter(log.level));
    let registry = tracing_subscriber::registry().with(filter);
    let started = match log.format {
        LogFormat::Plain => {
            let colours = std::io::stderr().is_terminal();
            registry.with(fmt::layer().with_ansi(colours).with_writer(std::io::stderr)).try_init()
        }
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
    LogHandle(handle)
}

/// async-imap prints passwords at trace level (crates.md 0); the transports below us print octets.
fn filter(level: LogLevel) -> EnvFilter {
    let level = level.as_str();
    EnvFilter::new(format!(
        "{level},async_imap=off,imap_proto=off,hyper=warn,hyper_util=warn,h2=warn,rustls=warn,tokio_rustls=warn,mio=warn"
    ))
}
