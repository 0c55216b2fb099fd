"""The light install: book support asks for nothing that it does not need."""

import subprocess
import sys

TOOLS = {
    "IPython",
    "dask",
    "distributed",
    "jupytext",
    "myst_nb",
    "nbformat",
    "papermill",
    "pooch",
    "pytest",
    "torch",
    "yaml",
}

CODE = """
import sys
from notebook_lib import claims, datasets, figures, params, studies
studies.discover()
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_support_imports_no_tools_of_the_book():
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"numpy", "pandas", "joblib"} <= loaded
    assert not TOOLS & loaded
