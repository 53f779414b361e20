import json

from training.experiments.places import Places
from training.experiments.runs import Run
from training.experiments.stages import carry_out

RUN = Run(id="seed0/text/x", stage="text", seed=0, needs=(), settings={"steps": 3})


def test_the_run_of_a_file_is_carried_out(tmp_path, monkeypatch):
    places = Places(
        work=tmp_path, frames=tmp_path, features=tmp_path, questions=(), scored=tmp_path
    )
    file = tmp_path / "run.json"
    file.write_text(json.dumps({"run": RUN.as_dict(), "places": places.as_dict()}))
    monkeypatch.setattr("sys.argv", ["stages", str(file)])
    told = []
    carry_out({"text": lambda *given: told.append(given), "joint": lambda *_: 1 / 0}, None)
    assert told == [(RUN, places)]
