//! Running other programs so that none outlives its test.
//!
//! Each program leads a process group of its own and is held on a leash: a shell that reads a pipe from us and
//! kills the group when the pipe ends, which it does even when the test itself is killed.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::wait::within;

/// A running program.
#[derive(Debug)]
pub struct Running {
    child: Child,
    leash: Child,
}

impl Running {
    /// Starts `command` in a process group of its own.
    pub fn start(command: &mut Command) -> io::Result<Running> {
        let child = command.process_group(0).stdin(Stdio::null()).spawn()?;
        let leash = Command::new("sh")
            .args(["-c", "cat >/dev/null; kill -s KILL -- -\"$0\" 2>/dev/null", &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Running { child, leash })
    }

    /// The program itself, to take its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends a signal by name (`TERM`, `STOP`, `CONT`, `HUP`) to the program alone.
    pub fn signal(&self, name: &str) {
        kill(name, &self.child.id().to_string());
    }

    /// The exit status, when the program has ended by itself.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for the end, at most `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        within(limit, || self.exited())
    }

    /// `kill -9` of the whole group: nothing of the program runs any more when this returns.
    pub fn kill_now(&mut self) {
        if self.exited().is_none() {
            let _ = self.child.kill();
        }
        kill("KILL", &format!("-{}", self.child.id()));
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill_now();
        // The leash goes first by signal, so that it never kills a group number that was given away again.
        let _ = self.leash.kill();
        let _ = self.leash.wait();
    }
}

fn kill(signal: &str, target: &str) {
    let _ = Command::new("sh")
        .args(["-c", "kill -s \"$0\" -- \"$1\" 2>/dev/null", signal, target])
        .stdin(Stdio::null())
        .status();
}

/// Runs a program to its end with `input` on its standard input; panics with its output unless it succeeds.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8]) -> String {
    use std::io::Write;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    // A program that refuses its input is judged by its exit status.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    let output = child.wait_with_output().expect("its end");
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
