"""The way from rented to owned: stages, routes in the store, what is watched, a person's word."""
