//! AUTHENTICATE (RFC 3501 6.2.2): challenges out, answers in, until there is a login to be judged like any other.
//!
//! Over one HTTP request nothing can be asked, so there the first message comes with the command (RFC 4959) or not at all
//! (digest 16.3). What a handset answers is never shown to anybody, not even in a refusal.

use super::{Conversation, Phase};
use crate::drive::link::Link;
use pimap_account::contract::TransportKind;
use pimap_types::{Code, Response, Secret, Status, Tag};
use pimap_wire::decode::DecodeError;
use pimap_wire::frame::CommandBytes;
use pimap_wire::sasl::{self, Mechanism, Said};

/// An exchange that waits for the handset.
pub(super) struct Exchange {
    tag: Tag,
    step: Step,
}

/// What the handset's next line is.
enum Step {
    /// Its first message.
    Message(Mechanism),
    /// The password of this user (LOGIN).
    Password(Secret),
    /// Its dummy answer to the challenge that told why (RFC 7628 3.2.3).
    Refused(Code, &'static str),
}

impl<L: Link> Conversation<L> {
    pub(super) fn authenticate(&mut self, tag: Tag, mechanism: &str, initial: Option<Secret>) {
        let no = |code, text| Response::coded(&tag, Status::No, Code::word(code), text);
        if !self.manner.may_login {
            return self.answer(&no("PRIVACYREQUIRED", "nothing secret may be sent without TLS"));
        }
        let accepted = self.front.authenticator.mechanisms();
        let speaks = |mechanism: &Mechanism| match mechanism.is_for_tokens() {
            true => accepted.tokens,
            false => accepted.passwords,
        };
        let Some(mechanism) = Mechanism::from_name(mechanism).filter(speaks) else {
            return self.answer(&no("CANNOT", "this mechanism is not supported"));
        };
        match initial {
            Some(message) => self.on_message(tag, mechanism, &message),
            None if self.asks_nothing() => {
                let text = "over HTTP the first message must come with the command";
                self.answer(&Response::tagged(&tag, Status::Bad, text));
            }
            None => {
                let challenge = mechanism.first_challenge().to_vec();
                self.challenge(tag, challenge, Step::Message(mechanism));
            }
        }
    }

    /// Nothing can be asked of the handset before the response ends.
    fn asks_nothing(&self) -> bool {
        self.manner.transport.kind == TransportKind::HttpBatch
    }

    fn challenge(&mut self, tag: Tag, challenge: Vec<u8>, step: Step) {
        self.framer.set_sasl();
        self.outbox.write_own(&Response::Challenge(challenge));
        self.phase = Phase::Challenged(Box::new(Exchange { tag, step }));
    }

    /// The handset's line, or why there is none.
    pub(super) fn on_answer(&mut self, line: Result<&CommandBytes, &'static str>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Listening);
        let Phase::Challenged(exchange) = phase else { return };
        let Exchange { tag, step } = *exchange;
        // Whatever it answers, `*` or what cannot be read included, it has been told, and counts as refused.
        let step = match step {
            Step::Refused(code, text) => return self.refuse_login(&tag, "AUTHENTICATE", code, text),
            step => step,
        };
        let line = match line {
            Ok(line) => line.octets().trim_ascii_end(),
            Err(text) => return self.answer(&Response::tagged(&tag, Status::Bad, text)),
        };
        match (step, line) {
            (_, b"*") => self.answer(&Response::tagged(&tag, Status::Bad, "authentication cancelled")),
            (step, line) => match (sasl::from_base64(line), step) {
                (Err(error), _) => self.refuse_message(tag, error),
                (Ok(message), Step::Message(mechanism)) => self.on_message(tag, mechanism, &message),
                (Ok(password), Step::Password(user)) => match sasl::login(&user, &password) {
                    Ok(login) => self.admit(tag, "AUTHENTICATE", login, None),
                    Err(error) => self.refuse_message(tag, error),
                },
                (Ok(_), Step::Refused(..)) => {}
            },
        }
    }

    fn on_message(&mut self, tag: Tag, mechanism: Mechanism, message: &Secret) {
        match sasl::read(mechanism, message) {
            Ok(Said::Login(login)) => self.admit(tag, "AUTHENTICATE", login, Some(mechanism)),
            Ok(Said::User(_)) if self.asks_nothing() => {
                let text = "over HTTP nothing can be asked: use another mechanism";
                self.answer(&Response::tagged(&tag, Status::Bad, text));
            }
            Ok(Said::User(user)) => self.challenge(tag, b"Password:".to_vec(), Step::Password(user)),
            Ok(Said::Discovery) => {
                self.refuse_token(tag, mechanism, Code::word("AUTHENTICATIONFAILED"), "a token is needed");
            }
            Err(error) => self.refuse_message(tag, error),
        }
    }

    fn refuse_message(&mut self, tag: Tag, error: DecodeError) {
        let refused = DecodeError { tag: Some(tag), ..error };
        self.answer(&refused.response());
    }

    /// A token is not taken. The mechanisms for tokens say so in a challenge of their own first, where there is somebody to
    /// answer it.
    pub(super) fn refuse_token(&mut self, tag: Tag, mechanism: Mechanism, code: Code, text: &'static str) {
        if self.asks_nothing() {
            return self.refuse_login(&tag, "AUTHENTICATE", code, text);
        }
        let challenge = mechanism.failure_challenge().to_vec();
        self.challenge(tag, challenge, Step::Refused(code, text));
    }
}
