//! GNU mailutils' imap4d: users of a virtual domain, so that the system needs none of them.

use std::fs;
use std::process::Command;

use super::{Launched, Owner, filled, unpacked};
use crate::wait::Scratch;

const CONFIG: &str = include_str!("mailutils.conf");

/// The password of every user, "pw", as crypt(3) keeps it.
const PASSWORD_HASH: &str =
    "$6$pimaptests$0zO.9uuBO2adUgMXFpvdExyY8BWAwbakhCw0m32Up91/yQ4SgcKiGj6lwveJFewqTYQ/UTPihlMd1iMHTcxYx0";

/// Who can log in.
const USERS: [&str; 2] = ["joe", "ann"];

pub(super) fn launch(scratch: &Scratch, port: u16) -> Launched {
    let (root, owner) = (unpacked("mailutils"), Owner::find());
    let (own, port) = (scratch.path().display().to_string(), port.to_string());
    fs::write(scratch.join("imap4d.conf"), filled(CONFIG, &[("@DIR@", &own), ("@IMAP@", &port)]))
        .expect("imap4d.conf");
    owner.directory(&scratch.join("home"));
    fs::create_dir_all(scratch.join("domains")).expect("a directory");
    let mut users = String::new();
    for user in USERS {
        let home = scratch.join("home").join(user);
        owner.directory(&home);
        let home = home.display();
        users += &format!("{user}:{PASSWORD_HASH}:{}:{}:{user}:{home}:/bin/false\n", owner.user, owner.group);
    }
    fs::write(scratch.join("domains/example.org"), users).expect("the users");
    let mut command = Command::new(root.join("usr/sbin/imap4d"));
    command.arg("--no-config").arg("--config-file").arg(scratch.join("imap4d.conf"));
    Launched { command, companion: None }
}
