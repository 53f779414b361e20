from training.claims import run as runner


def test_command_line_names_what_is_missing(tmp_path, capsys):
    base = ["--frames", str(tmp_path / "frames"), "--features", str(tmp_path), "--dry-run"]
    assert runner.main(base) == 1
    assert "training.homereason.build" in capsys.readouterr().err
    folder = tmp_path / "frames_questions"
    folder.mkdir()
    for name in ("train", "test"):
        (folder / f"{name}.jsonl").write_text("")
    assert runner.main(base) == 1
    assert "--features: no features" in capsys.readouterr().err
    (tmp_path / "frame.npz").write_bytes(b"")
    assert runner.main([*base, "--vision", str(tmp_path / "v{seed}.pt")]) == 1
    assert "v0.pt" in capsys.readouterr().err
    assert runner.main([*base, "--joint-steps", "0"]) == 1
    assert "joint_steps must be at least 1" in capsys.readouterr().err
    assert runner.main([*base, "--work", str(tmp_path / "w"), "--seeds", "4"]) == 0
    assert "open seed4/score/test/few_no_semantic" in capsys.readouterr().out
    assert not (tmp_path / "w").exists()
