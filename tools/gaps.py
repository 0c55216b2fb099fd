"""Draw the front page's picture: five tables, each with another kind of gap.

``python -m tools.gaps`` writes ``book/_static/gaps.svg``. The picture is text made by
this file alone, so that a test can hold the two together.
"""

from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "book" / "_static" / "gaps.svg"

SEEN, GAP, TARGET_FILL, INK = "#b9d7ea", "#ffffff", "#f6c28b", "#333333"
CELL, STEP, TOP = 22, 25, 78
PANEL = 190
STYLE = 'font-family="Helvetica, Arial, sans-serif"'


def text(x, y, words, size=13, weight="normal", anchor="middle", fill=INK):
    """One line of text."""
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}" fill="{fill}" {STYLE}>{words}</text>'
    )


def cell(x, y, kind):
    """One entry: seen, gap (hatched), wanted (the gap that gets a set), or hidden."""
    fill = {
        "seen": SEEN,
        "gap": "url(#hatch)",
        "want": TARGET_FILL,
        "hide": "url(#veil)",
    }
    mark = {"want": text(x + CELL / 2, y + 16, "?", 14, "bold")}.get(kind, "")
    return (
        f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" rx="3" '
        f'fill="{fill[kind]}" stroke="{INK}" stroke-width="0.8"/>{mark}'
    )


def table(left, rows, names, split=None):
    """A table from strings of s(een), g(ap), w(anted), h(idden)."""
    kinds = {"s": "seen", "g": "gap", "w": "want", "h": "hide"}
    parts = []
    for j, name in enumerate(names):
        parts.append(text(left + j * STEP + CELL / 2, TOP - 8, name, 12))
    for i, row in enumerate(rows):
        y = TOP + i * STEP + (8 if split is not None and i >= split else 0)
        for j, letter in enumerate(row):
            parts.append(cell(left + j * STEP, y, kinds[letter]))
    return "".join(parts)


def sub(letter, index):
    """A letter with a small index."""
    return f'{letter}<tspan font-size="9" dy="3">{index}</tspan>'


R1, R2 = sub("R", 1), sub("R", 2)
X1, X2, X3 = sub("X", 1), sub("X", 2), sub("X", 3)
PANELS = [
    (
        "a class",
        "Z is never seen,",
        "not even in training",
        table(
            27,
            ["ssgss", "ssgss", "ssgss", "ssgss", "ssgsw"],
            [R1, R2, "Z", "X", "Y"],
            4,
        ),
    ),
    (
        "matrix entries",
        "one set for a group of",
        "gaps in one column",
        table(
            27, ["sgswg", "gsggs", "ssgwg", "gsgss", "sgswg"], ["a", "b", "c", "d", "e"]
        ),
    ),
    (
        "covariates, by weight",
        "rows like this one",
        "count for more",
        table(40, ["ssss", "sgss", "gsss", "sgss", "sgsw"], [X1, X2, X3, "Y"], 4),
    ),
    (
        "covariates, by mask",
        "each row hides what",
        "the new row lacks",
        table(40, ["shss", "sgss", "ghss", "shgs", "sgsw"], [X1, X2, X3, "Y"], 4),
    ),
    (
        "outcomes",
        "Y is missing more often",
        "for some X than others",
        table(53, ["sss", "ssw", "sss", "ssw", "ssw"], [X1, X2, "Y"]),
    ),
]


def draw():
    """The whole picture as SVG text."""
    width, height = PANEL * len(PANELS), 292
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">',
        "<title>Five tables with five kinds of gap</title>",
        '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="6" height="6" fill="#ffffff"/>'
        '<line x1="0" y1="0" x2="0" y2="6" stroke="#777777" stroke-width="1.6"/>'
        '</pattern><pattern id="veil" width="5" height="5" patternUnits='
        f'"userSpaceOnUse"><rect width="5" height="5" fill="{SEEN}"/><circle cx="2.5" '
        'cy="2.5" r="1.3" fill="#1f5f8b"/></pattern></defs>',
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
    ]
    for number, (title, first, second, body) in enumerate(PANELS, start=1):
        parts.append(
            f'<g transform="translate({(number - 1) * PANEL} 0)">'
            + text(PANEL / 2, 32, f"{number} · {title}", 14, "bold")
            + body
            + text(PANEL / 2, 234, first, 12)
            + text(PANEL / 2, 250, second, 12)
            + "</g>"
        )
    key = [("seen", "seen"), ("gap", "missing"), ("want", "missing, gets a set")]
    key.append(("hide", "seen, hidden on purpose"))
    x = 190
    for kind, words in key:
        parts.append(cell(x, 264, kind))
        parts.append(text(x + 30, 280, words, 12, anchor="start"))
        x += 62 + 6.6 * len(words)
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    TARGET.write_text(draw(), encoding="utf-8")
