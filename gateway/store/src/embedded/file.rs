//! The directory and the file: made for their owner only, opened with the settings that were measured.

use super::{OpenFault, tables};
use redb::{Builder, Database, DatabaseError};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const FILE_NAME: &str = "store.redb";
const DRAFT_END: &str = ".new";
/// redb's own default is 1 GiB, which a repair would fill (law 5). What is larger than the pages that every commit touches only
/// holds a second time what the system holds of the file, and a device that is away costs that much more memory (D16).
const CACHE_BYTES: usize = 1 << 20;

/// Makes directory and file when absent and answers the file's path.
///
/// The file is made aside and linked into its place when it is whole: redb gives a new file its length before its mark,
/// so a kill in between would leave one that redb itself refuses at every later start.
pub(super) fn prepare(directory: &Path) -> Result<PathBuf, OpenFault> {
    let path = directory.join(FILE_NAME);
    let io = |error| OpenFault::Io(path.clone(), error);
    make_directory(directory).map_err(io)?;
    if !path.try_exists().map_err(io)? {
        let draft = directory.join(format!("{FILE_NAME}.{:016x}{DRAFT_END}", rand::random::<u64>()));
        make_file(&draft).and_then(|()| link(&draft, &path, directory).map_err(io))?;
    }
    Ok(path)
}

fn make_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mode = std::fs::metadata(directory)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        // Left as it is: it may be a mounted volume whose mode is not ours to change, and the file is 0600 anyway.
        tracing::warn!(path = %directory.display(), mode = format!("{mode:03o}"), "store directory is open to others");
    }
    Ok(())
}

/// A whole, empty store under another name. redb takes an empty file for a new one; left to itself it would make the
/// file with whatever mode the umask leaves.
fn make_file(draft: &Path) -> Result<(), OpenFault> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft);
    made.map_err(|error| OpenFault::Io(draft.to_owned(), error))?;
    let database = open(draft)?;
    database.close().map_err(|error| OpenFault::Refused(draft.to_owned(), Box::new(error.into())))
}

/// A link, not a renaming: of two processes that start together one wins and both open the winner's file.
fn link(draft: &Path, path: &Path, directory: &Path) -> io::Result<()> {
    let linked = std::fs::hard_link(draft, path);
    // A draft that cannot be removed is removed by the next opening.
    let _ = std::fs::remove_file(draft);
    match linked {
        // The name must survive a power cut as surely as the first commit will.
        Ok(()) => File::open(directory)?.sync_all(),
        Err(_) if path.exists() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes what was being made when an earlier process was killed. Only for who holds the store's lock.
pub(super) fn sweep(directory: &Path) {
    let names = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name());
    for name in names.filter_map(|name| name.into_string().ok()) {
        if name.starts_with(FILE_NAME) && name.ends_with(DRAFT_END) {
            // A draft left behind costs room and nothing else.
            let _ = std::fs::remove_file(directory.join(name));
        }
    }
}

/// Opens the file, repairs it if its last owner was killed, and makes sure that its format is ours.
pub(super) fn open(path: &Path) -> Result<Database, OpenFault> {
    let mut repairing = Builder::new();
    repairing.set_cache_size(CACHE_BYTES);
    repairing.set_repair_callback(|_| tracing::debug!("checking the store after an unclean end"));
    let database = repairing.create(path).map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => OpenFault::InUse(path.to_owned()),
        error => OpenFault::Refused(path.to_owned(), Box::new(error.into())),
    })?;
    let found =
        tables::format(&database).map_err(|error| OpenFault::Refused(path.to_owned(), Box::new(error)))?;
    if found != tables::FORMAT {
        return Err(OpenFault::Format { path: path.to_owned(), found, known: tables::FORMAT });
    }
    Ok(database)
}
