"""Who is told of calls and invocations: counters, metrics, spans, log lines."""
