"""Intervals, sequential tests, calibration and metrics; pure."""
