//! What the drivers' tests share: a gateway whose mail server is a few lines, and which runs on paused time.

use crate::auth::{Authenticator, Mechanisms, Origin, Verdict, Verifier};
use crate::config::{Auth, LoginTemplate, Security, Upstream};
use crate::directory::Directory;
use crate::drive::account::Deps;
use crate::drive::upstream::{AccountUpstream, Carried, Login, LoginMode, Upstreams};
use crate::front::{Front, Settings};
use futures_util::future::BoxFuture;
use pimap_account::Options;
use pimap_account::contract::SidTags;
use pimap_store::{Answer, Loaded, Memory, Sealer, Store};
use pimap_types::append::AppendPiece;
use pimap_types::message::MessageFacts;
use pimap_types::rows::{Batch, IndexKey, StoreFault};
use pimap_types::upstream::{
    Announced, Data, Delta, Synced, UpstreamEvent, UpstreamFault, UpstreamReply, UpstreamRequest, WatchList,
};
use pimap_types::{
    AccountKey, Credential, Date, Flags, MailboxName, ModSeq, Timestamp, Uid, UidRanges, UidValidity,
};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// A gateway in front of an empty mailbox. The password is `pw`, and what begins with `tok` is a good token.
pub(crate) struct Bench {
    pub(crate) front: Arc<Front>,
    pub(crate) mail: Arc<EmptyMail>,
    pub(crate) store: Arc<Failing>,
    key: Arc<KeyFile>,
}

/// The seal key of a test, which a restarted gateway finds again.
struct KeyFile(std::path::PathBuf);

impl Drop for KeyFile {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

thread_local! {
    /// Makes the next step of any account of this test's thread panic.
    pub(crate) static PANIC: Cell<bool> = const { Cell::new(false) };
}

fn clock() -> Timestamp {
    assert!(!PANIC.replace(false), "wanted by the test");
    Timestamp(1_700_000_000_000)
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Settings {
            idle_timeout: Duration::from_secs(1_800),
            allow_cleartext: true,
            sid_tags: SidTags::Everywhere,
        })
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let name = format!("pimap-test-{:032x}.key", rand::random::<u128>());
        Self::on(settings, Arc::default(), Arc::new(KeyFile(std::env::temp_dir().join(name))))
    }

    /// Another process on the same store.
    pub(crate) fn restarted(&self) -> Self {
        Self::on(self.front.settings.clone(), self.store.clone(), self.key.clone())
    }

    fn on(settings: Settings, store: Arc<Failing>, key: Arc<KeyFile>) -> Self {
        let mail = Arc::<EmptyMail>::default();
        let sealer = Sealer::open_or_create(&key.0).expect("a sealer");
        let deps = Deps {
            store: store.clone(),
            sealer,
            upstreams: Box::new(Opener(mail.clone())),
            login_mode: LoginMode::Passthrough,
            options: OnceLock::from(Arc::new(Options {
                retention_ms: 86_400_000,
                login_valid_ms: None,
                log_events_max: 10_000,
                udp: None,
                channels: Vec::new(),
                zone_minutes: 0,
                delete_hidden: false,
                sid_tags: settings.sid_tags,
            })),
            channels: OnceLock::new(),
            udp: OnceLock::new(),
            on_refused: OnceLock::new(),
            clock,
        };
        let upstream = Upstream {
            host: "mail".into(),
            port: 143,
            security: Security::Cleartext,
            ca_file: None,
            connections_per_account_max: 3,
            spare_watchers_max: None,
            auth: Auth::Passthrough,
            login: LoginTemplate("{local}".into()),
            fold_case: false,
            accept_cache: Duration::from_secs(300),
            send_client_id: false,
            poll_interval: Duration::from_secs(30),
            audit_interval: Duration::from_secs(300),
        };
        let authenticator = Authenticator::new(&upstream, None, Box::new(Pw));
        let front = Arc::new(Front::new(Directory::new(Arc::new(deps)), authenticator, settings));
        Self { front, mail, store, key }
    }
}

struct Pw;

impl Verifier for Pw {
    fn verify(
        &self,
        _login: &str,
        credential: &Credential,
        origin: Option<Origin>,
    ) -> BoxFuture<'static, Verdict> {
        drop(origin);
        let right = matches!(credential, Credential::Password(word) if word.expose() == b"pw")
            || matches!(credential, Credential::Token(word) if word.expose().starts_with(b"tok"));
        Box::pin(async move { if right { Verdict::Accepted(announced()) } else { Verdict::Refused } })
    }

    fn mechanisms(&self) -> Mechanisms {
        Mechanisms { passwords: true, tokens: true }
    }
}

/// What the mail server can.
fn announced() -> Announced {
    Announced::new(["CATENATE"])
}

struct Opener(Arc<EmptyMail>);

impl Upstreams for Opener {
    fn open(&self, _account: &AccountKey, events: mpsc::Sender<UpstreamEvent>) -> Arc<dyn AccountUpstream> {
        *self.0.events.lock().expect("lock") = Some(events);
        self.0.clone()
    }
}

/// Every mailbox exists and is empty; what is appended is remembered, but for what goes to `Full`.
#[derive(Default)]
pub(crate) struct EmptyMail {
    events: Mutex<Option<mpsc::Sender<UpstreamEvent>>>,
    pub(crate) appended: Arc<Mutex<Vec<Vec<u8>>>>,
    pub(crate) logins: Mutex<Vec<Login>>,
}

impl EmptyMail {
    /// The watching connection of the last account opened tells of a message that came to INBOX.
    pub(crate) async fn deliver(&self, uid: u32) {
        let events = self.events.lock().expect("lock").clone().expect("an account");
        let facts = vec![MessageFacts {
            uid: Uid::new(uid).expect("not zero"),
            flags: Flags::default(),
            internal_date: Date(1),
            size: 1,
            mod_seq: ModSeq(1 + u64::from(uid)),
        }];
        let (mailbox, uid_validity) = (MailboxName::new("INBOX"), empty().uid_validity);
        let changed = UpstreamEvent::Changed { mailbox, uid_validity, facts };
        events.send(changed).await.expect("an account that listens");
    }
}

impl AccountUpstream for EmptyMail {
    fn set_login(&self, login: Login) {
        self.logins.lock().expect("lock").push(login);
        let events = self.events.lock().expect("lock").clone();
        let announced = announced();
        let back =
            UpstreamEvent::Back { notify: true, mod_seqs: true, uid_plus: true, r#move: true, announced };
        if let Some(events) = events {
            tokio::spawn(async move { events.send(back).await });
        }
    }

    fn watch(&self, _list: WatchList) {}

    fn run(&self, request: UpstreamRequest, carried: Carried) -> BoxFuture<'static, UpstreamReply> {
        let appended = self.appended.clone();
        Box::pin(async move {
            match (request, carried) {
                (UpstreamRequest::Sync { .. }, _) => UpstreamReply::Ok(Data::Synced(Box::new(empty()))),
                (UpstreamRequest::Append(append), Carried::Append(mut from)) => {
                    let mut message = Vec::new();
                    if append.mailbox.as_str() == "Full" {
                        drop(from.recv().await);
                        let (code, text) = (Some("OVERQUOTA".into()), "full".into());
                        return UpstreamReply::Refused { code, text, data: None };
                    }
                    loop {
                        match from.recv().await {
                            Some(AppendPiece::Bytes(piece)) => message.extend_from_slice(&piece),
                            Some(AppendPiece::Parts(parts)) => {
                                message.extend(format!("{parts:?}").into_bytes())
                            }
                            Some(AppendPiece::Refused { code, text }) => {
                                return UpstreamReply::Refused { code: Some(code), text, data: None };
                            }
                            Some(AppendPiece::End) => break,
                            None => return UpstreamReply::Failed(UpstreamFault::Cancelled),
                        }
                    }
                    assert!(append.streams().is_some());
                    appended.lock().expect("lock").push(message);
                    UpstreamReply::Ok(Data::Appended(None))
                }
                (UpstreamRequest::Create(_), _) => panic!("wanted by the test"),
                (UpstreamRequest::Search(..), _) => UpstreamReply::Ok(Data::Uids(UidRanges::default())),
                (UpstreamRequest::Facts(..), _) => UpstreamReply::Ok(Data::Facts(Vec::new())),
                (UpstreamRequest::Status(_, items), _) => {
                    UpstreamReply::Ok(Data::Status(items.into_iter().map(|item| (item, 0)).collect()))
                }
                _ => UpstreamReply::Failed(UpstreamFault::Unsupported),
            }
        })
    }

    fn connections(&self) -> (usize, usize) {
        (0, 0)
    }
}

fn empty() -> Synced {
    Synced {
        uid_validity: UidValidity::new(7).expect("not zero"),
        uid_next: 1,
        highest_mod_seq: ModSeq(1),
        messages: 0,
        flags: Flags::default(),
        permanent_flags: (Flags::default(), false),
        delta: Delta::Full { uids: Default::default(), facts: Vec::new() },
    }
}

/// A store in memory that refuses when told to.
#[derive(Default)]
pub(crate) struct Failing {
    memory: Memory,
    pub(crate) fails: AtomicBool,
}

impl Store for Failing {
    fn load(&self, account: &AccountKey) -> Answer<Loaded> {
        self.memory.load(account)
    }
    fn commit(&self, account: &AccountKey, batch: Batch) -> Answer<()> {
        if self.fails.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(Err(StoreFault::Full)));
        }
        self.memory.commit(account, batch)
    }
    fn accounts(&self) -> Answer<Vec<AccountKey>> {
        self.memory.accounts()
    }
    fn find(&self, key: &IndexKey) -> Answer<Vec<AccountKey>> {
        self.memory.find(key)
    }
    fn check(&self) -> Answer<()> {
        self.memory.check()
    }
    fn close(&self) -> Answer<()> {
        self.memory.close()
    }
}

/// The handset's end of a connection.
pub(crate) struct Handset<S>(pub(crate) S, Vec<u8>);

impl<S: AsyncRead + AsyncWrite + Unpin> Handset<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self(stream, Vec::new())
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("written");
    }

    /// What comes up to and with `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        loop {
            let found = self.1.windows(end.len()).position(|window| window == end.as_bytes());
            if let Some(at) = found {
                let rest = self.1.split_off(at + end.len());
                let text = std::mem::replace(&mut self.1, rest);
                return String::from_utf8(text).expect("text");
            }
            let read = self.0.read_buf(&mut self.1).await.expect("read");
            assert!(read > 0, "ended before {end:?}: {:?}", String::from_utf8_lossy(&self.1));
        }
    }

    /// What comes up to the end of the connection.
    pub(crate) async fn rest(&mut self) -> String {
        self.0.read_to_end(&mut self.1).await.expect("read");
        String::from_utf8(std::mem::take(&mut self.1)).expect("text")
    }
}
