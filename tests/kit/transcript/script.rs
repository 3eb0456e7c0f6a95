//! The text of a scene, line by line.

use super::Party;

/// One line of a scene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A comment or an empty line, kept as it is.
    Nothing,
    /// `# name: value`.
    Head(String, String),
    /// `C:` and `U<`: this party sends the line to the gateway.
    Send(Party, String),
    /// `S:` and `U>`: the gateway says the line to this party.
    Hear(Party, String),
    /// `S{ … }`: the gateway says these lines to this party in any order.
    HearAnyOrder(Party, Vec<String>),
    /// `S closes`.
    Closes(Party),
    /// `@`.
    World(String),
}

/// A whole scene: acts with the number of the line where each begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script(pub Vec<(usize, Act, String)>);

impl Script {
    /// Reads a scene; `Err` names the line.
    pub fn read(text: &str) -> Result<Script, String> {
        let mut acts = Vec::new();
        let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim_end()));
        while let Some((number, line)) = lines.next() {
            let act = act(line).map_err(|error| format!("line {number}: {error}"))?;
            let act = match act {
                Act::HearAnyOrder(party, mut inner) => {
                    loop {
                        let (_, line) =
                            lines.next().ok_or(format!("line {number}: a group without an end"))?;
                        if line == "}" {
                            break;
                        }
                        inner.push(line.trim_start().to_owned());
                    }
                    Act::HearAnyOrder(party, inner)
                }
                other => other,
            };
            acts.push((number, act, line.to_owned()));
        }
        Ok(Script(acts))
    }

    /// The value of a head line.
    pub fn head(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(_, act, _)| match act {
            Act::Head(key, value) if key == name => Some(value.as_str()),
            _ => None,
        })
    }
}

impl Act {
    /// The act as it is written.
    pub fn write(&self) -> String {
        match self {
            Act::Nothing => String::new(),
            Act::Head(name, value) => format!("# {name}: {value}\n"),
            Act::Send(Party::Handset(name), line) => format!("C{name}: {line}\n"),
            Act::Send(Party::Upstream, line) => format!("U< {line}\n"),
            Act::Hear(Party::Handset(name), line) => format!("S{name}: {line}\n"),
            Act::Hear(Party::Upstream, line) => format!("U> {line}\n"),
            Act::HearAnyOrder(Party::Handset(name), lines) => group(&format!("S{name}{{"), lines),
            Act::HearAnyOrder(Party::Upstream, lines) => group("U>{", lines),
            Act::Closes(Party::Handset(name)) => format!("S{name} closes\n"),
            Act::Closes(Party::Upstream) => "U> closes\n".to_owned(),
            Act::World(words) => format!("@ {words}\n"),
        }
    }
}

fn group(head: &str, lines: &[String]) -> String {
    let inner: String = lines.iter().map(|line| format!("  {line}\n")).collect();
    format!("{head}\n{inner}}}\n")
}

fn act(line: &str) -> Result<Act, String> {
    if let Some(comment) = line.strip_prefix('#') {
        let head = comment.trim_start().split_once(": ");
        return Ok(match head {
            Some((name, value)) if !name.contains(' ') => Act::Head(name.to_owned(), value.trim().to_owned()),
            _ => Act::Nothing,
        });
    }
    if line.is_empty() {
        return Ok(Act::Nothing);
    }
    if let Some(words) = line.strip_prefix("@ ") {
        return Ok(Act::World(words.to_owned()));
    }
    match line {
        "U>{" => return Ok(Act::HearAnyOrder(Party::Upstream, Vec::new())),
        "U> closes" => return Ok(Act::Closes(Party::Upstream)),
        _ => {}
    }
    if let Some(rest) = line.strip_prefix("U> ") {
        return Ok(Act::Hear(Party::Upstream, rest.to_owned()));
    }
    if let Some(rest) = line.strip_prefix("U< ") {
        return Ok(Act::Send(Party::Upstream, rest.to_owned()));
    }
    handset_act(line).ok_or_else(|| format!("no act: {line}"))
}

/// `C:`, `S:`, `S{` and `S closes`, each with the name of a connection after the letter.
fn handset_act(line: &str) -> Option<Act> {
    let said = line.starts_with('S');
    let rest = line.strip_prefix(['C', 'S'])?;
    let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let (name, rest) = rest.split_at(length);
    let party = Party::Handset(name.to_owned());
    let text = match rest.strip_prefix(':') {
        Some(text) => text.strip_prefix(' ').unwrap_or(text).to_owned(),
        None if said && rest == "{" => return Some(Act::HearAnyOrder(party, Vec::new())),
        None if said && rest == " closes" => return Some(Act::Closes(party)),
        None => return None,
    };
    Some(if said { Act::Hear(party, text) } else { Act::Send(party, text) })
}
