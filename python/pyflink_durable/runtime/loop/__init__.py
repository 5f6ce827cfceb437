"""The event loop of the handlers: its clock, its timers, what it refuses, who watches it."""
