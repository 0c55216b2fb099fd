"""Claims: one call checks one statement of a source document and records it.

Every statement that the book checks has an id in ``data/claims.csv``. A chapter
calls :func:`check` (or :func:`differs`, :func:`not_attempted`) in the cell that
computes the evidence. The call displays one output that carries the record, so
the verdict lives in the executed notebook and nowhere else: :func:`ledger` reads
the records back. No verdict without a run.

Recorded numbers are rounded to 6 significant digits, and those below 1e-9 to
zero, so that two machines write the same bytes; a failure shows them in full.
"""

from notebook_lib.claims.calls import another_seed, check, differs, not_attempted
from notebook_lib.claims.criteria import ClaimFailed
from notebook_lib.claims.fold import fold
from notebook_lib.claims.ledger import (
    by_scale,
    collect,
    combine,
    ledger,
    load_claims,
    paper_scale,
    problems,
    summary,
)
from notebook_lib.claims.published import load_published, printed
from notebook_lib.claims.record import (
    ANY,
    DIFFERS,
    MIME,
    NOT_ATTEMPTED,
    REPRODUCED,
    SCALES,
    VERDICTS,
    Record,
    quantise,
    show,
)
from notebook_lib.claims.registers import (
    load_additions,
    load_errata,
    register_problems,
    register_summary,
)

__all__ = [
    "ANY",
    "DIFFERS",
    "MIME",
    "NOT_ATTEMPTED",
    "REPRODUCED",
    "SCALES",
    "VERDICTS",
    "ClaimFailed",
    "Record",
    "another_seed",
    "by_scale",
    "check",
    "collect",
    "combine",
    "differs",
    "fold",
    "ledger",
    "load_additions",
    "load_claims",
    "load_errata",
    "load_published",
    "not_attempted",
    "paper_scale",
    "printed",
    "problems",
    "quantise",
    "register_problems",
    "register_summary",
    "show",
    "summary",
]
