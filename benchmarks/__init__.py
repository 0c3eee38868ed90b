"""Speed and quality, measured: `python -m benchmarks.NAME [--quick] [--json FILE]`."""
