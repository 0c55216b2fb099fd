"""Your own data: read a table with gaps, choose a method, get sets and a report.

From a CSV file to intervals in four calls (the table bundled here by default)::

    table = report.read_table("data.csv", "y")
    gaps = report.describe_gaps(table)
    choice = report.recommend(table, alpha=0.1, gaps=gaps)
    result = report.predict_gaps(table, alpha=0.1)

The same as a command, which writes a notebook, a page and the intervals::

    python -m notebook_lib.report data.csv --target y

Every method is one of the library's estimators; nothing is implemented twice here.
"""

from .columns import ColumnKind, column_kind, suspicious_codes
from .complete import Parts, Sets, build_estimator, complete_sets, split_rows
from .encoding import TableEncoder, mask_names
from .gaps import Gaps, describe_gaps, mask_table, missingness_auc
from .methods import METHODS, Method, applicable, check_method
from .models import filled, outcome_model
from .notebook import build_notebook, check_extra, execute_notebook
from .outcome import (
    new_sets,
    outcome_estimator,
    outcome_sets,
    overlap,
    propensity_model,
)
from .page import render_page
from .pictures import plot_coverage, plot_gaps, plot_intervals
from .predict import check_coverage, predict_gaps
from .reading import EXAMPLE_TARGET, Table, example_path, read_table
from .recommend import Recommendation, recommend
from .remarks import column_notes, table_notes
from .summary import in_short
from .write import write_report

__all__ = [
    "EXAMPLE_TARGET",
    "METHODS",
    "ColumnKind",
    "Gaps",
    "Method",
    "Parts",
    "Recommendation",
    "Sets",
    "Table",
    "TableEncoder",
    "applicable",
    "build_estimator",
    "build_notebook",
    "check_coverage",
    "check_extra",
    "check_method",
    "column_kind",
    "column_notes",
    "complete_sets",
    "describe_gaps",
    "example_path",
    "execute_notebook",
    "filled",
    "in_short",
    "mask_names",
    "mask_table",
    "missingness_auc",
    "new_sets",
    "outcome_estimator",
    "outcome_model",
    "outcome_sets",
    "overlap",
    "plot_coverage",
    "plot_gaps",
    "plot_intervals",
    "predict_gaps",
    "propensity_model",
    "read_table",
    "recommend",
    "render_page",
    "split_rows",
    "suspicious_codes",
    "table_notes",
    "write_report",
]
