"""The commit that a stamped build names: what git says, or what DISTILL_COMMIT says in its place."""

import os
import subprocess
import tempfile
import unittest

SCRIPT = os.path.abspath("tools/workspace_status")


class WorkspaceStatus(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="workspace_status_")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_here(self, *words, **more):
        # No repository above the folder is found, nor a configuration of this account.
        env = {"PATH": os.environ["PATH"], "HOME": self.folder, "GIT_CEILING_DIRECTORIES": os.path.dirname(self.folder)}
        return subprocess.run(words, cwd=self.folder, env={**env, **more}, capture_output=True, text=True,
                              timeout=60, check=True).stdout

    def commit(self, **more):
        return self.run_here(SCRIPT, **more)

    def test_a_tree_without_git_has_the_commit_that_it_is_told(self):
        self.assertEqual(self.commit(), "STABLE_COMMIT unknown\n")
        self.assertEqual(self.commit(DISTILL_COMMIT="0123456789ab"), "STABLE_COMMIT 0123456789ab\n")

    def test_a_repository_has_its_own_and_says_that_it_was_changed(self):
        self.run_here("git", "init", "-q")
        self.run_here("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "--allow-empty", "-m", "m")
        head = self.run_here("git", "rev-parse", "--short=12", "HEAD").strip()
        self.assertEqual(self.commit(), "STABLE_COMMIT %s\n" % head)
        with open(os.path.join(self.folder, "new"), "w", encoding="ascii"):
            pass
        self.assertEqual(self.commit(), "STABLE_COMMIT %s-changed\n" % head)
        self.assertEqual(self.commit(DISTILL_COMMIT="told"), "STABLE_COMMIT told\n")


if __name__ == "__main__":
    unittest.main()
