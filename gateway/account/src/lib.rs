//! The account owner (design D1): one value per mail account that holds the mailbox mirrors, every device's filters and
//! verdicts, its sessions and their logs, and executes commands on the mobile repository. Pure: see [`contract`].

pub mod contract;

pub use contract::{Input, Options, Output};
pub mod account;
pub use account::{Account, Damaged};
