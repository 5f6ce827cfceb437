"""The life of a call, and who drives it: the loop of the handlers, or the thread that asks."""
