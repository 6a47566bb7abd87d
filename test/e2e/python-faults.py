"""What goes wrong around the Python client, against a real daemon; every line of it must hold."""
import asyncio
import functools
import json
import os
import socket
import sys
import tempfile
import threading
import time

import swarm_node
from swarm_node import SwarmError, connect, connect_async

INTEGER = "1" * 5000
DEEP = "[" * 16_000 + "]" * 16_000
# No limit in Pythons before the security releases of 2022.
READS_INTEGER = not hasattr(sys, "get_int_max_str_digits")
kept = []


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


class Basic(BaseException):
    pass


class Mute(Exception):
    def __str__(self):
        raise ValueError("no words")


def leave(task, run):
    if task.input == "basic":
        raise Basic
    if task.input == "mute":
        raise Mute
    if task.input == "exit":
        sys.exit(2)
    if task.input == "interrupt":
        raise KeyboardInterrupt
    if task.input == "stop":
        next(iter([]))
    return threading.current_thread().name


async def exits():
    """A handler that ends its program, as argparse does, or raises what is odd has failed its task, and that is all."""
    async with await connect_async() as swarm:

        async def handler(task, run):
            return leave(task, run)

        for number, (handler, values) in enumerate(((handler, ["exit", "basic", "mute"]), (leave, ["exit", "interrupt", "stop", "basic", "mute"]))):
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
    # Of the broken one nothing more is heard, here or there.
    kept.append(swarm)
    swarm._swarm._connection._writer.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


class Between:
    """Stands between client and daemon, and holds back what contains `held` until `go`."""

    async def start(self):
        self.path = os.path.join(tempfile.mkdtemp(), "sock")
        self.held, self.go, self.writers, self.pumps = None, asyncio.Event(), [], []
        self.server = await asyncio.start_unix_server(self.accept, self.path, limit=1 << 22)

    def accept(self, reader, writer):
        self.pumps.append(asyncio.ensure_future(self.join(reader, writer)))

    async def join(self, reader, writer):
        there, thither = await asyncio.open_unix_connection(os.environ["SWARM_NODE_SOCKET"], limit=1 << 22)
        self.writers += [writer, thither]
        await asyncio.gather(self.pump(reader, thither), self.pump(there, writer))

    async def pump(self, reader, writer):
        async for line in reader:
            if self.held is not None and self.held in line:
                await self.go.wait()
            writer.write(line)
        writer.close()

    def drop(self):
        for writer in self.writers:
            writer.close()
        self.writers = []


async def agents_of(swarm):
    return [(agent["name"], agent["slots"]) for agent in (await swarm.call("node.agents"))["agents"]]


async def until(condition):
    end = time.monotonic() + 10
    while not await condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def leaving():
    """An agent that is detached while it is attached again is detached."""
    between = Between()
    await between.start()
    async with await connect_async() as direct, await connect_async(between.path) as swarm:
        for name in ("first", "second"):
            agents = {each: await swarm.attach(each, ["lie"], leave) for each in ("first", "second")}
            between.held = b'"name":"second"'
            between.go.clear()
            between.drop()

            async def is_held():
                return await agents_of(direct) == [("first", 1)]

            await until(is_held)
            detached = asyncio.ensure_future(agents[name].detach())
            await asyncio.sleep(0.1)
            between.go.set()
            await asyncio.wait_for(detached, 10)
            other = "second" if name == "first" else "first"

            async def is_left():
                return await agents_of(direct) == [(other, 1)]

            await until(is_left)
            await asyncio.sleep(0.2)
            assert await is_left()
            await agents[other].detach()
            assert await agents_of(direct) == []


async def questions():
    """What only asks is asked again over the next connection."""
    between = Between()
    await between.start()
    async with await connect_async(between.path) as swarm:
        for method in ("node.peers", "council.status"):
            between.held = method.encode()
            between.go.clear()
            asked = asyncio.ensure_future(swarm.call(method))
            await asyncio.sleep(0.1)
            between.held = None
            between.drop()
            between.go.set()
            assert isinstance(await asyncio.wait_for(asked, 10), dict), method


async def times():
    """A time-out counts the turn and the reconnection; none is too long."""
    between = Between()
    await between.start()
    async with await connect_async(between.path) as swarm:
        task = await swarm.submit("nobody")
        prompt = await swarm.attach("prompt", ["prompt"], leave)
        for timeout in (float("inf"), 1e300, 1e10, None):
            assert (await swarm.call("node.status", timeout=timeout))["agents"] == 1
            assert (await swarm.run("prompt", timeout=timeout))["state"] == "completed"
            assert await swarm.wait(await swarm.submit("prompt", timeout=timeout), timeout)

        waits = [asyncio.ensure_future(swarm.wait(task)) for _ in range(2060)]
        await asyncio.sleep(0)
        for question in (swarm.wait(task, 0.3), swarm.run("prompt", timeout=0.3), asyncio.wait_for(swarm.wait(task), 0.3)):
            started = time.monotonic()
            try:
                await question
                raise AssertionError("it had no turn")
            except (SwarmError, asyncio.TimeoutError) as error:
                assert getattr(error, "code", "TIMEOUT") == "TIMEOUT"
            assert time.monotonic() - started < 5
        for wait in waits[10:20] + waits[2050:2055]:
            wait.cancel()
        # Those that were given up have left their turns to others.
        await swarm.cancel(task)
        ended = await asyncio.wait_for(asyncio.gather(*waits, return_exceptions=True), 20)
        assert [type(end) for end in ended].count(dict) == 2045
        assert swarm._waits._free == 2048 and not swarm._waits._waiting

        between.server.close()
        between.drop()
        started = time.monotonic()
        assert await code_of(swarm.wait(task, 0.3)) == "TIMEOUT"
        assert time.monotonic() - started < 5

        # Without a time-out the daemon may be away for longer than it would be asked to wait.
        swarm_node.WAIT_SLICE = 0.2
        late = asyncio.ensure_future(swarm.run("prompt", key="late"))
        await asyncio.sleep(0.5)
        between.server = await asyncio.start_unix_server(between.accept, between.path, limit=1 << 22)
        assert (await asyncio.wait_for(late, 10))["state"] == "completed"
        swarm_node.WAIT_SLICE = 30.0
        await prompt.detach()


async def changes():
    """An agent changes what it says of itself, also for the next connection; it hears that its node drains."""
    between = Between()
    await between.start()
    drained = asyncio.Event()
    most = []

    async def work(task, run):
        most.append(agent._working)
        while not run.cancelled and len(most) < task.input:
            await asyncio.sleep(0.01)

    async def on_drain(deadline_ms):
        assert deadline_ms == 1000
        drained.set()

    async with await connect_async() as direct, await connect_async(between.path) as swarm:
        agent = await swarm.attach("changer", ["old"], work, on_drain=on_drain)
        assert await code_of(agent.update(slots=0)) == "BAD_REQUEST"
        await agent.update(skills=["new"], slots=3)
        assert await agents_of(direct) == [("changer", 3)]
        await asyncio.gather(*(swarm.run("new", 3, timeout=10) for _ in range(3)))
        assert max(most) == 3
        between.drop()
        await until(lambda: asyncio.sleep(0, agent.agent is None))
        await until(lambda: asyncio.sleep(0, agent.agent is not None))
        assert await agents_of(direct) == [("changer", 3)]
        heard = threading.Event()
        threaded = await asyncio.get_running_loop().run_in_executor(None, connect)
        attach = functools.partial(threaded.attach, "threaded", ["old"], leave, on_drain=lambda _: heard.set())
        await asyncio.get_running_loop().run_in_executor(None, attach)
        await direct.call("node.drain", {"timeoutMs": 1000})
        await asyncio.wait_for(drained.wait(), 5)
        assert await asyncio.get_running_loop().run_in_executor(None, heard.wait, 5)


asyncio.run(odd_payloads())
asyncio.run(exits())
ends()
asyncio.run(leaving())
asyncio.run(questions())
asyncio.run(times())
asyncio.run(changes())  # The last: the node takes no more tasks.
os._exit(0)  # Without a word about what is kept.
