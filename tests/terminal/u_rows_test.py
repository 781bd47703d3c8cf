"""Every row of u_rows holds."""

import unittest

from tests.terminal import u_rows, u_rows_json


class Rows(unittest.TestCase):

    def test_every_row_holds(self):
        scene = u_rows.Scene()
        self.addCleanup(scene.close)
        seen = list(u_rows.look(scene))
        for row in seen:
            print(*row)
        self.assertEqual([row for row, _, _ in seen], ["U-%02d" % n for n in range(1, 22)])
        self.assertEqual([row for row in seen if row[1] != "HOLDS"], [])


class Schemas(unittest.TestCase):

    def test_a_field_that_is_missing_or_of_another_type_is_named(self):
        good = {"version": 1, "ok": True,
                "checks": [{"check": "c", "verdict": "OK", "found": "f", "fix": ""}]}
        self.assertEqual(u_rows_json.problems(good, "doctor"), [])
        for change in ({"version": 2}, {"ok": "yes"}, {"checks": []}, {"checks": [{}]}):
            with self.subTest(change):
                self.assertTrue(u_rows_json.problems({**good, **change}, "doctor"))
        self.assertEqual(u_rows_json.problems({}, {"a": str}), [".a is missing"])
        self.assertEqual(u_rows_json.problems({"a": None}, {"?a": str}), [])


if __name__ == "__main__":
    unittest.main()
