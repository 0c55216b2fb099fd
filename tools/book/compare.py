"""Do the outputs that a fresh run gave say what the committed ones say?"""

from __future__ import annotations

import base64
import difflib
import hashlib
import io
import json
import pathlib
import re

from tools.book import notebooks
from tools.book.layout import BookError, Layout

# A number with a decimal point, as printed; an exponent belongs to it.
_NUMBER = re.compile(r"-?\d+\.\d+(?:[eE][-+]?\d+)?")
_DIGITS_TO_BEND = 4
PIXEL_LEVELS = 48
PIXEL_SHARE = 0.01


def sanitizers(layout: Layout) -> list[tuple[str, str]]:
    """The patterns of ``nbval_sanitize.cfg``, the same that nbval uses."""
    from nbval.plugin import get_sanitize_patterns

    path = layout.root / "nbval_sanitize.cfg"
    return get_sanitize_patterns(path.read_text(encoding="utf-8"))


def text_outputs(nb, patterns) -> list[list[str]]:
    """Each code cell's outputs as lines, pictures left out, sanitised."""
    found = []
    for cell in notebooks.code_cells(nb):
        lines = []
        for out in cell.outputs:
            lines.append(f"[{out.output_type}{out.get('name', '').rjust(7)}]")
            lines += str(out.get("text", "")).splitlines()
            for mime, value in sorted(out.get("data", {}).items()):
                if mime.startswith("image/") or "image/" in mime:
                    continue
                text = value if isinstance(value, str) else _dump(value)
                lines += [f"<{mime}>", *text.splitlines()]
        for pattern, replacement in patterns:
            lines = [re.sub(pattern, replacement, line) for line in lines]
        found.append(lines)
    return found


def _dump(value) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)


def _bends(a: str, b: str) -> bool:
    """Whether two printed numbers are one unit of their last digit apart.

    Only where at least four significant digits are printed: there another
    processor's rounding may show. Shorter numbers and counts must be equal.
    """
    mantissa_a, _, exponent_a = a.lower().partition("e")
    mantissa_b, _, exponent_b = b.lower().partition("e")
    places = len(mantissa_a.partition(".")[2])
    if exponent_a != exponent_b or places != len(mantissa_b.partition(".")[2]):
        return False
    first, second = (int(m.replace(".", "")) for m in (mantissa_a, mantissa_b))
    digits = len(str(max(abs(first), abs(second))))
    return abs(first - second) <= 1 and digits >= _DIGITS_TO_BEND


def line_relation(a: str, b: str) -> str:
    """``"equal"``, ``"last digit"`` or ``"different"`` for two printed lines."""
    if a == b:
        return "equal"
    if _NUMBER.sub("#", a) != _NUMBER.sub("#", b):
        return "different"
    pairs = zip(_NUMBER.findall(a), _NUMBER.findall(b), strict=True)
    if all(x == y or _bends(x, y) for x, y in pairs):
        return "last digit"
    return "different"


def pictures(nb) -> list[bytes]:
    """The PNG files in a notebook's outputs, in order."""
    found = []
    for cell in notebooks.code_cells(nb):
        for out in cell.outputs:
            png = out.get("data", {}).get("image/png")
            if png:
                found.append(base64.b64decode(png))
    return found


def picture_problem(before: bytes, after: bytes) -> str:
    """Why two pictures are not the same to the eye; empty if they are.

    Parameters
    ----------
    before, after : bytes
        PNG files.

    Returns
    -------
    str
        Empty, or the difference in words. Equal bytes are equal; otherwise up to
        one pixel in a hundred may differ by more than a fifth of the range (fonts
        and line ends), and a picture of one colour is refused.
    """
    import numpy as np
    from PIL import Image

    a, b = (
        np.asarray(Image.open(io.BytesIO(x)).convert("RGB")).astype(int)
        for x in (before, after)
    )
    if b.std() < 1:
        return "is blank"
    if a.shape != b.shape:
        return f"has another size: {a.shape[1::-1]} before, {b.shape[1::-1]} now"
    share = (np.abs(a - b).max(axis=2) > PIXEL_LEVELS).mean()
    if share > PIXEL_SHARE:
        return f"differs in {share:.1%} of its pixels"
    return ""


def compare_notebooks(committed, executed, patterns, name: str):
    """Compare two notebooks cell by cell.

    Parameters
    ----------
    committed, executed : nbformat.NotebookNode
        The notebook in the repository and the one just run.
    patterns : list of (str, str)
        Sanitising patterns and replacements.
    name : str
        For the messages.

    Returns
    -------
    problems : list of str
        What differs, as lines of a diff.
    notes : int
        Lines in which a number differs by one in its last digit.
    """
    problems, notes = [], 0
    before = text_outputs(committed, patterns)
    after = text_outputs(executed, patterns)
    if len(before) != len(after):
        return [f"{name}: {len(before)} code cells committed, {len(after)} run"], 0
    for number, (a, b) in enumerate(zip(before, after, strict=True), start=1):
        relations = (
            {line_relation(x, y) for x, y in zip(a, b, strict=True)}
            if len(a) == len(b)
            else {"different"}
        )
        notes += "last digit" in relations
        if "different" in relations:
            head = f"{name} cell [{number}]"
            diff = difflib.unified_diff(
                a, b, f"{head} committed", f"{head} executed", lineterm="", n=1
            )
            problems += [line[:200] for line in diff][:24]
    images = pictures(committed), pictures(executed)
    if len(images[0]) != len(images[1]):
        problems.append(f"{name}: {len(images[0])} pictures, now {len(images[1])}")
    for number, (a, b) in enumerate(zip(*images, strict=False), start=1):
        problem = picture_problem(a, b)
        if problem:
            problems.append(f"{name}: picture {number} {problem}")
    return problems, notes


def compare(layout: Layout, *, say=print) -> None:
    """Compare every staged notebook with the committed one.

    nbval on freshly executed notebooks cannot see a regression: it would confirm
    the new number. This step can.

    Raises
    ------
    BookError
        With a short diff, if outputs differ.
    """
    patterns = sanitizers(layout)
    problems, notes = [], 0
    for path in layout.notebooks():
        staged = layout.stage_book / path.name
        if not staged.exists():
            raise BookError(f"{path.name} is not staged: run `make book`")
        found, bent = compare_notebooks(
            notebooks.read(path), notebooks.read(staged), patterns, path.name
        )
        problems += found
        notes += bent
    if problems:
        problems.append(
            "the outputs differ from the committed ones:"
            " run `make refresh` and look at the diff"
        )
        raise BookError("\n".join(problems))
    if notes:
        say(f"compared: {notes} cells differ by one in a number's last digit")
    say(f"compared: {len(layout.notebooks())} notebooks say what is committed")


def png_hashes(path: pathlib.Path) -> list[str]:
    """The sha256 of each PNG in a notebook file, as myst-nb names them."""
    return [hashlib.sha256(png).hexdigest() for png in pictures(notebooks.read(path))]
