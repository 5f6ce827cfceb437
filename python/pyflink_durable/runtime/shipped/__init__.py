"""The Python code that came with a job: its modules are the job's, in an interpreter of many jobs.

A TaskManager has one interpreter for all its jobs, and an interpreter has one module of a name.
PyFlink puts a job's files on ``sys.path`` and never takes them away: the next job, or the next
attempt, finds the modules of the last one, though their files are gone and its own are others.

`folder` knows what a job has brought, `modules` what the interpreter has loaded of it, and `claims`
sees to it that a job gets its own.
"""

from pyflink_durable.runtime.shipped.claims import claim

__all__ = ["claim"]
