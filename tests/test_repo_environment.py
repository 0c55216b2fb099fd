"""One set of versions, said in several places, held together."""

import os
import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tools.book import pairs
from tools.book.layout import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
META = PROJECT["project"]
LOCK = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
UNLOCKED = {"bench", "convex", "paper"}


def load_yaml(name):
    return yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))


def locked():
    """Each locked package with its versions (several where Pythons differ)."""
    found = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", LOCK, re.M):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


def requirements():
    extras = META["optional-dependencies"]
    lists = [META["dependencies"]]
    lists += [v for k, v in extras.items() if k not in UNLOCKED]
    return sorted({text for group in lists for text in group})


@pytest.mark.parametrize("text", requirements())
def test_requirement_is_locked_within_its_range(text):
    need = Requirement(text)
    versions = locked().get(canonicalize_name(need.name), [])
    assert versions
    assert [v for v in versions if not need.specifier.contains(v, True)] == []


def test_every_pin_has_a_hash():
    entries = re.split(r"\n(?=[\w.-]+==)", LOCK.split("\n", 2)[2])
    assert len(entries) > 50
    assert [e.split()[0] for e in entries if "--hash=sha256:" not in e] == []


def test_conda_environment_says_the_same():
    wanted = load_yaml("environment.yml")["dependencies"]
    plain = [d for d in wanted if isinstance(d, str)]
    python = next(d for d in plain if d.startswith("python "))
    assert SpecifierSet(python.split(maxsplit=1)[1]) == SpecifierSet(
        META["requires-python"]
    )
    assert {"pip", "make", "git"} <= set(plain)
    (pip,) = (d["pip"] for d in wanted if isinstance(d, dict))
    assert pip == ["--require-hashes", "-r requirements.lock"]
    assert load_yaml("environment.yml")["name"] == META["name"]


def test_citation_has_the_version_and_the_licence():
    citation = load_yaml("CITATION.cff")
    assert citation["version"] == META["version"]
    assert citation["license"] == META["license"]
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"]
    assert citation["title"] == load_yaml("_config.yml")["title"]


def test_pairs_and_project_have_the_same_filters():
    assert PROJECT["tool"]["jupytext"] == pairs.JUPYTEXT


def test_hooks_need_nothing_from_elsewhere():
    repos = load_yaml(".pre-commit-config.yaml")["repos"]
    assert [r["repo"] for r in repos] == ["local"]
    hooks = {h["id"]: h["entry"] for h in repos[0]["hooks"]}
    assert {"ruff", "ruff-format", "book-pairs", "repo-files"} <= set(hooks)
    assert all(entry.startswith(".venv/bin/") for entry in hooks.values())


def test_ci_runs_what_a_person_runs():
    script = REPOSITORY / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text(encoding="utf-8")
    assert "set -euo pipefail" in text
    assert text.splitlines()[-1] == "make test"


def test_every_target_is_documented():
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    phony = set(re.search(r"^\.PHONY: (.*)$", text, re.M)[1].split())
    documented = set(re.findall(r"^([a-z]+):[^=\n]*## \S", text, re.M))
    assert phony == documented


def test_execution_is_off():
    config = load_yaml("_config.yml")
    assert config["execute"]["execute_notebooks"] == "off"
    assert config["only_build_toc_files"]
    assert {".*", "_build", "tests"} <= set(config["exclude_patterns"])
