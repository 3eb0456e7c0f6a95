// A Gmail-like server: labels, and mailboxes below [Gmail]. The kit fills in the words between at signs.
const hoodiecrow = require("@MODULE@");
const server = hoodiecrow({
  plugins: ["ID", "SASL-IR", "AUTH-PLAIN", "NAMESPACE", "IDLE", "ENABLE", "LITERALPLUS", "UNSELECT", "SPECIAL-USE",
    "UIDPLUS", "MOVE", "X-GM-EXT-1"],
  users: { joe: { password: "pw" }, ann: { password: "pw" } },
  storage: {
    INBOX: {},
    "": {
      separator: "/",
      folders: {
        "[Gmail]": {
          flags: ["\\Noselect"],
          folders: { "All Mail": { "special-use": "\\All" }, Trash: { "special-use": "\\Trash" } },
        },
      },
    },
  },
});
server.listen(@IMAP@, "127.0.0.1");
