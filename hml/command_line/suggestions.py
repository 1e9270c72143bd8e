"""Suggests the known word that a mistyped one may mean."""

import difflib
import re
from collections.abc import Collection


def suggest(message: str, known_words: Collection[str]) -> str:
    r"""Suggest the known word that is most similar to an unknown word in a message, or ends with it.

    Examples:
        >>> suggest("unrecognized arguments: --replicate 5", ["replicates", "seed"])
        '\nDid you mean replicates?'
    """
    words = re.findall(r"(?<![\w./])[\w.]*\w(?![\w./])", message)  # without those in paths
    for word in [*re.findall(r"--(\w[\w.-]*)", message), *words]:
        nearest = difflib.get_close_matches(word, known_words, n=1, cutoff=0.8)
        nearest = nearest or sorted(known for known in known_words if known.endswith(f".{word.split('.')[0]}"))
        if nearest and word not in known_words and nearest[0] not in message:
            return f"\nDid you mean {nearest[0]}?"
    return ""
