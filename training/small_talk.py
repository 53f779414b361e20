"""Plain conversation: turns that mean no thing in view and are answered without [SEG]."""

SMALL_TALK: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("hello", "Hi there!", "hey robot", "Good evening.", "hello, how are you?", "hi"),
        "Hello. Tell me what you need and I will look for it.",
    ),
    (
        ("thank you", "Thanks a lot!", "thanks, well done", "Great job, thank you.", "cheers"),
        "You are welcome.",
    ),
    (
        ("goodbye", "Bye for now.", "see you tomorrow", "that is all for today"),
        "Goodbye.",
    ),
    (
        (
            "who are you?",
            "What can you do?",
            "what are you good for?",
            "How do I use you?",
            "tell me about yourself",
        ),
        "I find the thing that you mean in the camera's view.",
    ),
    (
        (
            "what is the capital of France?",
            "tell me a joke",
            "How old is the universe?",
            "what is two plus two?",
            "do you like music?",
            "write a poem",
        ),
        "I can only point out things that I see.",
    ),
)
