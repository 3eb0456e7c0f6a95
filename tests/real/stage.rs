//! What the tests on real servers share: a Dovecot with a gateway before it, and terse ways to talk to both.

use pimap_tests::dovecot::{Dovecot, PASSWORD, mail};
use pimap_tests::gateway::{Config, Gateway};
use pimap_tests::handset::Kind;
use pimap_tests::http::{Answer, Post, Site};
use pimap_tests::imap::{Imap, Reply};
use pimap_tests::phone::Phone;
use pimap_tests::transcript::show;

/// A Dovecot and a gateway before it. The gateway goes first.
pub struct Stage {
    pub gateway: Gateway,
    pub dovecot: Dovecot,
}

impl Stage {
    /// Both, as they usually are.
    pub fn new() -> Stage {
        Stage::with(|config| config)
    }

    /// With changes to the gateway's configuration.
    pub fn with(change: impl FnOnce(Config) -> Config) -> Stage {
        Stage::before(Dovecot::start(), change)
    }

    /// Before a Dovecot of a certain kind.
    pub fn before(dovecot: Dovecot, change: impl FnOnce(Config) -> Config) -> Stage {
        let gateway = Gateway::start(change(Config::before(&dovecot)));
        Stage { gateway, dovecot }
    }

    /// Delivers mails with these subjects to joe.
    pub fn deliver(&self, subjects: &[&str]) {
        subjects.iter().for_each(|subject| self.dovecot.deliver("joe", &letter(subject)));
    }

    /// A plain IMAP client that talks to the gateway.
    pub fn client(&self, user: &str) -> Imap {
        Imap::login(self.gateway.address("imap"), user, PASSWORD)
    }

    /// One POST without anything but its body.
    pub fn post(&self, body: &str) -> Answer {
        post(&self.gateway.site(), &Post::new(body))
    }

    /// A reference handset.
    pub fn phone(&self, kind: Kind, user: &str) -> Phone {
        Phone::new(kind, user, PASSWORD, self.gateway.site(), self.gateway.address("imap"))
    }

    /// A handset over HTTP, held by hand.
    pub fn web(&self) -> Web {
        Web { site: self.gateway.site(), cookie: None }
    }
}

/// A mail that only its subject tells from others.
pub fn letter(subject: &str) -> Vec<u8> {
    mail("friend@example.org", subject, "Some text.")
}

/// The next line that is about something, as text.
pub fn next(client: &mut Imap) -> String {
    loop {
        let line = show(&client.line());
        if !line.starts_with("* OK Still here") {
            return line;
        }
    }
}

/// A POST that is answered.
#[track_caller]
pub fn post(site: &Site, post: &Post) -> Answer {
    site.post(post).unwrap_or_else(|broken| panic!("no answer: {broken:?}"))
}

/// A handset over HTTP that keeps its cookie and nothing else.
pub struct Web {
    pub site: Site,
    pub cookie: Option<String>,
}

impl Web {
    /// The POST it would send.
    pub fn request(&self, body: &str) -> Post {
        let post = Post::new(body);
        match &self.cookie {
            Some(cookie) => post.header("Cookie", cookie),
            None => post,
        }
    }

    /// Sends commands and gives the text of the answer.
    #[track_caller]
    pub fn say(&mut self, body: &str) -> String {
        let answer = post(&self.site, &self.request(body));
        assert_eq!(answer.status, 200, "{}", answer.text());
        if let Some(cookie) = answer.cookie() {
            self.cookie = Some(cookie.to_owned());
        }
        answer.text()
    }
}

/// A tagged or untagged line of a text.
#[track_caller]
pub fn line<'a>(text: &'a str, beginning: &str) -> &'a str {
    let found = text.lines().find(|line| line.starts_with(beginning));
    found.unwrap_or_else(|| panic!("no line begins with {beginning:?} in\n{text}"))
}

/// The SESSIONID of an answer to LOGIN.
#[track_caller]
pub fn session_id(text: &str) -> String {
    line(text, "* SESSIONID ")["* SESSIONID ".len()..].to_owned()
}

/// All untagged lines of a reply as text.
pub fn untagged(reply: &Reply) -> String {
    reply.untagged.iter().map(|line| show(line) + "\n").collect()
}

/// Sends one command that must be refused with this status and gives its text with its code.
#[track_caller]
pub fn refused(client: &mut Imap, command: &str, status: &str) -> String {
    let reply = client.command(command);
    assert_eq!(reply.condition.status, status, "{command} was answered with {:?}", reply.condition);
    format!("[{}] {}", reply.condition.code.join(" "), reply.condition.text)
}
