//! Commands about messages of the open mailbox: FETCH, STORE, SEARCH, COPY, MOVE, EXPUNGE, by number and by UID.

use std::io::Write;

use super::super::account::{ALL_MAIL, Account, Message, Mode};
use super::super::letter::{envelope, nstring, section, structure};
use super::super::read::{Token, compact, set};
use super::super::search::{Candidate, DAY, fits};
use super::folders::expunge;
use super::{Ended, Session};
use pimap_types::Date;

/// Messages that a command names: number and UID.
type Named = Vec<(u32, u32)>;

impl Session<'_> {
    /// Executes such a command.
    pub(super) fn message_command(&mut self, verb: &str, arguments: &[Token]) -> std::io::Result<Ended> {
        if self.selected.is_none() {
            return Ok(Err(format!("BAD {verb} not allowed now.")));
        }
        let by_uid = verb == "UID";
        let (verb, arguments) = match arguments.split_first() {
            Some((word, rest)) if by_uid => (word.word(), rest),
            _ => (verb.to_owned(), arguments),
        };
        let named = arguments.first().map(|set| self.named(&set.text(), by_uid)).unwrap_or_default();
        let rest = arguments.get(1..).unwrap_or_default();
        let read_only = self.selected.as_ref().is_some_and(|selected| selected.read_only);
        Ok(match verb.as_str() {
            "FETCH" => self.fetch(&named, rest, by_uid)?,
            "SEARCH" => self.search(arguments, by_uid)?,
            _ if read_only && verb != "COPY" => Err(format!("NO [READ-ONLY] {verb} not allowed now.")),
            "STORE" => self.store(&named, rest, by_uid)?,
            "COPY" | "MOVE" => self.copy(&named, rest, verb == "MOVE")?,
            "EXPUNGE" => {
                let uids: Vec<u32> = named.iter().map(|(_, uid)| *uid).collect();
                let name = self.mailbox();
                self.account(|account| expunge(account, &name, &|uid| !by_uid || uids.contains(&uid)));
                Ok("Success".into())
            }
            _ => Err("BAD Unknown command".into()),
        })
    }

    fn mailbox(&self) -> String {
        self.selected.as_ref().map(|selected| selected.name.clone()).unwrap_or_default()
    }

    /// The messages of a set, as this connection knows them.
    fn named(&self, text: &str, by_uid: bool) -> Named {
        let told = self.selected.as_ref().map(|selected| &selected.told[..]).unwrap_or_default();
        let last = if by_uid { told.last().map_or(0, |(uid, _)| *uid) } else { told.len() as u32 };
        let holds = set(text, last);
        let all = told.iter().enumerate().map(|(at, (uid, _))| (at as u32 + 1, *uid));
        all.filter(|(number, uid)| holds(if by_uid { *uid } else { *number })).collect()
    }

    fn fetch(&mut self, named: &Named, rest: &[Token], by_uid: bool) -> std::io::Result<Ended> {
        if self.gmail.lock().habits.exhausted {
            return Ok(Err("NO [OVERQUOTA] Account exceeded command or bandwidth limits.".into()));
        }
        let mut items: Vec<String> =
            rest.first().map(|items| items.members().iter().map(Token::text).collect()).unwrap_or_default();
        let facts = ["FLAGS", "INTERNALDATE", "RFC822.SIZE"].map(str::to_owned).to_vec();
        match items.first().map(|word| word.to_ascii_uppercase()).as_deref() {
            Some("FAST") => items = facts,
            Some("ALL") => items = [facts, vec!["ENVELOPE".into()]].concat(),
            Some("FULL") => items = [facts, vec!["ENVELOPE".into(), "BODY".into()]].concat(),
            _ => {}
        }
        let modifiers = rest.get(1).map(Token::members).unwrap_or_default();
        let since =
            modifiers.windows(2).find(|pair| pair[0].word() == "CHANGEDSINCE").map(|pair| pair[1].text());
        let since: Option<u64> = since.and_then(|text| text.parse().ok());
        self.condstore |= since.is_some() || items.iter().any(|item| item.eq_ignore_ascii_case("MODSEQ"));
        if by_uid && !items.iter().any(|item| item.eq_ignore_ascii_case("UID")) {
            items.insert(0, "UID".into());
        }
        if since.is_some() && !items.iter().any(|item| item.eq_ignore_ascii_case("MODSEQ")) {
            items.push("MODSEQ".into());
        }
        let name = self.mailbox();
        let sees = items.iter().any(|item| reads(item));
        let read_only = self.selected.as_ref().is_some_and(|selected| selected.read_only);
        for (number, uid) in named {
            let line = self.account(|account| {
                let entry = *account.labels.get(&name)?.entries.get(uid)?;
                if since.is_some_and(|since| entry.mod_seq <= since) {
                    return None;
                }
                if sees && !read_only {
                    account.change(&name, *uid, Mode::Add, &["\\Seen".to_owned()]);
                }
                let message = account.messages.get(&entry.message)?;
                let shown: Vec<Vec<u8>> =
                    items.iter().filter_map(|word| item(account, &name, *uid, message, word)).collect();
                Some([format!("* {number} FETCH (").as_bytes(), &shown.join(&b' '), b")\r\n"].concat())
            });
            self.writer.write_all(&line.unwrap_or_default())?;
        }
        Ok(Ok("Success".into()))
    }

    fn store(&mut self, named: &Named, rest: &[Token], by_uid: bool) -> std::io::Result<Ended> {
        let (since, rest) = match rest.split_first() {
            Some((Token::List(modifier), rest)) => {
                (modifier.get(1).and_then(|n| n.text().parse::<u64>().ok()), rest)
            }
            _ => (None, rest),
        };
        let [word, flags @ ..] = rest else { return Ok(Err("BAD Could not parse command".into())) };
        let flags: Vec<String> =
            flags.iter().flat_map(|list| list.members().iter().map(Token::text)).collect();
        let word = word.word();
        let mode = match word.as_bytes().first() {
            Some(b'+') => Mode::Add,
            Some(b'-') => Mode::Remove,
            _ => Mode::Replace,
        };
        let (name, silent) = (self.mailbox(), word.ends_with(".SILENT"));
        let auto_expunge = self.gmail.lock().habits.auto_expunge;
        let (mut modified, mut lines) = (Vec::new(), Vec::new());
        for (number, uid) in named {
            self.account(|account| {
                let entry = account.labels.get(&name).and_then(|label| label.entries.get(uid)).copied();
                let Some(entry) = entry else { return };
                if since.is_some_and(|since| entry.mod_seq > since) {
                    modified.push(if by_uid { *uid } else { *number });
                    return;
                }
                account.change(&name, *uid, mode, &flags);
                let shown = account.flags(&name, *uid).join(" ");
                let mod_seq = account
                    .labels
                    .get(&name)
                    .and_then(|label| label.entries.get(uid))
                    .map_or(0, |e| e.mod_seq);
                lines.push((*number, *uid, shown, mod_seq));
            });
        }
        for (number, uid, shown, mod_seq) in lines {
            let of_uid = if by_uid { format!("UID {uid} ") } else { String::new() };
            let counted = if self.condstore { format!(" MODSEQ ({mod_seq})") } else { String::new() };
            if !silent || self.condstore {
                let flags = if silent { String::new() } else { format!("FLAGS ({shown})") };
                self.say(
                    &format!("* {number} FETCH ({of_uid}{flags}{counted})")
                        .replace("( ", "(")
                        .replace("  ", " "),
                )?;
            }
            if let Some(selected) = &mut self.selected {
                selected.told.iter_mut().filter(|(told, _)| *told == uid).for_each(|told| told.1 = mod_seq);
            }
            if auto_expunge {
                self.account(|account| expunge(account, &name, &|other| other == uid));
            }
        }
        let code =
            if modified.is_empty() { String::new() } else { format!("[MODIFIED {}] ", compact(&modified)) };
        Ok(Ok(format!("{code}Success")))
    }

    fn copy(&mut self, named: &Named, rest: &[Token], moved: bool) -> std::io::Result<Ended> {
        let Some(target) = rest.first().map(|name| Account::name(&name.text())) else {
            return Ok(Err("BAD Could not parse command".into()));
        };
        let name = self.mailbox();
        let copied = self.account(|account| {
            let validity = account.labels.get(&target)?.uid_validity;
            let mut pairs = Vec::new();
            for (_, uid) in named {
                let entry = account.labels.get(&name).and_then(|label| label.entries.get(uid)).copied();
                let Some(entry) = entry else { continue };
                pairs.push((*uid, account.label(&target, entry.message)));
                if moved && name != target && name != ALL_MAIL {
                    account.remove(&name, *uid);
                }
            }
            Some((validity, pairs))
        });
        let Some((validity, pairs)) = copied else { return Ok(Err("NO [TRYCREATE] No folder".into())) };
        let (from, to): (Vec<u32>, Vec<u32>) = pairs.into_iter().unzip();
        if from.is_empty() {
            return Ok(Ok("Success".into()));
        }
        let code = format!("[COPYUID {validity} {} {}]", compact(&from), compact(&to));
        if moved {
            self.say(&format!("* OK {code}"))?;
            return Ok(Ok("(Success)".into()));
        }
        Ok(Ok(format!("{code} (Success)")))
    }

    fn search(&mut self, arguments: &[Token], by_uid: bool) -> std::io::Result<Ended> {
        let (mut keys, mut extended) = (arguments, false);
        if let [first, Token::List(_), rest @ ..] = keys
            && first.word() == "RETURN"
        {
            (keys, extended) = (rest, true);
        }
        if let [first, _, rest @ ..] = keys
            && first.word() == "CHARSET"
        {
            keys = rest;
        }
        let (name, all) = (self.mailbox(), self.named("1:*", false));
        let last = all.last().copied().unwrap_or_default();
        let found = self.account(|account| {
            let there = all
                .iter()
                .filter(|(_, uid)| account.labels.get(&name).is_some_and(|l| l.entries.contains_key(uid)));
            let mut found = Vec::new();
            for (number, uid) in there {
                let candidate = Candidate { account, mailbox: &name, number: *number, uid: *uid, last };
                if fits(&candidate, keys).ok()? {
                    found.push(if by_uid { *uid } else { *number });
                }
            }
            Some(found)
        });
        let Some(found) = found else { return Ok(Err("BAD Could not parse command".into())) };
        if extended {
            let uid = if by_uid { " UID" } else { "" };
            let all = if found.is_empty() { String::new() } else { format!(" ALL {}", compact(&found)) };
            let tag = self.tag.clone();
            self.say(&format!("* ESEARCH (TAG \"{tag}\"){uid}{all}"))?;
        } else {
            let numbers: String = found.iter().map(|number| format!(" {number}")).collect();
            self.say(&format!("* SEARCH{numbers}"))?;
        }
        Ok(Ok("SEARCH completed (Success)".into()))
    }
}

/// Whether an item sets `\Seen`.
fn reads(item: &str) -> bool {
    let item = item.to_ascii_uppercase();
    item.starts_with("BODY[") || item == "RFC822" || item == "RFC822.TEXT"
}

/// An item of FETCH with its name.
fn item(account: &Account, name: &str, uid: u32, message: &Message, word: &str) -> Option<Vec<u8>> {
    let upper = word.to_ascii_uppercase();
    let entry = account.labels.get(name)?.entries.get(&uid)?;
    let value = match upper.as_str() {
        "UID" => uid.to_string().into_bytes(),
        "FLAGS" => format!("({})", account.flags(name, uid).join(" ")).into_bytes(),
        "MODSEQ" => format!("({})", entry.mod_seq).into_bytes(),
        "RFC822.SIZE" => message.text.len().to_string().into_bytes(),
        "INTERNALDATE" => internal_date(message.arrived).into_bytes(),
        "ENVELOPE" => envelope(&message.text),
        "BODYSTRUCTURE" => structure(&message.text, true),
        "BODY" => structure(&message.text, false),
        "RFC822" => nstring(section(&message.text, "").as_deref()),
        "RFC822.HEADER" => nstring(section(&message.text, "HEADER").as_deref()),
        "RFC822.TEXT" => nstring(section(&message.text, "TEXT").as_deref()),
        "X-GM-MSGID" | "X-GM-THRID" => entry.message.to_string().into_bytes(),
        "X-GM-LABELS" => {
            let labels: Vec<Vec<u8>> =
                account.labels_of(entry.message, name).iter().map(|label| quoted(label)).collect();
            [&b"("[..], &labels.join(&b' '), b")"].concat()
        }
        _ => return body(message, word),
    };
    Some([upper.as_bytes(), b" ", &value].concat())
}

/// A label may begin with a backslash, which quoted strings escape.
fn quoted(label: &str) -> Vec<u8> {
    format!("\"{}\"", label.replace('\\', "\\\\")).into_bytes()
}

/// `BODY[section]<from.length>`
fn body(message: &Message, word: &str) -> Option<Vec<u8>> {
    let (_, rest) = word.split_once('[')?;
    let (name, partial) = rest.split_once(']')?;
    let octets = section(&message.text, name);
    let partial = partial.trim_matches(['<', '>']).split_once('.');
    let Some((from, length)) = partial else {
        return Some([format!("BODY[{name}] ").as_bytes(), &nstring(octets.as_deref())].concat());
    };
    let (from, length): (usize, usize) = (from.parse().ok()?, length.parse().ok()?);
    let cut = octets.map(|octets| {
        let from = from.min(octets.len());
        octets[from..octets.len().min(from.saturating_add(length))].to_vec()
    });
    Some([format!("BODY[{name}]<{from}> ").as_bytes(), &nstring(cut.as_deref())].concat())
}

fn internal_date(seconds: i64) -> String {
    let (day, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let date = Date(i32::try_from(day).unwrap_or(0));
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("\"{:>11} {hour:02}:{minute:02}:{:02} +0000\"", date.to_string(), second % 60)
}
