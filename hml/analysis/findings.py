"""Findings: sentences for the page's summary, made of estimates and of which side of no effect their intervals lie."""

from hml.reporting.sections import compare, write_interval, write_number
from hml.statistics.estimates import Estimate


def conclude(estimate: Estimate, what: str, above: str, below: str, against: float = 0.0) -> list[str]:
    """State on which side of no effect an estimate is.

    Args:
        estimate: The number.
        what: What it is, such as "the correlation of a with b".
        above: What it means if the whole interval is above no effect.
        below: What it means if it is below.
        against: The number's value without an effect.

    Returns:
        One sentence, or none where there is no number.

    Example:
        >>> conclude(Estimate(0.2, 0.1, 0.3, 9, 9), "the lean", "They lean left", "They lean right")
        ['They lean left: the lean is 0.200 (95 % interval 0.100 to 0.300, which excludes 0).']
        >>> conclude(Estimate(0.2, -0.1, 0.3, 9, 9), "the lean", "They lean left", "They lean right")
        ['The lean is 0.200: its 95 % interval, −0.100 to 0.300, includes 0, so its sign is not known.']
    """
    side = compare(estimate, against)
    here = compare(estimate.on_same_images, against)
    if estimate.value is None or side == "unknown":
        return state(estimate, what)
    value, interval = write_number(estimate.value), write_interval(estimate)
    if side == "not clear of":
        unknown = "its sign is not known" if against == 0 else f"it may be {against:g}"
        found = f"{capitalise(what)} is {value}: its 95 % interval, {interval}, includes {against:g}, so {unknown}."
        if here in ("above", "below"):
            meaning, narrow = above if here == "above" else below, write_interval(estimate.on_same_images)
            found += f" It holds for other people and these images only ({narrow}): {uncapitalise(meaning)}."
        return [found]
    meaning = above if side == "above" else below
    return [f"{meaning}: {what} is {value} (95 % interval {interval}, which excludes {against:g})."]


def state(estimate: Estimate, what: str) -> list[str]:
    """State an estimate that has no value without an effect.

    Example:
        >>> state(Estimate(0.2, 0.1, 0.3, 9, 9), "the mean distance")
        ['The mean distance is 0.200 (95 % interval 0.100 to 0.300).']
        >>> state(Estimate(0.2, None, None, 9, 1), "the mean distance")
        ['The mean distance is 0.200 (no interval: too few people).']
    """
    if estimate.value is None:
        return []
    interval = write_interval(estimate)
    bracket = f"no interval: {interval}" if estimate.low is None else f"95 % interval {interval}"
    return [f"{capitalise(what)} is {write_number(estimate.value)} ({bracket})."]


def list_values(values: list[tuple[str, Estimate]]) -> str:
    """List named numbers with their intervals, separated by commas.

    Example:
        >>> list_values([("Cat", Estimate(0.2, 0.1, 0.3, 9, 9))])
        'Cat (0.200, 0.100 to 0.300)'
    """
    return ", ".join(f"{name} ({write_number(e.value)}, {write_interval(e)})" for name, e in values)


def uncapitalise(text: str) -> str:
    """Write the first letter small, and leave the others as they are."""
    return text[0].lower() + text[1:]


def capitalise(text: str) -> str:
    """Write the first letter as a capital, and leave the others as they are."""
    return text[0].upper() + text[1:]
