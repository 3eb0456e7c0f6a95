//! One connection of a handset, driven as the server drives it: frame, decode, give to the account, write, hand over.
//!
//! In go octets of the handset and what the account orders; out come inputs for the account and octets on the wire. It
//! decides nothing about mail. What the socket has taken (`wire`) may still be lost on its way to the handset, and the account
//! learns of neither.

use pimap_account::Input;
use pimap_account::capability::before_login;
use pimap_account::contract::{
    AppendRules, CommandInput, Open, OpenBy, Pending, RequestKey, Transport, TransportKind,
};
use pimap_types::append::{AppendPart, AppendPiece, Within};
use pimap_types::command::{Cursor, Login};
use pimap_types::upstream::Announced;
use pimap_types::{Code, Command, ConnectionId, Response, Secret, Status, Tag};
use pimap_wire::decode::{append_parts, decode};
use pimap_wire::encode::encode;
use pimap_wire::frame::{CommandBytes, Frame, Framer, LiteralMode};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::sync::Arc;

/// The only password that is right.
pub const PASSWORD: &str = "secret";

/// What is known of a connection before its first octet.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// The session cookie that came with the request.
    pub cookie: Option<String>,
    /// The value of `PIMAP-Ack`.
    pub ack: Option<String>,
    /// `Idempotency-Key`.
    pub key: Option<String>,
}

/// What is to be done when the octets before it are handed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Signal {
    Complete { idling: bool },
    TakeAppend,
    Finish,
}

/// Where a conversation stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The next command may come.
    Listening,
    /// Something is being answered.
    Running,
    /// IDLE.
    Idling,
    /// After LOGOUT within a batch.
    LoggedOut,
    /// Its output has ended.
    Over,
}

enum Joining {
    Login,
    Cookie(Tag, Command),
}

/// The message of an APPEND.
struct Message {
    synchronizing: bool,
    flowing: bool,
    /// What stands around the literal.
    within: Within,
    rules: Option<Arc<AppendRules>>,
    pieces: Vec<AppendPiece>,
    whole: bool,
}

impl Message {
    fn new(synchronizing: bool, within: Within) -> Message {
        let pieces = Vec::new();
        Message { synchronizing, flowing: false, within, rules: None, pieces, whole: false }
    }

    fn end(&mut self, last: AppendPiece) {
        self.pieces.push(last);
        self.whole = true;
    }

    /// What follows a literal, as the rules of the moment allow it.
    fn checked(&self, text: &CommandBytes) -> Result<Vec<AppendPart>, AppendPiece> {
        let refused = |code: Option<Code>, text: &str| AppendPiece::Refused {
            code: match code {
                Some(Code::Word(word)) => word.into_owned(),
                _ => "CLIENTBUG".to_owned(),
            },
            text: text.to_owned(),
        };
        let parts = append_parts(text, self.within).map_err(|error| refused(error.code, &error.text))?;
        let rules = self.rules.as_ref().expect("a message that flows has its rules");
        rules.check(parts, false).map_err(|why| refused(Some(why.code()), why.text()))
    }
}

/// See the module.
pub struct Conversation {
    /// Its name.
    pub id: ConnectionId,
    /// Where it stands.
    pub phase: Phase,
    /// Octets handed to the socket and not yet with the handset.
    pub wire: VecDeque<u8>,
    /// The cookie in the response's head.
    pub cookie: Option<String>,
    /// The account knows it.
    pub member: bool,
    /// The gateway died before the output was whole.
    pub cut: bool,
    /// What carries it.
    pub kind: TransportKind,
    manner: Manner,
    presented: Option<Cursor>,
    request: Option<RequestKey>,
    framer: Framer,
    out: Vec<u8>,
    signals: Vec<Signal>,
    /// Lines of the account are among what is to be handed over.
    lines: bool,
    joining: Option<Joining>,
    message: Option<Message>,
    more_told: bool,
    input_ended: bool,
    pipelined: bool,
    logging_out: bool,
    /// It logged in without a device.
    pub regular: bool,
    /// A rig weakened on purpose: says that nothing follows, or that nobody pipelines.
    pub blind: bool,
}

impl Conversation {
    /// A conversation about to begin. For a batch, `body` is all of it.
    pub fn new(id: ConnectionId, kind: TransportKind, manner: Manner, body: &[u8]) -> Conversation {
        let batch = kind == TransportKind::HttpBatch;
        let mut framer = Framer::new(if batch { LiteralMode::Body } else { LiteralMode::Stream });
        framer.feed(body);
        if batch {
            framer.end_of_input();
        }
        let named = manner.key.as_ref().map(|key| RequestKey {
            hash: sha256(key.as_bytes()),
            named: true,
            says: batch.then(|| sha256(body)).and_then(|digest| digest.first_chunk().copied()),
        });
        let hashed = batch.then(|| RequestKey { hash: sha256(body), named: false, says: None });
        Conversation {
            id,
            phase: Phase::Listening,
            wire: VecDeque::new(),
            cookie: None,
            member: false,
            cut: false,
            kind,
            presented: manner.ack.as_deref().and_then(pimap_wire::decode::parse_cursor),
            manner,
            request: named.or(hashed),
            framer,
            out: Vec::new(),
            signals: Vec::new(),
            lines: false,
            joining: None,
            message: None,
            more_told: false,
            input_ended: batch,
            pipelined: false,
            logging_out: false,
            regular: false,
            blind: false,
        }
    }

    /// The request has no name: a rig weakened on purpose.
    pub fn forget_name(&mut self) {
        self.request = None;
    }

    /// Takes what came with the connection itself.
    pub fn begin(&mut self, inputs: &mut Vec<Input>) {
        self.advance(inputs);
    }

    /// Octets of the handset.
    pub fn feed(&mut self, octets: &[u8], inputs: &mut Vec<Input>) {
        if self.phase == Phase::Over || octets.is_empty() {
            return;
        }
        self.framer.feed(octets);
        self.pump_message();
        if self.phase == Phase::Running && !self.more_told && self.message.is_none() && self.member {
            self.more_told = true;
            inputs.push(Input::MoreInput(self.id));
        }
        self.advance(inputs);
    }

    /// The handset has sent all it has to send (the last chunk of a stream).
    pub fn end_input(&mut self, inputs: &mut Vec<Input>) {
        self.input_ended = true;
        self.framer.end_of_input();
        self.advance(inputs);
    }

    /// Whether anything waits to be handed over.
    pub fn has_output(&self) -> bool {
        !self.out.is_empty() || !self.signals.is_empty()
    }

    /// Whether the output ended as it should and all of it is on the wire.
    pub fn is_written(&self) -> bool {
        self.phase == Phase::Over && !self.has_output() && !self.cut
    }

    /// A whole message of the running APPEND, once.
    pub fn take_message(&mut self) -> Option<Vec<AppendPiece>> {
        let message = self.message.as_mut().filter(|m| m.whole)?;
        Some(std::mem::take(&mut message.pieces))
    }

    // === what the account orders ===

    /// A line.
    pub fn write(&mut self, response: &Response) {
        encode(response, &mut self.out);
        self.lines = true;
    }

    /// A message of a streamed FETCH.
    pub fn write_fetch(&mut self, head: &[u8], items: &[u8], tail: &[u8]) {
        self.out.extend_from_slice(head);
        self.out.extend_from_slice(items);
        self.out.extend_from_slice(tail);
    }

    /// The cookie for the response's head.
    pub fn set_cookie(&mut self, cookie: &Secret) {
        self.cookie = Some(String::from_utf8_lossy(cookie.expose()).into_owned());
    }

    /// The running command is answered.
    pub fn complete(&mut self, idling: bool) {
        self.signals.push(Signal::Complete { idling });
    }

    /// Upstream takes the message of the running APPEND.
    pub fn want_append(&mut self, rules: &Arc<AppendRules>) {
        if let Some(message) = &mut self.message {
            message.rules = Some(Arc::clone(rules));
        }
        self.signals.push(Signal::TakeAppend);
    }

    /// The output ends here.
    pub fn finish(&mut self) {
        self.signals.push(Signal::Finish);
    }

    /// The request's name is another one's: over HTTP a status says so, here there is none.
    pub fn refuse_reused(&mut self) {
        let text = "this Idempotency-Key is that of another request".into();
        self.write_own(&Response::Bye { code: Some(Code::word("CLIENTBUG")), text });
        self.finish();
    }

    /// The gateway died: what it had not handed over is gone.
    pub fn die(&mut self) {
        self.out.clear();
        self.signals.clear();
        self.cut |= self.phase != Phase::Over;
        self.phase = Phase::Over;
    }

    /// What was written is handed to the socket; what was to be done afterwards is done.
    pub fn hand_over(&mut self, inputs: &mut Vec<Input>) {
        self.wire.extend(std::mem::take(&mut self.out));
        if std::mem::take(&mut self.lines) && self.member {
            inputs.push(Input::Drained(self.id));
        }
        for signal in std::mem::take(&mut self.signals) {
            match signal {
                Signal::Complete { idling } => self.on_complete(idling, inputs),
                Signal::TakeAppend => self.on_take_append(),
                Signal::Finish => self.on_finish(),
            }
        }
        self.advance(inputs);
    }

    fn on_complete(&mut self, idling: bool, inputs: &mut Vec<Input>) {
        if self.phase != Phase::Running {
            return;
        }
        self.pipelined |= self.member && self.framer.has_buffered();
        self.phase = if idling { Phase::Idling } else { Phase::Listening };
        self.framer.set_idle(idling);
        // The message of a command that waits for its cookie's session is still to come.
        let answered = !matches!(self.joining, Some(Joining::Cookie(..)));
        if answered && self.message.take().is_some() {
            self.framer.refuse_append();
        }
        match self.joining.take() {
            None => {}
            Some(Joining::Login) => self.framer.set_logged_in(true),
            Some(Joining::Cookie(tag, command)) => {
                self.framer.set_logged_in(true);
                self.give(tag, command, inputs);
            }
        }
    }

    fn on_take_append(&mut self) {
        let Some(message) = &mut self.message else { return };
        message.flowing = true;
        self.framer.accept_append();
        if message.synchronizing {
            self.write_own(&Response::Continuation("Ready for literal data".into()));
        }
        self.pump_message();
    }

    fn pump_message(&mut self) {
        while self.message.as_ref().is_some_and(|m| m.flowing && !m.whole) {
            let Some(frame) = self.framer.next_frame() else { return };
            let Some(message) = &mut self.message else { return };
            match frame {
                Frame::AppendBytes(octets) => message.pieces.push(AppendPiece::Bytes(octets)),
                Frame::AppendEnd if message.within.unclosed().is_some() => {
                    let text = message.within.unclosed().unwrap_or_default().into();
                    message.end(AppendPiece::Refused { code: "CLIENTBUG".into(), text });
                }
                Frame::AppendEnd => message.end(AppendPiece::End),
                Frame::AppendPart { text, literal } => match message.checked(&text) {
                    Ok(parts) => {
                        message.within = Within::of(&parts);
                        message.pieces.push(AppendPiece::Parts(parts));
                        match literal {
                            None => message.end(AppendPiece::End),
                            Some((_, synchronizing)) => {
                                self.framer.accept_append();
                                if synchronizing {
                                    self.write_own(&Response::Continuation("Ready for literal data".into()));
                                }
                            }
                        }
                    }
                    Err(refused) => {
                        message.end(refused);
                        if literal.is_some() {
                            self.framer.refuse_append();
                        }
                    }
                },
                _ => return,
            }
        }
    }

    fn on_finish(&mut self) {
        if let Some(Joining::Cookie(tag, _)) = self.joining.take() {
            self.member = false;
            self.phase = Phase::Listening;
            return self.refuse_without_session(&tag);
        }
        self.phase = match self.logging_out && self.kind == TransportKind::HttpBatch {
            true => Phase::LoggedOut,
            false => Phase::Over,
        };
    }

    // === what the handset says ===

    fn advance(&mut self, inputs: &mut Vec<Input>) {
        while matches!(self.phase, Phase::Listening | Phase::Idling | Phase::LoggedOut) {
            match self.framer.next_frame() {
                Some(frame) => self.on_frame(frame, inputs),
                None if self.input_ended && self.phase == Phase::Idling => {
                    self.phase = Phase::Running;
                    let pending = Pending::Nothing;
                    let pipelined = !self.blind;
                    inputs.push(Input::Done { conn: self.id, pending, pipelined, misspoken: false });
                }
                None if self.input_ended => {
                    self.logging_out = false;
                    self.phase = Phase::Running;
                    self.finish();
                }
                None => return,
            }
        }
    }

    fn on_frame(&mut self, frame: Frame, inputs: &mut Vec<Input>) {
        match frame {
            Frame::Command(octets) => match decode(&octets) {
                Ok((tag, command)) => self.on_command(tag, command, inputs),
                Err(error) => self.answer(&error.response()),
            },
            Frame::AppendStart { command, synchronizing, .. } => match decode(&command) {
                Ok((tag, command)) => {
                    let within = match &command {
                        Command::Append(append) => Within::of(&append.parts),
                        _ => Within::Command,
                    };
                    self.message = Some(Message::new(synchronizing, within));
                    self.on_command(tag, command, inputs);
                }
                Err(error) => {
                    self.message = Some(Message::new(synchronizing, Within::Command));
                    self.answer(&error.response());
                }
            },
            Frame::NeedContinuation => {
                self.write_own(&Response::Continuation("Ready for literal data".into()));
            }
            // Its handsets use neither AUTHENTICATE nor half commands.
            Frame::Sasl(_) | Frame::Half(..) => {}
            Frame::AppendPart { .. } | Frame::AppendBytes(_) | Frame::AppendEnd => {
                self.framer.refuse_append()
            }
            Frame::Done | Frame::NotDone => {
                let misspoken = matches!(frame, Frame::NotDone);
                let pending = self.pending();
                self.phase = Phase::Running;
                self.more_told = false;
                let pipelined = self.pipelined && !self.blind;
                inputs.push(Input::Done { conn: self.id, pending, pipelined, misspoken });
            }
            Frame::Rejected(rejection) => {
                self.answer(&rejection.response());
                if rejection.fatal {
                    self.finish();
                }
            }
        }
    }

    fn on_command(&mut self, tag: Tag, command: Command, inputs: &mut Vec<Input>) {
        if self.phase == Phase::LoggedOut {
            return self.write_own(&Response::tagged(&tag, Status::Bad, "session closed"));
        }
        match (self.member, command) {
            (true, Command::Login(_)) => {
                self.answer(&Response::tagged(&tag, Status::Bad, "already logged in"));
            }
            (true, Command::Idle) if self.kind == TransportKind::HttpBatch => {
                self.answer(&Response::tagged(&tag, Status::Bad, "IDLE needs an open request body"));
            }
            (true, command) => self.give(tag, command, inputs),
            (false, Command::Login(login)) => self.log_in(tag, login, inputs),
            (false, Command::Capability) => {
                self.write_own(&Response::Capability(before_login(self.kind).into()));
                self.answer(&Response::tagged(&tag, Status::Ok, "CAPABILITY completed"));
            }
            (false, command) => match self.manner.cookie.take() {
                Some(cookie) => {
                    self.join(OpenBy::Cookie(sha256(cookie.as_bytes())), inputs);
                    self.joining = Some(Joining::Cookie(tag, command));
                }
                None if self.kind == TransportKind::Tcp => {
                    self.answer(&Response::tagged(&tag, Status::Bad, "log in first"));
                }
                None => self.refuse_without_session(&tag),
            },
        }
    }

    fn log_in(&mut self, tag: Tag, login: Login, inputs: &mut Vec<Input>) {
        if login.credential.secret().expose() != PASSWORD.as_bytes() {
            let code = Code::word("AUTHENTICATIONFAILED");
            return self.answer(&Response::coded(&tag, Status::No, code, "name or password is wrong"));
        }
        let mail_address = format!("{}@example.org", login.local);
        let (command, device) = ("LOGIN", login.device);
        self.regular = device.is_none();
        self.join(OpenBy::Login { tag, command, device, mail_address, credential_epoch: 1 }, inputs);
        self.joining = Some(Joining::Login);
    }

    fn join(&mut self, by: OpenBy, inputs: &mut Vec<Input>) {
        let open = Open {
            conn: self.id,
            by,
            transport: Transport { kind: self.kind, may_show_key: true },
            presented: self.presented,
            cursors: self.manner.ack.is_some(),
            request: self.request,
            pending: self.pending(),
            announced: Announced::default(),
        };
        self.member = true;
        self.phase = Phase::Running;
        self.more_told = false;
        inputs.push(Input::Open(open));
    }

    fn give(&mut self, tag: Tag, command: Command, inputs: &mut Vec<Input>) {
        let pending = self.pending();
        self.logging_out = matches!(command, Command::Logout);
        self.more_told = pending == Pending::More;
        self.phase = Phase::Running;
        let pipelined = self.pipelined && !self.blind;
        inputs.push(Input::Command(CommandInput {
            conn: self.id,
            tag,
            command,
            pending,
            pipelined,
            named: None,
        }));
    }

    fn pending(&self) -> Pending {
        match self.kind {
            _ if self.blind => Pending::Nothing,
            _ if self.framer.has_buffered() => Pending::More,
            TransportKind::HttpStream if !self.input_ended => Pending::Unknown,
            _ => Pending::Nothing,
        }
    }

    fn refuse_without_session(&mut self, tag: &Tag) {
        let code = Code::word("AUTHENTICATIONFAILED");
        self.answer(&Response::coded(tag, Status::No, code, "no session: log in first"));
    }

    fn write_own(&mut self, response: &Response) {
        encode(response, &mut self.out);
    }

    fn answer(&mut self, response: &Response) {
        self.write_own(response);
        self.phase = Phase::Running;
        self.more_told = true;
        self.complete(false);
    }
}

/// SHA-256.
pub fn sha256(octets: &[u8]) -> [u8; 32] {
    Sha256::digest(octets).into()
}
