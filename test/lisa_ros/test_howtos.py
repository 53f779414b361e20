"""The how-tos name things that there are: launch arguments, parameters, codes, topics, options."""

from __future__ import annotations

import re
import shlex
from itertools import chain
from pathlib import Path

import pytest

from lisa_model.cli import build_parser
from lisa_ros.error_table import ERRORS, Reaction, spec_of
from lisa_ros.message_docs import parse
from lisa_ros.parameters import PARAMETERS

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for name in ("howto_realsense", "howto_manipulation")
}
# realsense2_camera's launch arguments, by its documentation.
DRIVERS = {"align_depth.enable", "enable_sync", "camera_namespace", "camera_name", "serial_no"}
CODES = set(chain.from_iterable(spec.codes for spec in ERRORS))


def commands(page: str) -> list[list[str]]:
    """The commands of a page's shell blocks, in words."""
    blocks = re.findall(r"```bash\n(.*?)```", PAGES[page], re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def messages() -> dict[str, set[str]]:
    """Message -> fields."""
    found = {}
    for path in (ROOT / "msg").glob("*.msg"):
        (section,) = parse(path.read_text(encoding="utf-8"))
        found[path.stem] = {one.name for one in section.entries}
    return found


def test_launch_arguments_exist():
    launch = (ROOT / "launch" / "perception.launch.py").read_text(encoding="utf-8")
    for page in PAGES:
        for words in commands(page):
            if words[:2] != ["ros2", "launch"]:
                continue
            for name in (word.split(":=")[0] for word in words if ":=" in word):
                own = words[2] == "lisa_ros"
                assert f'"{name}"' in launch if own else name in DRIVERS, (page, name)


def test_lisas_commands_are_understood():
    parser = build_parser()
    found = [words for page in PAGES for words in commands(page) if words[0] == "lisa"]
    assert len(found) >= 2
    for words in found:
        parser.parse_args(words[1:])


def test_codes_and_reasons_exist():
    reasons = {
        (one.value or "").strip('"')
        for one in parse((ROOT / "msg" / "Target3D.msg").read_text(encoding="utf-8"))[0].entries
        if one.name.startswith("REASON_")
    }
    table = PAGES["howto_realsense"].split("## When nothing comes")[1].split("## What was")[0]
    named = set(re.findall(r"`(?:refused\.)?([a-z]+(?:_[a-z0-9]+)+)`", table))
    known = CODES | reasons | {spec.name for spec in PARAMETERS}
    arguments = {"color_topic", "depth_topic", "camera_info_topic"}
    keys = {"last_error", "segment_p50_s"}
    assert named - known - arguments - keys - DRIVERS == {"align_depth"}
    assert {"stale_frame", "no_depth", "depth_size_mismatch"} <= named


def test_each_reaction_is_in_the_table_with_its_codes():
    rows = re.findall(r"^\| `([A-Z]+)` \| (.*?) \|", PAGES["howto_manipulation"], re.MULTILINE)
    assert {name for name, _ in rows} == {one.name for one in Reaction}
    for name, codes in rows:
        for code in re.findall(r"`(\w+)`", codes):
            assert spec_of(code).reaction is Reaction[name], code


def test_the_fields_of_the_checks_exist():
    table = PAGES["howto_manipulation"].split("## 3.")[1].split("## 4.")[0]
    fields = re.findall(r"`([a-z0-9_]+)[`.]", table.split("|---|---|---|")[1])
    assert len(fields) >= 9
    assert set(fields) - messages()["Target3D"] == set()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str):
    path = ROOT / "docs" / f"{page}.md"
    for link, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", PAGES[page]):
        target = path.parent / link if link else path
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            plain = {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
            assert anchor in plain, f"{link}#{anchor}"
