"""The table of id parts: AdamW and a moving average, row by row."""

import torch

from inhouse.learning.causal.id_rows import IdRows


def test_it_equals_adamw_where_every_row_is_touched() -> None:
    """Values follow torch's optimiser, averages the plain moving average."""
    dice = torch.Generator().manual_seed(0)
    start = torch.randn(6, 4, generator=dice)
    theirs = torch.nn.Parameter(start.clone())
    optimiser = torch.optim.AdamW([theirs], lr=0.01, weight_decay=0.1)
    table = IdRows(start.clone(), rate=0.01, decay=0.1, averaging=0.9)
    average = start.clone()

    for _ in range(5):
        gradient = torch.randn(6, 4, generator=dice)
        theirs.grad = gradient.clone()
        optimiser.step()
        table.update(torch.arange(6), gradient)
        average = 0.9 * average + 0.1 * theirs.detach()

    torch.testing.assert_close(table.values, theirs.detach())
    torch.testing.assert_close(table.averages(), average)


def test_averages_of_rows_that_slept_are_caught_up() -> None:
    """A row that is seldom touched has the average that a walk over all rows would give."""
    dice = torch.Generator().manual_seed(1)
    table = IdRows(torch.randn(3, 2, generator=dice), rate=0.01, decay=0.0, averaging=0.8)
    average = table.values.clone()

    for rows in ([0, 1], [1], [1], [0, 1], [1]):
        table.update(torch.tensor(rows), torch.randn(len(rows), 2, generator=dice))
        average = 0.8 * average + 0.2 * table.values

    torch.testing.assert_close(table.averages(), average)


def test_it_goes_on_from_a_checkpoint() -> None:
    """Arrays hold everything: the next step comes out the same."""
    dice = torch.Generator().manual_seed(2)
    first = IdRows(torch.randn(4, 2, generator=dice), rate=0.01, decay=0.1, averaging=0.9)
    first.update(torch.tensor([1, 3]), torch.ones(2, 2))
    second = IdRows(torch.zeros(4, 2), rate=0.01, decay=0.1, averaging=0.9)
    second.restore(first.arrays())

    for table in (first, second):
        table.update(torch.tensor([0, 1]), torch.ones(2, 2))

    torch.testing.assert_close(second.averages(), first.averages())
    torch.testing.assert_close(second.values, first.values)
