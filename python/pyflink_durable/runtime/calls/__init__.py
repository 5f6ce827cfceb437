"""The life of a call, and who drives it: a loop, a thread, nobody."""
