"""``lisa data rephrase``: have every instruction rephrased, and keep the result in a file."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from training.data.errors import DataError
from training.data.rephrase import prompts
from training.data.rephrase.document import (
    Document,
    Item,
    Origin,
    Paraphrase,
    read_document,
    write_document,
)
from training.data.rephrase.endpoint import EndpointWriter
from training.data.rephrase.instructions import Instruction, read_instructions
from training.data.rephrase.judge import judge, lines_of
from training.data.rephrase.writers import LocalWriter, Writer

DEFAULT_KEY = "OPENAI_API_KEY"
# Times that the model is asked for one instruction before fewer paraphrases are taken.
ROUNDS = 3
MOST = 20


def rephrase(one: Instruction, writer: Writer, *, count: int, seed: int) -> Item:
    """Have an instruction rephrased until there are enough paraphrases, at most ROUNDS times.

    Raises:
        DataError: the model cannot be asked.
    """
    kept: list[str] = []
    dropped: Counter[str] = Counter()
    for number in range(ROUNDS):
        if len(kept) >= count:
            break
        message = prompts.user_message(
            one.text, is_sentence=one.is_sentence, count=count - len(kept)
        )
        answer = writer.write(prompts.SYSTEM, message, seed=f"{seed}/{one.key}/{number}")
        for text in lines_of(answer):
            if len(kept) >= count:
                break
            why = judge(text, one.text, is_sentence=one.is_sentence, kept=kept)
            if why is None:
                kept.append(text)
            elif text or not answer.strip():  # blank lines between others say nothing
                dropped[why] += 1
        if not answer.strip():
            dropped["empty"] += 1
    return Item(
        source=one.source,
        sha256=one.sha256,
        text=one.text,
        is_sentence=one.is_sentence,
        paraphrases=tuple(Paraphrase(text=text) for text in kept),
        dropped=dict(sorted(dropped.items())),
    )


def rephrase_all(
    instructions: Sequence[Instruction],
    writer: Writer,
    out: Path,
    origin: Origin,
    *,
    progress: Callable[[str], None] = lambda line: None,
) -> Document:
    """Rephrase what the file does not hold yet, and write it after every instruction.

    An item whose annotation file has changed is made anew. What is in the file beside the given
    instructions stays.

    Raises:
        DataError: the file was made in another way, or the model cannot be asked; what was written
            until then is in the file.
    """
    document = Document(origin=origin)
    if out.exists():
        document = read_document(out)
        if document.origin != origin:
            names = Origin.__dataclass_fields__
            name = next(n for n in names if getattr(document.origin, n) != getattr(origin, n))
            raise DataError(
                f"{out} was made with {name} {getattr(document.origin, name)!r}, now it is "
                f"{getattr(origin, name)!r}. Name another --out, or set it back to go on"
            )
    for number, one in enumerate(instructions, 1):
        held = document.items.get(one.key)
        if held is not None and held.sha256 == one.sha256:
            continue
        item = rephrase(one, writer, count=origin.count, seed=origin.seed)
        document = Document(origin=origin, items={**document.items, one.key: item})
        write_document(out, document)
        again = "" if held is None else " (its file has changed)"
        progress(
            f"{number} of {len(instructions)}: {one.key}: {len(item.paraphrases)} of "
            f"{origin.count}{again}"
        )
    return document


def summary(document: Document, keys: Sequence[str]) -> str:
    """What was kept and dropped of the given instructions."""
    items = [document.items[key] for key in keys]
    kept = sum(len(item.paraphrases) for item in items)
    fewer = sum(len(item.paraphrases) < document.origin.count for item in items)
    dropped: Counter[str] = Counter()
    for item in items:
        dropped.update(item.dropped)
    lines = [
        f"{len(items)} instructions, {kept} paraphrases kept; {fewer} instructions have fewer than "
        f"{document.origin.count}"
    ]
    lines += [f"  dropped, {why}: {count}" for why, count in sorted(dropped.items())]
    return "\n".join(lines)


def key_from(name: str | None) -> tuple[str | None, str]:
    """The key and the name of its environment variable.

    Args:
        name: what the user named; None for DEFAULT_KEY, which need not be there.

    Raises:
        DataError: a variable that the user named is not set.
    """
    key = os.environ.get(name or DEFAULT_KEY, "").strip() or None
    if name is not None and key is None:
        raise DataError(f"--key-env names {name}, but that environment variable is not set")
    return key, name or DEFAULT_KEY


def run(
    source: Path,
    *,
    out: Path,
    count: int,
    model: str,
    endpoint: str | None = None,
    key_env: str | None = None,
    seed: int = 0,
    temperature: float = 0.7,
    timeout_s: float = 60.0,
    limit: int | None = None,
) -> None:
    """See ``lisa data rephrase --help``.

    Raises:
        DataError: naming argument or file, and the remedy.
    """
    if not 1 <= count <= MOST:
        raise DataError(f"--count must be between 1 and {MOST}, got {count}")
    if not 0.0 < temperature <= 2.0:
        raise DataError(f"--temperature must be above 0 and at most 2, got {temperature:g}")
    if not 0.0 < timeout_s <= 3600.0:
        raise DataError(f"--timeout must be above 0 and at most 3600 s, got {timeout_s:g}")
    if limit is not None and limit < 1:
        raise DataError(f"--limit must be at least 1, got {limit}")
    if endpoint is None and key_env is not None:
        raise DataError("--key-env is for --endpoint; a local model needs no key")
    instructions = read_instructions(source)[:limit]
    writer: Writer
    if endpoint is None:
        writer = LocalWriter(Path(model).expanduser(), temperature=temperature)
    else:
        key, name = key_from(key_env)
        writer = EndpointWriter(
            endpoint,
            model,
            key=key,
            key_name=name,
            temperature=temperature,
            timeout_s=timeout_s,
        )
    origin = Origin(
        model=writer.name,
        prompt=prompts.recorded(),
        count=count,
        temperature=temperature,
        seed=seed,
    )
    document = rephrase_all(
        instructions,
        writer,
        out,
        origin,
        progress=lambda line: print(line, file=sys.stderr),
    )
    print(summary(document, [one.key for one in instructions]))
    print(out)
