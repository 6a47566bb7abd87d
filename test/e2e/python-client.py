"""The Python client against a real daemon; every line of it must hold. Ends with agent `survivor`, for the test to go on."""
import asyncio
import threading

from swarm_node import SwarmError, TaskError, connect, connect_async


async def code_of(question):
    try:
        await question
        return "no error"
    except SwarmError as error:
        return error.code


async def whole():
    async with await connect_async() as swarm:
        started = asyncio.Event()
        stopped = asyncio.Event()
        heard = asyncio.Event()
        steered = []

        async def work(task, run):
            if task.input == "fail":
                raise TaskError("not this", "NOT_THIS")
            if task.input == "big":
                return "x" * 1_100_000
            if task.input == "odd":
                return object()
            if task.input == "hang":
                started.set()
                steered.append(await asyncio.get_running_loop().run_in_executor(None, run.inputs.get))
                heard.set()
                try:
                    await asyncio.sleep(600)
                except asyncio.CancelledError:
                    stopped.set()
                    raise
            return task.input

        agent = await swarm.attach("worker", ["work", {"name": "other", "proficiency": 0.5}], work, slots=3)

        async def outcome(value):
            record = await swarm.wait(await swarm.submit("work", value))
            return record.get("output"), record.get("error", {}).get("code")

        for value in (b"\x00\xff", {"a": [1, "ä→𝄞"]}, None, 1.5):
            assert await outcome(value) == (value, None), value
            assert (await swarm.run("work", value)).get("output") == value, value
        for value, code in (("fail", "NOT_THIS"), ("big", "TOO_LARGE"), ("odd", "BAD_OUTPUT")):
            assert await outcome(value) == (None, code), value

        task = await swarm.submit("work", "hang", key="k")
        assert await swarm.submit("work", "hang", key="k") == task
        assert await code_of(swarm.submit("work", "else", key="k")) == "DUPLICATE_KEY"
        await started.wait()
        await swarm.steer(task, b"left")
        await heard.wait()
        assert steered == [b"left"]
        assert await swarm.cancel(task, "enough") == "cancelled"
        await stopped.wait()
        assert (await swarm.wait(task))["state"] == "cancelled"
        assert (await swarm.history(task))[0]["kind"] == "submitted"

        assert await code_of(swarm.get("nope")) == "NOT_FOUND"
        assert await code_of(swarm.attach("", [], work)) == "BAD_REQUEST"
        assert await code_of(swarm.submit("work", "x" * 1_100_000)) == "TOO_LARGE"
        waiting = await swarm.submit("nobody")
        assert await code_of(swarm.wait(waiting, 0.2)) == "TIMEOUT"
        assert (await swarm.why(waiting))["reasons"][0]["code"] == "NO_AGENT_HERE"
        assert [row["task"] for row in (await swarm.list(state="waiting"))["tasks"]] == [waiting]
        assert await code_of(swarm.run("nobody", timeout=0.01)) == "TIMEOUT"

        events = await swarm.events(kinds=["task-changed"])
        await asyncio.gather(*(outcome(number) for number in range(50)))
        assert (await events.__anext__())["kind"] == "task-changed"
        await events.aclose()
        await agent.detach()
        assert (await swarm.call("node.agents"))["agents"] == []


asyncio.run(whole())

done = threading.Event()


def survive(task, run):
    run.progress(0.5, "half")
    done.set()
    return f"{task.input} survived"


with connect() as swarm:
    agent = swarm.attach("doubler", ["double"], lambda task, run: task.input * 2, slots=2)
    assert [swarm.wait(swarm.submit("double", n))["output"] for n in (1, "ab")] == [2, "abab"]
    agent.detach()
    survivor = swarm.attach("survivor", ["survive"], survive)
    assert done.wait(120)
    survivor.detach()
