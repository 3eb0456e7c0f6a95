//! What an upstream can do, as data (design D3): a few booleans, not a bag of strings kept per connection.

/// Capabilities that change how the gateway asks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Capabilities {
    /// AUTH=OAUTHBEARER (RFC 7628)
    pub auth_oauth_bearer: bool,
    /// AUTH=PLAIN (RFC 4616)
    pub auth_plain: bool,
    /// AUTH=XOAUTH2
    pub auth_xoauth2: bool,
    /// CONDSTORE (RFC 7162), announced or implied by QRESYNC.
    pub condstore: bool,
    /// ENABLE (RFC 5161)
    pub enable: bool,
    /// ESEARCH (RFC 4731)
    pub esearch: bool,
    /// ID (RFC 2971)
    pub id: bool,
    /// IDLE (RFC 2177)
    pub idle: bool,
    /// LOGINDISABLED (RFC 3501 6.2.3)
    pub login_disabled: bool,
    /// MOVE (RFC 6851)
    pub r#move: bool,
    /// NOTIFY (RFC 5465)
    pub notify: bool,
    /// QRESYNC (RFC 7162)
    pub qresync: bool,
    /// STARTTLS
    pub starttls: bool,
    /// UIDPLUS (RFC 4315)
    pub uid_plus: bool,
    /// UNSELECT (RFC 3691)
    pub unselect: bool,
}

impl Capabilities {
    /// Reads the words of a CAPABILITY response, in capitals.
    pub fn from_words<S: AsRef<str>>(words: &[S]) -> Self {
        let has = |word: &str| words.iter().any(|w| w.as_ref() == word);
        Self {
            auth_oauth_bearer: has("AUTH=OAUTHBEARER"),
            auth_plain: has("AUTH=PLAIN"),
            auth_xoauth2: has("AUTH=XOAUTH2"),
            condstore: has("CONDSTORE") || has("QRESYNC"),
            enable: has("ENABLE"),
            esearch: has("ESEARCH"),
            id: has("ID"),
            idle: has("IDLE"),
            login_disabled: has("LOGINDISABLED"),
            r#move: has("MOVE"),
            notify: has("NOTIFY"),
            qresync: has("QRESYNC"),
            starttls: has("STARTTLS"),
            uid_plus: has("UIDPLUS"),
            unselect: has("UNSELECT"),
        }
    }
}
