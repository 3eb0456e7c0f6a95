//! The mail that is added: a few letters that differ in whatever a search may ask for.

/// A letter that can be added: sender, subject, text.
pub struct Letter {
    pub from: &'static str,
    pub text: &'static str,
    pub date: &'static str,
}

/// Who writes what; by alice and by others.
pub const LETTERS: [Letter; 6] = [
    Letter { from: "alice@example.org", text: "hello", date: "05-Mar-2006 10:00:00 +0000" },
    Letter { from: "bob@example.org", text: "the report is attached", date: "06-Mar-2006 09:00:00 +0000" },
    Letter { from: "\"Alice B.\" <alice@example.com>", text: "lunch?", date: "07-Mar-2006 23:30:00 -0500" },
    Letter { from: "carol@example.net", text: "hello again, hello", date: "06-Mar-2006 00:10:00 +0900" },
    Letter {
        from: "Alice <alice@example.org>",
        text: "attached is the long report that you asked for, and more.",
        date: "06-Mar-2006 12:00:00 +0000",
    },
    Letter { from: "dave@example.org", text: "x", date: "04-Mar-2006 12:00:00 +0000" },
];

impl Letter {
    /// Whether the filter shows it.
    pub fn is_by_alice(&self) -> bool {
        self.from.contains("alice")
    }

    /// The message; `number` makes its subject its own.
    pub fn write(&self, number: usize) -> String {
        let subject = if number.is_multiple_of(2) { "report" } else { "lunch" };
        format!(
            "From: {}\r\nTo: joe@example.org\r\nSubject: {subject} {number}\r\nDate: Sun, 05 Mar 2006 10:00:00 +0000\r\n\
             Message-ID: <{number}@example.org>\r\n\r\n{}\r\n",
            self.from, self.text
        )
    }
}

/// APPEND of a message.
pub fn append(mailbox: &str, flags: &str, date: &str, message: &str) -> String {
    format!("APPEND \"{mailbox}\" ({flags}) \"{date}\" {{{}+}}\r\n{message}", message.len())
}
