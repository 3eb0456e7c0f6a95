# A tour with imaplib: everything the server says is printed, but for what cannot be equal on two accounts.
import imaplib, re, ssl, sys

port, name, password, security, authority = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
if security == "tls":
    imap = imaplib.IMAP4_SSL("localhost", int(port), ssl_context=context)
else:
    imap = imaplib.IMAP4("localhost", int(port))
    if security == "starttls":
        imap.starttls(context)
assert imap.PROTOCOL_VERSION == "IMAP4REV1"
assert imap.login(name, password)[0] == "OK"


def tell(what, answer, texts=False):
    """Prints an answer; the text of a status is the server's own business."""
    status, data = answer
    if not texts:
        # \\Recent is a mark of the one who looks first, be it another session.
        # So are the hints of LIST at whether there is news.
        data = re.sub(r"(?i)\\\\(un)?marked", "", repr(data))
        data = data.replace("\\\\Recent", "").replace("  ", " ").replace(" )", ")").replace("( ", "(")
        if what.startswith("store"):
            # RFC 3501 7.4.2: more than was asked for may be told.
            data = re.sub(r"UID \d+ ", "", data)
    print(what, status, data if status == "OK" and not texts else "")


def quiet(what, answer):
    tell(what, answer, texts=True)


tell("list", ("OK", sorted(imap.list('""', "*")[1])))
tell("list %", ("OK", sorted(imap.list('""', "%")[1])))
tell("delimiter", imap.list('""', '""'))
tell("select", imap.select("INBOX"))
for code in ["FLAGS", "EXISTS", "RECENT", "READ-WRITE", "TRYCREATE"]:
    print(code, imap.response(code) if code not in ("RECENT",) else "")
permanent = imap.response("PERMANENTFLAGS")[1]
print("permanent", b"\\*" in permanent[0])
tell("search", imap.search(None, "SUBJECT", "two"))
tell("search or", imap.search(None, "OR", "SUBJECT", "one", "NOT", "SEEN", "SMALLER", "100000"))
imap.literal = "sé".encode()
tell("search utf-8", imap.search("UTF-8", "BODY"))
tell("search since", imap.search(None, "UNSEEN", "SINCE", "1-Jan-2006"))
tell("search none", imap.search(None, "FROM", "nobody"))
tell("uid search", imap.uid("SEARCH", None, "ALL"))
tell("fetch", imap.fetch("1:3", "(UID FLAGS RFC822.SIZE ENVELOPE BODYSTRUCTURE)"))
tell("header", imap.fetch("2", "(BODY.PEEK[HEADER.FIELDS (SUBJECT DATE)])"))
tell("part", imap.fetch("2", "(BODY.PEEK[2] BODY.PEEK[1.MIME])"))
tell("partial", imap.fetch("3", "(BODY.PEEK[]<10.20>)"))
# RFC 3501 7.4.2 leaves open whether the new flags stand beside the body or in a response of their own.
sees = imap.fetch("1", "(BODY[TEXT])")[1]
print("sees", sees[0][1], "told" if "\\Seen" in repr(sees).replace("\\\\", "\\") else "untold")
tell("seen", imap.fetch("1", "(FLAGS)"))
try:
    imap.fetch("9", "FLAGS")
except imap.error as error:
    print("beyond the end is refused as", str(error).split()[3])
tell("uid fetch", imap.uid("FETCH", "1:*", "(FLAGS)"))
tell("uid fetch none", imap.uid("FETCH", "1000:1001", "(FLAGS)"))
tell("store", imap.store("1:2", "+FLAGS", "(\\Flagged $Work)"))
tell("store less", imap.store("2", "-FLAGS", "(\\Flagged)"))
tell("store silent", imap.store("3", "FLAGS.SILENT", "(\\Answered)"))
# Whatever the server still wants to say of it is said now.
imap.noop()
imap.response("FETCH")
tell("flags", imap.fetch("1:*", "(FLAGS)"))
tell("keyword", imap.search(None, "KEYWORD", "$Work"))
tell("noop", ("OK", [])) if imap.noop()[0] == "OK" else print("noop fails")
quiet("create", imap.create("Tour"))
quiet("create again", imap.create("Tour"))
quiet("create below", imap.create("Tour/Deep"))
quiet("subscribe", imap.subscribe("Tour"))
tell("lsub", ("OK", sorted(imap.lsub('""', "Tour*")[1])))
quiet("unsubscribe", imap.unsubscribe("Tour"))
quiet("append", imap.append("Tour", "(\\Seen)", '"06-Mar-2006 09:00:00 +0000"', b"Subject: appended\r\n\r\nHello.\r\n"))
quiet("append nowhere", imap.append("Nowhere", None, None, b"Subject: x\r\n\r\nHello.\r\n"))
quiet("copy", imap.copy("1:2", "Tour"))
quiet("copy nowhere", imap.copy("1", "Nowhere"))
tell("status", imap.status("Tour", "(MESSAGES UIDNEXT UNSEEN)"))
quiet("status nowhere", imap.status("Nowhere", "(MESSAGES)"))
tell("store deleted", imap.store("1", "+FLAGS", "(\\Deleted)"))
tell("expunge", imap.expunge())
tell("left", imap.fetch("1:*", "(UID FLAGS)"))
tell("examine", imap.select("Tour", readonly=True))
tell("date", imap.fetch("1", "(INTERNALDATE RFC822)"))
tell("read by RFC822.TEXT", imap.fetch("3", "(RFC822.TEXT BODY[])"))
tell("still unseen", imap.fetch("3", "(FLAGS)"))
quiet("unselect", imap.unselect())
try:
    imap.fetch("1", "(FLAGS)")
except imap.error:
    print("refused without a mailbox")
tell("select deep", imap.select("Tour/Deep"))
quiet("close", imap.close())
quiet("rename", imap.rename("Tour/Deep", "Tour/Deeper"))
quiet("rename nowhere", imap.rename("Nowhere", "Elsewhere"))
tell("list below", ("OK", sorted(imap.list("Tour/", "*")[1])))
quiet("delete below", imap.delete("Tour/Deeper"))
quiet("delete", imap.delete("Tour"))
quiet("delete again", imap.delete("Tour"))
quiet("select nowhere", imap.select("Nowhere"))
print("bye", imap.logout()[0])
print("all is well")
