"""The whole command, with a server of the test's own and with a tiny model in a folder."""

from __future__ import annotations

import json

import dataset_files
import pytest
import torch
from chat_server import serving
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from lisa_model.cli import main
from training.data.errors import DataError
from training.data.rephrase.document import read_document

# Of the first instruction of train; enough for two paraphrases at the first time.
GOOD = "Sure:\nWhich object stops it from cooling?\nWhat has a warming effect on the drink?"


@pytest.fixture
def split(tmp_path):
    dataset_files.reason_seg(tmp_path)
    return tmp_path / "reason_seg" / "ReasonSeg" / "train"


def rephrase(source, out, server, *more):
    arguments = ["data", "rephrase", str(source), "--out", str(out), "--count", "2"]
    return main([*arguments, "--endpoint", server.url, "--model", "m", *more])


def test_a_file_of_paraphrases(split, tmp_path, capsys):
    out = tmp_path / "deep" / "out.json"
    request = "Show me the cup, please.\nPoint at the mug.\nPoint at the mug!"
    with serving(GOOD, request, "the cover\nthe lid\nWhat is it?") as server:
        assert rephrase(split, out, server) == 0
    values = json.loads(out.read_text())
    assert (values["format"], values["format_version"]) == ("lisa-rephrased", 1)
    assert (values["model"], values["count"], values["seed"]) == ("m", 2, 0)
    assert "Rewrite the {kind} below" in values["prompt"]["user"]
    assert not any("date" in key or "time" in key for key in values)
    assert list(values["items"]) == ["train/one.jpg#0", "train/one.jpg#1", "train/two.jpg#0"]
    first = values["items"]["train/one.jpg#0"]
    assert first["text"] == "What keeps the coffee warm?"
    assert first["source"] == "train/one.json"
    assert len(first["sha256"]) == 64
    assert [one["accepted"] for one in first["paraphrases"]] == [None, None]
    assert first["dropped"] == {"not a paraphrase": 1}
    last = values["items"]["train/two.jpg#0"]  # asked three times, and never a second paraphrase
    assert [one["text"] for one in last["paraphrases"]] == ["the cover"]
    assert last["dropped"] == {"duplicate": 2, "same as the original": 3, "wrong type": 3}
    said = capsys.readouterr().out
    assert "3 instructions, 5 paraphrases kept; 1 instructions have fewer than 2" in said
    assert "dropped, wrong type: 3" in said
    assert len(server.requests) == 5


def test_it_goes_on_where_it_stopped_and_keeps_what_was_reviewed(split, tmp_path, capsys):
    out = tmp_path / "out.json"
    with serving(GOOD, (404, {}, b"")) as server:
        assert rephrase(split, out, server) == 1
    assert "HTTP 404" in capsys.readouterr().err
    values = json.loads(out.read_text())
    assert list(values["items"]) == ["train/one.jpg#0"]
    values["items"]["train/one.jpg#0"]["paraphrases"][0]["accepted"] = False
    out.write_text(json.dumps(values))
    with serving("Show me the cup.\nPoint at the mug.", "the cover\nthe cap") as server:
        assert rephrase(split, out, server) == 0
        assert len(server.requests) == 2
        assert rephrase(split, out, server) == 0
        assert len(server.requests) == 2
    document = read_document(out)
    assert [one.accepted for one in document.items["train/one.jpg#0"].paraphrases] == [False, None]
    assert len(document.items) == 3


def test_an_item_whose_annotation_changed_is_made_anew(split, tmp_path):
    out = tmp_path / "out.json"
    with serving("the cover\nthe cap") as server:
        assert rephrase(split, out, server) == 0
        before = len(server.requests)
        path = split / "two.json"
        path.write_text(path.read_text().replace("The Lid", "The Top"))
        assert rephrase(split, out, server) == 0
    assert len(server.requests) == before + 1
    assert read_document(out).items["train/two.jpg#0"].text == "The Top"


def test_a_file_that_was_made_otherwise_is_not_mixed(split, tmp_path, capsys):
    out = tmp_path / "out.json"
    with serving("the cover\nthe cap") as server:
        assert rephrase(split, out, server) == 0
        assert rephrase(split, out, server, "--seed", "3") == 1
    assert "was made with seed 0, now it is 3" in capsys.readouterr().err


def test_the_splits_of_a_configuration(tmp_path):
    dataset_files.reason_seg(tmp_path)
    config = tmp_path / "data.yaml"
    text = "root: {}\nfamilies: {{reasoning: {{rate: 1, sets: [{{name: {}, {}}}]}}}}\n"
    config.write_text(text.format(tmp_path, "reason_seg", "splits: [train, val]"))
    with serving("the cover\nthe cap") as server:
        assert rephrase(config, tmp_path / "out.json", server) == 0
        assert {key.split("/")[0] for key in read_document(tmp_path / "out.json").items} == {
            "train",
            "val",
        }
        config.write_text(text.format(tmp_path, "household", "min_area: 1"))
        assert rephrase(config, tmp_path / "out.json", server) == 1


def test_the_key_is_read_from_the_environment_and_written_nowhere(
    split, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    out = tmp_path / "out.json"
    with serving("the cover\nthe cap") as server:
        assert rephrase(split, out, server, "--key-env", "MY_KEY", "--limit", "1") == 0
        assert server.headers[0]["Authorization"] == "Bearer sk-very-secret"
        assert rephrase(split, out, server, "--key-env", "NO_KEY") == 1
    said = capsys.readouterr()
    assert "--key-env names NO_KEY, but that environment variable is not set" in said.err
    assert "sk-very-secret" not in said.out + said.err + out.read_text()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--count", "0"], "--count must be between 1 and 20"),
        (["--temperature", "0"], "--temperature must be above 0"),
        (["--timeout", "nan"], "--timeout must be above 0"),
        (["--limit", "0"], "--limit must be at least 1"),
    ],
)
def test_wrong_arguments_are_named(split, tmp_path, capsys, more, said):
    with serving("x") as server:
        assert rephrase(split, tmp_path / "out.json", server, *more) == 1
    assert said in capsys.readouterr().err


def tiny_model(folder):
    words = ("which", "thing", "keeps", "the", "coffee", "warm", "?", "lid", "cup", "a", "what")
    vocabulary = {word: number for number, word in enumerate(["<unk>", "</s>", *words])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(vocabulary),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=1024,
            bos_token_id=0,
            eos_token_id=1,
        )
    ).save_pretrained(folder)
    return folder


def test_a_model_in_a_folder_gives_the_same_each_time(split, tmp_path):
    model = tiny_model(tmp_path / "tiny-words")
    files = []
    for name in ("a.json", "b.json"):
        out = tmp_path / name
        arguments = ["data", "rephrase", str(split), "--out", str(out), "--model", str(model)]
        assert main([*arguments, "--count", "1", "--limit", "2"]) == 0
        files.append(out.read_bytes())
    assert files[0] == files[1]
    document = read_document(tmp_path / "a.json")
    assert document.origin.model == "tiny-words"
    # Random words: answers were judged, whatever became of them.
    assert all(item.paraphrases or item.dropped for item in document.items.values())


def test_a_folder_without_a_model_is_named(split, tmp_path, capsys):
    arguments = ["data", "rephrase", str(split), "--out", str(tmp_path / "o.json")]
    assert main([*arguments, "--model", str(tmp_path)]) == 1
    assert "is no folder of a language model" in capsys.readouterr().err
    assert main([*arguments, "--model", str(tmp_path), "--key-env", "X"]) == 1
    assert "--key-env is for --endpoint" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v.update(format="x"), "is no file of `lisa data rephrase`"),
        (lambda v: v.update(format_version=2), "format_version 2, this program reads 1"),
        (lambda v: v.pop("seed"), "its head cannot be read"),
        (
            lambda v: v["items"]["train/one.jpg#0"]["paraphrases"][0].update(accepted="yes"),
            r"train/one\.jpg#0 cannot be read \(accepted must be true, false or null",
        ),
        (
            lambda v: v["items"]["train/one.jpg#0"]["paraphrases"][0].update(text=" "),
            "text must be words",
        ),
    ],
)
def test_a_broken_file_is_named(split, tmp_path, change, said):
    out = tmp_path / "out.json"
    with serving(GOOD) as server:
        rephrase(split, out, server, "--limit", "1")
    values = json.loads(out.read_text())
    change(values)
    out.write_text(json.dumps(values))
    with pytest.raises(DataError, match=said):
        read_document(out)
