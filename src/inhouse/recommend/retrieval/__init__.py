"""Finding the nearest among all items: exactly while they are few, by clusters beyond."""
