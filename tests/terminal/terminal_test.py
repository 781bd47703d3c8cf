"""What a person sees of a plan: in terminals of several sizes, and in a pipe."""

import json
import os
import re
import shutil
import signal
import tempfile
import unittest
from unittest import mock

from tests.bad_input import tiny_plan
from tests.terminal.tmux import PATIENCE, Tmux

DONE, DATA, STOPPED, INTERRUPTED = 0, 7, 6, 130
# The runs "alone" and "distilled" go on until somebody ends them.
LONG = ["--set=runs.%s.training.steps=1000000",
        ("--set=runs.%s.schedules.learning_rate={pieces: [{begin_step: 0, end_step: 1000000, "
         "constant: {value: 0.01}}]}")]
SGR = re.compile(r"\x1b\[[0-9;]*m")


def long(run):
    return [setting % run for setting in LONG]


class Terminals(unittest.TestCase):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="terminal_")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.addCleanup(tiny_plan.kill_all, self.folder)
        tiny_plan.write_idx_set(self.folder, "tiny")
        self.plan = tiny_plan.write_plan(self.folder)
        self.run_dir = os.path.join(self.folder, "run")

    def terminal(self, columns, rows=24, **environment):
        terminal = Tmux(self.folder, columns, rows, environment)
        self.addCleanup(terminal.close)
        return terminal

    def script(self, name, *arguments, before=""):
        """A file that calls distillctl and says its exit code: what is typed must not wrap."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as file:
            words = " ".join("'%s'" % word for word in (tiny_plan.DISTILLCTL, *arguments))
            file.write("clear\n%s %s\necho \"ended with $?\"\n" % (before, words))
        return ". ./%s" % name

    def run_in(self, terminal, run="alone"):
        terminal.type(self.script("r", "run", self.plan, "--run-dir", self.run_dir, *long(run)))
        terminal.wait("the run trains", lambda: any(
            re.match(run + r" +[1-9]\d*/1000000", line) for line in terminal.lines()))

    def run_behind(self, *settings):
        process = tiny_plan.start([tiny_plan.DISTILLCTL, "run", self.plan, "--run-dir", self.run_dir,
                                   *settings], self.folder)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def ctl(self, *arguments, seconds=PATIENCE, **more):
        process = tiny_plan.start([tiny_plan.DISTILLCTL, *arguments], self.folder, **more)
        return tiny_plan.finish(process, self.folder, seconds)

    def distillctl(self):
        entry, = tiny_plan.entries(self.run_dir, "distillctl")
        return entry["pid"]

    def assert_one_table(self, terminal, columns):
        """The screen holds the table once, each line of it whole, and nothing of a former one."""
        lines = terminal.lines()
        text = "\n".join(lines)
        for title in ("plan tiny-", "RUN ", "STUDENT ", "TEACHER "):
            self.assertEqual(sum(line.startswith(title) for line in lines), 1, title + "\n" + text)
        for run in ("teacher", "alone", "distilled"):
            self.assertEqual(sum(line.startswith(run + " ") for line in lines), 1, run + "\n" + text)
        self.assertEqual(terminal.wrapped_lines(), 0, text)
        self.assertLessEqual(max(map(len, lines)), columns)

    def assert_ended(self, terminal, code):
        terminal.wait("the end", lambda: terminal.shown("ended with"))
        self.assertTrue(terminal.shown("ended with %d" % code), "\n".join(terminal.lines()))
        self.assertTrue(terminal.cursor_is_shown())
        tiny_plan.wait_until(lambda: not tiny_plan.processes_of(self.run_dir), "nothing is left")


class Rooms(unittest.TestCase):

    def test_a_terminal_that_is_closed_leaves_no_folder(self):
        with tempfile.TemporaryDirectory(prefix="rooms_") as folder:
            with mock.patch.object(tempfile, "tempdir", folder):
                terminal = Tmux("/", 80)
            self.addCleanup(terminal.close)
            self.assertEqual(len(os.listdir(folder)), 1)
            terminal.close()
            self.assertEqual(os.listdir(folder), [])


class Sizes(Terminals):

    def test_the_table_fits_40_80_and_200_columns_and_follows_a_resize(self):
        for columns, later in ((40, 80), (80, 40), (200, 60)):
            with self.subTest(columns=columns):
                self.run_dir = os.path.join(self.folder, "run%d" % columns)
                terminal = self.terminal(columns)
                self.run_in(terminal)
                self.assertFalse(terminal.cursor_is_shown())
                self.assert_one_table(terminal, columns)
                head = "\n".join(terminal.lines())
                self.assertEqual("LOSS" in head, columns >= 80, head)
                self.assertEqual("PROGRESS" in head, columns >= 120, head)
                terminal.resize(later)
                terminal.wait("the table at its new width", lambda t=terminal, w=later: (
                    t.wrapped_lines() == 0 and max(map(len, t.lines())) <= w
                    and sum(line.startswith("plan tiny-") for line in t.lines()) == 1))
                self.assert_one_table(terminal, later)
                terminal.press("C-c")
                self.assert_ended(terminal, INTERRUPTED)

    def test_on_a_low_screen_the_last_line_counts_what_is_left_out(self):
        terminal = self.terminal(80, 6)
        self.run_in(terminal)
        lines = terminal.lines()
        self.assertTrue(any(line.startswith("and ") and " more: " in line for line in lines), lines)
        self.assertEqual(sum(line.startswith("plan tiny-") for line in lines), 1, lines)
        terminal.press("C-c")
        self.assert_ended(terminal, INTERRUPTED)


class Ends(Terminals):

    def test_ctrl_c_drains_the_plan_which_can_be_resumed(self):
        terminal = self.terminal(120)
        self.run_in(terminal)
        terminal.press("C-c")
        self.assert_ended(terminal, INTERRUPTED)
        self.assertTrue(terminal.shown("distillctl resume"))
        with open(os.path.join(self.run_dir, "logs/coordinator.log"), encoding="utf-8") as log:
            self.assertIn("stops: SIGTERM", log.read())

    def test_a_second_ctrl_c_ends_it_at_once_with_the_cursor_shown(self):
        terminal = self.terminal(120)
        self.run_in(terminal)
        student, = [entry["pid"] for entry in tiny_plan.entries(self.run_dir, "student_worker")][:1]
        os.kill(student, signal.SIGSTOP)  # it does not drain
        terminal.press("C-c")
        terminal.wait("the cursor", terminal.cursor_is_shown)
        terminal.press("C-c")
        terminal.wait("the end", lambda: terminal.shown("ended with 130"))
        self.assertTrue(terminal.cursor_is_shown())

    def test_sigterm_ends_it_with_the_cursor_shown(self):
        terminal = self.terminal(120)
        self.run_in(terminal)
        os.kill(self.distillctl(), signal.SIGTERM)
        self.assert_ended(terminal, STOPPED)

    def test_a_crash_leaves_the_cursor_shown(self):
        for number in (signal.SIGSEGV, signal.SIGABRT):
            with self.subTest(number):
                self.run_dir = os.path.join(self.folder, "run%d" % number)
                terminal = self.terminal(120)
                self.run_in(terminal)
                self.assertFalse(terminal.cursor_is_shown())
                os.kill(self.distillctl(), number)
                self.assert_ended(terminal, 128 + number)

    def test_while_it_is_stopped_by_ctrl_z_the_cursor_is_shown(self):
        terminal = self.terminal(120)
        self.run_in(terminal)
        terminal.press("C-z")
        terminal.wait("the cursor", terminal.cursor_is_shown)
        terminal.type("fg")
        terminal.wait("no cursor", lambda: not terminal.cursor_is_shown())
        terminal.press("C-c")
        terminal.wait("the cursor", terminal.cursor_is_shown)
        tiny_plan.wait_until(lambda: not tiny_plan.processes_of(self.run_dir), "nothing is left")

    def test_a_plan_that_is_done_leaves_its_last_table_and_the_report(self):
        terminal = self.terminal(120, 60)
        terminal.type(self.script("r", "run", self.plan, "--run-dir", self.run_dir))
        self.assert_ended(terminal, DONE)
        self.assertTrue(terminal.shown("3 of 3 runs done"))
        self.assertTrue(terminal.shown("test accuracy"))


class Colours(Terminals):

    def test_a_terminal_has_colours_unless_no_color_or_color_never_says_otherwise(self):
        for environment, arguments, painted in (({}, [], True), ({"NO_COLOR": "1"}, [], False),
                                                ({}, ["--color=never"], False),
                                                ({"NO_COLOR": "1"}, ["--color=always"], True)):
            with self.subTest(environment=environment, arguments=arguments):
                process = self.run_behind(*long("alone")) if not os.path.exists(self.run_dir) else None
                if process:
                    tiny_plan.wait_until(lambda: os.path.exists(
                        os.path.join(self.run_dir, "alone/metrics.rank0.jsonl")), "the run begins")
                terminal = self.terminal(100, **environment)
                terminal.type(self.script("w", "watch", self.run_dir, *arguments))
                terminal.wait("the table", lambda t=terminal: t.shown("alone "))
                self.assertEqual(bool(SGR.search(terminal.painted())), painted)
                terminal.press("C-c")
                terminal.wait("the end", lambda t=terminal: t.shown("ended with 130"))
                self.assertTrue(terminal.cursor_is_shown())

    def test_on_a_dumb_terminal_there_are_lines(self):
        terminal = self.terminal(200, 60)
        terminal.type(self.script("r", "run", self.plan, "--run-dir", self.run_dir, before="TERM=dumb"))
        terminal.wait("the end", lambda: terminal.shown("ended with 0"))
        self.assertTrue(terminal.shown(": finished, 3 of 3 runs done"))
        self.assertFalse(terminal.shown("STEPS/S"))


class Pipes(Terminals):

    def assert_plain(self, text):
        self.assertNotIn("\r", text)
        self.assertNotIn("\x1b", text)
        self.assertTrue(text.isascii(), text)

    def test_a_run_says_whole_lines_of_ascii(self):
        result = self.ctl("run", self.plan, "--run-dir", self.run_dir)
        self.assertEqual(result.code, DONE, result)
        self.assert_plain(result.err)
        self.assertRegex(result.err, r"(?m)^plan tiny-\d+: running, 3 runs: teacher \(8 steps\), ")
        self.assertRegex(result.err, r"(?m)^alone  done$")
        self.assertRegex(result.err, r"(?m)^plan tiny-\d+: finished, 3 of 3 runs done, \d+:\d\d$")

    def top_of_a_run_that_trains(self):
        top = self.ctl("top", self.run_dir)
        self.assertEqual(top.code, DONE, top)
        return top if re.search(r"(?m)^alone +[1-9]", top.out) and "\nteacher-0 " in top.out else None

    def test_watch_and_top_say_plain_text_or_json(self):
        self.run_behind(*long("alone"))
        tiny_plan.wait_until(lambda: os.path.exists(
            os.path.join(self.run_dir, "alone/metrics.rank0.jsonl")), "the run begins")
        top = tiny_plan.wait_until(self.top_of_a_run_that_trains, "a run trains")
        self.assert_plain(top.out)
        self.assertRegex(top.out, r"(?m)^student-0 +alone +[1-9]\d* ")
        self.assertRegex(top.out, r"(?m)^alone: [a-z]+-bound: ")
        for arguments in ([], ["--json"]):
            watch = tiny_plan.start([tiny_plan.DISTILLCTL, "watch", self.run_dir, *arguments], self.folder)
            self.addCleanup(watch.kill)
            line = watch.stdout.readline()
            watch.send_signal(signal.SIGINT)
            result = tiny_plan.finish(watch, self.folder)
            self.assertEqual(result.code, INTERRUPTED, result)
            self.assertIn("the plan goes on", result.err)
            self.assert_plain(line + result.out)
            if arguments:
                self.assertEqual(json.loads(line)["version"], 1)
            else:
                self.assertRegex(line, r"^plan tiny-\d+: running, 3 runs: ")

    def test_watch_ends_with_the_plan_by_its_exit_code(self):
        run = self.run_behind("--set=runs.alone.training.steps=2000", LONG[1] % "alone")
        tiny_plan.wait_until(lambda: os.path.exists(
            os.path.join(self.run_dir, "teacher/metrics.rank0.jsonl")), "the plan begins")
        watch = self.ctl("watch", self.run_dir)
        self.assertEqual(watch.code, DONE, watch)
        self.assertIn("finished, 3 of 3 runs done", watch.out)
        self.assertEqual(tiny_plan.finish(run, self.folder).code, DONE)
        again = self.ctl("watch", self.run_dir)
        self.assertEqual(again.code, DONE, again)
        self.assertIn("is done; see", again.out)


class Logs(Terminals):

    def test_the_logs_of_one_process_or_all_with_their_names(self):
        self.assertEqual(self.ctl("run", self.plan, "--run-dir", self.run_dir).code, DONE)
        logs = self.ctl("logs", self.run_dir)
        self.assertEqual(logs.code, DONE, logs)
        for process in ("coordinator", "student-0", "teacher-0"):
            self.assertRegex(logs.out, r"(?m)^%s +\| " % process)
        one = self.ctl("logs", self.run_dir, "student-0", "--tail", "2")
        self.assertEqual(len(one.out.splitlines()), 2, one)
        with open(os.path.join(self.run_dir, "logs/student-0.log"), encoding="utf-8") as log:
            self.assertTrue(log.read().endswith(one.out))
        wrong = self.ctl("logs", self.run_dir, "student-9")
        self.assertEqual(wrong.code, DATA, wrong)
        self.assertIn("there are: coordinator", wrong.message)
        over = self.ctl("logs", self.run_dir, "--follow", "--tail", "0")
        self.assertEqual((over.code, over.out), (DONE, ""))

    def test_following_shows_what_comes_and_ends_with_the_plan(self):
        self.run_behind("--set=runs.alone.training.steps=2000", LONG[1] % "alone")
        tiny_plan.wait_until(lambda: os.path.exists(
            os.path.join(self.run_dir, "teacher/metrics.rank0.jsonl")), "the plan begins")
        logs = self.ctl("logs", self.run_dir, "--follow", "--tail=0")
        self.assertEqual(logs.code, DONE, logs)
        self.assertRegex(logs.out, r"(?m)^student-0 +\| ")
        self.assertRegex(logs.out, r"(?m)^coordinator +\| .*stops: ")


if __name__ == "__main__":
    unittest.main()
