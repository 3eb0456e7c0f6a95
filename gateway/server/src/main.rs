//! `pimap-gateway serve | check --config FILE`

use clap::{Parser, Subcommand};
use pimap_gateway::app::Gateway;
use pimap_gateway::config::{Config, Mistake, explain::explain, read::read};
use pimap_gateway::telemetry;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// A bad configuration (sysexits.h EX_USAGE).
const EXIT_CONFIGURATION: u8 = 64;

#[derive(Parser)]
#[command(
    name = "pimap-gateway",
    version,
    about = "P-IMAP push proxy gateway: mobile push for any IMAP server"
)]
struct Arguments {
    #[command(subcommand)]
    order: Order,
    /// The configuration; every key can also be set by PIMAP_SECTION__KEY.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Order {
    /// Run the gateway. SIGTERM drains it, SIGHUP reads certificate and log level again.
    Serve,
    /// Explain a configuration, or name all its mistakes.
    Check,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match load(arguments.config.as_deref()) {
        Ok(config) => config,
        Err(mistakes) => {
            mistakes.iter().for_each(|mistake| eprintln!("{mistake}"));
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    let served = match arguments.order {
        Order::Check => {
            print!("{}", explain(&config));
            return ExitCode::SUCCESS;
        }
        Order::Serve => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map(|runtime| runtime.block_on(serve(&config, arguments.config.as_deref()))),
    };
    match served {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => fail(&*error),
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("pimap-gateway: {error}");
    ExitCode::FAILURE
}

fn load(file: Option<&Path>) -> Result<Config, Vec<Mistake>> {
    let text = file.map_or(Ok(String::new()), std::fs::read_to_string);
    let text = text.map_err(|error| vec![Mistake { key: "file".into(), what: error.to_string() }])?;
    // A variable that is not text cannot be one of ours.
    let variables =
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    read(&text, variables)
}

async fn serve(config: &Config, file: Option<&Path>) -> Result<(), Box<dyn std::error::Error>> {
    let log = telemetry::start(&config.log);
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hup = signal(SignalKind::hangup())?;
    let gateway = Gateway::start(config).await?;
    let mut out = std::io::stdout().lock();
    for (name, address) in &gateway.listening {
        writeln!(out, "listening {name} {address}")?;
    }
    out.flush()?;
    drop(out);
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = int.recv() => break,
            _ = hup.recv() => {
                gateway.reload_certificate();
                match load(file) {
                    Ok(config) => log.set_level(config.log.level),
                    Err(_) => tracing::error!("the configuration has mistakes now; nothing of it was taken"),
                }
            }
        }
    }
    gateway.stop().await;
    Ok(())
}
