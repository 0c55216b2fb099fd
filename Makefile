# Every target runs on a machine with python3.11 or newer, make and git: the
# virtual environment is made on the way. `make` alone lists the targets.

V := .venv
B := $(V)/bin
PYTHON := $(B)/python
BOOK := $(PYTHON) -m tools.book
# The first of these that is a Python the book supports.
PYTHONS := $(PY) python3 python3.11 python3.12 python3.13
SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

export PYTHONDONTWRITEBYTECODE := 1
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

PEERS := .venv-bench
EXTRA := import tomllib; f = open("pyproject.toml", "rb"); \
  print(*tomllib.load(f)["project"]["optional-dependencies"]["bench"])

SITE := _build/site/_build/html
HERE = $(shell find $(1) -type f -not -path '*/.*' -not -name '*.pyc' 2>/dev/null)
# What a notebook's outputs can depend on.
INPUTS := $(wildcard book/*.py book/*.ipynb tools/book/*.py) nbval_sanitize.cfg \
  $(filter %.py,$(call HERE,src)) $(call HERE,data)
# What only the pages depend on.
PAGES := _config.yml _toc.yml $(filter-out %.py %.ipynb,$(call HERE,book))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help book test unit chapter refresh sync check serve lint lock studies bench clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/' | expand -t 18

book: _build/site/.stamp ## run, compare, confirm, render and verify the book
	@echo "open $(CURDIR)/$(SITE)/index.html (or: make serve)"

test: book ## the book, then every test
	$(PYTHON) -m pytest -q -rs -n 2 --dist loadgroup tests

unit: $(V)/.stamp ## the tests of the library alone (TESTS="-k quantile" to choose)
	$(PYTHON) -m pytest -q -n 2 --dist loadgroup tests \
	  --ignore-glob='tests/test_book_*' --ignore-glob='tests/test_repo_*' $(TESTS)

chapter: $(V)/.stamp ## one chapter: make chapter CH=01 PARAMS="-p alpha 0.2"
	@test -n "$(CH)" || { echo 'say which: make chapter CH=01 PARAMS="-p alpha 0.2"'; exit 1; }
	@$(BOOK) chapter $(CH) $(PARAMS)

refresh: $(V)/.stamp ## run the committed notebooks anew (CH=01 for one)
	$(BOOK) refresh $(CH)

sync: $(V)/.stamp ## write each .ipynb from its .py, keeping outputs
	$(BOOK) sync $(CH)

check: $(V)/.stamp ## are the pairs in step, run, normal and small
	$(BOOK) check

serve: $(V)/.stamp ## show the built book on loopback
	$(BOOK) serve

lint: $(V)/.stamp ## ruff, its layout, and the check of the pairs
	$(B)/ruff check .
	$(B)/ruff format --check .
	$(BOOK) check

studies: $(V)/.stamp ## run each study that is due (LIST=1, RUN=name, VERIFY=name, JOBS=2)
	$(PYTHON) -m notebook_lib.studies $(if $(LIST),list,$(if $(VERIFY),verify $(VERIFY) $(if $(STAMP),--stamp),\
	  run $(or $(RUN),--due)) $(if $(JOBS),--jobs $(JOBS)) \
	  $(if $(DASK),--scheduler $(DASK)))

bench: $(PEERS)/.stamp ## all ratios and size curves into data/benchmarks (BENCH=core prints one)
	$(PEERS)/bin/python -m benchmarks $(or $(BENCH),--write)

lock: $(V)/.stamp ## write requirements.lock from pyproject.toml (hashes, no addresses)
	$(B)/uv pip compile -q --universal --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" --extra book --extra test --extra data \
	  --extra cluster --extra dev pyproject.toml -o requirements.lock

clean: ## remove everything made, but not the virtual environment
	rm -rf _build

# The driver goes by content: a touched file runs no notebook again.
_build/tested.json: $(V)/.stamp $(INPUTS)
	$(BOOK) stage
	$(BOOK) compare
	$(BOOK) confirm
	@touch $@

_build/site/.stamp: _build/tested.json $(PAGES)
	$(BOOK) render
	$(BOOK) verify
	@touch $@

# The peers of `make bench` live apart and see the packages of the book, in the same
# versions; a peer that cannot be had leaves the stamp undone, and its row says so.
$(PEERS)/.stamp: $(V)/.stamp pyproject.toml
	@$(PYTHON) -m venv $(PEERS)
	@$(PYTHON) -c 'import sysconfig as s; print("import site; site.addsitedir(%r)" % s.get_path("purelib"))' \
	  > "$$($(PEERS)/bin/python -c 'import sysconfig as s; print(s.get_path("purelib"))')/book.pth"
	@$(PYTHON) -m pip freeze -q --exclude-editable > $(PEERS)/constraints.txt
	@complete=yes; for peer in $$($(PYTHON) -c '$(EXTRA)'); do \
	  $(PEERS)/bin/python -m pip install -q --disable-pip-version-check -c $(PEERS)/constraints.txt "$$peer" || \
	  { echo "peer not installed: $$peer"; complete=no; }; done; \
	if [ $$complete = yes ]; then touch $@; fi

# uv is some ten times faster than pip here; where it cannot reach the registry
# that pip is set up for, pip does the same.
$(V)/.stamp: requirements.lock pyproject.toml
	@set -e; for candidate in $(PYTHONS); do \
	  if command -v $$candidate >/dev/null 2>&1 && $$candidate -c '$(SUITABLE)'; \
	  then found=$$candidate; break; fi; done; \
	if [ -z "$$found" ]; then \
	  echo "no Python 3.11, 3.12 or 3.13 on the path; name one: make PY=/path/to/python"; \
	  exit 1; fi; \
	echo "environment: $$($$found --version) into $(V)"; $$found -m venv $(V)
	$(PYTHON) -m pip install -q --disable-pip-version-check \
	  "$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements.lock)" 2>/dev/null || true
	$(B)/uv pip install -q --python $(PYTHON) --require-hashes -r requirements.lock || \
	  $(PYTHON) -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(PYTHON) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
