"""Suggests the known words that a mistyped one may mean."""

import difflib
import re
from collections.abc import Collection


def suggest(message: str, known_words: Collection[str]) -> str:
    r"""Suggest the known words that are most similar to an unknown word in a message, or the first that ends with it.

    Examples:
        >>> suggest("unrecognized arguments: --replicate 5", ["replicates", "seed"])
        '\nDid you mean replicates?'
        >>> suggest("unrecognized arguments: --epochs 2", ["min_epochs", "max_epochs"])
        '\nDid you mean max_epochs or min_epochs?'
    """
    words = re.findall(r"(?<![\w./])[\w.]*\w(?![\w./])", message)  # without those in paths
    for word in [*re.findall(r"--(\w[\w.-]*)", message), *words]:
        nearest = _most_similar(word, known_words)
        nearest = nearest or sorted(known for known in known_words if known.endswith(f".{word.split('.')[0]}"))[:1]
        nearest = nearest or sorted(known for known in known_words if known.endswith(f"_{word}"))
        if nearest and word not in known_words and nearest[0] not in message:
            return f"\nDid you mean {' or '.join(nearest[:2])}?"
    return ""


def _most_similar(word: str, known_words: Collection[str]) -> list[str]:
    def ratio(known: str) -> float:
        return difflib.SequenceMatcher(a=known, b=word).ratio()

    close = difflib.get_close_matches(word, known_words, n=2, cutoff=0.8)
    return sorted(known for known in close if ratio(known) == ratio(close[0]))
