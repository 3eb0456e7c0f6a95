//! Frames: what is answered here, and what goes to the account.

use super::append::Message;
use super::{Applicant, Conversation, Deferred, Joining, Phase, Running};
use crate::auth::{Admission, Refusal};
use crate::drive::link::Link;
use crate::drive::mail::{AccountHandle, Mail, Membership};
use pimap_account::Input;
use pimap_account::contract::{CommandInput, Open, OpenBy, TransportKind};
use pimap_types::append::Within;
use pimap_types::command::Login;
use pimap_types::limits::LOGINS_REFUSED_MAX;
use pimap_types::{Code, Command, Response, Status, Tag};
use pimap_wire::decode::decode;
use pimap_wire::frame::{CommandBytes, Frame};
use pimap_wire::sasl::Mechanism;
use std::borrow::Cow;
use tokio::time::Instant;

impl<L: Link> Conversation<L> {
    pub(super) fn on_frame(&mut self, frame: Frame) {
        self.clock.command_at = Instant::now();
        match frame {
            Frame::Command(octets) => self.on_octets(&octets, None),
            Frame::AppendStart { command, synchronizing, .. } => {
                self.on_octets(&command, Some(Message::new(synchronizing)));
            }
            Frame::NeedContinuation => {
                self.outbox.write_own(&Response::Continuation(Cow::Borrowed("Ready for literal data")));
            }
            Frame::Sasl(line) => self.on_answer(Ok(&line)),
            Frame::Half(tag, octets) => self.on_half(tag, &octets),
            // The framer gives these out only between an APPEND's beginning and its answer, when they go to its message.
            Frame::AppendPart { .. } | Frame::AppendBytes(_) | Frame::AppendEnd => {
                self.framer.refuse_append()
            }
            Frame::Done => self.on_done(false),
            Frame::NotDone => self.on_done(true),
            Frame::Rejected(rejection) if rejection.fatal => {
                self.outbox.write_own(&rejection.response());
                self.finish();
            }
            Frame::Rejected(rejection) => match self.phase {
                Phase::Challenged(_) => self.on_answer(Err(rejection.text)),
                _ => self.answer(&rejection.response()),
            },
        }
    }

    /// The body ends where a literal begins: the next request may bring it (digest 16.3).
    fn on_half(&mut self, tag: Option<Tag>, octets: &CommandBytes) {
        let token = self.manner.continuation.take().filter(|_| !matches!(self.phase, Phase::LoggedOut));
        if let (Some(token), Some(bearer)) = (token, self.bearer(tag.as_ref()))
            && self.front.continuations.keep(&token, octets.octets().clone(), bearer)
        {
            self.outbox.write_own(&Response::Continuation(Cow::Borrowed("Ready for literal data")));
            return self.finish();
        }
        let text = Cow::Borrowed("the literal cannot be waited for: use {n+}");
        self.answer(&match tag {
            Some(tag) => Response::tagged(&tag, Status::Bad, text),
            None => Response::Untagged { status: Status::Bad, code: None, text },
        });
    }

    fn on_octets(&mut self, octets: &CommandBytes, mut message: Option<Message>) {
        let (tag, command) = match decode(octets) {
            Ok(decoded) => decoded,
            Err(_) if is_starttls(octets) => return self.on_starttls(octets),
            Err(error) => {
                if let Some(message) = message {
                    message.answered(&mut self.framer);
                }
                return self.answer(&error.response());
            }
        };
        if let (Some(message), Command::Append(append)) = (&mut message, &command) {
            message.within = Within::of(&append.parts);
        }
        if matches!(self.phase, Phase::LoggedOut) {
            if let Some(message) = message {
                message.answered(&mut self.framer);
            }
            return self.outbox.write_own(&Response::tagged(&tag, Status::Bad, "session closed"));
        }
        let deferred = Deferred { tag, command, message };
        match (self.membership.is_some(), &deferred.command) {
            (_, Command::Id(_)) => self.on_id(deferred),
            (true, Command::Login(_) | Command::Authenticate { .. }) => {
                self.refuse(deferred, Status::Bad, None, "already logged in");
            }
            (true, Command::Idle) if self.manner.transport.kind == TransportKind::HttpBatch => {
                // PI-095: a response that is read whole cannot be idled in.
                self.refuse(deferred, Status::Bad, None, "IDLE needs an open request body");
            }
            (true, Command::Compress(mechanism)) => {
                let mechanism = mechanism.clone();
                self.on_compress(deferred, &mechanism);
            }
            (true, _) => self.give_as_named(deferred),
            (false, _) => self.before_login(deferred),
        }
    }

    /// ID (RFC 2971) is about neither user nor session: it is answered in every state, and opens nothing.
    fn on_id(&mut self, deferred: Deferred) {
        let mut about = vec![("name", Cow::Borrowed("P-IMAP gateway"))];
        if self.membership.is_some() {
            // A stranger need not know which version's mistakes to look for.
            about.push(("version", Cow::Borrowed(env!("CARGO_PKG_VERSION"))));
        }
        self.outbox.write_own(&Response::Id(about));
        self.answer(&Response::tagged(&deferred.tag, Status::Ok, "ID completed"));
    }

    /// Answers a command without asking the account.
    pub(super) fn refuse(
        &mut self,
        deferred: Deferred,
        status: Status,
        code: Option<Code>,
        text: &'static str,
    ) {
        let Deferred { tag, message, .. } = deferred;
        if let Some(message) = message {
            message.answered(&mut self.framer);
        }
        self.answer(&Response::Tagged { tag, status, code, text: Cow::Borrowed(text) });
    }

    fn before_login(&mut self, deferred: Deferred) {
        let tag = deferred.tag.clone();
        match &deferred.command {
            Command::Capability => {
                let words = self.front.capability(
                    self.manner.transport.kind,
                    self.manner.may_login,
                    self.manner.starttls,
                );
                self.outbox.write_own(&Response::Capability(words));
                self.answer(&Response::tagged(&tag, Status::Ok, "CAPABILITY completed"));
            }
            Command::Login(_) if !self.manner.may_login => {
                let text = "a password may not be sent without TLS";
                self.refuse(deferred, Status::No, Some(Code::word("PRIVACYREQUIRED")), text);
            }
            Command::Login(_) if !self.front.authenticator.mechanisms().passwords => {
                let text = "the mail server takes no passwords; use AUTHENTICATE";
                self.refuse(deferred, Status::No, Some(Code::word("CANNOT")), text);
            }
            Command::Login(login) => {
                let login = login.clone();
                self.admit(tag, "LOGIN", login, None);
            }
            Command::Authenticate { mechanism, initial } => {
                self.authenticate(tag, mechanism, initial.clone())
            }
            // A cookie opens its session with the first command that is about a session (F16).
            _ if self.cookie().is_some() || self.named_session(&deferred).is_some() => {
                self.recall(deferred);
            }
            Command::Noop => self.answer(&Response::tagged(&tag, Status::Ok, "NOOP completed")),
            Command::Logout => {
                self.outbox.write_own(&Response::Bye { code: None, text: "goodbye".into() });
                self.outbox.write_own(&Response::tagged(&tag, Status::Ok, "LOGOUT completed"));
                self.logging_out = true;
                self.finish();
            }
            _ if self.manner.is_http() => self.refuse_without_session(deferred),
            _ => self.refuse(deferred, Status::Bad, None, "log in first"),
        }
    }

    /// Lets upstream judge a login.
    pub(super) fn admit(
        &mut self,
        tag: Tag,
        command: &'static str,
        login: Login,
        mechanism: Option<Mechanism>,
    ) {
        let origin = self.manner.peer.map(|address| self.front.origin(address, self.conn));
        let token_by = mechanism.filter(|mechanism| mechanism.is_for_tokens());
        let by = Box::new(Applicant { tag, command, device: login.device.clone(), token_by });
        let front = self.front.clone();
        let verdict = Box::pin(async move { front.admit(login, origin).await });
        self.phase = Phase::Admitting { by, verdict };
    }

    /// Upstream has judged.
    pub(super) fn on_admitted(&mut self, verdict: Result<Admission, Refusal>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Listening);
        let Phase::Admitting { by, .. } = phase else { return };
        let refusal = match verdict {
            Ok(admission) => return self.log_in(*by, admission),
            Err(refusal) => refusal,
        };
        let Applicant { tag, command, token_by, .. } = *by;
        let (code, text) = match (refusal, token_by) {
            (Refusal::Name, _) => ("AUTHENTICATIONFAILED", "this cannot be the name of a user"),
            (Refusal::Credential, None) => ("AUTHENTICATIONFAILED", "name or password is wrong"),
            (Refusal::Credential, Some(_)) => ("AUTHENTICATIONFAILED", "the token is not good (any more)"),
            (Refusal::Unavailable, _) => ("UNAVAILABLE", "the mail server cannot be asked; try again"),
        };
        match token_by {
            Some(mechanism) if refusal == Refusal::Credential => {
                self.refuse_token(tag, mechanism, Code::word(code), text);
            }
            _ => self.refuse_login(&tag, command, Code::word(code), text),
        }
    }

    /// Says NO to a login. Who is told so too often is guessing.
    pub(super) fn refuse_login(&mut self, tag: &Tag, command: &'static str, code: Code, text: &'static str) {
        crate::metrics::command(command, "no");
        self.refused += 1;
        let refusal = Response::coded(tag, Status::No, code, text);
        if self.refused < LOGINS_REFUSED_MAX {
            return self.answer(&refusal);
        }
        self.outbox.write_own(&refusal);
        self.bye("too many logins were refused");
    }

    fn log_in(&mut self, by: Applicant, admission: Admission) {
        let Admission { credentials, mail_address } = admission;
        let Applicant { tag, command, device, .. } = by;
        let Some(account) = self.front.directory.open(&credentials.account) else {
            let code = Code::word("UNAVAILABLE");
            return self.answer(&Response::coded(&tag, Status::No, code, "the gateway is shutting down"));
        };
        // The account's task knows the epoch and fills it in.
        let by = OpenBy::Login { tag, command, device, mail_address, credential_epoch: 0 };
        self.join(account, by, Some(credentials), Joining::Login);
    }

    pub(super) fn join(
        &mut self,
        account: AccountHandle,
        by: OpenBy,
        credentials: Option<crate::drive::credentials::Credentials>,
        joining: Joining,
    ) {
        let open = Open {
            conn: self.conn,
            by,
            transport: self.manner.transport,
            presented: self.manner.presented,
            cursors: self.manner.cursors,
            request: self.manner.request.as_deref().copied(),
            pending: self.pending(),
            announced: self.front.authenticator.announced(),
        };
        let membership = Membership::new(account, self.conn);
        membership.account.send(Mail::Join {
            open: Box::new(open),
            outbox: self.outbox(),
            credentials: credentials.map(Box::new),
        });
        self.membership = Some(membership);
        self.phase = Phase::Running(Running { joining: Some(joining), ..Running::default() });
    }

    /// Gives a command to the account, for the session that it names, or whichever it is.
    pub(super) fn give(&mut self, deferred: Deferred, named: Option<[u8; 32]>) {
        let Deferred { tag, command, message } = deferred;
        let Some(membership) = &self.membership else { return };
        let pending = self.pending();
        self.logging_out = matches!(command, Command::Logout);
        let more_told = pending == pimap_account::contract::Pending::More;
        membership.input(Input::Command(CommandInput {
            conn: self.conn,
            tag,
            command,
            pending,
            pipelined: self.pipelined,
            named,
        }));
        self.phase = Phase::Running(Running { more_told, message, joining: None });
    }

    fn on_done(&mut self, misspoken: bool) {
        let pending = self.pending();
        let Some(membership) = &self.membership else { return };
        membership.input(Input::Done { conn: self.conn, pending, pipelined: self.pipelined, misspoken });
        self.phase = Phase::Running(Running::default());
    }

    fn on_starttls(&mut self, octets: &CommandBytes) {
        let word = octets.octets().split(|octet| *octet == b' ').next().unwrap_or_default();
        let tag = Tag::new(&String::from_utf8_lossy(word));
        if !self.manner.starttls || self.membership.is_some() {
            return self.answer(&Response::tagged(&tag, Status::Bad, "TLS cannot be started here"));
        }
        self.outbox.write_own(&Response::tagged(&tag, Status::Ok, "begin TLS negotiation now"));
        // Whatever stands behind STARTTLS in clear text was not written by whom TLS will vouch for: it is dropped with the
        // framer that holds it.
        self.phase = Phase::StartTls;
        self.flush_before_tls();
    }
}

/// STARTTLS means something to the listener only, so the decoder does not know it.
fn is_starttls(octets: &CommandBytes) -> bool {
    let mut words = octets.octets().trim_ascii_end().splitn(2, |octet| *octet == b' ');
    words.next().is_some_and(|tag| !tag.is_empty())
        && words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"STARTTLS"))
}
