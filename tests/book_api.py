"""The public names of the library, for the tests of its reference."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import notebook_lib


def public_modules() -> list[str]:
    """Modules a reader imports from: those below the root, and packages' own.

    A module inside a package whose ``__init__`` names its public parts is where
    they lie, not where they are imported from.
    """
    return sorted(
        f"notebook_lib.{module.name}"
        for module in pkgutil.iter_modules(notebook_lib.__path__)
        if not module.name.startswith("_")
    )


def public_names(module) -> list[str]:
    """``__all__``, or what the module itself defines without an underscore."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    ]


def public_symbols() -> dict[str, list[str]]:
    """The functions and classes of each public module; constants are left out."""
    found = {}
    for name in public_modules():
        module = importlib.import_module(name)
        found[name] = [
            symbol
            for symbol in public_names(module)
            if inspect.isfunction(getattr(module, symbol))
            or inspect.isclass(getattr(module, symbol))
        ]
    return found
