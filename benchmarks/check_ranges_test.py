"""Tests of check_ranges.py."""

import unittest

from benchmarks import check_ranges

RANGES = {"pipe": {"over_raw": {"at_least": 0.85}, "fraction": {"at_most": 0.01}}}


def out(values):
    return [text for text, bad in
            check_ranges.problems(RANGES, {"name": "pipe", "values": values}) if bad]


class CheckRangesTest(unittest.TestCase):

    def test_values_within_their_ranges_are_no_problem(self):
        self.assertEqual(out({"over_raw": 0.85, "fraction": 0.01, "free": 7}), [])

    def test_a_value_on_the_wrong_side_is_one(self):
        self.assertEqual(len(out({"over_raw": 0.84, "fraction": 0.0})), 1)
        self.assertEqual(len(out({"over_raw": 1.0, "fraction": 0.011})), 1)

    def test_a_value_that_was_not_measured_is_one(self):
        self.assertEqual(out({"fraction": 0.0}), ["over_raw: not measured"])

    def test_a_benchmark_without_ranges_has_none(self):
        self.assertEqual(list(check_ranges.problems(RANGES, {"name": "other", "values": {}})), [])


if __name__ == "__main__":
    unittest.main()
