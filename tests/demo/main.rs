//! The main job, shown: a handset logs in over HTTP, gets mail pushed, loses the radio, is woken, and comes back into
//! the same session with exactly what it missed, through a `kill -9` of the gateway as well.
//!
//! Everything is real: Dovecot, the gateway's own program with its store on disk, sockets. After each return the
//! handset's replica is compared with what Dovecot itself says; a difference ends the demo with an error.

mod story;

use std::process::ExitCode;
use std::time::Duration;

use pimap_tests::dovecot::{Dovecot, PASSWORD, mail};
use pimap_tests::gateway::{Config, Gateway};
use pimap_tests::handset::{Handset, Kind};
use pimap_tests::http::{Duplex, Post};
use pimap_tests::imap::Imap;
use pimap_tests::response::Response;
use pimap_tests::udp::{Bell, key};

use story::{Story, note, step};

/// What the handset's view filter lets through, as a search for Dovecot.
const VIEW: &str = "NOT FROM \"newsletter\"";

fn main() -> ExitCode {
    match tell() {
        Ok(()) => {
            println!(
                "\nThat is the main job: after every loss the handset held what Dovecot holds, and was never lied to."
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\nThe demo failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tell() -> Result<(), String> {
    step("A mail server, as it stands anywhere: Dovecot with four mails for joe");
    let dovecot = Dovecot::start();
    for (from, subject) in [
        ("boss@example.org", "Welcome"),
        ("friend@example.org", "Lunch?"),
        ("newsletter@example.net", "Ten offers"),
        ("friend@example.org", "Dinner?"),
    ] {
        dovecot.deliver("joe", &mail(from, subject, "Some text."));
        note(&format!("delivered: {subject:?} from {from}"));
    }

    step("The gateway, before it");
    let config = Config::before(&dovecot)
        .with("channels.udp.listen", "127.0.0.1:0")
        .with("channels.udp.advertise_host", "127.0.0.1");
    let mut gateway = Gateway::start(config);
    let handset = Handset::new(Kind::Cursor, "joe#P6505551234", PASSWORD);
    let mut story = Story::new(handset, gateway.site());
    note(&format!("P-IMAP over HTTP on http://{}/pimap", gateway.address("http")));

    step("A handset logs in with its device ID, over HTTP");
    story.post(&["CAPABILITY", "XPROVISION"])?;

    step("It says what it wants to see (no newsletters) and what is worth waking it (mail from the boss)");
    story.post(&[
        "XFILTER SET VISIBLE \"No newsletters\" (NOT FROM \"newsletter\")",
        "XFILTER SET URGENT \"Mail from the boss\" (FROM \"boss@example.org\")",
        "XSETPIMAPPREF PIMAP_XFILTER (INBOX V VISIBLE)",
        "XSETPIMAPPREF PIMAP_XFILTER (INBOX N URGENT)",
        "XSETPIMAPPREF PIMAP_OUTBAND_CHANNEL UDP",
    ])?;

    step(
        "It gives the gateway an address to wake it at: HELLO over UDP, sealed with the key it was provisioned with",
    );
    let device_key =
        story.provisioned("PIMAP_ENC_KEY").and_then(|text| key(&text)).ok_or("XPROVISION gave no key")?;
    let bell = Bell::new(gateway.address("udp"));
    bell.patience(Duration::from_secs(40));
    let welcome = bell.hello("P6505551234", &device_key).ok_or("no answer to HELLO")?;
    note(&format!("UDP < {welcome}"));
    if !welcome.starts_with("OK") {
        return Err(format!("HELLO was answered with {welcome}"));
    }

    step("It looks into its INBOX: three of the four mails are there, the newsletter is not");
    story.post(&["SELECT INBOX"])?;
    story.catch_up()?;
    let mut truth = dovecot.login("joe");
    compare(&story, &mut truth)?;

    step("Push, inband: the request stays open; a mail from the boss arrives at Dovecot");
    let stream = push(&mut story, &dovecot)?;

    step("The radio is lost, in the middle of everything");
    stream.into_connection().reset();
    story.lose_radio();

    step("Meanwhile life goes on");
    meanwhile(&dovecot, &mut truth);

    step("The gateway wakes the handset over UDP: mail from the boss is urgent");
    let wake = bell.hear().ok_or("nobody woke the handset")?;
    note(&format!("UDP < {wake}"));
    if !wake.contains("<emn ") {
        return Err(format!("the datagram is no wake-up: {wake}"));
    }

    step("Back into the same session, told exactly what it missed");
    come_back(&mut story, &mut truth)?;

    step("Now kill -9 the gateway, and change things while nobody watches");
    story.lose_radio();
    gateway.kill();
    dovecot.deliver("joe", &mail("boss@example.org", "While you were down", "Some text."));
    note("delivered: \"While you were down\" from boss@example.org");
    truth.flag("INBOX", 1, "-FLAGS (\\Seen)");
    note("another client marked the first mail unread");
    gateway.restart();
    note("the gateway is started again on the same store");

    step("And again the same session, and exactly what it missed");
    come_back(&mut story, &mut truth)?;
    story.post(&["LOGOUT"])
}

/// An open POST on which a mail is pushed; gives the stream, still idle.
fn push(story: &mut Story, dovecot: &Dovecot) -> Result<Duplex, String> {
    let request = story.handset.request(&["IDLE"]);
    story.show_request(&request.body);
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let mut stream =
        Duplex::open(&story.site, &Post::of(&request), &body).map_err(|error| error.to_string())?;
    let hear = |story: &mut Story, stream: &mut Duplex, wanted: &dyn Fn(&Response) -> bool| {
        let lines = stream.until_line(wanted)?;
        story.show_lines(&lines);
        story.handset.hear(&stream.take_heard());
        Ok::<(), String>(())
    };
    hear(story, &mut stream, &|response| *response == Response::Continue)?;
    dovecot.deliver("joe", &mail("boss@example.org", "Urgent", "Call me."));
    note("delivered: \"Urgent\" from boss@example.org");
    hear(story, &mut stream, &|response| matches!(response, Response::Exists(_)))?;
    let cursor = |response: &Response| match response {
        Response::Condition(condition) => condition.code("PIMAPCURSOR").is_some(),
        _ => false,
    };
    hear(story, &mut stream, &cursor)?;
    Ok(stream)
}

/// Five changes, four of which concern the handset.
fn meanwhile(dovecot: &Dovecot, truth: &mut Imap) {
    for (from, subject) in [
        ("friend@example.org", "Sleep well"),
        ("newsletter@example.net", "Ten more offers"),
        ("boss@example.org", "Where are you?"),
    ] {
        dovecot.deliver("joe", &mail(from, subject, "Some text."));
        note(&format!("delivered: {subject:?} from {from}"));
    }
    truth.flag("INBOX", 1, "+FLAGS (\\Seen)");
    note("another client read the first mail");
    truth.expunge("INBOX", 2);
    note("another client deleted the second");
}

fn come_back(story: &mut Story, truth: &mut Imap) -> Result<(), String> {
    let before = story.handset.replica.session().map(str::to_owned);
    story.post(&["NOOP"])?;
    if story.handset.replica.session().map(str::to_owned) != before {
        return Err("it is another session".to_owned());
    }
    if story.handset.replica.must_resync("INBOX") {
        return Err("the handset was told to resynchronise".to_owned());
    }
    story.catch_up()?;
    compare(story, truth)
}

fn compare(story: &Story, truth: &mut Imap) -> Result<(), String> {
    let real = truth.truth_of("INBOX", VIEW);
    let differences = story.handset.replica.compare_selected(&real);
    if !differences.is_empty() {
        return Err(format!("handset and Dovecot differ: {}", differences.join("; ")));
    }
    let uids: Vec<String> = real.messages.iter().map(|(uid, _)| uid.to_string()).collect();
    note(&format!("handset and Dovecot agree: UIDs {}, with all flags", uids.join(" ")));
    Ok(())
}
