"""One run of a function, and where it runs: pool threads, the asyncio thread, here and now."""
