"""What may and what must be among the repository's files."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest
from source_tree import ROOT, source_files

TEXT_SUFFIXES = {
    *(".py", ".sh", ".md", ".txt", ".toml", ".xml", ".yaml", ".yml", ".json", ".msg", ".srv"),
    *(".in", ".tsv", ".cfg", ""),
}
# Written in two halves, so that this file does not match itself.
FORBIDDEN = {
    "a path of one machine": re.compile(
        r"(?<![\w.])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me/\w+|opt/(?:py" + r"pi|wh" + r"eels))\b/?"
    ),
    "a package registry's host": re.compile(
        r"py" + r"pi\.org|pythonho" + r"sted\.org|npm" + r"js\.org|deb\.deb" + r"ian\.org"
    ),
}
MAX_FILE_BYTES = 95 * 2**20
MAX_SCENES_BYTES = 10 * 2**20


def text_files() -> list[Path]:
    return [path for path in source_files() if path.suffix in TEXT_SUFFIXES]


@pytest.mark.parametrize("what", sorted(FORBIDDEN))
def test_no_traces_of_a_machine(what: str) -> None:
    found = []
    for path in text_files():
        text = (ROOT / path).read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            if FORBIDDEN[what].search(line):
                found.append(f"{path}:{number}: {line.strip()[:120]}")
    assert found == []


def test_license_is_complete() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_shipped_scenes_are_complete_and_attributed() -> None:
    files = [path for path in source_files() if path.parts[0] == "scenes"]
    scenes = [path for path in files if path.suffix == ".json"]
    assert Path("scenes/living_room_remote.json") in scenes
    attribution = (ROOT / "scenes" / "ATTRIBUTION.md").read_text(encoding="utf-8")
    for scene in scenes:
        stem = ROOT / scene.with_suffix("")
        for suffix in (".jpg", ".depth.png", ".ids.png"):
            assert stem.with_name(stem.name + suffix).is_file(), f"{stem.name}{suffix}"
        meta = json.loads((ROOT / scene).read_text(encoding="utf-8"))
        for instance in meta["instances"]:
            assert instance["creator"] in attribution, (scene.name, instance["creator"])
    assert sum((ROOT / path).stat().st_size for path in files) <= MAX_SCENES_BYTES


def test_no_file_is_too_large_for_a_git_host() -> None:
    large = [p for p in source_files() if (ROOT / p).stat().st_size > MAX_FILE_BYTES]
    assert large == []


def test_scripts_can_be_run() -> None:
    scripts = [p for p in source_files() if p.parts[0] == "scripts" and p.suffix == ".sh"]
    assert scripts
    for path in [*scripts, Path(".ci/run")]:
        assert (ROOT / path).stat().st_mode & stat.S_IXUSR, f"{path} is not executable"
        assert (ROOT / path).read_text(encoding="utf-8").startswith(("#!", "# Sourced"))


def test_readme_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    local = [link for link in links if "://" not in link]
    assert local
    missing = [link for link in local if not (ROOT / link).exists()]
    assert missing == []


def test_generated_folders_are_ignored() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    expected = {".venv/", "/build/", "/install/", "/log/", "/data/", "/out/"}
    assert expected <= set(ignored)
    assert not any(path.parts[0] in ("build", "install", "log", "out") for path in source_files())


def test_ci_calls_the_test_command_of_the_readme() -> None:
    run = ROOT / ".ci" / "run"
    assert "make test" in run.read_text(encoding="utf-8")
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert os.access(run, os.X_OK)
