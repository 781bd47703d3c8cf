#!/usr/bin/env python3
"""Draws docs/images/live_table.png from a terminal's screen.

    tmux capture-pane -p -e | docs/images/live_table.py docs/images/live_table.png

in a terminal of about 110 columns that shows `distillctl top`. Needs python3-pil and fonts-dejavu-core."""

import re
import sys

from PIL import Image, ImageDraw, ImageFont

FONTS = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono%s.ttf"
SIZE = 15
MARGIN = 14
PAPER, INK, FAINT = "#1e2127", "#d7dae0", "#8b929e"
# By the codes that cli/terminal/styled_text.cc writes, beside 1 (bold) and 2 (faint).
COLOURS = {"31": "#f07178", "32": "#98c379", "33": "#e5c07b"}
PIECE = re.compile(r"\x1b\[([0-9;]*)m|([^\x1b]+)")


def main():
    lines = sys.stdin.read().rstrip("\n").split("\n")
    fonts = {bold: ImageFont.truetype(FONTS % ("-Bold" if bold else ""), SIZE) for bold in (False, True)}
    width = round(fonts[False].getlength("x"))
    height = SIZE + 5
    columns = max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines)
    image = Image.new("RGB", (columns * width + 2 * MARGIN, len(lines) * height + 2 * MARGIN), PAPER)
    draw = ImageDraw.Draw(image)
    colour, bold, faint = INK, False, False  # they hold beyond a line's end
    for row, line in enumerate(lines):
        column = 0
        for codes, text in PIECE.findall(line):
            if not text:
                for code in (codes or "0").split(";"):
                    if code in ("0", "39"):
                        colour = INK
                    if code in ("0", "22"):
                        bold = faint = False
                    colour = COLOURS.get(code, colour)
                    bold, faint = bold or code == "1", faint or code == "2"
            for letter in text:
                draw.text((MARGIN + column * width, MARGIN + row * height), letter, FAINT if faint else colour, fonts[bold])
                column += 1
    image.save(sys.argv[1], optimize=True)


if __name__ == "__main__":
    main()
