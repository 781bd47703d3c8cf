import unittest

from tools.checks import link_rules

TREE = {
    "README.md": "# Top\n",
    "docs/a.md": "# A b, `c`: d-e_f\n## Twice\n## Twice\n<a id=\"here\"></a>\n```\n# not one\n```\n",
    "proto/x.proto": "",
}


def problems(text, path="docs/b.md"):
    tree = dict(TREE, **{path: text})
    return link_rules.problems(path, text, tree.__contains__, tree.__getitem__)


class LinkRulesTest(unittest.TestCase):

    def test_links_that_lead_somewhere_pass(self):
        for link in ["a.md", "../README.md", "../proto/x.proto", "../proto/x.proto#L7", "a.md#twice", "a.md#twice-1",
                     "a.md#a-b-c-d-e_f", "a.md#here", "https://nowhere/at#all", "mailto:x", "#own"]:
            self.assertEqual([], problems("# Own\nsee [it](%s)." % link), link)

    def test_a_file_that_is_not_there_is_named_with_its_line(self):
        found = problems("x\nsee [it](gone.md) and [it](../docs/a.md)\n")
        self.assertEqual(1, len(found))
        self.assertIn("docs/b.md:2: gone.md: there is no docs/gone.md", found[0])

    def test_a_heading_that_is_not_there_is_named(self):
        for anchor in ["#gone", "a.md#not-one", "a.md#twice-2", "a.md#Twice"]:
            self.assertEqual(1, len(problems("[it](%s)" % anchor)), anchor)

    def test_a_link_out_of_the_tree_is_refused(self):
        self.assertEqual(1, len(problems("[it](../../x.md)")))
        self.assertEqual(1, len(problems("[it](/etc/passwd)")))

    def test_code_holds_no_links(self):
        self.assertEqual([], problems("`[it](gone.md)`\n```\n[it](gone.md)\n```\n"))

    def test_definitions_and_titles_are_read(self):
        self.assertEqual(1, len(problems("[it]: gone.md\n")))
        self.assertEqual(1, len(problems("[it](gone.md \"a title\")\n")))
        self.assertEqual(2, len(problems("[a](gone.md) [b](gone2.md)\n")))


if __name__ == "__main__":
    unittest.main()
