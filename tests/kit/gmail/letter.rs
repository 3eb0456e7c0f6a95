//! What a message consists of: its header, its parts, and how FETCH shows them.

/// A field of the header, unfolded.
pub(super) fn header(text: &[u8], name: &str) -> Option<String> {
    let (head, _) = split(text);
    fields(head).into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The header with the empty line after it, and the body.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    match text.windows(4).position(|window| window == b"\r\n\r\n") {
        Some(at) => text.split_at(at + 4),
        None => (text, &[]),
    }
}

fn lines_of(head: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in head.split_inclusive(|octet| *octet == b'\n') {
        match lines.last_mut() {
            Some(last) if line.starts_with(b" ") || line.starts_with(b"\t") => last.extend_from_slice(line),
            _ => lines.push(line.to_vec()),
        }
    }
    lines
}

fn fields(head: &[u8]) -> Vec<(String, String)> {
    let field = |line: Vec<u8>| {
        let text = String::from_utf8_lossy(&line).replace("\r\n", "");
        text.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
    };
    lines_of(head).into_iter().filter_map(field).collect()
}

/// A part, or the whole message.
struct Part<'a> {
    head: &'a [u8],
    body: &'a [u8],
}

impl<'a> Part<'a> {
    fn of(text: &'a [u8]) -> Part<'a> {
        let (head, body) = split(text);
        Part { head, body }
    }

    fn field(&self, name: &str) -> Option<String> {
        fields(self.head)
            .into_iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Type, subtype and parameters.
    fn kind(&self) -> (String, String, Vec<(String, String)>) {
        let value = self.field("content-type").unwrap_or_else(|| "text/plain; charset=us-ascii".into());
        let mut parts = value.split(';');
        let kind = parts.next().unwrap_or_default().trim().to_ascii_uppercase();
        let (kind, subtype) = kind.split_once('/').unwrap_or(("TEXT", "PLAIN"));
        let parameter = |part: &str| {
            let (name, value) = part.split_once('=')?;
            Some((name.trim().to_ascii_uppercase(), value.trim().trim_matches('"').to_owned()))
        };
        (kind.to_owned(), subtype.to_owned(), parts.filter_map(parameter).collect())
    }

    fn children(&self) -> Vec<Part<'a>> {
        let (kind, _, parameters) = self.kind();
        let boundary = parameters.into_iter().find(|(name, _)| name == "BOUNDARY");
        let (true, Some((_, boundary))) = (kind == "MULTIPART", boundary) else { return Vec::new() };
        let mark = format!("--{boundary}").into_bytes();
        let mut starts: Vec<(usize, usize)> = Vec::new();
        let mut at = 0;
        for line in self.body.split_inclusive(|octet| *octet == b'\n') {
            if line.starts_with(&mark) {
                starts.push((at, at + line.len()));
            }
            at += line.len();
        }
        let between = starts.windows(2).filter_map(|pair| self.body.get(pair[0].1..pair[1].0));
        // The line's end before a boundary belongs to the boundary.
        between.map(|text| Part::of(text.strip_suffix(b"\r\n").unwrap_or(text))).collect()
    }
}

/// A string, or NIL.
pub(super) fn nstring(text: Option<&[u8]>) -> Vec<u8> {
    match text {
        None => b"NIL".to_vec(),
        Some(text) if text.iter().all(|b| (b' '..=b'~').contains(b) && !matches!(b, b'"' | b'\\')) => {
            [b"\"", text, b"\""].concat()
        }
        Some(text) => [format!("{{{}}}\r\n", text.len()).as_bytes(), text].concat(),
    }
}

fn text_or_nil(text: Option<String>) -> Vec<u8> {
    nstring(text.as_deref().map(str::as_bytes))
}

fn parameters(all: &[(String, String)]) -> Vec<u8> {
    if all.is_empty() {
        return b"NIL".to_vec();
    }
    let pair = |(name, value): &(String, String)| {
        [nstring(Some(name.as_bytes())), b" ".to_vec(), nstring(Some(value.as_bytes()))].concat()
    };
    let pairs: Vec<Vec<u8>> = all.iter().map(pair).collect();
    [&b"("[..], &pairs.join(&b' '), b")"].concat()
}

/// BODYSTRUCTURE, or BODY.
pub(super) fn structure(text: &[u8], extended: bool) -> Vec<u8> {
    part_structure(&Part::of(text), extended)
}

fn part_structure(part: &Part<'_>, extended: bool) -> Vec<u8> {
    let (kind, subtype, given) = part.kind();
    let children = part.children();
    if !children.is_empty() {
        let inner: Vec<u8> = children.iter().flat_map(|child| part_structure(child, extended)).collect();
        let tail =
            if extended { [b" ", &parameters(&given)[..], b" NIL NIL NIL"].concat() } else { Vec::new() };
        return [b"(", &inner[..], b" ", &nstring(Some(subtype.as_bytes())), &tail, b")"].concat();
    }
    let encoding =
        part.field("content-transfer-encoding").unwrap_or_else(|| "7BIT".into()).to_ascii_uppercase();
    let mut items = vec![
        nstring(Some(kind.as_bytes())),
        nstring(Some(subtype.as_bytes())),
        parameters(&given),
        text_or_nil(part.field("content-id")),
        text_or_nil(part.field("content-description")),
        nstring(Some(encoding.as_bytes())),
        part.body.len().to_string().into_bytes(),
    ];
    if kind == "TEXT" {
        items.push(part.body.iter().filter(|octet| **octet == b'\n').count().to_string().into_bytes());
    }
    if extended {
        items.extend(std::iter::repeat_n(b"NIL".to_vec(), 4));
    }
    [&b"("[..], &items.join(&b' '), b")"].concat()
}

/// ENVELOPE (RFC 3501 7.4.2).
pub(super) fn envelope(text: &[u8]) -> Vec<u8> {
    let part = Part::of(text);
    let from = part.field("from");
    let people = |name: &str| addresses(part.field(name).or_else(|| from.clone()).as_deref());
    let some = |name: &str| addresses(part.field(name).as_deref());
    let items = [
        text_or_nil(part.field("date")),
        text_or_nil(part.field("subject")),
        people("from"),
        people("sender"),
        people("reply-to"),
        some("to"),
        some("cc"),
        some("bcc"),
        text_or_nil(part.field("in-reply-to")),
        text_or_nil(part.field("message-id")),
    ];
    [&b"("[..], &items.join(&b' '), b")"].concat()
}

fn addresses(value: Option<&str>) -> Vec<u8> {
    let Some(value) = value else { return b"NIL".to_vec() };
    let address = |one: &str| {
        let (name, address) = match one.split_once('<') {
            Some((name, rest)) => {
                (Some(name.trim().trim_matches('"')), rest.trim_end().trim_end_matches('>'))
            }
            None => (None, one.trim()),
        };
        let (user, host) = address.split_once('@').unwrap_or((address, ""));
        let name = name.filter(|name| !name.is_empty()).map(str::as_bytes);
        let items =
            [nstring(name), b"NIL".to_vec(), nstring(Some(user.as_bytes())), nstring(Some(host.as_bytes()))];
        [&b"("[..], &items.join(&b' '), b")"].concat()
    };
    let all: Vec<u8> = value.split(',').flat_map(address).collect();
    [&b"("[..], &all, b")"].concat()
}

/// What stands between the brackets of `BODY[…]`.
pub(super) fn section(text: &[u8], name: &str) -> Option<Vec<u8>> {
    let (mut part, mut rest, mut nested) = (Part::of(text), name, false);
    while let Some(digits) = rest.split('.').next().filter(|word| word.parse::<usize>().is_ok()) {
        let number: usize = digits.parse().ok()?;
        let mut children = part.children();
        nested = true;
        rest = rest.strip_prefix(digits)?.trim_start_matches('.');
        if children.is_empty() {
            // A message that is one part has it under the number 1.
            if number != 1 {
                return None;
            }
            break;
        }
        if number == 0 || number > children.len() {
            return None;
        }
        part = children.swap_remove(number - 1);
    }
    let upper = rest.to_ascii_uppercase();
    let words =
        rest.split_once('(').map(|(_, list)| list.trim_end_matches(')').replace('"', "")).unwrap_or_default();
    let named = |line: &[u8]| {
        let field = String::from_utf8_lossy(line).split(':').next().unwrap_or_default().to_owned();
        words.split(' ').any(|word| word.eq_ignore_ascii_case(&field))
    };
    let chosen = |wanted: bool| {
        let lines = lines_of(part.head).into_iter().filter(|line| line.len() > 2 && named(line) == wanted);
        [lines.flatten().collect::<Vec<u8>>(), b"\r\n".to_vec()].concat()
    };
    match upper.as_str() {
        "" if nested => Some(part.body.to_vec()),
        "" => Some(text.to_vec()),
        "TEXT" => Some(part.body.to_vec()),
        "HEADER" | "MIME" => Some(part.head.to_vec()),
        other if other.starts_with("HEADER.FIELDS.NOT") => Some(chosen(false)),
        other if other.starts_with("HEADER.FIELDS") => Some(chosen(true)),
        _ => None,
    }
}
