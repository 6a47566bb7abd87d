"""What goes wrong around the Python client, against a real daemon; every line of it must hold."""
import asyncio
import json
import os
import socket
import sys
import threading

from swarm_node import SwarmError, connect, connect_async

INTEGER = "1" * 5000
DEEP = "[" * 16_000 + "]" * 16_000
# No limit in Pythons before the security releases of 2022.
READS_INTEGER = not hasattr(sys, "get_int_max_str_digits")


class Raw:
    """A program that writes what no JSON library of Python would."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.environ["SWARM_NODE_SOCKET"])
        self.lines = self.socket.makefile("rb")
        self.call("hello", '{"protocol":1,"client":"raw/1"}')

    def call(self, method, params):
        self.say(f'"id":1,"method":"{method}","params":{params}')
        answer = self.hear()
        assert "result" in answer, str(answer)[:300]
        return answer["result"]

    def say(self, members):
        self.socket.sendall(b'{"jsonrpc":"2.0",' + members.encode() + b"}\n")

    def hear(self):
        return json.loads(self.lines.readline())

    def submit(self, skill, text):
        return self.call("task.submit", f'{{"skill":"{skill}","input":{text}}}')["task"]


async def code_of(question):
    try:
        return (await asyncio.wait_for(question, 5)).get("error", {}).get("code")
    except SwarmError as error:
        return error.code


async def odd_payloads():
    """Each costs its own task, and not the connection with all others."""
    raw = Raw()
    left_out = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: left_out.append(context["message"]))
    async with await connect_async() as swarm:
        go = asyncio.Event()
        heard = []

        async def work(task, run):
            if task.input == "wait":
                await go.wait()
                heard.append(run.inputs.get_nowait())
                return task.attempt
            if task.input == "deep":
                deep = []
                for _ in range(100_000):
                    deep = [deep]
                return deep
            return task.input

        agent = await swarm.attach("odd", ["odd"], work, slots=2)
        name = agent.agent
        waiting = await swarm.submit("odd", "wait")
        answer = asyncio.ensure_future(swarm.wait(waiting))
        while (await swarm.get(waiting))["state"] != "running":
            await asyncio.sleep(0.01)

        for text, code in (
            (DEEP, "BAD_INPUT"),
            (INTEGER, None if READS_INTEGER else "BAD_INPUT"),
            ('"\\ud800"', "BAD_OUTPUT"),
            ('"deep"', "BAD_OUTPUT"),
        ):
            assert await code_of(swarm.wait(raw.submit("odd", text))) == code, text[:9]
        for text, output in (('{"$bytes":"a"}', {"$bytes": "a"}), ('{"$bytes":"é"}', {"$bytes": "é"}), ('{"$bytes":"YQ\\n=="}', b"a")):
            assert (await swarm.wait(raw.submit("odd", text)))["output"] == output, text

        for text in (DEEP, '{"$bytes":"a"}'):
            raw.call("task.steer", f'{{"task":"{waiting}","input":{text}}}')
        await swarm.get(waiting)  # The steers have come before its answer.
        go.set()
        assert (await answer)["output"] == 1
        assert heard == [{"$bytes": "a"}] and len(left_out) == 1, (heard, left_out)
        assert agent.agent == name

        # The same as outputs: what cannot be read is an error of the question that it answers.
        raw.call("agent.attach", '{"name":"raw","skills":[{"name":"raw"}]}')
        other = asyncio.ensure_future(swarm.wait(await swarm.submit("nobody"), 60))
        for text, code in (('{"$bytes":"a"}', None), (DEEP, "BAD_OUTPUT"), (INTEGER, None if READS_INTEGER else "BAD_OUTPUT")):
            question = asyncio.ensure_future(swarm.run("raw", key=text[:9]))
            request = (await asyncio.get_running_loop().run_in_executor(None, raw.hear))["id"]
            raw.say(f'"id":{json.dumps(request)},"result":{{"output":{text}}}')
            assert await code_of(question) == code, text[:9]
        assert agent.agent == name and not other.done()
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)


def leave(task, run):
    if task.input == "exit":
        sys.exit(2)
    if task.input == "interrupt":
        raise KeyboardInterrupt
    if task.input == "stop":
        next(iter([]))
    return threading.current_thread().name


async def exits():
    """A handler that ends its program, as argparse does, has failed its task, and that is all."""
    async with await connect_async() as swarm:

        async def handler(task, run):
            return leave(task, run)

        for number, (handler, values) in enumerate(((handler, ["exit"]), (leave, ["exit", "interrupt", "stop"]))):
            agent = await swarm.attach("leaver", [f"leave-{number}"], handler)
            for value in values:
                assert await code_of(swarm.run(f"leave-{number}", value)) == "FAILED", value
            assert await code_of(swarm.run(f"leave-{number}")) is None
            await agent.detach()


def ends():
    """Whatever ends the loop, nobody waits for it."""

    async def begin(task, run):
        async def part():
            leave(task, run)

        begun = asyncio.ensure_future(part())
        await asyncio.wait([begun])
        asyncio.get_running_loop().stop()
        return type(begun.exception()).__name__

    def code(question, *args):
        try:
            question(*args)
        except SwarmError as error:
            codes.append(error.code)

    def broken(timeout):
        raise OSError("no more events")

    threading.excepthook = lambda args: None
    for end in ("close", "break"):
        codes = []
        swarm = connect()
        agent = swarm.attach("beginner", ["begin"], begin)
        assert swarm.run("begin", "exit", timeout=5)["output"] == "SystemExit"
        task = swarm.submit("nobody")
        waiting = [threading.Thread(target=code, args=args, daemon=True) for args in ((agent.join,), (swarm.wait, task))]
        for thread in waiting:
            thread.start()
        assert swarm.get(task)["state"] == "waiting"
        if end == "close":
            swarm.close()
        else:
            swarm._loop._selector.select = broken
            swarm._loop.call_soon_threadsafe(int)
        for thread in waiting:
            thread.join(5)
        late = threading.Thread(target=code, args=(swarm.get, task), daemon=True)
        late.start()
        late.join(5)
        assert codes == ["CANCELLED"] * 3, (end, codes)
        swarm.close()


asyncio.run(odd_payloads())
asyncio.run(exits())
ends()
os._exit(0)  # Without a word about what the broken loop left.
