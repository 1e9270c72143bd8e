"""Findings: sentences for the page's summary. Each follows from an estimate's intervals and names whom it holds for."""

from collections.abc import Sequence

from hml.reporting.sections import compare, write_interval, write_number
from hml.statistics.estimates import FALSE_DISCOVERY_RATE, FDR_METHOD, Estimate, adjust_p
from hml.statistics.jackknife import BOTH, PEOPLE

HOLDS_FOR = {
    BOTH: "other people and other images of these classes",
    PEOPLE: "other people and the same images",
}
"""What an interval is for, by what it takes as random."""

_MOST_LISTED = 9


def conclude(estimate: Estimate, what: str, above: str, below: str, against: float = 0.0) -> list[str]:
    """State on which side of no effect an estimate is, and for whom.

    Args:
        estimate: The number.
        what: A name of it, such as "the correlation of a with b".
        above: What it means if the whole interval is above no effect.
        below: What it means if it is below.
        against: The number's value without an effect.

    Returns:
        One sentence or two; none where there is no number.

    Examples:
        >>> one = Estimate(0.2, 0.1, 0.3, 9, 9, "people and images")
        >>> conclude(one, "the mean bias", "The bias is to the right", "The bias is to the left")[0]
        'The bias is to the right, for other people and other images of these classes: the mean bias is 0.200 (95 % interval 0.100 to 0.300, which excludes 0).'
        >>> one = Estimate(0.2, -0.1, 0.5, 9, 9, "people and images", 0.1, 0.3)
        >>> for sentence in conclude(one, "the mean bias", "The bias is to the right", "The bias is to the left"):
        ...     print(sentence)
        The mean bias is 0.200: its 95 % interval for other people and other images of these classes, −0.100 to 0.500, includes 0, so its sign is not known.
        For other people and the same images only: the bias is to the right (95 % interval 0.100 to 0.300, which excludes 0).
    """  # noqa: E501 (the sentences are longer than a line)
    side, same = compare(estimate, against), estimate.on_same_images
    meanings = {"above": above, "below": below}
    if side == "unknown":
        return state(estimate, what)
    value = write_number(estimate.value)
    if side in meanings:
        interval = f"95 % interval {write_interval(estimate)}, which excludes {against:g}"
        return [f"{meanings[side]}, for {HOLDS_FOR[estimate.random]}: {what} is {value} ({interval})."]
    unknown = "its sign is not known" if against == 0 else f"it may be {against:g}"
    found = [
        f"{capitalise(what)} is {value}: its 95 % interval for {HOLDS_FOR[estimate.random]}, "
        f"{write_interval(estimate)}, includes {against:g}, so {unknown}."
    ]
    if (here := compare(same, against)) in meanings:
        interval = f"95 % interval {write_interval(same)}, which excludes {against:g}"
        found.append(f"For {HOLDS_FOR[PEOPLE]} only: {uncapitalise(meanings[here])} ({interval}).")
    return found


def conclude_list(
    values: Sequence[tuple[str, Estimate]],
    above: str,
    below: str,
    neither: str,
    against: Sequence[float] | None = None,
) -> list[str]:
    """State which numbers of a list differ from no effect, and for whom, at a false discovery rate of 5 %.

    Args:
        values: Names and numbers, all with intervals for the same people and images.
        above: The start of the sentence that lists those above no effect, "The mean is larger than 0 for".
        below: The start of the sentence that lists those below it.
        neither: The sentence where none differs, without a full stop.
        against: Each number's value without an effect; 0 unless given.

    Returns:
        Sentences; none where no number has an interval.

    Examples:
        >>> values = [("Cat", Estimate(0.2, 0.1, 0.3, 9, 9, "people and images")), ("Dog", Estimate(0.1, 0, 0.2, 9, 9))]
        >>> conclude_list(values[:1], "Dominant classes:", "Dominated classes:", "No class dominates")[0]
        'Dominant classes: Cat (0.200, 0.100 to 0.300). For other people and other images of these classes, at a false discovery rate of 5 % (Benjamini–Hochberg).'
    """  # noqa: E501 (the sentence is longer than a line)
    against = [0.0] * len(values) if against is None else against
    if all(compare(estimate) == "unknown" for _, estimate in values):
        return []
    sentences, found = [], set[str]()
    for random in (BOTH, PEOPLE):
        shown = [estimate if random == BOTH else estimate.on_same_images for _, estimate in values]
        adjusted = adjust_p(shown, against)
        sides: dict[str, list[tuple[str, Estimate]]] = {"above": [], "below": []}
        for (name, _), estimate, p, nothing in zip(values, shown, adjusted, against, strict=True):
            if p is not None and p <= FALSE_DISCOVERY_RATE and name not in found:
                sides["above" if (estimate.value or 0.0) > nothing else "below"].append((name, estimate))
        found |= {name for side in sides.values() for name, _ in side}
        only = "" if random == BOTH else " only"
        rate = f"at a false discovery rate of {100 * FALSE_DISCOVERY_RATE:g} % ({FDR_METHOD})"
        holds = f"for {HOLDS_FOR[random]}{only}, {rate}"
        for start, listed in ((above, sides["above"]), (below, sides["below"])):
            if listed:
                names = list_values(listed) if len(listed) <= _MOST_LISTED else f"{len(listed)} of {len(values)}"
                sentences.append(f"{start} {names}. {capitalise(holds)}.")
        if random == BOTH and not found:
            sentences.append(f"{neither}, {holds}.")
    return sentences


def state(estimate: Estimate, what: str) -> list[str]:
    """State an estimate that has no value without an effect.

    Examples:
        >>> state(Estimate(0.2, 0.1, 0.3, 9, 9, "people"), "the mean distance")
        ['The mean distance is 0.200 (95 % interval 0.100 to 0.300, for other people and the same images).']
        >>> state(Estimate(0.2, None, None, 9, 1), "the mean distance")
        ['The mean distance is 0.200 (no interval: too few people).']
    """
    if estimate.value is None:
        return []
    interval = write_interval(estimate)
    known = f"95 % interval {interval}, for {HOLDS_FOR[estimate.random]}"
    bracket = interval if estimate.low is None else known
    return [f"{capitalise(what)} is {write_number(estimate.value)} ({bracket})."]


def list_values(values: list[tuple[str, Estimate]]) -> str:
    """List named numbers with their intervals, separated by commas.

    Examples:
        >>> list_values([("Cat", Estimate(0.2, 0.1, 0.3, 9, 9))])
        'Cat (0.200, 0.100 to 0.300)'
    """
    return ", ".join(f"{name} ({write_number(e.value)}, {write_interval(e)})" for name, e in values)


def uncapitalise(text: str) -> str:
    """Change the first letter to lower case."""
    return text[0].lower() + text[1:]


def capitalise(text: str) -> str:
    """Change the first letter to upper case, and no other."""
    return text[0].upper() + text[1:]
