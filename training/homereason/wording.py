"""The wordings around names, purposes and relations; those of the splits are disjoint.

Placeholders: {the} "the mug", {a} "a mug", {is} "is" or "are", {x} a phrase, {s} a sentence, {b} a
second thing, {c} a third, {at} the surface. The bare phrase ("{x}") is allowed in every split where
the phrases themselves are split.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from training.homereason import names
from training.household.taxonomy import Split

Wordings = Mapping[Split, tuple[str, ...]]

EXPLICIT: Wordings = {
    "train": (
        "{the}",
        "Show me {the}.",
        "Please segment {the} in this image.",
        "Where {is} {the}?",
        "I need {the}.",
        "Pick up {the}.",
        "look for {a}",
        "Can you point at {the}?",
    ),
    "val": ("Fetch {the}.", "Do you see {a} here?"),
    "test": (
        "Find {the}.",
        "Bring me {the}, please.",
        "Could you locate {the}?",
        "Which part of the picture shows {the}?",
    ),
}
SHORT: Wordings = {
    "train": ("{x}", "{x}", "Show me {x}.", "I need {x}.", "Please segment {x}.", "Point at {x}."),
    "val": ("{x}", "Fetch {x}."),
    "test": ("{x}", "{x}", "Find {x}.", "Could you locate {x}?"),
}
LONG: Wordings = {
    "train": (
        "{s}",
        "{s} Which thing in the picture do I mean?",
        "{s} What in the picture is this about?",
    ),
    "val": ("{s}", "{s} Which thing here is that?"),
    "test": ("{s}", "{s} Which object in the image is meant?", "{s} What should be marked?"),
}
# Around orders ("mute the film"): all speak to the listener, so that "give me ..." fits, too.
LONG_ORDER: Wordings = {
    "train": (
        "Suppose somebody asks you to {x}, and you may only use what the picture shows: which "
        "thing would you choose?",
        "If you were standing in this room and had to {x}, what would you reach for first?",
    ),
    "val": ("You are told to {x}, but not how; which of the things in view would you take?",),
    "test": (
        "A friend has called and asked you to {x}; looking at this picture, which thing in it does "
        "that take?",
        "Imagine that your job is to {x}, and the things in this image are all you have: which one "
        "would you go for?",
    ),
}
ORDER: Wordings = {
    "train": ("{x}", "Please {x}.", "Can you {x}?", "I want you to {x}."),
    "val": ("{x}", "Be so kind as to {x}."),
    "test": ("{x}", "Would you {x}, please?", "Robot, {x}."),
}
BRING: Wordings = {
    "train": ("Please bring me {x}.", "Hand me {x}.", "Get {x} for me."),
    "val": ("Pass me {x}, will you?",),
    "test": ("Go and get me {x}.", "Would you give me {x}, please?"),
}
COLOURED: Wordings = {
    "train": ("the {colour} {name}", "the {name} that is {colour}"),
    "val": ("the {name} in {colour}",),
    "test": ("the {colour}-coloured {name}", "the {name} whose colour is {colour}"),
}
# x begins with "something ".
COLOURED_PURPOSE: Wordings = {
    "train": ("{x} that is {colour}", "{x}, coloured {colour}"),
    "val": ("{x}, of {colour} colour",),
    "test": ("{x}, but only in {colour}",),
}
MADE_OF: Wordings = {
    "train": ("{x} that is made of {material}",),
    "val": ("{x}, of {material}",),
    "test": ("{x}, but only if it is made of {material}",),
}
SIZED: Mapping[str, Wordings] = {
    "larger": {
        "train": ("the larger {name}", "the big {name}"),
        "val": ("the larger of the {names}",),
        "test": ("the bigger of the two {names}", "the {name} that takes up more room"),
    },
    "smaller": {
        "train": ("the smaller {name}", "the little {name}"),
        "val": ("the smaller of the {names}",),
        "test": ("the less big of the two {names}", "the {name} that takes up less room"),
    },
}
# {x} is the thing that is wanted: a name with its article, a phrase, or "the thing".
PAIR: Mapping[str, Wordings] = {
    "left_of": {
        "train": ("{x} to the left of {b}", "{x} that is left of {b}"),
        "val": ("{x} on the left-hand side of {b}",),
        "test": ("{x}, left of {b}", "{x} further left in the picture than {b}"),
    },
    "right_of": {
        "train": ("{x} to the right of {b}", "{x} that is right of {b}"),
        "val": ("{x} on the right-hand side of {b}",),
        "test": ("{x}, right of {b}", "{x} further right in the picture than {b}"),
    },
    "in_front_of": {
        "train": ("{x} in front of {b}", "{x} that is in front of {b}"),
        "val": ("{x} standing before {b}",),
        "test": ("{x}, in front of {b} as seen from here",),
    },
    "behind": {
        "train": ("{x} behind {b}", "{x} that is behind {b}"),
        "val": ("{x} at the back of {b}",),
        "test": ("{x}, behind {b} as seen from here",),
    },
    "closer": {
        "train": ("{x} closer to the camera than {b}",),
        "val": ("{x} less far away than {b}",),
        "test": ("{x}, nearer to the viewer than {b}",),
    },
    "further": {
        "train": ("{x} further from the camera than {b}",),
        "val": ("{x} more distant than {b}",),
        "test": ("{x}, farther from the viewer than {b}",),
    },
    "next_to": {
        "train": ("{x} next to {b}", "{x} beside {b}"),
        "val": ("{x} close to {b}",),
        "test": ("{x}, right beside {b}",),
    },
    "on": {
        "train": ("{x} on {b}",),
        "val": ("{x} on top of {b}",),
        "test": ("{x} standing on {b}",),
    },
    "under": {
        "train": ("{x} under {b}",),
        "val": ("{x} underneath {b}",),
        "test": ("{x}, below {b}",),
    },
    "nearest": {
        "train": ("{x} nearest to {b}",),
        "val": ("{x} with the shortest way to {b}",),
        "test": ("{x} with the least distance to {b}",),
    },
    "farthest": {
        "train": ("{x} farthest from {b}",),
        "val": ("{x} with the longest way to {b}",),
        "test": ("{x} with the greatest distance to {b}",),
    },
    "between": {
        "train": ("{x} between {b} and {c}",),
        "val": ("{x} in the middle between {b} and {c}",),
        "test": ("{x}, with {b} on one side and {c} on the other",),
    },
}
# Of all the things on a surface.
SURFACE: Mapping[str, Wordings] = {
    "left_of": {
        "train": ("the leftmost thing on {at}",),
        "val": ("the first thing on {at}, counted from the left",),
        "test": ("whatever on {at} is furthest to the left in the picture",),
    },
    "right_of": {
        "train": ("the rightmost thing on {at}",),
        "val": ("the first thing on {at}, counted from the right",),
        "test": ("whatever on {at} is furthest to the right in the picture",),
    },
    "closer": {
        "train": ("the thing on {at} that is closest to the camera",),
        "val": ("the foremost thing on {at}",),
        "test": ("whatever on {at} is nearest to the viewer",),
    },
    "further": {
        "train": ("the thing on {at} that is farthest from the camera",),
        "val": ("the hindmost thing on {at}",),
        "test": ("whatever on {at} is most distant from the viewer",),
    },
    "larger": {
        "train": ("the biggest thing on {at}",),
        "val": ("the thing on {at} that needs the most room",),
        "test": ("whatever on {at} is largest",),
    },
    "smaller": {
        "train": ("the smallest thing on {at}",),
        "val": ("the thing on {at} that needs the least room",),
        "test": ("whatever on {at} is tiniest",),
    },
    "taller": {
        "train": ("the tallest thing on {at}",),
        "val": ("the thing on {at} that rises highest",),
        "test": ("whatever on {at} towers over the rest",),
    },
    "nearest": {
        "train": ("the thing on {at} that is nearest to {b}",),
        "val": ("the closest neighbour of {b} on {at}",),
        "test": ("whatever on {at} has the least distance to {b}",),
    },
    "farthest": {
        "train": ("the thing on {at} that is farthest from {b}",),
        "val": ("the thing on {at} with the longest way to {b}",),
        "test": ("whatever on {at} has the greatest distance to {b}",),
    },
    "only": {
        "train": ("the only thing on {at}",),
        "val": ("the single thing that {at} carries",),
        "test": ("whatever stands alone on {at}",),
    },
    "between": {
        "train": ("the thing on {at} between {b} and {c}",),
        "val": ("the thing on {at} in the middle between {b} and {c}",),
        "test": ("whatever on {at} has {b} on one side and {c} on the other",),
    },
}
# Among things of one name or purpose, without a second thing: {x} "the mug" or "something ...".
AMONG: Mapping[str, Wordings] = {
    "left_of": {
        "train": ("{x} on the left",),
        "val": ("{x} at the left",),
        "test": ("{x}, the one further left",),
    },
    "right_of": {
        "train": ("{x} on the right",),
        "val": ("{x} at the right",),
        "test": ("{x}, the one further right",),
    },
    "closer": {
        "train": ("{x} that is closest to the camera",),
        "val": ("{x} in the foreground",),
        "test": ("{x}, the one nearer to us",),
    },
    "further": {
        "train": ("{x} that is farthest from the camera",),
        "val": ("{x} in the background",),
        "test": ("{x}, the one farther from us",),
    },
    "larger": {
        "train": ("{x}, the biggest there is",),
        "val": ("{x}, as big as possible",),
        "test": ("{x}, the larger the better",),
    },
    "smaller": {
        "train": ("{x}, the smallest there is",),
        "val": ("{x}, as small as possible",),
        "test": ("{x}, the smaller the better",),
    },
}
AND: Wordings = {
    "train": ("Show me {x} and {b}.", "{x} and {b}", "I need {x} as well as {b}."),
    "val": ("Fetch {x} and also {b}.",),
    "test": ("Find two things: {x}, and {b}.", "Please mark {x}, then {b}."),
}
ORDER_AND: Wordings = {
    "train": ("Please {x} and then {b}.", "First {x}, then {b}."),
    "val": ("I would like you to {x} and to {b}.",),
    "test": ("Robot, {x}, and after that {b}.", "Two jobs for you: {x}, and {b}."),
}
BOTH: Wordings = {
    "train": ("both {names}", "Show me the two {names}."),
    "val": ("Fetch both of the {names}.",),
    "test": ("Find the pair of {names} in the picture.", "Bring me the two {names}, please."),
}
# x without its "something ": "to drink from".
BOTH_PURPOSE: Wordings = {
    "train": ("two things {x}", "Show me the two things {x}."),
    "val": ("Fetch both things {x}.",),
    "test": ("Find me two different things {x}.",),
}
ALL: Mapping[str, Wordings] = {
    "explicit": EXPLICIT,
    "short": SHORT,
    "long": LONG,
    "long_order": LONG_ORDER,
    "order": ORDER,
    "bring": BRING,
    "coloured": COLOURED,
    "coloured_purpose": COLOURED_PURPOSE,
    "made_of": MADE_OF,
    "and": AND,
    "order_and": ORDER_AND,
    "both": BOTH,
    "both_purpose": BOTH_PURPOSE,
    **{f"sized_{name}": one for name, one in SIZED.items()},
    **{f"pair_{name}": one for name, one in PAIR.items()},
    **{f"surface_{name}": one for name, one in SURFACE.items()},
    **{f"among_{name}": one for name, one in AMONG.items()},
}
"""Every table, by name."""
BARE = frozenset({"{x}", "{s}"})


def draw(wordings: Wordings, split: Split, rng: random.Random, **parts: str) -> str:
    """One of the split's wordings, filled in; a sentence begins with a capital letter."""
    text = rng.choice(wordings[split]).format(**parts)
    return text[0].upper() + text[1:] if text.endswith((".", "?", "!")) else text


def explicit(name: str, movable: bool, split: Split, rng: random.Random) -> str:
    """A question for a name. Nobody has a wardrobe brought: ``movable`` allows such orders."""
    table = EXPLICIT if movable else {split: tuple(set_down(EXPLICIT[split]))}
    parts = {"the": names.the(name), "a": names.a(name), "is": names.are(name)}
    return draw(table, split, rng, **parts)


def set_down(wordings: tuple[str, ...]) -> list[str]:
    """Those that do not ask to carry the thing."""
    return [one for one in wordings if not one.startswith(("Pick up", "Fetch", "Bring"))]


def self_contained(order: str) -> bool:
    """Does the order say what it is about ("pour it out" does not)?"""
    return not {"it", "them", "its", "one"} & set(order.lower().replace(",", " ").split())


def wrapped(phrase: str, split: Split, rng: random.Random) -> str:
    """A noun phrase, bare or in an order. Others ("where ...", names of sorts) stay bare."""
    if phrase.split()[0] in ("the", "something", "what", "some"):
        return draw(SHORT, split, rng, x=phrase)
    return phrase


def related(
    wordings: Wordings, split: Split, rng: random.Random, x: str, clause: bool, **parts: str
) -> str:
    """A relation's wording; behind a clause ("something to drink from") stands a comma."""
    text = draw(wordings, split, rng, x="{x}", **parts)
    joined = text.replace("{x}", f"{x}," if clause else x)
    return joined.replace(",,", ",")
