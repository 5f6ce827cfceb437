"""The Python half of the operator: starts handlers, and ends them with their outputs."""
