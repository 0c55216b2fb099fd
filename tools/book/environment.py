"""The environment of every kernel and of every tool that the driver starts."""

from __future__ import annotations

import os
import subprocess
import sys

from tools.book.layout import Layout

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)


def kernel_environment(layout: Layout) -> dict[str, str]:
    """The variables that make a run depend on the checkout alone.

    One BLAS thread, so that two chapters at once do not fight for two cores; own
    IPython and matplotlib folders, so that nobody's start-up files or style reach
    the page. The hash seed stays random: an output that depends on the order of a
    set must fail when nbval runs the cells a second time.

    Parameters
    ----------
    layout : Layout
        The checkout.

    Returns
    -------
    dict of str to str
        A copy of this process's environment with those variables set.
    """
    own = {name: "1" for name in _THREADS}
    own["NOTEBOOK_LIB_ROOT"] = str(layout.root)
    own["IPYTHONDIR"] = str(layout.build / "ipython")
    own["MPLCONFIGDIR"] = str(layout.build / "matplotlib")
    own["JUPYTER_PREFER_ENV_PATH"] = "1"
    own["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    own["PYTHONDONTWRITEBYTECODE"] = "1"
    own["PYTHONUTF8"] = "1"
    env = {**os.environ, **own}
    env.pop("MPLBACKEND", None)
    return env


def warm_up(layout: Layout) -> None:
    """Build matplotlib's font list before a chapter does.

    Where that takes long, matplotlib says so on stderr, inside a page's output.
    """
    env = kernel_environment(layout)
    os.makedirs(env["MPLCONFIGDIR"], exist_ok=True)
    if any(name.startswith("fontlist") for name in os.listdir(env["MPLCONFIGDIR"])):
        return
    subprocess.run(
        [sys.executable, "-c", "import matplotlib.font_manager"],
        env=env,
        check=True,
        capture_output=True,
    )
