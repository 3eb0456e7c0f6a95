//! Commands about mailboxes: opening, listing, making, and APPEND.

use super::super::account::Account;
use super::super::read::Token;
use super::{Ended, Selected, Session, now};
use crate::gmail::search::{DAY, date_of};

const FLAGS: &str = "\\Answered \\Flagged \\Draft \\Deleted \\Seen";

fn unknown() -> Ended {
    Err("NO [NONEXISTENT] Unknown Mailbox".into())
}

/// The answer to what either was done or not.
fn done(done: bool, otherwise: &str) -> Ended {
    if done { Ok("Success".into()) } else { Err(otherwise.into()) }
}

impl Session<'_> {
    /// Executes such a command; nothing if it is none.
    pub(super) fn mailbox_command(
        &mut self,
        verb: &str,
        arguments: &[Token],
    ) -> std::io::Result<Option<Ended>> {
        let first = arguments.first().map(|name| Account::name(&name.text())).unwrap_or_default();
        let second = arguments.get(1).map(|name| Account::name(&name.text())).unwrap_or_default();
        Ok(Some(match verb {
            "NOOP" | "CHECK" => Ok("Success".into()),
            "NAMESPACE" => {
                self.say("* NAMESPACE ((\"\" \"/\")) NIL NIL")?;
                Ok("Success".into())
            }
            "ENABLE" => {
                self.condstore |= arguments.iter().any(|word| word.word() == "CONDSTORE");
                self.say(if self.condstore { "* ENABLED CONDSTORE" } else { "* ENABLED" })?;
                Ok("Success".into())
            }
            "SELECT" | "EXAMINE" => self.open(&first, verb == "EXAMINE", arguments)?,
            "UNSELECT" | "CLOSE" => {
                let left = self.selected.take();
                if let Some(left) = left.filter(|left| verb == "CLOSE" && !left.read_only) {
                    self.account(|account| expunge(account, &left.name, &|_| true));
                }
                Ok("Success".into())
            }
            "LIST" | "LSUB" => self.list(verb, arguments)?,
            "STATUS" => self.status(&first, arguments.get(1))?,
            "CREATE" => done(
                self.account(|account| account.create(&first)),
                "NO [ALREADYEXISTS] Duplicate folder name",
            ),
            "DELETE" => {
                done(self.account(|account| account.delete(&first)), "NO [NONEXISTENT] Unknown Mailbox")
            }
            "RENAME" => {
                done(self.account(|account| account.rename(&first, &second)), "NO [CANNOT] Invalid folder")
            }
            "SUBSCRIBE" => self.account(|account| {
                account.subscribed.insert(first);
                Ok("Success".into())
            }),
            "UNSUBSCRIBE" => self.account(|account| {
                account.subscribed.remove(&first);
                Ok("Success".into())
            }),
            "APPEND" => self.append(&first, arguments),
            _ => return Ok(None),
        }))
    }

    fn open(&mut self, name: &str, read_only: bool, arguments: &[Token]) -> std::io::Result<Ended> {
        self.selected = None;
        self.condstore |=
            arguments.iter().any(|list| list.members().iter().any(|word| word.word() == "CONDSTORE"));
        let opened = self.account(|account| {
            let label = account.labels.get(name)?;
            let told = label.entries.iter().map(|(uid, entry)| (*uid, entry.mod_seq)).collect();
            let selected =
                Selected { name: name.to_owned(), uid_validity: label.uid_validity, read_only, told };
            Some((selected, label.uid_next, account.mod_seq))
        });
        let Some((selected, uid_next, mod_seq)) = opened else { return Ok(unknown()) };
        self.say(&format!("* FLAGS ({FLAGS})"))?;
        self.say(&format!("* OK [PERMANENTFLAGS ({FLAGS} \\*)] Flags permitted."))?;
        self.say(&format!("* OK [UIDVALIDITY {}] UIDs valid.", selected.uid_validity))?;
        self.say(&format!("* {} EXISTS", selected.told.len()))?;
        self.say("* 0 RECENT")?;
        self.say(&format!("* OK [UIDNEXT {uid_next}] Predicted next UID."))?;
        self.say(&format!("* OK [HIGHESTMODSEQ {mod_seq}]"))?;
        self.selected = Some(selected);
        let code = if read_only { "READ-ONLY" } else { "READ-WRITE" };
        Ok(Ok(format!("[{code}] {name} selected. (Success)")))
    }

    /// LIST with what RFC 5258 adds, as far as it is asked for: selections are read and `RETURN` is let be, since the attributes are
    /// always told.
    fn list(&mut self, verb: &str, arguments: &[Token]) -> std::io::Result<Ended> {
        let selection = match arguments.first() {
            Some(Token::List(words)) => words.iter().map(Token::word).collect(),
            _ => Vec::new(),
        };
        let plain: Vec<&Token> =
            arguments.iter().filter(|token| !matches!(token, Token::List(_))).take(2).collect();
        let [reference, pattern] = plain.as_slice() else {
            return Ok(Err("BAD Could not parse command".into()));
        };
        let pattern = reference.text() + &pattern.text();
        if pattern.is_empty() {
            self.say(&format!("* {verb} (\\Noselect) \"/\" \"\""))?;
            return Ok(Ok("Success".into()));
        }
        let subscribed = verb == "LSUB" || selection.iter().any(|word| word == "SUBSCRIBED");
        let special = selection.iter().any(|word| word == "SPECIAL-USE");
        let lines = self.account(|account| {
            let names =
                account.names().into_iter().filter(|name| matches(name.as_bytes(), pattern.as_bytes()));
            let names = names.filter(|name| !subscribed || account.subscribed.contains(name));
            let line = |name: String| {
                let attributes = account.attributes(&name);
                let used = attributes.len() > 1 && !attributes.contains(&"\\Noselect");
                (used || !special).then(|| format!("* {verb} ({}) \"/\" \"{name}\"", attributes.join(" ")))
            };
            names.filter_map(line).collect::<Vec<_>>()
        });
        for line in lines {
            self.say(&line)?;
        }
        Ok(Ok("Success".into()))
    }

    fn status(&mut self, name: &str, items: Option<&Token>) -> std::io::Result<Ended> {
        let words: Vec<String> =
            items.map(|items| items.members().iter().map(Token::word).collect()).unwrap_or_default();
        let line = self.account(|account| {
            let label = account.labels.get(name)?;
            let unseen = |uid: &&u32| !account.flags(name, **uid).iter().any(|flag| flag == "\\Seen");
            let numbers = words.iter().filter_map(|word| {
                let number = match word.as_str() {
                    "MESSAGES" => label.entries.len() as u64,
                    "RECENT" => 0,
                    "UIDNEXT" => u64::from(label.uid_next),
                    "UIDVALIDITY" => u64::from(label.uid_validity),
                    "UNSEEN" => label.entries.keys().filter(unseen).count() as u64,
                    "HIGHESTMODSEQ" => account.mod_seq,
                    _ => return None,
                };
                Some(format!("{word} {number}"))
            });
            Some(format!("* STATUS \"{name}\" ({})", numbers.collect::<Vec<_>>().join(" ")))
        });
        let Some(line) = line else { return Ok(unknown()) };
        self.say(&line)?;
        Ok(Ok("Success".into()))
    }

    fn append(&mut self, name: &str, arguments: &[Token]) -> Ended {
        let flags: Vec<String> = match arguments.get(1) {
            Some(Token::List(flags)) => flags.iter().map(Token::text).collect(),
            _ => Vec::new(),
        };
        let texts: Vec<String> = arguments
            .iter()
            .skip(1)
            .filter_map(|token| match token {
                Token::Text(_) => Some(token.text()),
                _ => None,
            })
            .collect();
        let Some(Token::Text(text)) = arguments.last() else {
            return Err("BAD Could not parse command".into());
        };
        let date = texts.first().filter(|_| texts.len() > 1).and_then(|date| date_of(date.trim()));
        let arrived = date.map_or_else(now, |day| day * DAY);
        let text = text.clone();
        let appended = self.account(|account| {
            let uid = account.deliver(name, &text, &flags, arrived)?;
            Some((account.labels.get(name)?.uid_validity, uid))
        });
        match appended {
            Some((validity, uid)) => Ok(format!("[APPENDUID {validity} {uid}] (Success)")),
            None => Err("NO [TRYCREATE] No folder".into()),
        }
    }
}

/// Takes out what is marked `\Deleted`, of these UIDs.
pub(super) fn expunge(account: &mut Account, name: &str, of: &dyn Fn(u32) -> bool) {
    let Some(label) = account.labels.get(name) else { return };
    let marked: Vec<u32> =
        label.entries.iter().filter(|(uid, entry)| entry.deleted && of(**uid)).map(|(uid, _)| *uid).collect();
    for uid in marked {
        account.remove(name, uid);
    }
}

/// RFC 3501 6.3.8: `*` for anything, `%` for anything within a level.
fn matches(name: &[u8], pattern: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|at| matches(&name[at..], rest)),
        Some((b'%', rest)) => {
            let level = name.iter().position(|octet| *octet == b'/').unwrap_or(name.len());
            (0..=level).any(|at| matches(&name[at..], rest))
        }
        Some((octet, rest)) => {
            name.first().is_some_and(|n| n.eq_ignore_ascii_case(octet)) && matches(&name[1..], rest)
        }
    }
}
