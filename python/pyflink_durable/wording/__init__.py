"""How errors and log lines are worded; below everything else."""
