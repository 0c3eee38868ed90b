"""inhouse: the For You feed on models you own."""

__version__ = "0.1.0"
