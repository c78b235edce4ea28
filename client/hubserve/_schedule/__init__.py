"""Decide what is sent when, without I/O, threads or clocks: every time is passed in."""
