"""An agent in Python: stands for a server with a language model, like agent.ts.

Usage: agent.py SOCKET NAME SLOTS BOOK SKILL...
"""
import itertools
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'agents', 'python'))
import swarm_node

socket, name, slots, book, *skills = sys.argv[1:]
count = itertools.count(1)


def complete(task):
    time.sleep(task.input['serviceMs'] / 1000)
    with open(book, 'a') as finished:
        finished.write(f'{task.task}\n')
    return {'by': name, 'stamp': f'{os.getpid()}-{next(count)}'}


swarm = swarm_node.connect(socket)
swarm.attach(name=name, skills=skills, slots=int(slots), run=complete)
swarm.serve()
