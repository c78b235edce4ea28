"""Decide what is sent when, without I/O, threads or clocks: callers pass in every time."""
