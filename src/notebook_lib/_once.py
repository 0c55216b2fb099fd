"""One warning of each kind a call, however many fits it makes inside."""

import contextlib
import warnings


@contextlib.contextmanager
def each_kind_once(*, leave_out=(), stacklevel=4):
    """Hold warnings back, and tell each kind once at the end.

    Parameters
    ----------
    leave_out : tuple of warning classes
        Not told: the caller says it better.
    stacklevel : int
        Frames up to the caller's line, as in :func:`warnings.warn`, counted from here.

    Yields
    ------
    list of warnings.WarningMessage
        What has been caught so far.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught
    told = {}
    for item in caught:
        texts = told.setdefault(item.category, [])
        if str(item.message) not in texts:
            texts.append(str(item.message))
    for category, texts in told.items():
        if not issubclass(category, tuple(leave_out)):
            more = f" (and {len(texts) - 1} more like this)" if texts[1:] else ""
            warnings.warn(texts[0] + more, category, stacklevel=stacklevel)


def once_over(levels):
    """For a loop over levels inside a public method: one warning of each kind.

    Parameters
    ----------
    levels : sequence of float
        With one level nothing is held back.
    """
    return each_kind_once() if len(levels) > 1 else contextlib.nullcontext()
