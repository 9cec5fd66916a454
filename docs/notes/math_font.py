"""The mathematics font of the notes' pages: the glyphs of TeX Gyre Pagella Math that the notes use.

    python -m docs.notes.math_font texgyrepagella-math.otf

writes math.woff. Without a font that has sizes of brackets and signs, brackets do not stretch and limits sit wrong, and
plain Linux has none.
"""

import html
import re
import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter  # comes with matplotlib
from fontTools.ttLib import TTFont

from docs.notes.book import SHARED, book

FILE = SHARED / "math.woff"
NAME = "Digitscope Notes Math"
"""A changed font has another name, as the GUST Font License asks."""

UPRIGHT = "".join(map(chr, range(0x20, 0x7F)))
SPARE = "∂∇ℓ×·±≤≥≠≈∈∞√∑∏∫→←⊙⊤′″‖⌊⌋⌈⌉∣…⋯⋮⋱−"
"""What a formula may need tomorrow."""


def used(page: str) -> set[str]:
    """The characters of a page's formulas, letters of variables in italics, as a browser draws them."""
    found = set()
    for formula in re.findall(r"<math\b.*?</math>", page, flags=re.DOTALL):
        for attributes, text in re.findall(r"<mi([^>]*)>([^<]*)</mi>", formula):
            letter = html.unescape(text)
            found |= set(letter if "normal" in attributes or len(letter) != 1 else italic(letter))
        found |= set(html.unescape(re.sub(r"<mi[^>]*>[^<]*</mi>|<[^>]*>", "", formula)))
    # U+FE00 asks for another form of the letter before it.
    return {character for character in found if not character.isspace() and character != "\ufe00"}


def italic(letter: str) -> str:
    """The mathematical italic of a letter, Latin or Greek; anything else as it is."""
    if letter == "h":
        return "\u210e"
    for first, last, italics in (("A", "Z", 0x1D434), ("a", "z", 0x1D44E), ("Α", "Ω", 0x1D6E2), ("α", "ω", 0x1D6FC)):
        if first <= letter <= last:
            return chr(italics + ord(letter) - ord(first))
    return {"ϵ": "\U0001d716", "ϑ": "\U0001d717", "ϕ": "\U0001d719", "∂": "\U0001d715"}.get(letter, letter)


def characters() -> set[str]:
    """Those of the font in the notes."""
    return {chr(code) for code in TTFont(FILE).getBestCmap()}


def write_font(source: Path) -> None:
    """Writes the part of a font that the notes use."""
    options = Options()
    options.flavor = "woff"
    options.drop_tables += ["GPOS", "GDEF", "FFTM"]
    options.layout_features = ["ssty"]  # small forms for indices and powers
    options.name_IDs = []
    options.hinting = False
    options.desubroutinize = True
    font = TTFont(source)
    subsetter = Subsetter(options)
    subsetter.populate(text="".join(used(book())) + UPRIGHT + SPARE)
    subsetter.subset(font)
    licence = "GUST Font License, http://www.gust.org.pl/fonts/licenses/GUST-FONT-LICENSE.txt"
    short = NAME.replace(" ", "")
    origin = "A part of TeX Gyre Pagella Math. Copyright 2012-2014 B. Jackowski, P. Strzelczyk and P. Pianowski"
    for number, text in ((0, origin), (1, NAME), (2, "Regular"), (4, NAME), (6, short), (13, licence)):
        font["name"].setName(text, number, 3, 1, 0x409)
    cff = font["CFF "].cff
    cff.fontNames = [short]
    font.flavor = "woff"
    font.save(FILE)


if __name__ == "__main__":
    write_font(Path(sys.argv[1]))
