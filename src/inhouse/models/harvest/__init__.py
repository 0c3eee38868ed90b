"""What there is to learn from: labels and pairs with their terms, and data sets made of them."""
