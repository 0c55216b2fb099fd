"""The driver of the book: from paired sources to pages that are the tested files.

Run it as ``python -m tools.book VERB``; the Makefile's targets are these verbs.

======== ==================================================================
verb     what it does
======== ==================================================================
sync     write each ``.ipynb`` from its ``.py`` (the source), keeping outputs
refresh  sync, execute, normalise: the committed notebooks are made anew
check    the pairs are in step, executed in order, normalised and small
stage    execute the committed notebooks into ``_build/stage``
compare  the staged outputs say what the committed ones say
confirm  nbval runs the staged notebooks again; record their hashes
render   jupyter-book makes the pages of the staged files, execution off
verify   the rendered pages are the confirmed files, and hold known text
chapter  one chapter with other parameters, into ``_build/variants``
serve    the built book on loopback
======== ==================================================================

A page is the tested artifact in the literal sense: Sphinx copies the source of a
page byte for byte into ``_sources`` and myst-nb names a figure's file by the
sha256 of its bytes, so ``verify`` compares hashes with those that ``confirm``
recorded when nbval had reproduced every output.
"""
