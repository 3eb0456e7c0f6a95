# A tour with IMAPClient: everything it makes of the server's answers is printed, but for what cannot be equal on two accounts.
import sys
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

port, name, password = sys.argv[1:4]
client = IMAPClient("localhost", port=int(port), ssl=False)
client.login(name, password)
# What it kept of the greeting is forgotten after login, and it sends literals only when it knows how.
client.capabilities()


def forgetting_recent(answer):
    """\\Recent is a mark of the one who looks first, be it another session."""
    if isinstance(answer, dict):
        return {key: forgetting_recent(value) for key, value in sorted(answer.items())}
    return tuple(word for word in answer if word != b"\\Recent") if type(answer) is tuple else answer


def tell(what, call, *arguments, hide=()):
    try:
        answer = call(*arguments)
    except IMAPClientError as error:
        print(what, "is refused")
        return None
    if isinstance(answer, dict):
        answer = {key: value for key, value in answer.items() if key not in hide}
    print(what, forgetting_recent(answer))
    return answer


def quiet(what, call, *arguments):
    try:
        call(*arguments)
        print(what, "is done")
    except IMAPClientError:
        print(what, "is refused")


# Whether there is news in a mailbox is a hint for whoever looks first.
def lasting(item):
    return tuple(word for word in item[0] if word.lower() not in (b"\\marked", b"\\unmarked")), *item[1:]


print("folders", sorted(str(lasting(item)) for item in client.list_folders()))
tell("exists", client.folder_exists, "INBOX")
tell("exists not", client.folder_exists, "Nowhere")
tell("select", client.select_folder, "INBOX", hide=(b"UIDVALIDITY", b"HIGHESTMODSEQ", b"RECENT", b"UIDNEXT", b"UNSEEN"))
ids = tell("search", client.search, "ALL")
tell("subject", client.search, ["SUBJECT", "two"])
tell("nested", client.search, ["OR", ["SUBJECT", "one"], ["NOT", ["SUBJECT", "two"]]])
tell("charset", client.search, ["SUBJECT", "zwölf"], "UTF-8")
tell("fetch", client.fetch, ids, ["FLAGS", "RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE"])
tell("header", client.fetch, ids[:1], ["BODY.PEEK[HEADER.FIELDS (SUBJECT DATE)]"])
tell("part", client.fetch, ids[1:2], ["BODY.PEEK[1]", "BODY.PEEK[2]<0.4>"])
tell("add", client.add_flags, ids[:2], [b"\\Flagged", b"$Work"])
tell("remove", client.remove_flags, ids[:1], b"\\Flagged")
tell("set", client.set_flags, ids[2:], [b"\\Seen"])
tell("silent", client.add_flags, ids[2:], b"\\Answered", True)
tell("flags", client.get_flags, ids)
quiet("create", client.create_folder, "Tür & Tor")
quiet("create again", client.create_folder, "Tür & Tor")
print("utf-7", [item[2] for item in client.list_folders("", "T%") if "T" in item[2] and item[2] != "Trash"])
quiet("subscribe", client.subscribe_folder, "Tür & Tor")
print("subscribed", [item[2] for item in client.list_sub_folders("", "T*")])
quiet("unsubscribe", client.unsubscribe_folder, "Tür & Tor")
quiet("append", client.append, "Tür & Tor", b"Subject: appended\r\n\r\nHello.\r\n", [b"\\Seen"])
quiet("copy", client.copy, ids[:2], "Tür & Tor")
tell("status", client.folder_status, "Tür & Tor", ["MESSAGES", "UNSEEN"])
if client.has_capability("MOVE"):
    client.move(ids[1:2], "Tür & Tor")
else:
    # A poor server has none; the gateway before it has.
    client.copy(ids[1:2], "Tür & Tor")
    client.delete_messages(ids[1:2], silent=True)
    client.uid_expunge(ids[1:2])
tell("left", client.search, "ALL")
tell("status after the move", client.folder_status, "Tür & Tor", ["MESSAGES", "UNSEEN"])
client.delete_messages(ids[:1], silent=True)
quiet("uid expunge", client.uid_expunge, ids[:1])
tell("left", client.search, "ALL")
client.idle()
client.idle_check(timeout=0.01)
print("idle", client.idle_done()[0] is not None)
quiet("close", client.close_folder)
quiet("select nowhere", client.select_folder, "Nowhere")
tell("examine", client.select_folder, "Tür & Tor", True, hide=(b"UIDVALIDITY", b"HIGHESTMODSEQ", b"RECENT", b"UIDNEXT", b"UNSEEN", b"PERMANENTFLAGS"))
client.close_folder()
quiet("rename", client.rename_folder, "Tür & Tor", "Tor")
quiet("delete", client.delete_folder, "Tor")
quiet("delete again", client.delete_folder, "Tor")
client.logout()
print("all is well")
