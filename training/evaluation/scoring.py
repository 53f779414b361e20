"""Ask, score and write down; several processes share the images."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from tqdm import tqdm  # type: ignore[import-untyped]

from lisa_model.errors import LisaError
from training.data.errors import BadSampleError
from training.evaluation.contender import Contender
from training.evaluation.gres import GresScore
from training.evaluation.items import Benchmark, Item, shares
from training.evaluation.records import Failure, Journal, Outcome, Record


def ask_all(item: Item, number: int, contender: Contender, benchmark: Benchmark) -> list[Record]:
    """All questions about an image, answered and scored.

    Raises:
        LisaError: the contender refuses the image or a question.
        ValueError: it does not keep to its protocol.
    """
    clock = time.perf_counter()
    replies = contender.answer(item.image, item.asks)
    seconds = (time.perf_counter() - clock) / len(item.asks)
    if len(replies) != len(item.asks):
        raise ValueError(f"{contender.name}: {len(replies)} replies to {len(item.asks)} questions")
    records = []
    triples = zip(item.asks, item.truths, replies, strict=True)
    for part, (ask, truth, reply) in enumerate(triples):
        score = benchmark.score(reply.mask, truth)
        given = score.given if isinstance(score, GresScore) else bool(reply.mask.any())
        records.append(
            Record(
                number=number,
                part=part,
                of=len(item.asks),
                image=item.key,
                contender=contender.name,
                protocol=contender.protocol,
                question=ask.text,
                is_sentence=ask.is_sentence,
                intersection=score.intersection,
                union=score.union,
                iou=score.iou,
                wanted=bool((truth == 1).any()),
                given=given,
                answer=reply.text,
                marked=reply.marked,
                seconds=round(seconds, 4),
            )
        )
    return records


def score_image(
    benchmark: Benchmark, number: int, contenders: Sequence[Contender]
) -> list[Record] | Failure:
    """One image by all contenders; if one of them cannot, none has a record of it.

    Protocols that stand side by side are so scored on the same images.
    """
    try:
        item = benchmark.read(number)
        return [
            record
            for contender in contenders
            for record in ask_all(item, number, contender, benchmark)
        ]
    except (BadSampleError, LisaError) as error:
        return Failure(number=number, image=benchmark.key(number), error=str(error))


def score_share(
    benchmark: Benchmark,
    numbers: Sequence[int],
    contenders: Sequence[Contender],
    journal: Journal,
    *,
    processes: int = 1,
    rank: int = 0,
    shown: bool = True,
) -> Outcome:
    """Score the images of this process.

    Args:
        numbers: of the images that all processes score together.
        shown: a bar on stderr.
    """
    mine = [numbers[k] for k, counted in shares(len(numbers), processes, rank) if counted]
    records: list[Record] = []
    failures: list[Failure] = []
    bar = tqdm(
        mine,
        desc="eval",
        unit="image",
        file=sys.stderr,
        disable=not shown,
        # A log file gets a line every few seconds, a terminal a smooth bar.
        mininterval=0.1 if sys.stderr.isatty() else 10.0,
    )
    for number in bar:
        result = score_image(benchmark, number, contenders)
        if isinstance(result, Failure):
            failures.append(result)
            journal.write([result])
        else:
            records += result
            journal.write(result)
    return Outcome(records=tuple(records), failures=tuple(failures))
