"""An agent in Python: stands for a server with a language model, like agent.ts.

Usage: agent.py SOCKET NAME SLOTS BOOK SKILL...
"""

import itertools
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "agents", "python"))
from swarm_node import connect

path, name, slots, book, *skills = sys.argv[1:]
stamps = itertools.count(1)


def complete(task, run):
    time.sleep(task.input["serviceMs"] / 1000)
    with open(book, "a") as finished:
        finished.write(task.task + "\n")
    return {"by": name, "stamp": f"{os.getpid()}-{next(stamps)}"}


with connect(path) as swarm:
    swarm.attach(name, skills, complete, slots=int(slots)).join()
