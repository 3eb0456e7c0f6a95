"""Runs the live tests that come with IMAPClient: where to connect, who to be, which tests to leave out."""

import os
import sys
import tempfile
import types
import unittest

# It asks for a module that Python 3.12 has not got any more, for this alone.
sys.modules.setdefault("imp", types.SimpleNamespace(new_module=types.ModuleType))

from imapclient import livetest  # noqa: E402

port, user, password = sys.argv[1:4]
for name in sys.argv[4:]:
    setattr(livetest.TestGeneral, name, unittest.skip("left out")(getattr(livetest.TestGeneral, name)))
with tempfile.TemporaryDirectory() as place:
    settings = os.path.join(place, "livetest.ini")
    with open(settings, "w") as file:
        lines = ["[DEFAULT]", "host = 127.0.0.1", "port = " + port, "ssl = false"]
        lines += ["username = " + user, "password = " + password]
        file.write("\n".join(lines) + "\n")
    sys.argv = ["livetest", settings, "--verbose"]
    livetest.main()
