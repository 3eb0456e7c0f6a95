//! Cyrus: any user name, any password; mailboxes come to be at the first login.

use std::fs;
use std::process::Command;

use super::{Launched, Owner, filled, unpacked};
use crate::wait::Scratch;

const MASTER: &str = include_str!("cyrus.conf");
const IMAPD: &str = include_str!("cyrus-imapd.conf");

pub(super) fn launch(scratch: &Scratch, port: u16) -> Launched {
    let (root, owner) = (unpacked("cyrus"), Owner::find());
    for directory in
        ["var", "var/lib", "var/lib/socket", "var/lib/db", "var/lib/proc", "var/spool", "var/sock"]
    {
        owner.directory(&scratch.join(directory));
    }
    for directory in ["var/proc", "var/lock", "var/sieve"] {
        owner.directory(&scratch.join(directory));
    }
    let (own, programs) = (scratch.path().display().to_string(), root.join("usr/lib/cyrus/bin"));
    let (port, bin) = (port.to_string(), programs.display().to_string());
    let words = [("@DIR@", &*own), ("@BIN@", &*bin), ("@IMAP@", &*port), ("@USER@", &*owner.name)];
    for (name, template) in [("cyrus.conf", MASTER), ("cyrus-imapd.conf", IMAPD)] {
        fs::write(scratch.join(name), filled(template, &words)).expect("a configuration file");
    }
    let mut command = Command::new(programs.join("master"));
    command.arg("-D").arg("-C").arg(scratch.join("cyrus-imapd.conf"));
    command.arg("-M").arg(scratch.join("cyrus.conf")).arg("-p").arg(scratch.join("master.pid"));
    // Its libraries lie below a directory named after the machine.
    let libraries = fs::read_dir(root.join("usr/lib")).expect("its libraries").flatten();
    let libraries: Vec<String> = libraries.map(|entry| entry.path().display().to_string()).collect();
    command.env("LD_LIBRARY_PATH", libraries.join(":"));
    Launched { command, companion: None }
}
