import json
import subprocess

import pytest

from training.experiments.errors import ExperimentError
from training.experiments.places import Places
from training.experiments.runner import alone_in, fingerprint, in_own_process, make
from training.experiments.runs import Run, parse_run


@pytest.fixture
def places(tmp_path):
    return Places(
        work=tmp_path / "work", frames=tmp_path, features=tmp_path, questions=(), scored=tmp_path
    )


def planned(steps=3):
    """A joint stage, two fine-tunings of it, and their scores."""
    made = Run(id="seed0/joint/x", stage="joint", seed=0, needs=(), settings={"steps": 1})
    runs = [made]
    for name in "ab":
        tuned = Run(
            id=f"seed0/finetune/{name}",
            stage="finetune",
            seed=0,
            needs=(made.id,),
            settings={"steps": steps, "families": ("x", "y")},
        )
        score = Run(id=f"seed0/score/{name}", stage="score", seed=0, needs=(tuned.id,), settings={})
        runs += [tuned, score]
    return runs


class Carried:
    """Notes runs in place of carrying them out; fails at one of them."""

    def __init__(self, fails_at=None):
        self.ids = []
        self.fails_at = fails_at

    def __call__(self, run_file):
        values = json.loads(run_file.read_text())
        self.ids.append(parse_run(values["run"]).id)
        if self.fails_at == self.ids[-1]:
            raise subprocess.CalledProcessError(9, ["x"])


def carried(places, carry, **changes):
    return make(planned(**changes), places, carry=carry, progress=lambda _: None)


def test_finished_runs_are_not_repeated(places):
    ids = [run.id for run in planned()]
    broken = Carried(fails_at=ids[3])
    with pytest.raises(ExperimentError, match=rf"run {ids[3]} failed \(exit status 9"):
        carried(places, broken)
    assert broken.ids == ids[:4]
    again = Carried()
    assert carried(places, again) == len(ids) - 3
    assert again.ids == ids[3:]
    assert carried(places, Carried()) == 0


def test_other_settings_are_refused_not_mixed(places):
    carried(places, Carried())
    untouched = Carried()
    with pytest.raises(ExperimentError, match=r"other settings \(steps\).*--work"):
        carried(places, untouched, steps=7)
    assert untouched.ids == []


def test_an_unfinished_run_with_other_settings_is_refused_too(places):
    with pytest.raises(ExperimentError, match="failed"):
        carried(places, Carried(fails_at="seed0/finetune/a"))
    with pytest.raises(ExperimentError, match="other settings"):
        carried(places, Carried(), steps=7)


def test_only_what_others_go_on_from_is_kept(places):
    def carry(run_file):
        (run_file.parent / "optimiser.pt").write_bytes(b"x")

    make(planned(), places, carry=carry, last=["finetune"], progress=lambda _: None)
    kept = {path.parent.relative_to(places.work).parts[1] for path in places.work.rglob("*.pt")}
    assert "joint" in kept
    assert "finetune" not in kept


def test_a_process_of_its_own_reports_its_failure(places, tmp_path, monkeypatch):
    (tmp_path / "carrying.py").write_text("import sys; sys.exit(len(sys.argv))")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ExperimentError, match="exit status 2"):
        make(planned(), places, carry=in_own_process("carrying"), progress=lambda _: None)


def test_a_fingerprint_tells_files_apart(tmp_path):
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_text("a")
    two.write_text("b")
    assert fingerprint([one, two], remedy="") == fingerprint([one, two], remedy="")
    assert fingerprint([one, two], remedy="") != fingerprint([two, one], remedy="")
    with pytest.raises(ExperimentError, match=r"there is no .*3; make it"):
        fingerprint([tmp_path / "3"], remedy="make it")


def test_two_processes_do_not_work_in_one_folder(tmp_path):
    with (
        alone_in(tmp_path / "work"),
        pytest.raises(ExperimentError, match="another process works in"),
        alone_in(tmp_path / "work"),
    ):
        pytest.fail("both are in")
    with alone_in(tmp_path / "work"):
        pass
