//! Courier-IMAP: any user name with the password "pw", let in by a [`Doorman`] of the kit that speaks Courier's own
//! protocol for asking about passwords.
//!
//! Courier looks for the doorman's socket at one fixed place below `/run`; each server gets a `/run` of its own, in a mount
//! namespace of its own, which takes root.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use super::{Launched, Owner, unpacked};
use crate::dovecot::PASSWORD;
use crate::wait::Scratch;

/// Debian's own settings, without what asks for files of the system.
const SETTINGS: [(&str, &str); 14] = [
    ("AUTHMODULES", "authdaemon"),
    (
        "IMAP_CAPABILITY",
        "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE",
    ),
    ("IMAP_KEYWORDS", "1"),
    ("IMAP_ACL", "1"),
    ("IMAP_IDLE_TIMEOUT", "60"),
    ("IMAP_CHECK_ALL_FOLDERS", "0"),
    ("IMAP_OBSOLETE_CLIENT", "0"),
    ("IMAP_UMASK", "022"),
    ("IMAP_ULIMITD", "131072"),
    ("IMAP_USELOCKS", "1"),
    ("IMAP_ENHANCEDIDLE", "0"),
    ("IMAP_TRASHFOLDERNAME", "Trash"),
    ("MAILDIRPATH", "Maildir"),
    ("PATH", "/bin:/usr/bin"),
];

pub(super) fn launch(scratch: &Scratch, port: u16) -> Launched {
    let root = unpacked("courier");
    let runtime = scratch.join("run");
    fs::create_dir_all(runtime.join("courier/authdaemon")).expect("a directory");
    let doorman = Doorman::at(&runtime.join("courier/authdaemon/socket"), scratch.join("home"));
    let mut command = Command::new("unshare");
    let script = "mount --bind \"$0\" /run && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script]).arg(&runtime);
    command.arg(root.join("usr/sbin/couriertcpd"));
    command.args(["-address=127.0.0.1", "-maxprocs=40", "-maxperip=40", "-nodnslookup", "-noidentlookup"]);
    command.arg(port.to_string());
    command
        .arg(root.join("usr/lib/courier/courier/imaplogin"))
        .arg(root.join("usr/bin/imapd"))
        .arg("Maildir");
    command.env_clear().envs(SETTINGS).env("LD_LIBRARY_PATH", root.join("usr/lib"));
    Launched { command, companion: Some(doorman) }
}

/// Answers Courier's questions about users, as its authdaemond would.
#[derive(Debug)]
pub(super) struct Doorman {
    socket: PathBuf,
}

impl Doorman {
    fn at(socket: &std::path::Path, homes: PathBuf) -> Doorman {
        let _ = fs::remove_file(socket);
        let listener = UnixListener::bind(socket).expect("a socket");
        fs::set_permissions(socket, fs::Permissions::from_mode(0o777)).expect("permissions");
        let owner = Owner::find();
        owner.directory(&homes);
        // Ends with the program; after the server is gone nobody asks.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let _ = answer(stream, &owner, &homes);
            }
        });
        Doorman { socket: socket.to_owned() }
    }
}

impl Drop for Doorman {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
    }
}

/// `AUTH length`, then as many octets: service, kind, user, password, a line each.
fn answer(stream: UnixStream, owner: &Owner, homes: &std::path::Path) -> std::io::Result<()> {
    let mut to = stream.try_clone()?;
    let mut lines = BufReader::new(stream);
    let length = loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if let Some(length) = line.strip_prefix("AUTH ") {
            break length.trim().parse().unwrap_or(0);
        }
    };
    let mut asked = Vec::new();
    lines.take(length).read_to_end(&mut asked)?;
    let asked = String::from_utf8_lossy(&asked).into_owned();
    let fields: Vec<&str> = asked.lines().collect();
    let [_, "login", user, PASSWORD] = fields.as_slice() else { return to.write_all(b"FAIL\n") };
    let home = homes.join(user);
    for directory in ["", "Maildir", "Maildir/cur", "Maildir/new", "Maildir/tmp"] {
        owner.directory(&home.join(directory));
    }
    let told = format!(
        "UID={}\nGID={}\nHOME={}\nADDRESS={user}\nMAILDIR=Maildir\n.\n",
        owner.user,
        owner.group,
        home.display()
    );
    to.write_all(told.as_bytes())
}
