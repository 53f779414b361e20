"""docs/interfaces says what the code does, and names all that the live node has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from error_codes import counters
from live_node import Domain, domain, live_node
from node_rig import NodeRig

from lisa_ros import interface_docs, qos
from lisa_ros.interface_docs import FOLDER, MESSAGES, PAGES, ROOT, main, refresh, short_kind
from lisa_ros.interface_table import ACTIONS, SERVICES, TOPICS, Direction, full_name
from lisa_ros.parameters import PARAMETERS

NODE = "perception_node"
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Each shows some of the node's inputs.
STARTS = (
    (),
    ("-p", "colour_transport:=compressed", "-p", "depth_transport:=compressed"),
    ("-p", "depth_transport:=compressedDepth", "-p", "depth_to_colour:=0 0 0 0 0 0 1"),
    ("-p", "use_sim_time:=true"),
)


def page(name: str) -> str:
    return (ROOT / FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_up_to_date(name: str):
    text = page(name)
    assert refresh(name, text) == text, "run: python3 -m lisa_ros.interface_docs --write"


def test_every_page_and_message_is_there():
    assert {path.name for path in (ROOT / FOLDER).glob("*.md")} == set(PAGES)
    assert {path.stem for path in (ROOT / "msg").glob("*.msg")} == set(MESSAGES)
    for folder, table in (("srv", SERVICES), ("action", ACTIONS)):
        named = {one.kind for one in table if one.kind.startswith("lisa_ros/")}
        files = {path.stem for path in (ROOT / folder).iterdir()}
        assert named == {f"lisa_ros/{folder}/{stem}" for stem in files}


def test_a_page_that_is_behind_is_told_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(interface_docs, "FOLDER", tmp_path)
    for name in PAGES:
        text = page(name)
        if name == "parameters.md":
            text = text.replace("`score_threshold` |", "`old_name` |")
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert main(["--check"]) == 1
    assert re.findall(r"\w+\.md", capsys.readouterr().out) == ["parameters.md"]
    assert main(["--write"]) == 0
    assert (tmp_path / "parameters.md").read_text(encoding="utf-8") == page("parameters.md")
    assert main(["--check"]) == 0


def test_a_page_without_its_tables_is_refused():
    text = page("parameters.md")
    for damaged in (text.replace("<!-- table: fixed -->", ""), text + text):
        with pytest.raises(ValueError, match=r"parameters\.md has the tables"):
            refresh("parameters.md", damaged)


def test_links_lead_somewhere():
    for name in ("interfaces/" + one for one in PAGES):
        path = ROOT / "docs" / name
        text = path.read_text(encoding="utf-8")
        for link, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", text):
            target = path.parent / link if link else path
            assert target.exists(), f"{name}: {link}"
            if anchor:
                assert anchor in anchors(target), f"{name}: {link}#{anchor}"


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


# The live node


@pytest.fixture
def made() -> Iterator[Domain]:
    with domain() as one:
        yield one


def seen_of(made: Domain, kind: str) -> dict[str, str]:
    """Name -> type of what the live node has, without the inner topics of actions."""
    graph = getattr(made.probe, f"get_{kind}_names_and_types_by_node")
    return {name: types[0] for name, types in graph(NODE, "/") if "/_action/" not in name}


def seen_qos(made: Domain, topic: str, direction: Direction) -> Any:
    which = "publishers" if direction is Direction.OUT else "subscriptions"
    infos = getattr(made.probe, f"get_{which}_info_by_topic")(topic)
    (mine,) = [one.qos_profile for one in infos if one.node_name == NODE]
    return mine


@pytest.mark.ros
def test_the_tables_are_the_live_nodes(made: Domain, fake: Any, monkeypatch: pytest.MonkeyPatch):
    seen: dict[str, dict[str, str]] = {}
    profiles: dict[tuple[str, Direction], Any] = {}
    actions: dict[str, str] = {}
    for arguments in STARTS:
        with live_node(made, fake, monkeypatch, *arguments):
            made.until(lambda: f"/{NODE}/segment" in seen_of(made, "service"))
            made.until(lambda: "/follow_state" in seen_of(made, "publisher"))
            made.until(lambda: "/camera/color/camera_info" in seen_of(made, "subscriber"))
            for kind in ("publisher", "subscriber", "service"):
                seen.setdefault(kind, {}).update(seen_of(made, kind))
            for spec in TOPICS:
                kind = "publisher" if spec.direction is Direction.OUT else "subscriber"
                name = full_name(spec.name)
                if spec.qos and name in seen_of(made, kind):
                    key = (name, spec.direction)
                    profiles[key] = seen_qos(made, name, spec.direction)
            found = rclpy.action.get_action_server_names_and_types_by_node(made.probe, NODE, "/")
            actions.update({name: types[0] for name, types in found})
    named = {
        "publisher": [one for one in TOPICS if one.direction is Direction.OUT],
        "subscriber": [one for one in TOPICS if one.direction is Direction.IN],
        "service": SERVICES,
    }
    for kind, specs in named.items():
        table = {full_name(one.name): one.kind for one in specs}
        optional = {full_name(one.name) for one in specs if one.optional}
        unnamed = {name: seen[kind][name] for name in seen[kind].keys() - table.keys()}
        assert unnamed == {}, f"add to lisa_ros/interface_table.py ({kind})"
        assert table.keys() - seen[kind].keys() <= optional, f"no such {kind} any more"
        assert {name: table[name] for name in seen[kind]} == seen[kind]
    assert "/clock" in seen["subscriber"]
    assert actions == {full_name(one.name): one.kind for one in ACTIONS}
    assert len(profiles) >= 15
    for spec in TOPICS:
        profile = profiles.get((full_name(spec.name), spec.direction))
        if profile is not None:
            stated = getattr(qos, spec.qos)
            assert profile.reliability == stated.reliability, spec.name
            assert profile.durability == stated.durability, spec.name


@pytest.mark.ros
def test_every_value_of_diagnostics_is_named(start: Callable[..., NodeRig]):
    text = page("errors.md").split("## /diagnostics")[1]
    named = set(re.findall(r"`([^`]+)`", text))
    rig = start("follow:=true")
    rig.activate()
    rig.works(1.0)
    rig.say("")
    rig.until(lambda: rig.refused("intent_empty"))
    rig.until(lambda: rig.got["follow_state"])
    rig.frame(1.2)
    rig.until(lambda: rig.count("frames_followed"))
    rig.got["diagnostics"].clear()
    rig.until(lambda: rig.got["diagnostics"])
    keys = {one.key for one in rig.got["diagnostics"][-1].status[0].values}
    assert {"refused.intent_empty", "follow.total_p50_s", "wait_p95_s"} <= keys
    patterns = [
        re.escape(one).replace(r"<code>", r"\w+").replace("<part>", r"\w+") for one in named
    ]
    for key in keys:
        plain = re.sub(r"_p(50|95)_s$", "", key)
        assert any(re.fullmatch(one, plain) for one in patterns), f"errors.md does not name {key}"


def test_every_counter_is_named():
    found = set(counters())
    assert {"intents_received", "received.depth", "clock_jump"} <= found
    assert {one for one in found if f"`{one}`" not in page("errors.md")} == set()


# The client in actions.md


@pytest.mark.ros
def test_the_client_of_the_page_runs(start: Callable[..., NodeRig]):
    first, second = re.findall(r"```python\n(.*?)```", page("actions.md"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(first, "actions.md", "exec"), names)
    rig = start()
    rig.activate()
    rig.frame(1.0)
    node = rclpy.create_node("client", use_global_arguments=False)
    stages: list[str] = []

    def told(message: Any) -> None:
        stages.append(message.feedback.stage)

    result = names["find_target"](node, "change the TV channel", on_feedback=told)
    assert (result.success, result.targets.best) == (True, 0)
    assert stages[0] == "waiting"
    assert names["find_target"](node, "nothing").error_code == "target_without_3d"
    printed: list[tuple[Any, ...]] = []
    names |= {"node": node, "print": lambda *words: printed.append(words)}
    exec(compile(second, "actions.md", "exec"), names)
    assert printed[0][-1] == rig.make.frame_id
    node.destroy_node()


# README


def test_the_readmes_tables_agree():
    table = README.split("### Topics")[1].split("### Parameters")[0]
    kinds = {(one.direction.value, full_name(one.name)): short_kind(one.kind) for one in TOPICS}
    seen = set()
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] not in ("in", "out"):
            continue
        names = re.findall(r"`([^`]+)`", cells[1])
        types = re.findall(r"\w+_\w+/\w+", cells[2].split("](")[0] + " " + cells[2])
        for index, name in enumerate(names):
            assert types[index] == kinds[cells[0], name], name
            seen.add((cells[0], name))
    results = {
        (one.direction.value, full_name(one.name))
        for one in TOPICS
        if one.direction is Direction.OUT and (one.qos or one.optional == "")
    }
    ros = {("out", full_name(one.name)) for one in TOPICS if one.qos == ""}
    assert results - ros <= seen, "the README leaves out a topic that the node publishes"
    for one in (*SERVICES, *ACTIONS):
        if one.own:
            assert f"`/{NODE}{one.name[1:]}`" in README, one.name
    for name in PAGES:
        assert f"docs/interfaces/{name}" in README


def test_the_readme_names_every_parameter():
    listed = README.split("### Parameters")[1].split("\n## ")[0]
    assert {one.name for one in PARAMETERS if f"`{one.name}`" not in listed} == set()
