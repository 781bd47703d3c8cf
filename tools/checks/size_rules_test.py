import unittest

from tools.checks import function_sizes
from tools.checks import size_rules


class SizeRulesTest(unittest.TestCase):

    def test_a_file_at_its_limit_passes_and_one_line_more_does_not(self):
        for path, limit in [("a/b.h", 250), ("a/b.cc", 500), ("a/b_main.cc", 60)]:
            self.assertEqual([], size_rules.problems(path, "x\n" * limit))
            self.assertEqual(1, len(size_rules.problems(path, "x\n" * (limit + 1))), path)

    def test_marks_of_unfinished_work_are_found_with_their_line(self):
        found = size_rules.problems("a/b.cc", "x\n// " + "TO" + "DO: more\n")
        self.assertEqual(1, len(found))
        self.assertIn("a/b.cc:2:", found[0])

    def test_sleeping_is_for_tests_only(self):
        line = "std::this_thread::sleep_for(x);\n"
        self.assertEqual(1, len(size_rules.problems("a/b.cc", line)))
        self.assertEqual([], size_rules.problems("a/b_test.cc", line))
        self.assertEqual([], size_rules.problems("tests/fault/b.cc", line))

    def test_a_function_at_its_limit_passes_and_one_line_more_does_not(self):
        def function(lines):
            return "namespace a {\nvoid F(int x) {\n" + "x();\n" * (lines - 2) + "}\n}\n"
        self.assertEqual([], size_rules.problems("a/b.cc", function(70)))
        found = size_rules.problems("a/b.cc", function(71))
        self.assertEqual(1, len(found))
        self.assertIn("F has 71 lines", found[0])

    def test_lines_of_functions_are_told_from_those_of_classes_and_initializers(self):
        text = ("class A {\n public:\n  A() : a_{1}, b_(F({2})) {\n  }\n  int G() const { return 1; }\n};\n"
                "// void X() {\nconst int k[] = {\n1,\n};\nTEST(T, Works) {\n  auto f = [] {\n  };\n}\n")
        self.assertEqual([("A", 2), ("G", 1), ("T.Works", 4)], function_sizes.sizes(text))


if __name__ == "__main__":
    unittest.main()
