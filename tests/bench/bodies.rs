//! A body of 10 MB fetched over plain IMAP, in turns: through the gateway, through HAProxy (which only copies octets),
//! and straight from Dovecot.

use pimap_tests::dovecot::{Dovecot, mail};
use pimap_tests::gateway::{Config, Gateway};

use crate::client::Client;
use crate::peers::Peer;
use crate::report::{Aim, Report, median};

/// Size of the body.
const OCTETS: f64 = 10e6;
/// Turns.
const TURNS: usize = 15;

/// Takes the figure.
pub fn measure(report: &mut Report) {
    let dovecot = Dovecot::start();
    let line = "All work and no play makes a dull mail server, and a line of text like any other.\r\n";
    // The cast: a count of lines.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let text = line.repeat(OCTETS as usize / line.len());
    dovecot.deliver("joe", &mail("boss@example.org", "large", &text));
    let haproxy = Peer::haproxy(dovecot.imap());
    let gateway = Gateway::start(Config::before(&dovecot));
    let mut ways = [dovecot.imap(), haproxy.address(), gateway.address("imap")].map(|address| {
        let mut client = Client::login(address, "joe");
        client.command("SELECT INBOX");
        client.command("UID FETCH 1 BODY.PEEK[]");
        client
    });
    let mut speeds: [Vec<f64>; 3] = Default::default();
    for _ in 0..TURNS {
        for (client, speeds) in ways.iter_mut().zip(&mut speeds) {
            client.forget();
            let micros = client.timed("UID FETCH 1 BODY.PEEK[]");
            speeds.push(OCTETS / micros);
        }
    }
    let [direct, proxied, ours] = speeds.map(|speeds| median(&speeds));
    report.compare("FETCH of 10 MB", "MB/s", ours, ("HAProxy TCP", proxied), Some(Aim::RatioAtLeast(0.9)));
    report.compare("FETCH of 10 MB", "MB/s", ours, ("direct", direct), None);
}
