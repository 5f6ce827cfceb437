"""``pyflink-durable doctor``: finds what would make a durable job fail, and says the remedy.

`client` looks at this Python, `home` at a Flink home, `cluster` at a running cluster, `settings` at
the configuration of either, `calllog` at where a write-ahead log is to go.
"""
