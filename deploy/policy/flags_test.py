"""Flags are read from --help as the programs print it, and arguments are held to them."""

import os
import unittest

from deploy.policy import flags, rules
from deploy.policy.rendering import Rendering

HELP = """Usage: x [OPTIONS]

Options:
  -h,--help                   Print this help message and exit
  --run-dir TEXT REQUIRED     Folder of the plan, see --name
  --threads INT:INT in [1 - 1024]=1
                              Compute threads
  --allow-plaintext           Talk unencrypted
"""


class FlagsTest(unittest.TestCase):
    def test_names_values_and_requirements_are_read_from_help(self):
        known = flags.parse_help(HELP)
        self.assertEqual(["--help", "--run-dir", "--threads", "--allow-plaintext"], list(known))
        self.assertEqual([False, True, True, False], [flag.takes_value for flag in known.values()])
        self.assertEqual([False, True, False, False], [flag.required for flag in known.values()])

    def test_arguments_that_would_be_refused_are_named(self):
        known = flags.parse_help(HELP)
        self.assertEqual([], flags.problems("x", ["run", "--run-dir=/a", "--threads=2", "--allow-plaintext"], known))
        self.assertEqual(
            ["x: --threads wants =VALUE", "x has no flag --thread", "x: --allow-plaintext takes no value",
             "x requires --run-dir"],
            flags.problems("x", ["--threads", "--thread=1", "--allow-plaintext=1"], known))

    def programs(self):
        return flags.ask(os.environ.get("DISTILL_BIN", os.getcwd()))

    def test_readme_has_a_row_of_every_flag_and_of_no_other(self):
        with open("deploy/README.md", encoding="utf-8") as page:
            rows = flags.table(page.read())
        self.assertGreater(len(rows), 10)
        self.assertEqual([], flags.table_problems(rows, self.programs()))

    def test_a_flag_without_a_row_and_a_row_without_a_flag_are_named(self):
        page = ("# A\n\n## Flags\n\n| flag | of |\n| --- | --- |\n| `--name NAME` | all | x |\n"
                "| `--listen HOST:PORT` | coordinator, teacher server | x |\n\n## B\n\n| `--other` | all |\n")
        rows = flags.table(page)
        self.assertEqual({"--name": set(flags.PROCESSES), "--listen": {"coordinator", "teacher_server"}}, rows)
        known = {"--help": None, "--name": None}
        programs = {"coordinator": {**known, "--listen": None}, "teacher_server": {**known, "--model-dir": None},
                    "student_worker": {**known, "--listen": None}}
        self.assertEqual(["teacher_server: no row of --model-dir", "student_worker: no row of --listen",
                          "teacher_server has no flag --listen"], flags.table_problems(rows, programs))

    def test_the_programs_take_the_arguments_of_the_base(self):
        programs = self.programs()
        with open("deploy/policy/testdata/base.yaml", encoding="utf-8") as text:
            self.assertEqual([], rules.program_flags(Rendering("base", text.read()), programs))


if __name__ == "__main__":
    unittest.main()
