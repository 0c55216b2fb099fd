"""Kernels that come up."""

__all__ = ["with_starts"]

#: What the client says of a kernel that never came up.
_NOT_UP = ("Kernel died before", "Kernel didn't respond")


def with_starts(run, starts=4):
    """Call `run`, again if the kernel did not come up.

    Ports are chosen before the kernel binds them: another program may take one in
    between.
    """
    for left in reversed(range(starts)):
        try:
            return run()
        except RuntimeError as error:
            if not left or not str(error).startswith(_NOT_UP):
                raise
