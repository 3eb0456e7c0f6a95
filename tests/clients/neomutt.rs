//! NeoMutt in a terminal, played as a person would: open, read, flag, delete, save, see new mail come.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use pimap_tests::dovecot::PASSWORD;
use pimap_tests::process::{Running, run};
use pimap_tests::wait::{eventually, within};

use crate::folders::{at_server, held};
use crate::place::{Place, Security, everywhere};

/// A terminal that nobody looks at but the test.
struct Terminal {
    socket: PathBuf,
    _server: Running,
}

impl Terminal {
    /// Runs a command line in it.
    fn start(place: &Place<'_>, command: &str) -> Terminal {
        let socket = place.scratch.join("terminal");
        let mut server = Command::new("tmux");
        server.arg("-S").arg(&socket).args(["-f", "/dev/null", "-D"]);
        server.stdout(Stdio::null()).stderr(Stdio::null());
        let server = Running::start(&mut server).expect("tmux, which make setup installs");
        let terminal = Terminal { socket, _server: server };
        let up = || terminal.tmux(&["new-session", "-d", "-x", "100", "-y", "30", command]).status().ok();
        eventually("a terminal", || up().filter(|status| status.success()));
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Presses keys, one word a key.
    fn press(&self, keys: &str) {
        let mut arguments = vec!["send-keys"];
        arguments.extend(keys.split(' '));
        let status = self.tmux(&arguments).status().expect("tmux runs");
        assert!(status.success(), "{keys}");
    }

    fn screen(&self) -> String {
        run(Command::new("tmux").arg("-S").arg(&self.socket).args(["capture-pane", "-p"]), b"")
    }

    /// Waits until the screen shows what it should.
    #[track_caller]
    fn shows(&self, what: &str, holds: impl Fn(&str) -> bool) {
        let seen = within(Duration::from_secs(20), || holds(&self.screen()).then_some(()));
        assert!(seen.is_some(), "{what} is not on the screen:\n{}", self.screen());
    }
}

/// The line of the index with that subject.
fn row<'a>(screen: &'a str, subject: &str) -> Option<&'a str> {
    screen.lines().find(|line| line.trim_end().ends_with(subject) && line.contains("friend"))
}

fn configuration(place: &Place<'_>) -> String {
    let name = place.login.name;
    format!(
        "set imap_user=\"{name}\"\nset imap_pass=\"{PASSWORD}\"\nset folder=\"imap://localhost:{port}/\"\n\
         set spoolfile=\"+INBOX\"\nset ssl_starttls=yes\nset ssl_force_tls=yes\n\
         set certificate_file=\"{authority}\"\nset ssl_verify_host=yes\n\
         set imap_idle=yes\nset timeout=1\nset mail_check=1\nset imap_keepalive=5\n\
         set delete=yes\nset quit=yes\nset move=no\nset confirmappend=no\nset confirmcreate=no\nset wait_key=no\n\
         set index_format=\"%3C %S %-20.20F %s\"\nset header_cache=\"\"\nset beep=no\nset mark_old=no\n",
        port = place.port(Security::StartTls),
        authority = place.authority().display(),
    )
}

#[test]
fn neomutt_reads_flags_deletes_and_sees_new_mail() {
    everywhere(|place| {
        ["one", "two", "three"].iter().for_each(|subject| place.deliver(subject));
        let mut server = place.server();
        server.ok("CREATE Work");
        let config = place.file("neomuttrc", configuration(place).as_bytes());
        let terminal = Terminal::start(
            place,
            &format!(
                "env HOME={} LC_ALL=C.UTF-8 neomutt -n -F {}",
                place.scratch.path().display(),
                config.display()
            ),
        );
        terminal.shows("the index", |screen| {
            ["one", "two", "three"].iter().all(|subject| row(screen, subject).is_some())
        });
        terminal.press("1 Enter");
        terminal.press("Enter");
        terminal.shows("the first message", |screen| screen.contains("The text of one."));
        terminal.press("i");
        terminal.shows("the index again", |screen| row(screen, "three").is_some());
        // F flags, d deletes, $ writes both to the server.
        terminal.press("2 Enter");
        terminal.press("F");
        terminal.press("3 Enter");
        terminal.press("d");
        terminal.press("$");
        terminal.shows("the index without the third", |screen| {
            row(screen, "two").is_some() && row(screen, "three").is_none()
        });
        let synchronised = held(&[("one", "S"), ("two", "F")]);
        eventually("the server knows", || (at_server(&mut server, "INBOX") == synchronised).then_some(()));
        // New mail comes while it waits, and what another client does is seen.
        place.deliver("four");
        terminal.shows("the new mail", |screen| row(screen, "four").is_some());
        // s saves into another mailbox: COPY, and \Deleted here.
        terminal.press("1 Enter");
        terminal.press("s");
        terminal.press("C-u =Work Enter");
        terminal.press("q");
        let saved = held(&[("one", "S")]);
        eventually("the message is in the other mailbox", || {
            (at_server(&mut server, "Work") == saved).then_some(())
        });
        let left = held(&[("two", "F"), ("four", "")]);
        eventually("what is left", || (at_server(&mut server, "INBOX") == left).then_some(()));
    });
}
