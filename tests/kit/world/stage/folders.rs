//! Acts of other clients on whole mailboxes.

use super::WorldStage;
use pimap_types::MailboxName;
use pimap_types::response::ListItem;
use pimap_types::upstream::UpstreamEvent;

impl WorldStage {
    pub(super) fn folder_act(&mut self, words: &[&str]) -> Result<(), String> {
        let upstream = &mut self.world.upstream;
        match *words {
            ["mailbox" | "recreate", name] => {
                let name = MailboxName::new(name);
                upstream.mail.create(&name);
                upstream.folders_changed(&name, None);
            }
            // A server that numbers mailboxes by the second gives two of them one UIDVALIDITY.
            ["twin", name, of] => {
                let (name, of) = (MailboxName::new(name), MailboxName::new(of));
                let twin = upstream.mail.mailboxes.get(&of).cloned().ok_or("there is no such mailbox")?;
                upstream.mail.mailboxes.insert(name, twin);
            }
            ["mailboxes", count] => {
                for n in 1..=count.parse::<u32>().map_err(|_| "no number of mailboxes")? {
                    upstream.mail.create(&MailboxName::new(&format!("box/{n}")));
                }
            }
            ["delete", name] => {
                let name = MailboxName::new(name);
                upstream.mail.mailboxes.remove(&name);
                upstream.folders_changed(&name, None);
            }
            ["told", "deleted", name] => {
                let (mailbox, attributes) = (MailboxName::new(name), vec!["\\NonExistent".to_owned()]);
                let item = ListItem { attributes, delimiter: Some('/'), mailbox };
                upstream.events.push_back(UpstreamEvent::Mailbox { item, old_name: None });
            }
            ["rename", from, to] => {
                let (from, to) = (MailboxName::new(from), MailboxName::new(to));
                if !upstream.mail.rename(&from, &to) {
                    return Err(format!("{from} cannot be renamed to {to}"));
                }
                upstream.folders_changed(&to, Some(&from));
            }
            ["subscribe", name] => upstream.subscribe(&MailboxName::new(name), true),
            ["unsubscribe", name] => upstream.subscribe(&MailboxName::new(name), false),
            ["deny", name] => upstream.deny(&MailboxName::new(name), true),
            ["allow", name] => upstream.deny(&MailboxName::new(name), false),
            _ => return Err(format!("no such act: {}", words.join(" "))),
        }
        Ok(())
    }
}
