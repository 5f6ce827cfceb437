"""In place of trustme, for anyio's tests: those that need certificates are not run."""


class CA:
    pass
