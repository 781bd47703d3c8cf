"""distillctl as somebody at a terminal sees it, without a screen between: bytes of a pty or a pipe."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from tests.bad_input import tiny_plan

CTL = tiny_plan.DISTILLCTL
SECONDS = 40


def typed(args, folder, prompt="", answer="", columns=80, env=None):
    """Exit code and screen of distillctl with a terminal of so many columns; the answer is typed
    once the prompt is there."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.execve(CTL, [CTL, *args], {"TERM": "xterm", **(env or {})})
    screen, waits = b"", bool(prompt)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            read = os.read(terminal, 4096)
        except OSError:  # its other end is closed
            break
        screen += read
        if waits and screen.endswith(prompt.encode()):
            os.write(terminal, answer.encode() + b"\n")
            waits = False
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), screen.decode(errors="replace")


def shown(args, folder, columns=80, env=None):
    """What distillctl prints on a terminal of so many columns before it exits with 0."""
    code, screen = typed(args, folder, columns=columns, env=env)
    if code != 0:
        raise AssertionError("%s: exit code %d, %r" % (args, code, screen))
    return screen


class Following:
    """A distillctl that goes on, and the lines that it prints into a pipe."""

    def __init__(self, args, folder):
        self._process = subprocess.Popen([CTL, *args], cwd=folder, stdout=subprocess.PIPE,
                                         stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._text = b""

    def line(self):
        """The next one."""
        deadline = time.monotonic() + SECONDS
        while b"\n" not in self._text:
            left = max(0, deadline - time.monotonic())
            if not select.select([self._process.stdout], [], [], left)[0]:
                raise AssertionError("no line within %d s" % SECONDS)
            read = os.read(self._process.stdout.fileno(), 1 << 16)
            if not read:
                raise AssertionError("it has ended")
            self._text += read
        line, self._text = self._text.split(b"\n", 1)
        return line.decode()

    def close(self):
        """Ends it."""
        self._process.stdout.close()
        self._process.terminate()
        self._process.wait(SECONDS)
