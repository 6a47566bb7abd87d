#!/usr/bin/env python3
"""An agent of swarm-node in ten lines: skill `count`. Needs swarm_node.py beside it or on PYTHONPATH."""
from swarm_node import connect


def count(task, run):
    words = task.input.split()
    run.progress(0.5, f"{len(words)} words")
    return {"words": len(words), "longest": max(words, key=len)}


with connect() as swarm:
    swarm.attach("counter", ["count"], count, slots=4).join()
