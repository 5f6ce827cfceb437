"""Where a job is put together: the graph, its checks, the jars that it ships."""
