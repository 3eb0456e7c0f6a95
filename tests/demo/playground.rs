//! `make playground`: a real Dovecot and a gateway before it, on ports that the README's commands use, until interrupted.
//! A line on standard input, `Subject`, delivers a mail of that subject to joe.

use pimap_tests::dovecot::{Dovecot, mail};
use pimap_tests::gateway::{Config, Gateway};
use std::io::BufRead;

fn main() {
    let dovecot = Dovecot::start();
    dovecot.deliver("joe", &mail("alice@example.org", "Welcome", "Read me on your phone."));
    let config = Config::before(&dovecot)
        .with("listen.http", "127.0.0.1:8080")
        .with("listen.imap", "127.0.0.1:1143")
        .with("listen.admin", "127.0.0.1:9090")
        .with("channels.udp.listen", "127.0.0.1:5143")
        .with("channels.udp.advertise_host", "127.0.0.1");
    let gateway = Gateway::start(config);
    println!("A mail server with the user joe (password pw) stands behind the gateway:");
    println!("  P-IMAP over HTTP  http://{}/pimap", gateway.address("http"));
    println!("  the same as IMAP  {}", gateway.address("imap"));
    println!("  health, metrics   http://{}/metrics", gateway.address("admin"));
    println!("Type a subject and press return: joe gets a mail. End with Ctrl-D or Ctrl-C.");
    for subject in std::io::stdin().lock().lines().map_while(Result::ok) {
        dovecot.deliver("joe", &mail("bob@example.org", subject.trim(), "Hello from the playground."));
        println!("delivered: {}", subject.trim());
    }
}
