//! The gateway put together: the only place that knows all rooms.

use crate::auth::Authenticator;
use crate::config::{Auth, Config, StoreKind};
use crate::directory::{Directory, Keys};
use crate::drive::account::Deps;
use crate::drive::lot::Lot;
use crate::drive::upstream::LoginMode;
use crate::front::{Front, Settings};
use crate::listen::tls::{Tls, TlsFault};
use crate::listen::{admin, http, tcp};
use crate::upstream::Server;
use pimap_account::Options;
use pimap_channels::Channels;
use pimap_channels::udp::{UdpChannel, UdpSettings};
use pimap_store::{Embedded, Memory, Sealer, Store};
use pimap_types::Timestamp;
use pimap_types::preference::ChannelKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// For handsets to take their leave and for the store to take what is left.
const DRAIN_GRACE: Duration = Duration::from_secs(10);

/// How long the start waits for the mail server's first words.
const ACQUAINTANCE: Duration = Duration::from_secs(2);

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// A listener's address cannot be used.
    #[error("listen.{0} {1}: {2}")]
    Listen(&'static str, SocketAddr, #[source] std::io::Error),
    /// Our certificate.
    #[error(transparent)]
    Tls(#[from] TlsFault),
    /// The trust in upstream's certificate.
    #[error("upstream: {0}")]
    UpstreamTls(String),
    /// A file with a password.
    #[error("upstream.auth.password_file {0}: {1}")]
    PasswordFile(PathBuf, #[source] std::io::Error),
    /// The store.
    #[error("store: {0}")]
    Store(String),
    /// The seal key.
    #[error("store.seal_key_file: {0}")]
    SealKey(#[from] pimap_store::seal::SealKeyFault),
}

/// A gateway at work.
pub struct Gateway {
    /// What listens where: `http`, `imap`, `imaps`, `admin`, `udp`.
    pub listening: Vec<(&'static str, SocketAddr)>,
    directory: Arc<Directory>,
    store: Arc<dyn Store>,
    tls: Option<Tls>,
    stopping: watch::Sender<bool>,
    listeners: JoinSet<()>,
}

impl Gateway {
    /// Starts a gateway. When this returns, every listener accepts.
    pub async fn start(config: &Config) -> Result<Self, StartFault> {
        let metrics = crate::metrics::install();
        let tls = config.tls.as_ref().map(Tls::load).transpose()?;
        let server =
            Server::new(&config.upstream).map_err(|error| StartFault::UpstreamTls(error.to_string()))?;
        let store = open_store(&config.store.kind).await?;
        let deps = Arc::new(Deps {
            store: Arc::clone(&store),
            sealer: sealer(config)?,
            upstreams: Box::new(server.clone()),
            login_mode: login_mode(&config.upstream.auth)?,
            options: OnceLock::new(),
            channels: OnceLock::new(),
            udp: OnceLock::new(),
            on_refused: OnceLock::new(),
            clock: wall_clock,
        });
        let directory = Directory::new(Arc::clone(&deps));
        let verifier = Box::new(server.clone());
        let authenticator =
            Authenticator::new(&config.upstream, config.session.default_domain.as_deref(), verifier);
        let settings = Settings {
            idle_timeout: config.session.idle_timeout,
            allow_cleartext: config.listen.allow_cleartext,
            sid_tags: config.session.sid_tags,
        };
        let front = Arc::new(Front::new(Arc::clone(&directory), authenticator, settings));
        // Set once, before any account begins: nobody else can have set it.
        let forgetful = Arc::downgrade(&front);
        let forget = move |account: &pimap_types::AccountKey| {
            if let Some(front) = forgetful.upgrade() {
                front.authenticator.forget(account);
            }
        };
        drop(deps.on_refused.set(Box::new(forget)));
        let mut gateway = Self {
            listening: Vec::new(),
            directory,
            store,
            tls,
            stopping: watch::Sender::new(false),
            listeners: JoinSet::new(),
        };
        gateway.open_channels(config, &deps).await?;
        gateway.meet(server).await;
        gateway.listeners.spawn(crate::metrics::upkeep(metrics.clone()));
        gateway.open_lot(&front);
        gateway.listen(config, &front, metrics).await?;
        let awake =
            gateway.directory.awaken().await.map_err(|fault| StartFault::Store(format!("{fault:?}")))?;
        tracing::info!(accounts = awake, "started");
        Ok(gateway)
    }

    /// Asks the mail server how it lets users in, since handsets are told by the first line they see. A server that is down is
    /// asked again in the background.
    async fn meet(&mut self, server: Server) {
        let (told, heard) = tokio::sync::oneshot::channel();
        self.listeners.spawn(async move {
            server.probe().await;
            // Whoever waited may have given up.
            let _ = told.send(());
        });
        drop(tokio::time::timeout(ACQUAINTANCE, heard).await);
    }

    /// Opens what the accounts need to know before the first of them begins.
    async fn open_channels(&mut self, config: &Config, deps: &Deps) -> Result<(), StartFault> {
        let mut channels = Channels::default();
        let mut told = None;
        if let Some(udp) = &config.udp {
            let settings = UdpSettings::new(&udp.advertise_host);
            let channel = UdpChannel::bind(udp.listen, settings, Keys(Arc::clone(&self.directory)))
                .await
                .map_err(|error| StartFault::Listen("channels.udp", udp.listen, error))?;
            let address = channel.local_addr();
            self.listening.push(("udp", address));
            told = Some((udp.advertise_host.clone(), udp.advertise_port.unwrap_or_else(|| address.port())));
            channels = channels.with(Arc::new(channel.clone()));
            drop(deps.udp.set(channel));
        }
        drop(deps.channels.set(channels));
        drop(deps.options.set(Arc::new(options(config, told))));
        Ok(())
    }

    /// Opens the place where idle connections rest. Without it they cost more, and are served all the same.
    fn open_lot(&mut self, front: &Front) {
        match Lot::open() {
            Ok((lot, warden)) => {
                self.listeners.spawn(warden.run());
                drop(front.lot.set(lot));
            }
            Err(error) => tracing::warn!(%error, "idle connections cannot rest"),
        }
    }

    async fn listen(
        &mut self,
        config: &Config,
        front: &Arc<Front>,
        metrics: metrics_exporter_prometheus::PrometheusHandle,
    ) -> Result<(), StartFault> {
        let (listen, stopping) = (&config.listen, self.stopping.subscribe());
        if let Some(listener) = self.bind("http", listen.http).await? {
            self.listeners.spawn(http::serve(
                listener,
                Arc::clone(front),
                self.tls.clone(),
                stopping.clone(),
            ));
        }
        if let Some(listener) = self.bind("imap", listen.imap).await? {
            self.listeners.spawn(tcp::serve_imap(
                listener,
                Arc::clone(front),
                self.tls.clone(),
                stopping.clone(),
            ));
        }
        if let (Some(tls), Some(listener)) = (self.tls.clone(), self.bind("imaps", listen.imaps).await?) {
            self.listeners.spawn(tcp::serve_imaps(listener, Arc::clone(front), tls, stopping.clone()));
        }
        if let Some(listener) = self.bind("admin", listen.admin).await? {
            self.listeners.spawn(admin::serve(listener, metrics, Arc::clone(&self.store), stopping));
        }
        Ok(())
    }

    async fn bind(
        &mut self,
        name: &'static str,
        address: Option<SocketAddr>,
    ) -> Result<Option<TcpListener>, StartFault> {
        let Some(address) = address else { return Ok(None) };
        let fault = |error| StartFault::Listen(name, address, error);
        let listener = TcpListener::bind(address).await.map_err(fault)?;
        self.listening.push((name, listener.local_addr().map_err(fault)?));
        Ok(Some(listener))
    }

    /// Reads the certificate again; when it is no good, the old one stays.
    pub fn reload_certificate(&self) {
        match self.tls.as_ref().map(Tls::reload) {
            Some(Ok(())) => tracing::info!("certificate read again"),
            Some(Err(fault)) => tracing::error!(%fault, "the certificate stays as it was"),
            None => {}
        }
    }

    /// Drains: no new connection, `* BYE` to every handset, everything stored. Sessions stay.
    pub async fn stop(mut self) {
        tracing::info!("draining");
        self.stopping.send_replace(true);
        self.directory.drain(DRAIN_GRACE).await;
        if let Err(fault) = self.store.close().await {
            tracing::error!(?fault, "the store did not close");
        }
        self.listeners.shutdown().await;
        tracing::info!("stopped");
    }
}

async fn open_store(kind: &StoreKind) -> Result<Arc<dyn Store>, StartFault> {
    match kind {
        StoreKind::Memory => Ok(Arc::new(Memory::new())),
        StoreKind::Embedded(path) => {
            let path = path.clone();
            // Opening blocks: after a kill the file is checked first.
            let opened = tokio::task::spawn_blocking(move || Embedded::open(&path)).await;
            match opened {
                Ok(Ok(store)) => Ok(Arc::new(store)),
                Ok(Err(fault)) => Err(StartFault::Store(fault.to_string())),
                Err(error) => Err(StartFault::Store(error.to_string())),
            }
        }
    }
}

fn sealer(config: &Config) -> Result<Sealer, StartFault> {
    match (&config.store.seal_key_file, &config.store.kind) {
        (Some(path), _) => Ok(Sealer::open_or_create(path)?),
        (None, StoreKind::Embedded(path)) => Ok(Sealer::open_or_create(&path.join("seal.key"))?),
        (None, StoreKind::Memory) => passing_sealer(&std::env::temp_dir()),
    }
}

/// A store that forgets needs no key that lasts.
fn passing_sealer(directory: &Path) -> Result<Sealer, StartFault> {
    let path = directory.join(format!("pimap-gateway-{:032x}.key", rand::random::<u128>()));
    let sealer = Sealer::open_or_create(&path);
    drop(std::fs::remove_file(&path));
    Ok(sealer?)
}

fn login_mode(auth: &Auth) -> Result<LoginMode, StartFault> {
    match auth {
        Auth::Passthrough => Ok(LoginMode::Passthrough),
        Auth::Master { user, password, separator } => {
            let read = password.read().map_err(|error| StartFault::PasswordFile(password.0.clone(), error));
            Ok(LoginMode::Master { suffix: format!("{separator}{user}"), password: read? })
        }
    }
}

fn options(config: &Config, udp: Option<(String, u16)>) -> Options {
    let session = &config.session;
    Options {
        retention_ms: milliseconds(session.retention),
        login_valid_ms: session.login_valid.map(milliseconds),
        log_events_max: session.log_events_max,
        channels: udp.iter().map(|_| ChannelKind::Udp).collect(),
        udp,
        zone_minutes: session.zone_minutes,
        delete_hidden: session.delete_hidden,
        sid_tags: session.sid_tags,
    }
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn wall_clock() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}
