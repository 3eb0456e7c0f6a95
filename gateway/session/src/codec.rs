//! A small binary coding for rows: varints and length-prefixed bytes. Reading never panics and never trusts a length.

/// Writes values one behind the other.
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Begins a row with its version.
    pub fn version(version: u8) -> Self {
        Self(vec![version])
    }
    /// An unsigned number, 7 bits an octet.
    pub fn number(&mut self, mut n: u64) -> &mut Self {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
        self
    }
    /// One octet as it is.
    pub fn octet(&mut self, octet: u8) -> &mut Self {
        self.0.push(octet);
        self
    }
    /// A signed number.
    pub fn signed(&mut self, n: i64) -> &mut Self {
        self.number(((n << 1) ^ (n >> 63)) as u64)
    }
    /// A truth value.
    pub fn flag(&mut self, b: bool) -> &mut Self {
        self.number(u64::from(b))
    }
    /// Octets with their length.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }
    /// Text with its length.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }
    /// A text that may be absent.
    pub fn optional_text(&mut self, text: Option<&str>) -> &mut Self {
        self.flag(text.is_some());
        if let Some(text) = text {
            self.text(text);
        }
        self
    }
    /// The row.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads what a [`Writer`] wrote; `None` at the first thing that does not fit.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Opens a row of the version expected.
    pub fn version(row: &'a [u8], version: u8) -> Option<Self> {
        let (first, rest) = row.split_first()?;
        (*first == version).then_some(Self(rest))
    }
    /// An unsigned number.
    pub fn number(&mut self) -> Option<u64> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            n |= u64::from(first & 0x7F).checked_shl(shift)?;
            if first & 0x80 == 0 {
                return Some(n);
            }
        }
        None
    }
    /// One octet as it is.
    pub fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }
    /// A number that fits 32 bits.
    pub fn small(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }
    /// A signed number.
    pub fn signed(&mut self) -> Option<i64> {
        let n = self.number()?;
        Some((n >> 1) as i64 ^ -((n & 1) as i64))
    }
    /// A truth value.
    pub fn flag(&mut self) -> Option<bool> {
        match self.number()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
    /// Octets.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        if length > self.0.len() {
            return None;
        }
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(bytes)
    }
    /// Text.
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
    /// A text that may be absent: the outer `None` is damage.
    pub fn optional_text(&mut self) -> Option<Option<&'a str>> {
        if self.flag()? { self.text().map(Some) } else { Some(None) }
    }
    /// Whether all was read.
    pub fn at_end(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_cut_rows_are_refused() {
        let mut w = Writer::version(3);
        w.number(u64::MAX)
            .signed(-5)
            .flag(true)
            .bytes(b"ab")
            .text("ö")
            .optional_text(None)
            .optional_text(Some("x"));
        let row = w.finish();
        let read = |row: &[u8]| {
            let mut r = Reader::version(row, 3)?;
            let values = (
                r.number()?,
                r.signed()?,
                r.flag()?,
                r.bytes()?.to_vec(),
                r.text()?.to_owned(),
                r.optional_text()?.map(str::to_owned),
                r.optional_text()?.map(str::to_owned),
            );
            r.at_end().then_some(values)
        };
        let whole = read(&row).expect("whole row");
        assert_eq!(whole, (u64::MAX, -5, true, b"ab".to_vec(), "ö".into(), None, Some("x".into())));
        for cut in 0..row.len() {
            assert_eq!(read(&row[..cut]), None, "cut at {cut}");
        }
        assert!(Reader::version(&row, 4).is_none());
    }
}
