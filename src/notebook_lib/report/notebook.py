"""The report as a notebook: ordinary cells that call this package, then executed."""

from __future__ import annotations

import importlib.util
import os
import pprint
import re
import sys
from pathlib import Path

from .._kernels import with_starts

__all__ = ["build_notebook", "check_extra", "execute_notebook"]

_NEEDED = ("nbformat", "nbclient", "nbconvert", "ipykernel")
_TIMEOUT = 3600


def check_extra():
    """Refuse to start without the packages that write and run notebooks.

    Raises
    ------
    ImportError
        With the command that installs them.
    """
    absent = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        raise ImportError(
            f'the report needs {", ".join(absent)}: pip install "notebook-lib[report]"'
        )


def build_notebook(source, target, choice, *, options, held_out, labels, title):
    """Make the notebook of a report, not yet executed.

    Parameters
    ----------
    source : str or None
        Path of the table, relative to the notebook; None is the bundled example.
    target : str
        Column to predict.
    choice : Recommendation
        Decides which cells there are.
    options : dict
        ``alpha``, ``method``, ``new`` (path or None), ``model``, ``seed``, and
        ``reading``, the keyword arguments of :func:`read_table`.
    held_out : bool
        Whether there are held-out rows to check coverage on.
    labels : bool
        Whether sets of labels are wanted.
    title : str
        First heading.

    Returns
    -------
    NotebookNode
        Cells with stable ids.
    """
    import nbformat

    cells = [
        ("markdown", _INTRO.format(title=title)),
        ("code", _parameters(source, target, options), "parameters"),
        ("code", _IMPORTS),
        ("markdown", "## The table"),
        ("code", _TABLE),
        ("code", _NOTES.format(what="table")),
        ("markdown", "## The gaps"),
        ("code", "gaps = report.describe_gaps(table)\ngaps.summary.to_frame()"),
        ("code", "report.plot_gaps(gaps)", _ALT_GAPS),
        ("markdown", _MASKS),
        ("code", "gaps.masks.round(3)"),
        ("markdown", _RELATED),
        ("code", 'gaps.related.round(3).astype(object).fillna("")'),
        ("code", _NOTES.format(what="gaps")),
        ("markdown", "## The method"),
        ("code", _CHOICE),
        ("markdown", "What else could be used, and why it was not:"),
        ("code", "choice.alternatives"),
        ("markdown", _RESULT_WORDS[held_out]),
        ("code", _RESULT),
        ("code", "report.plot_intervals(result)", _ALT_SETS),
    ]
    if held_out:
        cells += [
            ("markdown", _CHECK_WORDS),
            ("code", "checked = report.check_coverage(result)\nchecked.round(3)"),
            ("code", _COVERAGE, _ALT_COVERAGE),
        ]
    cells += [("markdown", _REASON_WORDS), ("code", _REASONS), ("code", _CSV)]
    cells += [("markdown", "## In short"), ("code", _SHORT, "summary")]
    cells += [("markdown", "## Go on from here\n\n" + _BY_HAND_WORDS)]
    cells += [("code", _by_hand(choice.method, held_out, labels))]
    book = nbformat.v4.new_notebook()
    book.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    for number, (kind, text, *extra) in enumerate(cells, start=1):
        make = nbformat.v4.new_code_cell if kind == "code" else None
        cell = (make or nbformat.v4.new_markdown_cell)(text)
        cell["id"] = f"cell-{number:02d}"
        if extra in (["parameters"], ["summary"]):
            cell.metadata["tags"] = extra
        elif extra:
            cell.metadata["alt"] = extra[0]
        book.cells.append(cell)
    return book


def execute_notebook(book, folder):
    """Run a notebook in a fresh kernel of this very Python, and normalise it.

    Parameters
    ----------
    book : NotebookNode
        Changed in place.
    folder : path
        The kernel's working folder.

    Returns
    -------
    NotebookNode
        With outputs that hold no time, path or process number.

    Raises
    ------
    ValueError
        If a cell raises, with its message.
    """
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    class _ThisPython(AsyncKernelManager):
        """A kernel that does not depend on which kernels are registered."""

        def format_kernel_cmd(self, extra_arguments=None):
            return [
                sys.executable,
                "-m",
                "ipykernel_launcher",
                "-f",
                self.connection_file,
                "--IPKernelApp.log_level=40",
            ]

    def run():
        client = NotebookClient(
            book,
            timeout=_TIMEOUT,
            kernel_manager_class=_ThisPython,
            record_timing=False,
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute(env={**os.environ, "PYTHONWARNINGS": "default"})

    try:
        with_starts(run)
    except CellExecutionError as error:
        raise ValueError(error.evalue) from None
    for cell in book.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if output["output_type"] == "stream":
                output["text"] = _plain_warnings(output["text"])
    return book


def _plain_warnings(text):
    """Warnings without the path and the line that a kernel puts around them."""
    text = re.sub(r"^\S.*?:\d+: (\w*Warning: )", r"\1", text, flags=re.MULTILINE)
    return re.sub(r"(?m)^(\w*Warning: .*)\n  .*\n", r"\1\n", text)


def _parameters(source, target, options):
    path = None if source is None else Path(source).as_posix()
    told = "the bundled example" if path is None else "the table"
    lines = [
        f"SOURCE = {path!r}  # {told}",
        f"TARGET = {target!r}",
        f"ALPHA = {options['alpha']!r}  # miscoverage level(s), in (0, 1)",
        f"METHOD = {options['method']!r}  # or the key of a method that you want",
        f"NEW = {options['new']!r}  # path of new rows to predict",
        f"MODEL = {options['model']!r}  # auto, linear or boosting",
        f"SEED = {options['seed']!r}  # deals the rows",
    ]
    reading = pprint.pformat(options["reading"], width=70, sort_dicts=True)
    lines.append(f"READING = {reading}  # how to read the table")
    return "\n".join(lines)


_INTRO = """# {title}

Written by `python -m notebook_lib.report`. Every cell calls the public functions of
`notebook_lib.report`: change the parameters below, run it again, and go on from it."""

_IMPORTS = """import pandas as pd
from IPython.display import Markdown

from notebook_lib import figures, report

figures.setup()
pd.set_option("display.max_colwidth", None, "display.max_rows", 200)"""

_TABLE = """table = report.read_table(SOURCE, TARGET, **READING)
table.columns.round(3)"""

_NOTES = """notes = [f"* {{note}}" for note in {what}.notes]
Markdown("\\n".join(notes) or "Nothing to add.")"""

_MASKS = """A *mask* says which covariates a row lacks. `included` counts the rows that
lack nothing else: those can be compared with rows of this mask directly."""

_RELATED = """Do the gaps depend on what is seen? AUC with which the other columns tell
whether a value is missing (0.5 by chance), with its error; `z` is their distance from
chance in errors."""

_CHOICE = """choice = report.recommend(table, alpha=ALPHA, gaps=gaps, method=METHOD)
Markdown(choice.text())"""

_RESULT_WORDS = {
    True: """## Sets

Half of the rows with an outcome train, a quarter calibrate, and a quarter are held out
to check the promise. Rows without an outcome, and new rows, are calibrated on all rows
that did not train. The first lines:""",
    False: """## Sets

Every row without an outcome gets a set: the table is dealt into two parts, and each is
calibrated with models trained on the other. The first lines:""",
}

_RESULT = """result = report.predict_gaps(
    table, alpha=ALPHA, new=NEW, model=MODEL, seed=SEED, recommendation=choice
)
result.head(8)"""

_CHECK_WORDS = """## Is the promise kept?

Coverage on rows that neither trained nor calibrated, with 95 % intervals: a mask with
few rows says little."""

_COVERAGE = """report.plot_coverage(checked, checked["alpha"].min())"""

_REASON_WORDS = """Sets that are infinite, empty, or promised less, and why. An infinite
set is not a failure of the program: the level cannot be promised with these rows."""

_REASONS = """told = result.loc[result["reason"] != "", "reason"]
told.value_counts().head(10).to_frame("rows") if len(told) else "none\""""

_CSV = """result.to_csv(
    "intervals.csv", index=False, float_format="%.6g", lineterminator="\\n"
)
print(f"intervals.csv: {len(result)} lines")"""

_SHORT = """Markdown(report.in_short(table, gaps, choice, result))"""

_BY_HAND_WORDS = """The same with the library's estimator, to change as you like:"""

_ALT_GAPS = (
    "Bars: percentage of rows missing in each column with gaps, and below the number "
    "of rows with each of the most frequent masks. The numbers are in the tables."
)
_ALT_SETS = (
    "Up to sixty of the sets, ordered by prediction, with outcomes where they are "
    "known; for labels, how many sets have which size. All are in intervals.csv."
)
_ALT_COVERAGE = (
    "Coverage on held-out rows with 95 % intervals, for all rows and each mask, beside "
    "a line at the wanted level. The numbers are in the table above."
)


def _by_hand(method, held_out, labels):
    if not held_out:
        return _HAND_LABELS if labels else _HAND_OUTCOME
    raw = method == "split" or (labels and method == "imputed")
    return _HAND_RAW if raw else _HAND_MASKS


_HAND_RAW = """parts = report.split_rows(table, seed=SEED)
X_train, X_cal, X_held_out = (table.X.iloc[part] for part in parts)
y_train, y_cal, y_held_out = (table.y.iloc[part] for part in parts)

model = report.build_estimator(table, choice.method, alpha=ALPHA, model=MODEL)
model.fit(X_train, y_train).conformalize(X_cal, y_cal)
model"""

_HAND_MASKS = """parts = report.split_rows(table, seed=SEED)
y_train, y_cal, y_held_out = (table.y.iloc[part] for part in parts)
encoder = report.TableEncoder().fit(table.X.iloc[parts.train])
X_train, X_cal, X_held_out = (encoder.transform(table.X.iloc[part]) for part in parts)

model = report.build_estimator(table, choice.method, alpha=ALPHA, model=MODEL)
model.fit(X_train, y_train).conformalize(X_cal, y_cal)
model"""

_HAND_OUTCOME = """from notebook_lib.outcomes import cross_intervals

level = result["alpha"].min()
model = report.outcome_estimator(table, choice.method, alpha=level, model=MODEL)
cross_intervals(model, table.X, table.y, random_state=SEED).head(3)"""

_HAND_LABELS = """report.overlap(table).to_frame()"""
