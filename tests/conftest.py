"""Settings that every test shares."""

from hypothesis import settings

# No deadlines: a busy machine is no bug. Derandomised: the same draws on every run.
settings.register_profile("book", deadline=None, derandomize=True)
settings.load_profile("book")
