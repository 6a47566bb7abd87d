"""Client of swarm-node for Python 3.9+: agents and tasks over the daemon's local socket. One file, no dependencies.

With threads:                                        With asyncio:

    from swarm_node import connect                       from swarm_node import connect_async

    def count(task, run):                                async def count(task, run):
        return {"words": len(task.input.split())}            return {"words": len(task.input.split())}

    with connect() as swarm:                             async with await connect_async() as swarm:
        swarm.attach("counter", ["count"], count).join()     await (await swarm.attach("counter", ["count"], count)).join()

A lost connection is made again by itself, agents are attached again, and what may be asked twice is asked again. What
goes wrong raises SwarmError, whose `code` is one of the protocol's words (`NO_DAEMON` when nobody answers). Whatever a
handler raises fails its task alone; so does an input that Python's json does not read (`BAD_INPUT`), and such an output is
an error of whoever asked for it (`BAD_OUTPUT`). Time-outs are in seconds, all included; None is for ever. Bytes as input
or output cross as {"$bytes": base64}. Licence: Apache-2.0 OR MIT, as the rest of swarm-node.
"""

import asyncio
import base64
import collections
import concurrent.futures
import functools
import inspect
import json
import math
import os
import queue
import random
import re
import shlex
import threading
import time
from typing import Any, AsyncIterator, Awaitable, Callable, Coroutine, Dict, Iterator, List, Optional, Set, Union

__all__ = ["connect", "connect_async", "Swarm", "AsyncSwarm", "SwarmError", "TaskError", "Task", "Run"]

PROTOCOL = 1
LINE_BYTES_MAX = 1024 * 1024 + 4 * 1024
CALL_TIMEOUT = 10.0
# For a call of a client that reconnects: a daemon that is restarted is back within it.
PATIENT_CALL_TIMEOUT = 30.0
# One question of task.wait; it is asked again until the task ends.
WAIT_SLICE = 30.0
# Unanswered at once, waits counted apart: the daemon allows twice as many on a connection.
IN_FLIGHT_MAX = 2048
CALLS_QUEUED_MAX = 100_000
EVENTS_HELD_MAX = 1024
STEERS_HELD_MAX = 64
# A process that was stopped or hangs is found out after three of these; `heartbeatMs=0` with `attach`: never.
HEARTBEAT_MS = 5_000
# Of an agent, as the daemon has it.
SLOTS_MAX = 10_000
BACK_OFF_FIRST = 0.05
BACK_OFF_MAX = 5.0

# How every line of a daemon begins; so much is understood of those, too, that Python's json does not read.
HEAD = re.compile(rb'\{"jsonrpc":"2\.0",(?:"id":("[^"\\]*"|\d{1,15}|null),)?"(method|result|error)":')

Fields = Dict[str, Any]
Skill = Union[str, Fields]


class SwarmError(Exception):
    """What went wrong, with the protocol's word for it (`code`) and what a program may want to act on (`data`)."""

    def __init__(self, code: str, message: str, data: Optional[Fields] = None) -> None:
        super().__init__(f"{message} [{code}]")
        self.code = code
        self.message = message
        self.data = data or {}


class TaskError(Exception):
    """Raised by a handler: the task fails with this code; `retryable` says whether it may go better next time."""

    def __init__(self, message: str, code: str = "FAILED", retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable


class Task:
    """One attempt at one task, as it was handed over: `task` (its id), `attempt`, `skill`, `input`, `tenant`, …"""

    def __init__(self, params: Fields) -> None:
        self.params = params
        self.task: str = params["task"]
        self.attempt: int = params["attempt"]
        self.skill: str = params["skill"]
        self.input: Any = _from_payload(params.get("input"))
        self.tenant: str = params.get("tenant", "default")
        self.deadline_ms: Optional[float] = params.get("deadlineMs")
        self.run_timeout_ms: Optional[float] = params.get("runTimeoutMs")


class Run:
    """What a handler can say and hear while it works."""

    def __init__(self, report: Callable[[Fields], None]) -> None:
        self._report = report
        self._stopped = threading.Event()
        # Extra input for the running task (`task.steer`), in order; at most so many that nobody has taken.
        self.inputs: "queue.Queue[Any]" = queue.Queue(STEERS_HELD_MAX)

    @property
    def cancelled(self) -> bool:
        """The task was cancelled, is late or lost: stop, the answer no longer matters. (Coroutines are cancelled.)"""
        return self._stopped.is_set()

    def progress(self, fraction: Optional[float] = None, message: Optional[str] = None, partial: Any = None) -> None:
        """How far it is: a share from 0 to 1, words, and what there is of the output so far."""
        said = {"fraction": fraction, "message": message, "partial": partial}
        if not self.cancelled:
            self._report({name: value for name, value in said.items() if value is not None})


Handler = Callable[[Task, Run], Any]


def socket_path() -> str:
    """Where swarm-node commands look for the daemon of this host."""
    env = os.environ
    if env.get("SWARM_NODE_SOCKET"):
        return env["SWARM_NODE_SOCKET"]
    state = env.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(env.get("SWARM_NODE_DATA") or os.path.join(state, "swarm-node"), "swarm.sock")


def _advice(path: str) -> str:
    """How to start the daemon that would answer there, and where else one may be; as the command line says it."""
    data = os.path.dirname(path)
    around = os.path.dirname(data)
    is_plain = path == os.path.abspath(socket_path())
    is_in_data = os.path.basename(path) == "swarm.sock"
    holder = _holder(data) if is_in_data else None
    if holder is not None:
        return f"process {holder} has {data} and does not answer here: it starts or tries to join, as its log says, or it has another --socket"
    if is_in_data and os.path.exists(os.path.join(around, "swarm.json")):
        return f"start its local swarm with: swarm-node up --data {shlex.quote(os.path.dirname(around))}"
    flag = "" if is_plain else f" --data {shlex.quote(data)}" if is_in_data else f" --socket {shlex.quote(path)}"
    start = f"start one with: swarm-node start{flag}"
    local = os.path.join(data, "up")
    if is_in_data and os.path.exists(os.path.join(local, "swarm.json")):
        first = shlex.quote(os.path.join(local, "node-1"))
        return f"{start}. There is a local swarm (up) in {local}: give --data {first} for its first node"
    return f"{start}, or say where yours is: --data DIR, or SWARM_NODE_DATA" if is_plain else start


def _holder(data: str) -> Optional[int]:
    """The daemon that has a data directory, if it is still there."""
    try:
        with open(os.path.join(data, "pid"), encoding="ascii") as file:
            pid = int(file.read())
        if pid > 0:
            os.kill(pid, 0)
            return pid
        return None
    except (OSError, ValueError, OverflowError):
        return None


class _Connection:
    """One connection; once lost it stays so, and `lost` says why."""

    def __init__(self, on_request: Callable[["_Connection", Any, str, Fields], None], on_notice: Callable[[str, Fields], None]) -> None:
        self.lost: Optional[SwarmError] = None
        self.closed = asyncio.Event()
        self._on_request = on_request
        self._on_notice = on_notice
        self._waiting: Dict[int, Any] = {}
        self._unwritten: List[bytes] = []
        self._refusal: Optional[SwarmError] = None
        self._count = 0
        self.features: List[str] = []

    async def open(self, path: str, token: Optional[str], client: str) -> Fields:
        try:
            # A line of the daemon has its bound; the reader's must not be met before it.
            opening = asyncio.open_unix_connection(path, limit=LINE_BYTES_MAX + 2)
            reader, self._writer = await asyncio.wait_for(opening, CALL_TIMEOUT)
        except asyncio.TimeoutError:
            raise SwarmError("TIMEOUT", f"nobody accepted the connection to {path}") from None
        except PermissionError:
            message = f"this user may not use the socket {path}; run as the user that started the daemon"
            raise SwarmError("UNAUTHORISED", message) from None
        except OSError as cause:
            if cause.errno is None:  # Python's own word for a path that no socket can have.
                message = f"the socket path {path} is longer than is possible; use a shorter one"
                raise SwarmError("BAD_USAGE", message) from None
            raise SwarmError("NO_DAEMON", f"no daemon answers on {path}; {_advice(os.path.abspath(path))}") from None
        self._reading = asyncio.ensure_future(self._read(reader))
        hello: Fields = {"protocol": PROTOCOL, "client": client}
        answer: Fields = await self.call("hello", {**hello, "token": token} if token else hello, _until(CALL_TIMEOUT))
        self.features = answer.get("features", [])
        return answer

    async def call(self, method: str, params: Fields, until: float, on_result: Optional[Callable[[Any], None]] = None) -> Any:
        """`on_result` sees the answer before anything that the daemon says after it is looked at."""
        if self.lost is not None:
            raise self.lost
        self._count += 1
        answer: "asyncio.Future[Any]" = asyncio.get_running_loop().create_future()
        number = self._count
        self.send({"id": number, "method": method, "params": params})
        self._waiting[number] = (answer, on_result)
        try:
            return await _within(until, answer, f"the daemon did not answer {method} in time; try again")
        finally:
            self._waiting.pop(number, None)

    def send(self, message: Fields) -> None:
        """Everything of one turn of the loop leaves in one write."""
        text = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        line = text.encode() + b"\n"
        if len(line) - 1 > LINE_BYTES_MAX:
            raise SwarmError("TOO_LARGE", f"a message of {len(line) - 1} bytes fits no line; payloads have at most 1 MiB")
        if not self._unwritten:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unwritten.append(line)

    def close(self) -> None:
        self._flush()
        self._lose(_closed())
        self._writer.close()

    def _flush(self) -> None:
        lines, self._unwritten = self._unwritten, []
        if lines and not self._writer.is_closing():
            self._writer.write(b"".join(lines))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        gone = "the daemon closed the connection; see whether it still runs: swarm-node status"
        try:
            while True:
                line = await reader.readline()
                if not line:
                    break
                try:
                    message = json.loads(line)
                except (ValueError, RecursionError) as cause:
                    self._take_unread(line, cause)
                else:
                    self._take(message)
        except OSError:
            pass
        except Exception:
            gone = "the daemon sent something that is no message; is that a socket of swarm-node?"
        finally:
            self._lose(self._refusal or SwarmError("NO_DAEMON", gone))
            self._writer.close()

    def _take(self, message: Fields) -> None:
        if "method" in message:
            if "id" in message:
                self._on_request(self, message["id"], message["method"], message.get("params", {}))
            else:
                self._on_notice(message["method"], message.get("params", {}))
            return
        error = message.get("error")
        refusal = None
        if error is not None:
            data = error.get("data") or {}
            refusal = SwarmError(data.get("code", "INTERNAL"), error.get("message", "no reason given"), data)
        if message.get("id") is None:
            # It answers nobody in particular; the daemon closes after it.
            self._refusal = refusal
            return
        answer, on_result = self._waiting.get(message["id"], (None, None))
        if answer is None or answer.done():
            return
        if refusal is not None:
            answer.set_exception(refusal)
            return
        if on_result is not None:
            on_result(message.get("result"))
        answer.set_result(message.get("result"))

    def _take_unread(self, line: bytes, cause: Exception) -> None:
        """A payload too deep for Python's json, or with too long a number, costs its own task or question and no other."""
        head = HEAD.match(line)
        if head is None:
            raise ValueError("no message")
        message = f"Python cannot read this: {cause}"
        number = json.loads(head.group(1) or b"null")
        answer, _ = self._waiting.get(number, (None, None))
        if number is None:
            asyncio.get_running_loop().call_exception_handler({"message": f"swarm-node: a notice is left out; {message}"})
        elif head.group(2) == b"method":
            self.send({"id": number, **_failure(message, "BAD_INPUT", False)})
        elif answer is not None and not answer.done():
            answer.set_exception(SwarmError("BAD_OUTPUT", message))

    def _lose(self, error: SwarmError) -> None:
        if self.lost is not None:
            return
        self.lost = error
        for answer, _ in list(self._waiting.values()):
            if not answer.done():
                answer.set_exception(error)
        self.closed.set()


class Agent:
    """An attached agent, over connections that come and go. Made by `attach`."""

    def __init__(self, swarm: "AsyncSwarm", spec: Fields, handler: Handler, on_drain: Optional[Callable[[float], Any]]) -> None:
        self.agent: Optional[str] = None
        self._swarm = swarm
        self._spec = spec
        self._handler = handler
        self._on_drain = on_drain
        # What it is attached over, and a turn for each that changes it: attaching again, `update`, `detach`.
        self._connection: Optional[_Connection] = None
        self._turn = asyncio.Lock()
        # Handed over and not answered; the first `slots` of them run, and others are held.
        self._runs: Dict[str, "_Attempt"] = {}
        self._held: "collections.deque[_Attempt]" = collections.deque()
        self._working = 0
        self._threads = concurrent.futures.ThreadPoolExecutor(SLOTS_MAX, "swarm-agent")
        self._leaving = False
        self._ended: "asyncio.Future[None]" = asyncio.get_running_loop().create_future()

    async def join(self) -> None:
        """Returns when it is detached; raises what a daemon refused it for, or that the client was closed."""
        await asyncio.shield(self._ended)

    async def update(self, **changes: Any) -> None:
        """Changes what it says of itself (`skills`, `slots`, `labels`, …); what is left out stays, also after a
        reconnection. Raises SwarmError BAD_REQUEST, with nothing changed."""
        if "skills" in changes:
            changes["skills"] = _named(changes["skills"])
        await self._tell("agent.update", changes)
        self._spec.update(changes)
        self._fill()

    async def detach(self) -> None:
        """No new tasks; returns when those that run have ended."""
        if not self._leaving:
            await self._tell("agent.detach", {})
        self._leaving = True
        self._leave_if_done()
        await self.join()

    async def _tell(self, method: str, params: Fields) -> None:
        """The daemon, if it has this agent: with its connection it is gone, too."""
        async with self._turn:
            connection = self._connection
            if connection is None:
                return
            try:
                await connection.call(method, {"agent": self.agent, **params}, _until(CALL_TIMEOUT))
            except SwarmError as error:
                if error is not connection.lost:
                    raise

    async def _attach_to(self, connection: _Connection) -> None:
        def register(result: Fields) -> None:
            self.agent = result["agent"]
            self._connection = connection
            self._swarm._agents[result["agent"]] = self

        async with self._turn:
            if self._ended.done():
                return
            spec = dict(self._spec)
            heartbeat = spec.pop("heartbeatMs", HEARTBEAT_MS)
            beats = heartbeat > 0 and "heartbeats" in connection.features
            await connection.call("agent.attach", {**spec, "heartbeatMs": heartbeat} if beats else spec, _until(CALL_TIMEOUT), register)
        if beats:
            self._beat(connection, heartbeat / 1000)

    def _beat(self, connection: _Connection, seconds: float) -> None:
        """The daemon hears that this process still runs; three times in vain, and it offers the tasks again."""
        if connection.lost is None and self.agent is not None:
            connection.send({"jsonrpc": "2.0", "method": "agent.heartbeat", "params": {}})
            asyncio.get_running_loop().call_later(seconds, self._beat, connection, seconds)

    def _run(self, connection: _Connection, request: Any, params: Fields) -> None:
        attempt = _Attempt(connection, request, params, self._handler, self._threads)
        self._runs[_key(params)] = attempt
        self._held.append(attempt)
        self._fill()

    def _fill(self) -> None:
        """Begins what there is a slot for, also when a handler that was told to stop still has not."""
        while self._held and self._working < self._spec["slots"]:
            self._working += 1
            attempt = self._held.popleft()
            attempt.start().add_done_callback(functools.partial(self._done, attempt))

    def _done(self, attempt: "_Attempt", _: Any) -> None:
        self._working -= 1
        key = _key(attempt._params)
        if self._runs.get(key) is attempt:
            del self._runs[key]
        self._fill()
        self._leave_if_done()

    def _drain(self, params: Fields) -> None:
        if inspect.iscoroutinefunction(self._on_drain):
            asyncio.ensure_future(self._on_drain(params.get("deadlineMs", 0)))
        elif self._on_drain is not None:
            asyncio.get_running_loop().run_in_executor(None, self._on_drain, params.get("deadlineMs", 0))

    def _steer(self, params: Fields) -> None:
        attempt = self._runs.get(_key(params))
        if attempt is not None:
            attempt.steer(params.get("input"))

    def _cancel(self, params: Fields) -> None:
        attempt = self._runs.get(_key(params))
        if attempt is not None:
            attempt.stop()

    def _lose(self) -> None:
        """With the connection its tasks are lost, and offered again."""
        self.agent = None
        self._connection = None
        runs, self._runs = self._runs, {}
        self._held.clear()
        for attempt in runs.values():
            attempt.stop()
        if self._leaving:
            self._finish(None)

    def _leave_if_done(self) -> None:
        if self._leaving and not self._runs:
            self._finish(None)

    def _finish(self, error: Optional[SwarmError]) -> None:
        if self._ended.done():
            return
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)
            self._ended.exception()  # Who does not join has no use for it.
        self._lose()
        self._swarm._forget(self)
        self._threads.shutdown(wait=False)


class _Attempt:
    """From the arrival of a task to its answer: there is exactly one, whatever the handler does."""

    def __init__(self, connection: _Connection, request: Any, params: Fields, handler: Handler, threads: concurrent.futures.Executor) -> None:
        self._connection = connection
        self._request = request
        self._params = params
        self._handler = handler
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._hint: Optional[Fields] = None
        self._over = False
        self._run = Run(lambda said: _soon(self._loop, self._progress, said))
        self._working: Optional["asyncio.Future[Any]"] = None

    def start(self) -> "asyncio.Future[None]":
        return asyncio.ensure_future(self._work())

    def stop(self) -> None:
        self._run._stopped.set()
        if self._working is not None and inspect.iscoroutinefunction(self._handler):
            self._working.cancel()

    def steer(self, input: Any) -> None:
        try:
            self._run.inputs.put_nowait(_from_payload(input))
        except queue.Full:  # Nobody takes them.
            pass

    async def _work(self) -> None:
        try:
            if self._run.cancelled:
                raise TaskError("the task was cancelled before its turn came", "CANCELLED")
            task = Task(self._params)
            if inspect.iscoroutinefunction(self._handler):
                self._working = asyncio.ensure_future(self._as_coroutine(task))
            else:
                self._working = self._loop.run_in_executor(self._threads, self._in_thread, task)
            output = await self._working
            self._answer({"result": {"output": _to_payload(output)}})
        except asyncio.CancelledError:
            self._answer(_failure("the task was cancelled", "CANCELLED", False))
        except TaskError as error:
            self._answer(_failure(_words(error), error.code, error.retryable))
        except BaseException as error:  # Whatever a handler raises is an outcome.
            self._answer(_failure(f"{type(error).__name__}: {_words(error)}", "FAILED", False))

    async def _as_coroutine(self, task: Task) -> Any:
        try:
            return await self._handler(task, self._run)
        except SystemExit as error:  # It would end the loop, and all other tasks.
            raise TaskError(f"SystemExit: {error}") from error

    def _in_thread(self, task: Task) -> Any:
        try:
            return self._handler(task, self._run)
        except (SystemExit, KeyboardInterrupt, StopIteration) as error:  # The first two likewise; the third gets lost on its way.
            raise TaskError(f"{type(error).__name__}: {error}") from error

    def _answer(self, outcome: Fields) -> None:
        self._over = True
        if self._connection.lost is not None:
            return
        try:
            self._connection.send({"id": self._request, **outcome})
        except SwarmError as error:
            self._connection.send({"id": self._request, **_failure(error.message, error.code, False)})
        except Exception as error:  # No JSON, too deep, or whatever else json finds.
            self._connection.send({"id": self._request, **_failure(str(error), "BAD_OUTPUT", False)})

    def _progress(self, said: Fields) -> None:
        """Of what is said in one turn of the loop the latest counts."""
        if self._over or self._connection.lost is not None:
            return
        if self._hint is None:
            self._loop.call_soon(self._send_hint)
        self._hint = said

    def _send_hint(self) -> None:
        said, self._hint = self._hint, None
        # Behind a daemon that takes nothing it would only pile up.
        if said is None or self._over or self._connection.lost is not None or self._connection._writer.transport.get_write_buffer_size() > LINE_BYTES_MAX:
            return
        about = {"task": self._params["task"], "attempt": self._params["attempt"]}
        self._connection.send({"method": "task.progress", "params": {**about, **said}})


class AsyncSwarm:
    """The daemon of this host, for programs with an event loop. Made by `connect_async`."""

    def __init__(self, path: str, token: Optional[str], client: str, give_up_after: Optional[float]) -> None:
        self.hello: Fields = {}
        self._path = path
        self._token = token
        self._client = client
        self._give_up_after = give_up_after
        self._connection: Optional[_Connection] = None
        self._connected = asyncio.Event()
        self._agents: Dict[str, Agent] = {}
        self._attached: List[Agent] = []
        self._streams: Dict[str, "_Events"] = {}
        self._open_streams: List["_Events"] = []
        self._calls = _Turns()
        self._waits = _Turns()
        self._end: Optional[SwarmError] = None
        self._reconnecting: Optional["asyncio.Future[None]"] = None

    async def __aenter__(self) -> "AsyncSwarm":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    async def attach(self, name: str, skills: List[Skill], handler: Handler, *, slots: int = 1, on_drain: Optional[Callable[[float], Any]] = None, **more: Any) -> Agent:
        """Attaches an agent. `handler(task, run)` is a function, called in a thread, or a coroutine function.

        So is `on_drain(deadline_ms)`: the node drains, no new tasks will come, and what runs after that time is lost.
        `more`: resources, labels, price, kind, tenants, heartbeatMs, as in the protocol's `agent.attach`.
        """
        agent = Agent(self, {"name": name, "skills": _named(skills), "slots": slots, **more}, handler, on_drain)
        await self._patiently(agent._attach_to)
        self._attached.append(agent)
        return agent

    async def submit(self, skill: Union[str, List[str]], input: Any = None, *, timeout: Optional[float] = PATIENT_CALL_TIMEOUT, **options: Any) -> str:
        """Submits a task and returns its id; it is durable by then.

        `options` are those of the protocol, in its own words: key, tenant, priority, deadlineMs, retries, … With a
        `key` it is asked again should the connection be lost meanwhile: the same key again is the same task.
        """
        params = _submission(skill, input, options)
        result = await self._ask(self._calls, "task.submit", params, _until(timeout), "key" in options)
        task: str = result["task"]
        return task

    async def run(self, skill: Union[str, List[str]], input: Any = None, *, timeout: Optional[float] = None, **options: Any) -> Fields:
        """Submits a task and waits for it, in one question: its record once it has ended. The quickest way to a result.

        `options` as for `submit`. Raises SwarmError TIMEOUT with the task in `data`; the task goes on.
        """
        until = _until(timeout)
        params = _submission(skill, input, options)
        try:
            return _record(await self._ask(self._waits, "task.call", params, until, "key" in options, WAIT_SLICE))
        except SwarmError as error:
            task = error.data.get("task") if error.code == "TIMEOUT" else None
            if task is None or time.monotonic() >= until:
                raise
        return await self.wait(task, until - time.monotonic())

    async def wait(self, task: str, timeout: Optional[float] = None) -> Fields:
        """The record of the task once it has ended. Raises SwarmError TIMEOUT; the task goes on."""
        until = _until(timeout)
        while True:
            try:
                return _record(await self._ask(self._waits, "task.wait", {"task": task}, until, True, WAIT_SLICE))
            except SwarmError as error:
                if error.code not in ("TIMEOUT", "SHUTTING_DOWN") or time.monotonic() >= until:
                    raise
                # Who stops says so and closes: the question is asked again when it is back.
                if error.code == "SHUTTING_DOWN" and self._connection is not None:
                    await _within(until, self._connection.closed.wait(), f"{task} could not be waited for: the node stops")

    async def get(self, task: str) -> Fields:
        return _record(await self.call("task.get", {"task": task}))

    async def cancel(self, task: str, reason: Optional[str] = None) -> str:
        """How it ended, which need not be `cancelled`."""
        params = {"task": task} if reason is None else {"task": task, "reason": reason}
        state: str = (await self.call("task.cancel", params))["state"]
        return state

    async def steer(self, task: str, input: Any) -> None:
        """Extra input for the agent that runs it."""
        await self.call("task.steer", {"task": task, "input": _to_payload(input)})

    async def why(self, task: str) -> Fields:
        return await self.call("task.why", {"task": task})

    async def history(self, task: str) -> List[Fields]:
        entries: List[Fields] = (await self.call("task.history", {"task": task}))["entries"]
        return entries

    async def list(self, **filter: Any) -> Fields:
        return await self.call("task.list", filter)

    async def call(self, method: str, params: Optional[Fields] = None, timeout: Optional[float] = PATIENT_CALL_TIMEOUT) -> Any:
        """Any method of the protocol; one that changes something is not repeated after a lost connection."""
        changes = ("node.stop", "node.drain", "council.propose", "task.submit", "task.call", "task.steer")
        question = method.startswith(("node.", "council.", "task.", "config.")) and method not in changes
        return await self._ask(self._calls, method, params or {}, _until(timeout), question)

    async def events(self, **filter: Any) -> AsyncIterator[Fields]:
        """Events from now on (`kinds`, `task`), for `async for`: `async for event in await swarm.events()`."""
        stream = _Events(self, filter)
        await self._patiently(stream._subscribe)
        self._open_streams.append(stream)
        return stream

    async def close(self) -> None:
        """Ends everything: agents are gone at once. `Agent.detach` is the polite way."""
        self._finish(_closed())

    async def _open(self) -> None:
        connection = _Connection(self._on_request, self._on_notice)
        try:
            hello = await connection.open(self._path, self._token, self._client)
            for agent in list(self._attached):
                try:
                    await agent._attach_to(connection)
                except SwarmError as error:
                    if error is connection.lost or error.code in ("OVERLOADED", "SHUTTING_DOWN", "TIMEOUT", "NO_DAEMON"):
                        raise
                    agent._finish(error)
            for stream in self._open_streams:
                await stream._subscribe(connection)
        except SwarmError:
            if hasattr(connection, "_writer"):
                connection.close()
            for agent in self._attached:
                agent._lose()
            raise
        if self._end is not None:
            connection.close()
            return
        self.hello = hello
        self._connection = connection
        self._connected.set()
        asyncio.ensure_future(self._watch(connection))

    async def _watch(self, connection: _Connection) -> None:
        await connection.closed.wait()
        if self._connection is not connection or self._end is not None:
            return
        self._connection = None
        self._connected.clear()
        self._agents.clear()
        self._streams.clear()
        for agent in list(self._attached):
            agent._lose()
        for stream in self._open_streams:
            stream._push({"kind": "events.lost"})
        self._reconnecting = asyncio.ensure_future(self._reconnect())

    async def _reconnect(self) -> None:
        started = time.monotonic()
        failures = 0
        while self._end is None:
            # Half of it is chance, so that the agents of a host do not all come back at once.
            await asyncio.sleep(min(BACK_OFF_MAX, BACK_OFF_FIRST * 2**failures) * (0.5 + random.random() / 2))
            failures += 1
            try:
                await self._open()
                return
            except SwarmError as error:
                passing = error.code in ("NO_DAEMON", "TIMEOUT", "SHUTTING_DOWN", "OVERLOADED", "NOT_ATTACHED")
                late = self._give_up_after is not None and time.monotonic() - started > self._give_up_after
                if not passing or late:
                    self._finish(error)

    async def _ask(self, turns: "_Turns", method: str, params: Fields, until: float, repeatable: bool, wait: Optional[float] = None) -> Any:
        """`wait`: so long the daemon waits for what is asked, at most, and says TIMEOUT itself."""
        await turns.take(method, until)
        try:
            while True:
                connection = await self._next(method, until)
                try:
                    if wait is None:
                        return await connection.call(method, params, until)
                    slice = max(0.001, min(wait, until - time.monotonic()))
                    return await connection.call(method, {**params, "timeoutMs": slice * 1000}, _until(slice + CALL_TIMEOUT))
                except SwarmError as error:
                    if error is not connection.lost:
                        raise
                    if self._end is not None:
                        raise self._end.with_traceback(None) from None
                    if not repeatable:
                        message = f"the connection was lost before {method} was answered, so it may have been done; a task with a key is asked for again"
                        raise SwarmError(error.code, message) from None
        finally:
            turns.give()

    async def _next(self, method: str, until: float) -> _Connection:
        """The connection, once there is one."""
        while True:
            if self._end is not None:
                raise self._end.with_traceback(None)
            if self._connection is not None and self._connection.lost is None:
                return self._connection
            if self._connection is not None:
                await asyncio.sleep(0)  # Its end is about to be noticed.
                continue
            await _within(until, self._connected.wait(), f"{method} could not be asked in time: no daemon answers; try again")

    async def _patiently(self, use: Callable[[_Connection], Awaitable[None]]) -> None:
        """For what belongs to one connection: again over the next one when it was lost meanwhile."""
        while True:
            connection = await self._next("the connection", _until(PATIENT_CALL_TIMEOUT))
            try:
                await use(connection)
                return
            except SwarmError as error:
                if error is not connection.lost:
                    raise

    def _on_request(self, connection: _Connection, request: Any, method: str, params: Fields) -> None:
        agent = self._agents.get(params.get("agent", ""))
        if method == "task.run" and agent is not None:
            agent._run(connection, request, params)
        else:
            connection.send({"id": request, **_failure(f"this client does not know {method} or the agent", "NOT_FOUND", True)})

    def _on_notice(self, method: str, params: Fields) -> None:
        if method == "task.cancel":
            for agent in self._attached:
                agent._cancel(params)
        elif method == "task.steer":
            for agent in self._attached:
                agent._steer(params)
        elif method == "drain":
            for agent in self._attached:
                agent._drain(params)
        elif method == "event":
            stream = self._streams.get(params.get("subscription", ""))
            if stream is not None:
                stream._push({name: value for name, value in params.items() if name != "subscription"})

    def _forget(self, agent: Agent) -> None:
        self._attached = [other for other in self._attached if other is not agent]
        self._agents = {name: other for name, other in self._agents.items() if other is not agent}

    def _finish(self, error: SwarmError) -> None:
        if self._end is not None:
            return
        self._end = error
        for agent in list(self._attached):
            agent._finish(error)
        for stream in self._open_streams:
            stream._push(None)
        if self._connection is not None:
            self._connection.close()
        self._connected.set()


class _Turns:
    """So many questions are unanswered at once; more wait for their turn, and a bounded number of them."""

    def __init__(self) -> None:
        self._free = IN_FLIGHT_MAX
        # In order; a dict, because any of them may give up.
        self._waiting: "Dict[asyncio.Future[None], None]" = {}

    async def take(self, method: str, until: float) -> None:
        if self._free > 0:
            self._free -= 1
            return
        if len(self._waiting) >= CALLS_QUEUED_MAX:
            raise SwarmError("OVERLOADED", f"{CALLS_QUEUED_MAX} calls wait already; wait for some of them")
        turn: "asyncio.Future[None]" = asyncio.get_running_loop().create_future()
        self._waiting[turn] = None
        try:
            await _within(until, turn, f"{method} could not be asked in time: {IN_FLIGHT_MAX} questions are unanswered; try again")
        except BaseException:
            if turn in self._waiting:
                del self._waiting[turn]
            else:
                self.give()  # It came too late.
            raise

    def give(self) -> None:
        turn = next(iter(self._waiting), None)
        if turn is None:
            self._free += 1
            return
        del self._waiting[turn]
        if turn.done():  # Given up just now, and back here in a moment.
            return
        turn.set_result(None)


class _Events:
    """Events in order; a reader that is too slow loses some and is told how many."""

    def __init__(self, swarm: AsyncSwarm, filter: Fields) -> None:
        self._swarm = swarm
        self._filter = filter
        self._held: "asyncio.Queue[Optional[Fields]]" = asyncio.Queue()
        self._lost = 0

    def __aiter__(self) -> "_Events":
        return self

    async def __anext__(self) -> Fields:
        event = await self._held.get()
        if event is None:
            end = self._swarm._end
            if end is not None and end.code != "CANCELLED":
                raise end
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        """Ends it, and the subscription with it."""
        if self in self._swarm._open_streams:
            self._swarm._open_streams.remove(self)
        for name, stream in list(self._swarm._streams.items()):
            if stream is self:
                del self._swarm._streams[name]
                await self._swarm.call("events.unsubscribe", {"subscription": name})
        self._held.put_nowait(None)

    async def _subscribe(self, connection: _Connection) -> None:
        def register(result: Fields) -> None:
            self._swarm._streams[result["subscription"]] = self

        await connection.call("events.subscribe", self._filter, _until(CALL_TIMEOUT), register)

    def _push(self, event: Optional[Fields]) -> None:
        if event is not None and self._held.qsize() >= EVENTS_HELD_MAX:
            self._lost += 1
            return
        if self._lost > 0:
            self._held.put_nowait({"kind": "events.lost", "count": self._lost})
            self._lost = 0
        self._held.put_nowait(event)


async def connect_async(
    socket: Optional[str] = None,
    token: Optional[str] = None,
    *,
    client: str = "python/1",
    give_up_after: Optional[float] = None,
) -> AsyncSwarm:
    """Connects to the daemon of this host. The first connection is tried once; later ones again and again, for
    `give_up_after` seconds if given. Raises SwarmError NO_DAEMON, UNAUTHORISED, …"""
    swarm = AsyncSwarm(socket or socket_path(), token or os.environ.get("SWARM_NODE_TOKEN"), client, give_up_after)
    await swarm._open()
    return swarm


class Swarm:
    """The same for programs with threads: every method waits for its answer. Made by `connect`, usable from any thread."""

    def __init__(self, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._is_closing = self._is_over = False
        self._asked: "Set[concurrent.futures.Future[Any]]" = set()
        self._thread = threading.Thread(target=self._serve, name="swarm-node", daemon=True)
        self._thread.start()
        try:
            self._swarm: AsyncSwarm = self._do(connect_async(**options))
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> "Swarm":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    @property
    def hello(self) -> Fields:
        return self._swarm.hello

    def attach(self, name: str, skills: List[Skill], handler: Handler, *, slots: int = 1, **more: Any) -> "ThreadedAgent":
        return ThreadedAgent(self, self._do(self._swarm.attach(name, skills, handler, slots=slots, **more)))

    def submit(self, skill: Union[str, List[str]], input: Any = None, **options: Any) -> str:
        return self._do(self._swarm.submit(skill, input, **options))

    def run(self, skill: Union[str, List[str]], input: Any = None, **options: Any) -> Fields:
        return self._do(self._swarm.run(skill, input, **options))

    def wait(self, task: str, timeout: Optional[float] = None) -> Fields:
        return self._do(self._swarm.wait(task, timeout))

    def get(self, task: str) -> Fields:
        return self._do(self._swarm.get(task))

    def cancel(self, task: str, reason: Optional[str] = None) -> str:
        return self._do(self._swarm.cancel(task, reason))

    def steer(self, task: str, input: Any) -> None:
        self._do(self._swarm.steer(task, input))

    def why(self, task: str) -> Fields:
        return self._do(self._swarm.why(task))

    def history(self, task: str) -> List[Fields]:
        return self._do(self._swarm.history(task))

    def list(self, **filter: Any) -> Fields:
        return self._do(self._swarm.list(**filter))

    def call(self, method: str, params: Optional[Fields] = None, timeout: Optional[float] = PATIENT_CALL_TIMEOUT) -> Any:
        return self._do(self._swarm.call(method, params, timeout))

    def events(self, **filter: Any) -> Iterator[Fields]:
        """Events from now on (`kinds`, `task`); leaving the loop ends the subscription."""
        stream = self._do(self._swarm.events(**filter))

        def each() -> Iterator[Fields]:
            try:
                while True:
                    try:
                        yield self._do(stream.__anext__())
                    except StopAsyncIteration:
                        return
            finally:
                if not self._is_over:
                    self._do(stream.aclose())

        return each()

    def close(self) -> None:
        try:
            self._do(self._swarm.close())
        except SwarmError:  # It is closed already.
            return
        with self._lock:
            asked = list(self._asked)
        concurrent.futures.wait(asked, CALL_TIMEOUT)  # Other threads hear of it.
        self._stop()

    def _do(self, question: "Coroutine[Any, Any, Any]") -> Any:
        with self._lock:
            if self._is_over:
                question.close()
                raise _closed()
            future = asyncio.run_coroutine_threadsafe(question, self._loop)
            self._asked.add(future)
        try:
            return future.result()
        finally:
            with self._lock:
                self._asked.discard(future)
                future.cancel()  # An interrupted caller waits no more.

    def _serve(self) -> None:
        """The thread of the loop. Whoever waits for it when it ends, or comes later, hears that it is closed."""
        try:
            while not self._is_closing:
                try:
                    self._loop.run_forever()
                except (SystemExit, KeyboardInterrupt):  # Of a task that a handler began: it ended that task, and that is all.
                    pass
        finally:
            with self._lock:
                self._is_over = True
                for future in self._asked:
                    if not future.done():
                        future.set_exception(_closed())

    def _stop(self) -> None:
        self._is_closing = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_TIMEOUT)


class ThreadedAgent:
    """An attached agent, for programs with threads."""

    def __init__(self, swarm: Swarm, agent: Agent) -> None:
        self._swarm = swarm
        self._agent = agent

    @property
    def agent(self) -> Optional[str]:
        return self._agent.agent

    def join(self) -> None:
        """Works until it is detached; Ctrl-C detaches it and lets what runs end."""
        try:
            self._swarm._do(self._agent.join())
        except KeyboardInterrupt:
            self.detach()

    def detach(self) -> None:
        self._swarm._do(self._agent.detach())

    def update(self, **changes: Any) -> None:
        self._swarm._do(self._agent.update(**changes))


def connect(socket: Optional[str] = None, token: Optional[str] = None, **options: Any) -> Swarm:
    """Connects to the daemon of this host, for programs with threads; otherwise like `connect_async`."""
    return Swarm(socket=socket, token=token, **options)


def _closed() -> SwarmError:
    return SwarmError("CANCELLED", "this client is closed; connect again")


def _until(timeout: Optional[float]) -> float:
    return math.inf if timeout is None else time.monotonic() + timeout


async def _within(until: float, awaited: Awaitable[Any], otherwise: str) -> Any:
    left = max(0.001, until - time.monotonic())
    try:
        # Not every loop has a timer for centuries.
        return await asyncio.wait_for(awaited, left if left < 1e9 else None)
    except asyncio.TimeoutError:
        raise SwarmError("TIMEOUT", otherwise) from None


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[Fields], None], said: Fields) -> None:
    """From whichever thread, also one that outlived the loop."""
    try:
        loop.call_soon_threadsafe(call, said)
    except RuntimeError:
        pass


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # It has none.
        return ""


def _key(params: Fields) -> str:
    return f"{params.get('task')}/{params.get('attempt')}"


def _failure(message: str, code: str, retryable: bool) -> Fields:
    return {"error": {"code": -32000, "message": message, "data": {"code": code, "retryable": retryable}}}


def _named(skills: List[Skill]) -> List[Fields]:
    return [{"name": skill} if isinstance(skill, str) else skill for skill in skills]


def _submission(skill: Union[str, List[str]], input: Any, options: Fields) -> Fields:
    skills = {"skill": skill} if isinstance(skill, str) else {"skills": skill}
    return {**skills, "input": _to_payload(input), **options}


def _record(record: Fields) -> Fields:
    return {**record, "output": _from_payload(record["output"])} if "output" in record else record


def _to_payload(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": base64.b64encode(value).decode()}
    return value


def _from_payload(value: Any) -> Any:
    if isinstance(value, dict) and len(value) == 1 and isinstance(value.get("$bytes"), str):
        try:
            return base64.b64decode("".join(value["$bytes"].split()), validate=True)
        except ValueError:  # No base64: a value like any other.
            pass
    return value
