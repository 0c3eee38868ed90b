"""What may be spent and called at most: budgets and rates of keys, a day's money for checks."""
