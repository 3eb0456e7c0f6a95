//! COMPRESS=DEFLATE (RFC 4978) for a client that is not ours: Python's zlib, over TCP and over TLS.

use std::process::Command;

use pimap_tests::dovecot::mail;
use pimap_tests::gateway::{Config, Gateway};
use pimap_tests::process::run;

use crate::stage::Stage;

const SCRIPT: &str = r#"
import imaplib, socket, ssl, sys, zlib
port, secure, user, level = int(sys.argv[1]), sys.argv[2] == "tls", sys.argv[3], int(sys.argv[4])
link = socket.create_connection(("127.0.0.1", port), 20)
if secure:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    link = context.wrap_socket(link)
pack, unpack, text, heard = None, None, b"", 0
def send(octets):
    link.sendall(pack.compress(octets) + pack.flush(zlib.Z_SYNC_FLUSH) if pack else octets)
def until(end):
    global text, heard
    while end not in text:
        octets = link.recv(4096)
        assert octets, text
        heard += len(octets)
        text += unpack.decompress(octets) if unpack else octets
    told, text = text.split(end, 1)
    return told
def say(tag, command):
    send(b"%s %s\r\n" % (tag, command))
    told = until(b"\r\n%s OK " % tag if tag != b"a" else b"a OK ")
    until(b"\r\n")
    return told
until(b"\r\n")
say(b"a", b"LOGIN %s pw" % user.encode())
send(b"b CAPABILITY\r\n")
assert b" COMPRESS=DEFLATE" in until(b"b OK CAPABILITY completed\r\n")
send(b"c COMPRESS DEFLATE\r\n")
assert until(b"c OK DEFLATE active\r\n") == b"" and text == b"", text
pack, unpack = zlib.compressobj(level, zlib.DEFLATED, -15), zlib.decompressobj(-15)
assert b"* 2 EXISTS" in say(b"d", b"SELECT INBOX")
before = heard
body = say(b"e", b"FETCH 2 (UID BODY.PEEK[TEXT])")
assert body.count(b"All work and no play. ") == 20000, len(body)
assert heard - before < 40000, heard - before
letter = b"Subject: three\r\n\r\n" + bytes(range(14, 256)) * 300 + b"\r\n"
send(b"f APPEND INBOX {%d}\r\n" % len(letter))
until(b"+ ")
until(b"\r\n")
send(letter + b"\r\n")
until(b"f OK ")
until(b"\r\n")
assert letter in say(b"g", b"UID FETCH 3 BODY.PEEK[]")
send(b"h IDLE\r\n")
until(b"+ idling\r\n")
other = imaplib.IMAP4("127.0.0.1", int(sys.argv[5]))
other.login(user.partition(chr(35))[0], "pw")
other.append("INBOX", None, None, b"Subject: four\r\n\r\nHello.\r\n")
until(b"* 4 EXISTS")
send(b"DONE\r\ni LOGOUT\r\n")
until(b"i OK LOGOUT completed\r\n")
assert link.recv(1) == b""
print("all is well")
"#;

/// Both kinds of login, with and without TLS, packed well and badly: commands, a large answer, a message up, a push.
#[test]
fn pythons_zlib_understands_and_is_understood() {
    let mut stage = Stage::new();
    let config = Config::before(&stage.dovecot)
        .with("listen.imaps", "127.0.0.1:0")
        .with("listen.allow_cleartext", true);
    stage.gateway = Gateway::start_tls(config);
    let text = "All work and no play. ".repeat(20_000);
    let lines: Vec<String> =
        text.as_bytes().chunks(880).map(|line| String::from_utf8_lossy(line).into()).collect();
    let ways = [("imap", "ada#P1", 6), ("imaps", "bob", 9), ("imaps", "cleo#P1", 0)];
    for (listener, user, level) in ways {
        let account = user.split('#').next().unwrap_or(user);
        for (subject, body) in [("one", "Some text."), ("two", &lines.join("\r\n"))] {
            stage.dovecot.deliver(account, &mail("friend@example.org", subject, body));
        }
        let port = stage.gateway.address(listener).port().to_string();
        let security = if listener == "imaps" { "tls" } else { "plain" };
        let (level, dovecot) = (level.to_string(), stage.dovecot.imap().port().to_string());
        let arguments = ["-c", SCRIPT, &port, security, user, &level, &dovecot];
        assert_eq!(run(Command::new("python3").args(arguments), b""), "all is well\n");
    }
}
