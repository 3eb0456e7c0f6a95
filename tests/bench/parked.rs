//! What a device costs that is away: it logged in and selected INBOX by one request over HTTP, its session lives and its
//! account is watched, nobody is connected. KiB of proportional memory, and octets in the embedded store, as the file has
//! grown, free pages included; then the octets of each event kept for it.

use std::fs;

use pimap_tests::gateway::Gateway;
use pimap_tests::http::{Post, Site};
use pimap_tests::wait::eventually;

use crate::idle::{WARM, each, opened};
use crate::process::memory_kib;
use crate::push::before;
use crate::report::{Aim, Report};
use crate::upstream::{Riches, Scripted};

/// Devices that go away.
const DEVICES: usize = 4_000;
/// Devices of an account.
const SHARED: usize = 32;
/// Mails that come while they are away.
const MAILS: u32 = 20;
/// Messages that an INBOX has at first.
const PRESENT: u32 = 3;

/// Takes the figure.
pub fn measure(report: &mut Report) {
    let server = Scripted::start(Riches::Notify);
    let mut gateway = Gateway::start(before(server.address().port()));
    let site = gateway.site();
    let process = gateway.process_id();
    opened(0..WARM, |number| visit(&site, number));
    let (memory, store) = (memory_kib(process), store_kib(&gateway));
    opened(WARM..WARM + DEVICES, |number| visit(&site, number));
    let parked = (memory_kib(process), store_kib(&gateway));
    let name = format!("parked device, {DEVICES}, {SHARED} an account");
    report.alone(format!("{name}, memory"), "KiB", each(parked.0 - memory, DEVICES), Some(Aim::AtMost(2.0)));
    let octets = each(parked.1 - store, DEVICES) * 1024.0;
    report.alone(format!("{name}, store"), "octets", octets, Some(Aim::AtMost(1024.0)));

    let accounts = (WARM + DEVICES) / SHARED;
    for account in 0..accounts {
        let user = format!("u{account}");
        eventually("the account is watched", || (server.idlers(&user) == 1).then_some(()));
        for _ in 0..MAILS {
            server.announce(&user);
        }
    }
    for account in 0..accounts {
        let wanted = format!("* {} EXISTS", PRESENT + MAILS);
        eventually("the mails are known", || visit(&site, account * SHARED).contains(&wanted).then_some(()));
    }
    let events = each(store_kib(&gateway) - parked.1, accounts * SHARED) * 1024.0 / f64::from(MAILS);
    report.alone(format!("{name}, store, each event"), "octets", events, Some(Aim::AtMost(70.0)));
    let events = each(memory_kib(process) - parked.0, accounts * SHARED) * 1024.0 / f64::from(MAILS);
    report.alone(format!("{name}, memory, each event"), "octets", events, None);
}

/// One request, and away again; gives what was answered.
fn visit(site: &Site, number: usize) -> String {
    let login = format!("u{}#P{}", number / SHARED, number % SHARED);
    let post = Post::new(format!("A1 LOGIN {login} pw\r\nA2 SELECT INBOX\r\n"));
    let answer = site.connect().expect("a connection to the gateway").post(&post).expect("an answer");
    let text = answer.text();
    assert!(text.contains("A2 OK "), "{text}");
    text
}

/// The store on disk.
fn store_kib(gateway: &Gateway) -> f64 {
    let store = gateway.directory().join("store");
    let files: Vec<_> = match fs::read_dir(&store) {
        Ok(files) => files.flatten().map(|file| file.path()).collect(),
        Err(_) => vec![store],
    };
    let octets: u64 = files.iter().filter_map(|file| fs::metadata(file).ok()).map(|file| file.len()).sum();
    f64::from(u32::try_from(octets / 1024).expect("less than 4 TiB"))
}
