"""The command ``pyflink-durable``."""
