"""Which method for which gap: one structure for the page and for the report.

The questions of :data:`TREE` lead to the keys of :data:`GUIDE`. Chapter 6 draws the
tree and prints the table; the report on a user's data quotes the same entries.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches

import pandas as pd

__all__ = [
    "GAPS",
    "GUIDE",
    "TREE",
    "Advice",
    "Question",
    "advice",
    "in_words",
    "path",
    "plot_tree",
    "table",
    "table_html",
    "walk",
]

#: What can be missing, by the key of the gap.
GAPS = {
    "nothing": "nothing",
    "class": "a class, for every row",
    "entries": "entries of a matrix, asked for in groups",
    "covariates": "covariates",
    "outcomes": "outcomes",
}

#: Titles of the pages that the advice points to.
PAGES = {
    "how_to_use": "How to use",
    "01_latent_class": "Chapter 1",
    "02_matrix_completion": "Chapter 2",
    "03_mask_conditional": "Chapter 3",
    "04_mda_nested": "Chapter 4",
    "05_missing_outcomes": "Chapter 5",
}


@dataclass(frozen=True)
class Advice:
    """One method: what it needs and what it promises.

    Parameters
    ----------
    key : str
        Short name, used in code.
    gap : str
        Key of :data:`GAPS`.
    method : str
        Name of the method.
    assumption : str
        What must hold of the gaps.
    guarantee : str
        What is promised then, in a few words.
    in_full : str
        The same in a sentence.
    caution : str
        Where it fails, or what it costs.
    call : str
        Public name in the library; empty if there is none.
    chapter : str
        Name of the page that explains it.
    """

    key: str
    gap: str
    method: str
    assumption: str
    guarantee: str
    in_full: str
    caution: str
    call: str
    chapter: str

    @property
    def page(self) -> str:
        """Title of the page."""
        return PAGES[self.chapter]


#: All advice, in the order of the tree.
#:
#: :meta hide-value:
GUIDE: tuple[Advice, ...] = (
    Advice(
        "split-cp",
        "nothing",
        "split CP or CQR",
        "rows are exchangeable",
        "marginal, 1 − α",
        "marginal: a new row is covered with probability at least 1 − α, on average "
        "over rows",
        "nothing for single rows or groups",
        "notebook_lib.split.SplitConformalRegressor",
        "how_to_use",
    ),
    Advice(
        "latent-class",
        "class",
        "mixture, then split CP",
        "rows are exchangeable; one fitted mixture for calibration and test rows",
        "marginal, 1 − α",
        "marginal: at least 1 − α on average over the classes together",
        "a rare class may be covered far less often",
        "notebook_lib.latent.LatentClassConformal",
        "01_latent_class",
    ),
    Advice(
        "scmc",
        "entries",
        "SCMC",
        "entries are seen with known (or estimated) weights",
        "simultaneous over the group, 1 − α",
        "simultaneous: all entries of a group are covered together with probability at "
        "least 1 − α, on average over groups",
        "as good as the weights",
        "notebook_lib.matrix.StructuredConformalCompletion",
        "02_matrix_completion",
    ),
    Advice(
        "impute-cqr",
        "covariates",
        "impute, then CQR",
        "rows, with their gaps, are exchangeable",
        "marginal, 1 − α",
        "marginal: at least 1 − α on average over all patterns of gaps together",
        "rows with many gaps may be covered less often",
        "notebook_lib.covariates.ImputedSplitRegressor",
        "03_mask_conditional",
    ),
    Advice(
        "same-mask",
        "covariates",
        "calibrate on the same mask",
        "rows, with their gaps, are exchangeable",
        "for each pattern, 1 − α",
        "mask-conditional: at least 1 − α on every pattern of gaps, whatever makes the "
        "gaps",
        "infinite on patterns with fewer than 1/α − 1 calibration rows",
        "notebook_lib.covariates.PerMaskRegressor",
        "04_mda_nested",
    ),
    Advice(
        "cp-mda-exact",
        "covariates",
        "CP-MDA-Exact",
        "gaps are independent of covariates and outcome",
        "for each pattern, 1 − α",
        "mask-conditional: at least 1 − α on every pattern of gaps, if gaps are "
        "independent of the data",
        "infinite where fewer than 1/α − 1 rows observe as much as the test row; nexCP "
        "with mask weights and LCP (chapter 3) promise the same",
        "notebook_lib.covariates.CPMDAExact",
        "04_mda_nested",
    ),
    Advice(
        "nested-star",
        "covariates",
        "CP-MDA-Nested*",
        "gaps are independent of covariates and outcome",
        "for each pattern, 1 − 2α",
        "with all calibration rows at least 1 − 2α on average over patterns, whatever "
        "makes the gaps; if gaps are independent of the data the same on every pattern "
        "(mask-conditional; in practice about 1 − α), also with fewer rows",
        "predicts each row under many masks; without MCAR, marginal only",
        "notebook_lib.covariates.CPMDANestedStar",
        "04_mda_nested",
    ),
    Advice(
        "observed-rows",
        "outcomes",
        "split CP on the observed rows",
        "outcomes go missing completely at random",
        "marginal, 1 − α",
        "marginal: at least 1 − α on average over rows, observed or not",
        "fails as soon as the gaps depend on the covariates",
        "notebook_lib.split.SplitConformalRegressor",
        "05_missing_outcomes",
    ),
    Advice(
        "weighted-cp",
        "outcomes",
        "weighted CP",
        "missing at random given the covariates, propensity known (or estimated)",
        "marginal over the missing rows, 1 − α",
        "marginal over the rows whose outcome is missing: at least 1 − α with the true "
        "propensity",
        "as good as the propensity",
        "notebook_lib.outcomes.MissingOutcomeConformal",
        "05_missing_outcomes",
    ),
    Advice(
        "pro-cp",
        "outcomes",
        "pro-CP",
        "missing at random given the covariates, propensity known (or estimated)",
        "share of missing rows covered, given their propensity bins: 1 − α − slack",
        "on average over the missing rows, given their propensity bins: the expected "
        "share of them that is missed is at most α plus the slack of the bins (at most "
        "ε/4)",
        "wider; infinite where bins hold too few observed rows",
        "notebook_lib.outcomes.MissingOutcomeConformal",
        "05_missing_outcomes",
    ),
    Advice(
        "pro-cp2",
        "outcomes",
        "pro-CP2",
        "missing at random given the covariates, propensity known (or estimated)",
        "mean square of the missed share, given the bins: α² plus slack",
        "given the propensity bins, the mean square of the share missed is at most α² "
        "plus twice the slack of the bins: bad draws are rarer than with pro-CP",
        "wider still",
        "notebook_lib.outcomes.MissingOutcomeConformal",
        "05_missing_outcomes",
    ),
    Advice(
        "none-mnar",
        "outcomes",
        "none in this book",
        "gaps depend on the outcome itself",
        "none",
        "none",
        "first find covariates that explain the gaps",
        "",
        "05_missing_outcomes",
    ),
)

_BY_KEY = {entry.key: entry for entry in GUIDE}


@dataclass(frozen=True)
class Question:
    """A question of the tree, with what follows from each answer.

    Parameters
    ----------
    text : str
        The question.
    branches : tuple of (str, Question or str)
        Answer, and the next question or a key of :data:`GUIDE`.
    """

    text: str
    branches: tuple


#: From what is missing to a method.
#:
#: :meta hide-value:
TREE = Question(
    "What is missing?",
    (
        (GAPS["nothing"], "split-cp"),
        (GAPS["class"], "latent-class"),
        (GAPS["entries"], "scmc"),
        (
            GAPS["covariates"],
            Question(
                "Which promise?",
                (
                    ("on average over all rows", "impute-cqr"),
                    (
                        "for each pattern of gaps",
                        Question(
                            "May the gaps depend on the data?",
                            (
                                ("yes, or unknown", "same-mask"),
                                (
                                    "no (MCAR)",
                                    Question(
                                        "Do 1/α rows observe as much?",
                                        (
                                            ("yes", "cp-mda-exact"),
                                            ("no", "nested-star"),
                                        ),
                                    ),
                                ),
                            ),
                        ),
                    ),
                ),
            ),
        ),
        (
            GAPS["outcomes"],
            Question(
                "Why are they missing?",
                (
                    ("pure chance", "observed-rows"),
                    (
                        "the covariates tell",
                        Question(
                            "Which promise?",
                            (
                                ("for one missing row at random", "weighted-cp"),
                                ("for the missing rows together", "pro-cp"),
                                ("the same, and few bad draws", "pro-cp2"),
                            ),
                        ),
                    ),
                    ("the outcome itself", "none-mnar"),
                ),
            ),
        ),
    ),
)


def advice(key: str) -> Advice:
    """Look up one method.

    Parameters
    ----------
    key : str
        Key of the guide.

    Returns
    -------
    Advice

    Raises
    ------
    ValueError
        If there is no such key, with the nearest ones.
    """
    if key not in _BY_KEY:
        near = get_close_matches(str(key), _BY_KEY, 3) or list(_BY_KEY)
        raise ValueError(f"key {key!r} is not in the guide; try {', '.join(near)}")
    return _BY_KEY[key]


def walk(question: Question = TREE, answers: tuple = ()) -> Iterator[tuple]:
    """Go through the leaves of a tree.

    Parameters
    ----------
    question : Question
        Where to start.
    answers : tuple of (str, str)
        Questions and answers so far.

    Yields
    ------
    tuple of (str, tuple)
        Key of the guide, and the (question, answer) pairs that lead to it.
    """
    for answer, follow in question.branches:
        here = (*answers, (question.text, answer))
        if isinstance(follow, Question):
            yield from walk(follow, here)
        else:
            yield follow, here


def path(key: str) -> tuple:
    """Questions and answers that lead to a method, a tuple of pairs, for its `key`."""
    return dict(walk())[advice(key).key]


def in_words() -> str:
    """Return the tree as sentences, for those who cannot see the figure."""
    parts = []
    for key, answers in walk():
        entry = advice(key)
        steps = "; ".join(f"{question} {answer}" for question, answer in answers)
        parts.append(f"{steps}: {entry.method} ({entry.guarantee}; {entry.page}).")
    return "Decision tree. " + " ".join(parts)


def table(gap: str | None = None) -> pd.DataFrame:
    """Lay the guide out as a table.

    Parameters
    ----------
    gap : str, optional
        Key of :data:`GAPS`; all gaps by default.

    Returns
    -------
    DataFrame
        One row a method, indexed by its key.

    Raises
    ------
    ValueError
        If there is no such gap.
    """
    if gap is not None and gap not in GAPS:
        raise ValueError(f"gap must be one of {', '.join(GAPS)}; got {gap!r}")
    rows = [asdict(entry) for entry in GUIDE if gap in (None, entry.gap)]
    return pd.DataFrame(rows).set_index("key")


def table_html() -> str:
    """Return the guide as an HTML table that links each method to its chapter."""
    heads = ("missing", "the gaps", "the promise", "method", "mind")
    out = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = []
    for entry in GUIDE:
        link = f'<a href="{entry.chapter}.html">{entry.page}</a>'
        cells = (
            GAPS[entry.gap],
            entry.assumption,
            entry.guarantee,
            f"<b>{html.escape(entry.method)}</b><br>{link}",
            entry.caution,
        )
        body.append("".join(f"<td>{cell}</td>" for cell in cells))
    rows = "".join(f"<tr>{row}</tr>" for row in body)
    look = (
        "<style>table.guide {border-collapse: collapse; font-size: .86rem} "
        "table.guide th, table.guide td {text-align: left; vertical-align: top; "
        "padding: .3rem .5rem; border-bottom: 1px solid "
        "var(--pst-color-border, #ccc); min-width: 6.5rem}</style>"
    )
    return (
        f'{look}<div style="overflow-x: auto"><table class="guide"><thead><tr>{out}'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


# ------------------------------------------------------------------ the figure

_INK, _LEAF, _NONE = "#222222", "#E3F1FA", "#F3E3DA"
_INDENT, _LEFT = 0.32, 0.12  # inches


def _lines(question, depth=0):
    """Lines of the drawing: (kind, depth, parent's line, text)."""
    yield "question", depth, question.text
    for answer, follow in question.branches:
        yield "answer", depth, answer
        if isinstance(follow, Question):
            yield from _lines(follow, depth + 1)
        else:
            yield "leaf", depth + 1, follow


def plot_tree(*, width: float = 4.6):
    """Draw the tree from top to bottom, narrow enough for a phone.

    Parameters
    ----------
    width : float
        Of the figure, in inches.

    Returns
    -------
    Figure
    """
    import textwrap

    import matplotlib.pyplot as plt

    heights = {"question": 0.27, "answer": 0.24}
    placed, y = [], 0.1
    for kind, depth, text in _lines(TREE):
        if kind == "leaf":
            entry = advice(text)
            room = width - _LEFT - depth * _INDENT - 0.3
            small = textwrap.wrap(entry.guarantee, int(room / 0.082))
            text = (entry, small)
            size = 0.31 + 0.155 * len(small)
        else:
            size = heights[kind]
        placed.append((kind, depth, text, y, size))
        y += size + (0.07 if kind == "leaf" else 0.0)
    fig = plt.figure(figsize=(width, y), layout="none")
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(y, 0))
    ax.axis("off")
    for item in placed:
        _draw(ax, width, *item)
    _rails(ax, placed)
    return fig


def _draw(ax, width, kind, depth, text, y, size):
    from matplotlib.patches import FancyBboxPatch

    x = _LEFT + depth * _INDENT
    middle = y + size / 2
    if kind == "question":
        ax.text(x, middle, text, weight="bold", va="center", color=_INK, size=10.5)
    elif kind == "answer":
        ax.text(x + 0.2, middle, text, va="center", color=_INK, size=10)
    else:
        entry, small = text
        face = _LEAF if entry.call else _NONE
        box = FancyBboxPatch(
            (x, y),
            width - x - 0.08,
            size,
            boxstyle="round,pad=0,rounding_size=0.05",
            facecolor=face,
            edgecolor="#0072B2" if entry.call else "#D55E00",
            linewidth=1.2,
        )
        ax.add_patch(box)
        ax.text(x + 0.08, y + 0.16, entry.method, weight="bold", va="center", size=10)
        ax.text(width - 0.16, y + 0.16, entry.page, va="center", ha="right", size=9)
        ax.text(x + 0.08, y + 0.29, "\n".join(small), va="top", size=9, color=_INK)


def _rails(ax, placed):
    """A rail from each question down to its last answer, with a tick at each."""
    for at, (kind, depth, _, y, size) in enumerate(placed):
        if kind != "question":
            continue
        x, ends = _LEFT + depth * _INDENT + 0.05, []
        for other, level, _, top, tall in placed[at + 1 :]:
            if level < depth or (other == "question" and level == depth):
                break
            if other == "answer" and level == depth:
                ends.append(top + tall / 2)
        if ends:
            ax.plot([x, x], [y + size, ends[-1]], color="#888888", linewidth=1)
            ax.hlines(ends, x, x + 0.12, color="#888888", linewidth=1)
