"""Tests for `tools.readme`."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tools.readme import Block, blocks

TEXT = """\
# pacserve

```
make run   # not in that part
```

## Install it

Something else.

To install by hand,
as root:

```sh
# a comment alone
apt-get install gcc   # Debian 12 or later
pacman -S gcc         # Arch

python3 -m venv a     # both of them
echo a#b
```

### Without pacman

```
pip install .
```

## More

```
make test
```
"""


class BlocksTests(SynchronousTestCase):
    def test_below_the_heading(self) -> None:
        """The blocks below a heading and its subheadings are found, each with the paragraph before it; those of other parts are not."""
        by_hand, without = blocks(TEXT, "Install")
        self.assertEqual(by_hand.introduction, "To install by hand, as root:")
        self.assertEqual(without, Block("", ("pip install .",)))

    def test_distributions(self) -> None:
        """A line whose comment names a distribution is for that one; any other is for both, and no comment is left."""
        block, _ = blocks(TEXT, "Install")
        self.assertEqual(block.commands("Debian"), ("apt-get install gcc", "python3 -m venv a", "echo a#b"))
        self.assertEqual(block.commands("Arch"), ("pacman -S gcc", "python3 -m venv a", "echo a#b"))

    def test_readme(self) -> None:
        """README.md has such lines for both."""
        found = blocks((Path(__file__).parents[3] / "README.md").read_text(), "Install")
        by_hand = [block for block in found if "By hand" in block.introduction]
        self.assertTrue(by_hand)
        for block in by_hand:
            self.assertNotEqual(block.commands("Debian"), block.commands("Arch"))
