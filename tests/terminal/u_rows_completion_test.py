"""Completion in real shells: bash always, zsh and fish where they are installed."""

import os
import shutil
import subprocess
import tempfile
import unittest

BUILT = os.path.join(os.path.abspath(os.environ.get("DISTILL_BIN", "")), "cli/distillctl")

# Bash as it completes on a terminal, without one: the line up to the cursor, and what the function
# that is registered makes of it.
BASH = """
source <("$1" completion bash) || exit 9
PATH="${1%/*}:$PATH"
shift
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
registered=$(complete -p distillctl) || exit 8
function=${registered#*-F }
"${function%% *}"
printf '%s\\n' "${COMPREPLY[@]}"
"""

ZSH = """
compdef() { registered=$1; }
compadd() { while [[ $1 != -- ]]; do shift; done; shift; printf '%s\\n' "$@"; }
source <("$1" completion zsh) || exit 9
shift
words=("$@")
CURRENT=$#
PREFIX=${words[CURRENT]}
$registered
"""


FISH = """
$argv[1] completion fish | source
set -x PATH (dirname $argv[1]) $PATH
complete -C $argv[2]
"""


class Shells(unittest.TestCase):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="completion_")
        self.addCleanup(shutil.rmtree, self.folder, True)
        # Where no word of a path may be taken for two.
        self.ctl = os.path.join(self.folder, "a bin", "distillctl")
        os.mkdir(os.path.dirname(self.ctl))
        os.symlink(BUILT, self.ctl)
        for name in ("runs/first", "runs/a folder", "data"):
            os.makedirs(os.path.join(self.folder, name))
        for name, text in (("runs/first/config.resolved.yaml", "name: p\n"),
                           ("plan.yaml", "name: p\nruns: [{name: big}, {name: small}]\n")):
            with open(os.path.join(self.folder, name), "w") as file:
                file.write(text)

    def shell(self, *command):
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60,
                              check=False, stdin=subprocess.DEVNULL)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return [line for line in done.stdout.split("\n") if line]

    def bash(self, *words):
        return self.shell("bash", "--norc", "-c", BASH, "bash", self.ctl, "distillctl", *words)

    def test_bash_completes_commands_flags_and_the_names_of_things(self):
        self.assertEqual(self.bash("st"), ["status", "stop"])
        self.assertEqual(self.bash("label", "--o"), ["--out"])
        self.assertEqual(self.bash("run", "p"), ["plan.yaml"])
        self.assertEqual(self.bash("status", "runs/f"), ["runs/first"])
        self.assertEqual(self.bash("label", "plan.yaml", "--run", ""), ["big", "small"])
        self.assertEqual(self.bash("config", "explain", "gradient_c"), ["gradient_clip_norm"])
        self.assertEqual(self.bash("explain", "DST-230"),
                         ["DST-230%d" % digit for digit in range(1, 7)])
        self.assertEqual(self.bash("metrics", "explain", "process_open"), ["process_open_fds"])
        self.assertEqual(self.bash("nothing", "is", "so"), [])

    def test_bash_gets_the_value_alone_behind_an_equals_sign_which_splits_its_words(self):
        self.assertEqual(self.bash("run", "plan.yaml", "--run-dir=runs/f"), ["runs/first"])

    def test_bash_gets_names_with_spaces_as_it_would_have_them_typed(self):
        self.assertEqual(self.bash("status", "runs/a"), ["runs/a\\ folder/"])

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh_completes_too(self):
        zsh = lambda *words: self.shell("zsh", "-f", "-c", ZSH, "zsh", self.ctl, self.ctl, *words)
        self.assertEqual(zsh("st"), ["status", "stop"])
        self.assertEqual(zsh("status", "runs/f"), ["runs/first"])
        self.assertEqual(zsh("status", "d"), ["data/"])
        self.assertEqual(zsh("status", "runs/a"), ["runs/a folder/"])

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish_completes_too(self):
        fish = lambda line: self.shell("fish", "--no-config", "-c", FISH, self.ctl, line)
        self.assertEqual(fish("distillctl st"), ["status", "stop"])
        self.assertEqual(fish("distillctl status runs/f"), ["runs/first"])
        self.assertEqual(fish("distillctl status runs/a"), ["runs/a folder/"])


if __name__ == "__main__":
    unittest.main()
