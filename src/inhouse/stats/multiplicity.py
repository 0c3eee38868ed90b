"""Many questions at once, and the chance to be wrong about any."""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the same order: whoever rejects where one is at most alpha errs with at
    most that probability about any, however the questions hang together.

    Holm 1979, Scandinavian Journal of Statistics 6:65: in rising order the i-th smallest of m is
    multiplied by m - i + 1, never falls below the one before it, and is at most 1.

    >>> holm([0.04, 0.01, 0.3])
    [0.08, 0.03, 0.3]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = least
    return adjusted
