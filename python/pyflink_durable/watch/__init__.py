"""A running job, live: its metrics by Flink's REST API, what is in flight by its checkpoints."""
