//! hoodiecrow: mail in memory, one account for everybody, with the labels of Gmail.

use std::fs;
use std::process::Command;

use super::{Launched, filled, unpacked};
use crate::wait::Scratch;

const SCRIPT: &str = include_str!("hoodiecrow.js");

pub(super) fn launch(scratch: &Scratch, port: u16) -> Launched {
    let module = unpacked("hoodiecrow").join("node_modules/hoodiecrow-imap").display().to_string();
    let script = filled(SCRIPT, &[("@MODULE@", &module), ("@IMAP@", &port.to_string())]);
    fs::write(scratch.join("server.js"), script).expect("server.js");
    let mut command = Command::new("node");
    command.arg(scratch.join("server.js"));
    Launched { command, companion: None }
}
