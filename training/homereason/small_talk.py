"""Plain conversation: turns that mean no thing in view and are answered without [SEG].

Each group is (training turns, turns kept for validation, turns kept for tests, reply).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SmallTalk:
    """Turns that get the same reply.

    Attributes:
        train, val, test: what a person says; they do not overlap.
        reply: the answer, without [SEG].
    """

    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    reply: str


SMALL_TALK: tuple[SmallTalk, ...] = (
    SmallTalk(
        train=(
            "hi",
            "Hi there!",
            "hey robot",
            "Hey!",
            "hello robot",
            "Hello, are you there?",
            "Good evening.",
            "good afternoon",
            "hello, how are you?",
            "how are you doing today?",
            "nice to meet you",
            "hi, can you hear me?",
            "What's up?",
            "Good day to you.",
            "hello there",
            "Hi, it is me again.",
            "hey you",
            "Morning!",
            "greetings",
            "Hello, my friend.",
        ),
        val=("hello", "Good morning!", "hey, how is it going?"),
        test=(
            "hello again",
            "Hi, nice to see you.",
            "hey, anybody there?",
            "Good morning to you, robot.",
        ),
        reply="Hello. Tell me what you need and I will look for it.",
    ),
    SmallTalk(
        train=(
            "thank you",
            "Thanks a lot!",
            "thanks, well done",
            "Great job, thank you.",
            "cheers",
            "that was very helpful",
            "Perfect, thanks.",
            "nice work",
            "I appreciate it.",
            "you did well",
            "good robot",
            "thank you so much",
            "That helped, thanks.",
            "you are the best",
            "brilliant",
            "lovely, thank you",
            "Very good.",
        ),
        val=("thanks", "Thank you very much.", "well done!"),
        test=(
            "many thanks",
            "Thank you, you are a great help.",
            "that was great",
            "Well, you did that nicely.",
        ),
        reply="You are welcome.",
    ),
    SmallTalk(
        train=(
            "goodbye",
            "Bye for now.",
            "see you tomorrow",
            "that is all for today",
            "good night",
            "We are finished, goodbye.",
            "talk to you later",
            "never mind",
            "Forget it, it is nothing.",
            "stop, we are done here",
            "good bye",
            "See you.",
            "I have to go now",
            "That will be all.",
            "you can stop now",
            "Let us end here.",
        ),
        val=("bye", "See you later!", "that's all, thanks"),
        test=(
            "so long",
            "I am off now, bye.",
            "no more questions for today",
            "Cancel that, I have changed my mind.",
        ),
        reply="Goodbye.",
    ),
    SmallTalk(
        train=(
            "who are you?",
            "What can you do?",
            "what are you good for?",
            "How do I use you?",
            "tell me about yourself",
            "What is your name?",
            "are you a robot?",
            "how do you work?",
            "Who made you?",
            "can you help me?",
            "what kind of things do you know?",
            "explain what you do",
            "what are you able to do?",
            "How can you help me?",
            "are you a machine?",
            "who built you?",
            "Can you speak?",
            "what should I ask you?",
        ),
        val=("what is it that you do?", "Introduce yourself.", "do you have a name?"),
        test=(
            "what exactly are you?",
            "Which jobs can you take over?",
            "how does this work?",
            "What are you called?",
        ),
        reply="I find the thing that you mean in the camera's view.",
    ),
    SmallTalk(
        train=(
            "what is the capital of France?",
            "tell me a joke",
            "How old is the universe?",
            "what is two plus two?",
            "do you like music?",
            "write a poem",
            "Who won the football match?",
            "what will the weather be like tomorrow?",
            "What day is it today?",
            "sing a song for me",
            "how far away is the moon?",
            "who was the first president?",
            "translate good morning into Spanish",
            "Why is the sky blue?",
            "what do you think about politics?",
            "are you happy?",
            "do you ever sleep?",
            "count to ten",
            "tell me a story",
            "I feel lonely today.",
            "it is raining outside",
            "my sister is coming to visit",
            "I had a long day at work.",
            "how many people live in China?",
            "what is the capital of Italy?",
            "How tall is Mount Everest?",
            "tell me a fairy tale",
            "what is ten minus three?",
            "who painted the Mona Lisa?",
            "Do you like football?",
            "what is love?",
            "How do you spell necessary?",
            "the weather is lovely today",
            "I slept badly last night.",
            "my son starts school next week",
            "What is your favourite colour?",
            "how many legs does a spider have?",
            "is there life on Mars?",
            "say something nice",
            "When was the war over?",
        ),
        val=(
            "what is the capital of Spain?",
            "Tell me something funny.",
            "How many planets are there?",
            "do you believe in ghosts?",
            "I am so happy today!",
        ),
        test=(
            "what is the capital of Japan?",
            "Do you know a riddle?",
            "what is seven times eight?",
            "Which year is it?",
            "I am a bit sad this evening.",
            "who wrote Hamlet?",
            "Do you dream at night?",
        ),
        reply="I can only point out things that I see.",
    ),
)


def draw_small_talk(rng: random.Random) -> tuple[str, str]:
    """A random training (turn, reply)."""
    group = rng.choice(SMALL_TALK)
    return rng.choice(group.train), group.reply


def validation_turns() -> list[str]:
    """All turns that no training has seen."""
    return [turn for group in SMALL_TALK for turn in group.val]


def turns(split: Literal["train", "val", "test"]) -> list[tuple[str, str]]:
    """All (turn, reply) of a split."""
    return [(turn, group.reply) for group in SMALL_TALK for turn in getattr(group, split)]
