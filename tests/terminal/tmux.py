"""A terminal of a chosen size, with a shell in it: tmux, on a server of its own."""

import os
import shutil
import subprocess
import tempfile
import time

# The whole of what a step of a test may take on a busy machine.
PATIENCE = 60


class Tmux:
    """One window with an interactive sh in `folder`. Close it."""

    def __init__(self, folder, columns, rows=24, environment=None):
        self._room = tempfile.mkdtemp(prefix="tmux-")
        self._socket = os.path.join(self._room, "s")
        settings = environment or {}
        words = [word for name, value in settings.items() for word in ("-e", "%s=%s" % (name, value))]
        self._tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), "-c", folder, *words, "sh")
        self.wait("a prompt", lambda: self.lines()[-1][:1] in ("$", "#"))

    def _tmux(self, *arguments):
        return subprocess.run(["tmux", "-u", "-S", self._socket, "-f", "/dev/null", *arguments],
                              capture_output=True, text=True, timeout=PATIENCE, check=True).stdout

    def close(self):
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True,
                       timeout=PATIENCE, check=False)
        shutil.rmtree(self._room, ignore_errors=True)

    def type(self, text):
        """As a person does, with Enter."""
        self._tmux("send-keys", "-l", text)
        self._tmux("send-keys", "Enter")

    def press(self, key):
        self._tmux("send-keys", key)

    def resize(self, columns, rows=24):
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def lines(self):
        """What is on the screen, without the empty rest."""
        return self._tmux("capture-pane", "-p").rstrip("\n").split("\n")

    def wrapped_lines(self):
        """How many lines of the screen go on in the next one."""
        joined = self._tmux("capture-pane", "-p", "-J").rstrip("\n").split("\n")
        return len(self.lines()) - len(joined)

    def painted(self):
        """The screen with its colours, as escape sequences."""
        return self._tmux("capture-pane", "-p", "-e")

    def cursor_is_shown(self):
        return self._tmux("display-message", "-p", "#{cursor_flag}").strip() == "1"

    def shown(self, text):
        return any(text in line for line in self.lines())

    def wait(self, what, condition, seconds=PATIENCE):
        """Until the condition holds; says what was on the screen if it does not."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError("not within %d s: %s\n%s" % (seconds, what, "\n".join(self.lines())))
            time.sleep(0.05)
