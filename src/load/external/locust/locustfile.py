"""Locust's side of `profile-run --engine locust`: written by profile-run, for its master and its workers.

The master relays: what profile-run says on standard input goes to a worker, what a worker says goes back, a line of JSON
each. A worker is told how many sessions and messages are its own, holds those conversations, and reports counts and
latencies. Nothing is decided here. It reads no file, and loads no address but the loopback unless it is told that it may.
"""

import base64
import collections
import errno
import gc
import hashlib
import hmac
import ipaddress
import json
import os
import platform
import random
import re
import socket
import ssl
import struct
import time
import traceback
from email.utils import formatdate

import gevent
import gevent.lock
import gevent.monkey
import locust.runners
from locust import User, events, task
from locust import __version__ as LOCUST

# Beats of a second that the master waits for a worker, and seconds that a worker waits for its master.
PATIENCE = 10
# Seconds between two reports of a wave.
REPORT = 0.2
# Seconds that the server may take to close after its reply to QUIT, and sessions that may wait for that.
CLOSE, CLOSING_BESIDE = 1.0, 1000
# Seconds before a descriptor or a port of this machine is asked for again.
STARVED = 0.02
LINE_LIMIT, REPLY_LIMIT = 4096, 64 * 1024
CHUNK = 64 * 1024
IP_BIND_ADDRESS_NO_PORT = 24
# The same from Python 3.10 on.
LATE = (TimeoutError, socket.timeout)


class Nobody(User):
    """Locust wants a user class. Sessions are greenlets of the worker's own, as their number is exact."""

    @task
    def nothing(self):
        gevent.sleep(60)


# --- the master


class Relay:
    """Between profile-run (a socket as standard input) and the workers."""

    def __init__(self, environment):
        self.runner = environment.runner
        self.fleet = os.environ.get("PROFILE_RUN_FLEET", "")
        self.known = set()
        self.link = socket.socket(fileno=os.dup(0))
        self.writing = gevent.lock.RLock()
        locust.runners.HEARTBEAT_LIVENESS = PATIENCE
        self.runner.register_message("profile_run_hello", self.hello)
        self.runner.register_message("profile_run_report", self.report)
        self.tell(event="ready", port=self.runner.server.port, version=LOCUST)
        gevent.spawn(self.listen)
        gevent.spawn(self.tend)

    def tell(self, **line):
        with self.writing:
            try:
                self.link.sendall(json.dumps(line).encode() + b"\n")
            except OSError:
                os._exit(0)

    def hello(self, environment, msg, **_):
        # Whoever reaches the port may greet; who knows the fleet's name is one of ours.
        if hmac.compare_digest(str(msg.data.pop("fleet", "")), self.fleet):
            self.known.add(msg.node_id)
            self.tell(event="hello", worker=msg.node_id, **msg.data)

    def report(self, environment, msg, **_):
        if msg.node_id in self.known:
            self.tell(event="report", worker=msg.node_id, **msg.data)

    def listen(self):
        for line in self.link.makefile("rb"):
            said = json.loads(line)
            if said["do"] == "quit":
                self.runner.quit()
                os._exit(0)
            self.send(said["worker"], "profile_run_" + said["do"], said)
        # profile-run is gone, in whatever way.
        os._exit(0)

    def send(self, worker, kind, data):
        try:
            self.runner.send_message(kind, data, client_id=worker)
        except Exception:
            self.lost(worker, "it cannot be reached")

    def lost(self, worker, why):
        if worker in self.known:
            self.known.discard(worker)
            self.tell(event="lost", worker=worker, why=why)

    def tend(self):
        """Tells the workers once a second that somebody is there, and profile-run who is not."""
        while True:
            gevent.sleep(1)
            for worker in list(self.known):
                node = self.runner.clients.get(worker)
                if node is None:
                    self.lost(worker, "it quit")
                elif node.state == locust.runners.STATE_MISSING:
                    self.lost(worker, f"it was not heard of for {PATIENCE} seconds")
                else:
                    self.send(worker, "profile_run_ping", {})


# --- a worker


class Worker:
    def __init__(self, environment):
        self.runner = environment.runner
        self.wave = None
        self.pinged = time.monotonic()
        self.runner.register_message("profile_run_order", self.order, concurrent=True)
        self.runner.register_message("profile_run_stop", self.stop, concurrent=True)
        self.runner.register_message("profile_run_ping", self.ping)
        self.runner.send_message(
            "profile_run_hello",
            {
                "fleet": os.environ.get("PROFILE_RUN_FLEET", ""),
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "version": LOCUST,
                "python": platform.python_version(),
                "clock": time.time(),
            },
        )
        gevent.spawn(self.leave_when_alone)
        if os.environ.get("PROFILE_RUN_LOCAL"):
            gevent.monkey.get_original("_thread", "start_new_thread")(until_stdin_ends, ())

    def ping(self, environment, msg, **_):
        self.pinged = time.monotonic()

    def leave_when_alone(self):
        while time.monotonic() - self.pinged < PATIENCE:
            gevent.sleep(1)
        os._exit(0)

    def order(self, environment, msg, **_):
        order = msg.data["order"]
        try:
            self.wave = Wave(order)
        except Exception as error:
            self.runner.send_message("profile_run_report", {"wave": order["wave"], "refused": f"{error}"})
            return
        work = gevent.spawn(self.wave.run)
        while not work.ready():
            work.join(timeout=REPORT)
            if not work.ready():
                self.runner.send_message("profile_run_report", self.wave.report(False))
        if work.exception is not None:
            said = {"wave": order["wave"], "refused": f"{type(work.exception).__name__}: {work.exception}"}
            self.runner.send_message("profile_run_report", said)
            return
        self.runner.send_message("profile_run_report", self.wave.report(True))

    def stop(self, environment, msg, **_):
        if self.wave is not None:
            self.wave.stop(msg.data["why"])


def until_stdin_ends():
    """On a thread of its own: standard input ends with profile-run, in whatever way that ends."""
    read = gevent.monkey.get_original("os", "read")
    while read(0, 1):
        pass
    os._exit(0)


@events.init.add_listener
def begin(environment, **_):
    if isinstance(environment.runner, locust.runners.MasterRunner):
        Relay(environment)
    elif isinstance(environment.runner, locust.runners.WorkerRunner):
        Worker(environment)
    else:
        raise SystemExit("this file is for the master and the workers of `profile-run --engine locust`")


# --- counting


class Histogram(collections.Counter):
    """Microseconds in the buckets of an HDR histogram of three digits, so that merging is exact."""

    def record(self, seconds):
        micros = min(max(int(seconds * 1e6), 0), 3_600_000_000)
        shift = max(micros.bit_length() - 11, 0)
        self[micros | ((1 << shift) - 1)] += 1

    def pairs(self):
        return sorted(self.items())


def count(asked):
    return {"asked": asked, "finished": 0, "refused": 0, "failed": 0, "not_started": asked}


class Failed(Exception):
    """A session breaks off; its text is what that is counted as, `{}` for the step."""


class Hangup(Exception):
    """The server's close comes next."""


class Left(Exception):
    """The client goes, as the scenario means it to."""


class Stopped(BaseException):
    """The wave was told to end."""


class Wave:
    """The part of a wave that is this worker's."""

    def __init__(self, order):
        self.__dict__.update(order)
        ip = ipaddress.ip_address(self.ip)
        if not (self.allow_remote or ip.is_loopback):
            raise ValueError(f"{ip} is not this machine's loopback: that needs --allow-remote")
        self.family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
        self.random = random.Random(self.seed)
        self.bodies = self.make_bodies()
        self.context = None
        if self.tls != "none":
            # As profile-run's own sessions have it: right for a test server, wrong for all else.
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE
        self.handshaking = gevent.lock.Semaphore(self.handshakes)
        self.sending = gevent.lock.Semaphore(self.bodies_at_once) if self.bodies_at_once else None
        self.closing = gevent.lock.Semaphore(CLOSING_BESIDE)
        self.begun = time.monotonic()
        self.cpu = time.process_time()
        self.last_sign = self.begun
        self.ended = None
        self.places, self.closers = set(), set()
        self.sessions = set()
        self.opened = self.in_flight = self.written = 0
        self.stopped = None
        self.closed = False
        self.id = f"{int(time.time() * 1e6):x}.{os.getpid():x}.{self.first:x}"
        self.headers = f"From: <{self.sender}>\r\nTo: <{self.to}>\r\nDate: {formatdate()}\r\n"
        if self.subject:
            self.headers += f"Subject: {self.subject}\r\n"
        self.errors, self.client_limits = collections.Counter(), collections.Counter()
        self.steps = collections.defaultdict(Histogram)
        self.whole = Histogram()
        self.per_second = collections.Counter()
        self.asked = count(self.count)
        self.ends = count(self.count if self.unit == "sessions" else 0)
        self.n = collections.Counter()

    def make_bodies(self):
        if self.contents is not None:
            return [base64.b64decode(content) for content in self.contents]
        longest = self.length["longest"]
        line = b"X" * 77 + b"\r\n"
        lines = (str(number % 10).encode() + line for number in range(longest // 80))
        content = b"".join(lines) + b"X" * (longest % 80)
        if longest and longest % 80 == 0:
            content = content[:-2] + b"XX"
        return [content]

    def body(self, number):
        content = self.bodies[number % len(self.bodies)]
        length = len(content)
        if self.contents is None and "min" in self.length:
            length = self.random.randint(self.length["min"], self.length["longest"])
        elif self.contents is None and "median" in self.length:
            drawn = round(self.length["median"] * self.random.lognormvariate(0, self.length["sigma"]))
            length = min(max(drawn, 1), self.length["longest"])
        if 0 < length < len(content) and content[length - 1 : length] == b"\r":
            length += 1
        return content if length == len(content) else content[:length]

    def is_over(self):
        late = self.duration is not None and time.monotonic() - self.begun >= self.duration
        if late and not self.closed:
            self.closed = True
            # What was not begun by then was not asked for.
            for of in (self.asked, self.ends):
                of["asked"] -= of["not_started"]
                of["not_started"] = 0
        return self.closed or self.stopped is not None or self.asked["not_started"] == 0

    def take(self):
        self.asked["not_started"] -= 1
        if self.unit == "sessions":
            self.ends["not_started"] -= 1

    def delay(self, delay):
        seconds, is_random = delay
        return self.random.uniform(0, seconds) if is_random else seconds

    def run(self):
        for _ in range(min(self.parallel, self.count)):
            self.places.add(gevent.spawn(self.place))
        gevent.joinall(list(self.places))
        self.is_over()
        self.ended = time.monotonic()
        gevent.joinall(list(self.closers))

    def place(self):
        """One of the sessions that are in flight at once, one after the other."""
        try:
            while not self.is_over():
                self.handshaking.acquire()
                session = None
                try:
                    if self.is_over():
                        return
                    session = Session(self)
                    if not session.open():
                        return
                finally:
                    if session is None or not session.handshaking:
                        self.handshaking.release()
                session.hold()
                rest = self.delay(self.message_delay)
                if rest and not self.is_over():
                    gevent.sleep(rest)
        except Stopped:
            pass

    def stop(self, why):
        """Ends every session: those that wait for the server as late where it answered nobody, the others as unfinished."""
        if self.stopped is None:
            self.stopped = why
            gevent.killall(list(self.places | self.closers), exception=Stopped, block=False)

    def report(self, done):
        now = time.monotonic()
        waiting = [s for s in self.sessions if s.waits]
        stages = collections.Counter(s.step for s in waiting)
        return {
            "wave": self.wave,
            "done": done,
            "open": self.in_flight,
            "silent": now - self.last_sign,
            "waited": max((now - max(s.since, s.progress) for s in waiting), default=0.0),
            "stage": stages.most_common(1)[0][0] if stages else None,
            "stats": {
                "unit": self.unit,
                "asked": self.asked,
                "sessions": self.ends,
                "messages_sent": self.n["sent"],
                "messages_accepted": self.n["accepted"],
                "as_meant": self.n["as_meant"],
                "recipients_refused": self.n["recipients_refused"],
                "errors": self.errors,
                "client_limits": self.client_limits,
                "left_open": self.n["left_open"],
                "bytes": self.n["bytes"],
                "seconds": (self.ended or now) - self.begun,
                "steps": {step: histogram.pairs() for step, histogram in self.steps.items()},
                "whole": self.whole.pairs(),
                "lateness": [],
                "open_loop": False,
                "peak_open": self.n["peak_open"],
                "per_second": [self.per_second[s] for s in range(max(self.per_second, default=-1) + 1)],
                "syn_retransmits": 0,
                "client_cpu_seconds": time.process_time() - self.cpu,
                "stalled": None,
                "interrupted": False,
                "gather_micros": 0,
            },
        }


# --- a session


class Session:
    """One conversation, in the order of profile-run's own (src/load/dialogue.rs)."""

    def __init__(self, wave):
        self.wave = wave
        self.number = wave.opened
        self.sock = None
        self.buffer = b""
        self.step = "connect"
        self.waits = True
        self.since = self.whole_since = time.monotonic()
        self.progress = 0.0
        self.handshaking = self.has_unit = self.holds_body = self.open_transaction = False
        self.pipelines = self.met_refusal = self.left = self.stayed = False
        self.trouble = None
        self.messages = 0
        self.leave = LEAVES[wave.ending](wave.first + self.number)

    # the socket

    def open(self):
        """Makes the socket; false where this machine has no descriptor left for as long as a stall may take."""
        until = time.monotonic() + self.wave.stall_timeout
        while True:
            try:
                self.make()
                break
            except OSError as error:
                self.starved(error)
                if time.monotonic() >= until or self.wave.is_over():
                    return False
                gevent.sleep(STARVED)
        self.wave.opened += 1
        self.wave.take()
        self.has_unit = self.handshaking = True
        if self.wave.unit == "messages":
            self.wave.ends["asked"] += 1
        self.wave.sessions.add(self)
        self.wave.in_flight += 1
        self.wave.n["peak_open"] = max(self.wave.n["peak_open"], self.wave.in_flight)
        self.since = self.whole_since = time.monotonic()
        return True

    def make(self):
        self.sock = socket.socket(self.wave.family, socket.SOCK_STREAM)
        self.sock.settimeout(self.wave.step_timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.wave.sources is not None:
            self.sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            self.sock.bind((source(self.wave.sources + self.number), 0))

    def starved(self, error):
        limits = {errno.EMFILE: "descriptors", errno.ENFILE: "descriptors", errno.EADDRNOTAVAIL: "ephemeral_ports"}
        self.wave.client_limits[limits.get(error.errno, "memory")] += 1

    def connect(self):
        until = time.monotonic() + self.wave.stall_timeout
        while True:
            try:
                self.sock.connect((self.wave.ip, self.wave.port))
                break
            except ConnectionRefusedError:
                raise Failed("connect_refused")
            except ConnectionResetError:
                self.step = "banner"
                raise Failed("reset_{}")
            except LATE:
                raise Failed("timeout_{}")
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL or time.monotonic() >= until:
                    raise Failed("connect_failed")
                self.starved(error)
                self.sock.close()
                gevent.sleep(STARVED)
                self.make()
        self.took("connect")
        self.point("connected")

    def secure(self):
        self.step, self.since = "tls", time.monotonic()
        if self.buffer:
            raise Failed("early_reply_{}")
        try:
            self.sock = self.wave.context.wrap_socket(self.sock, server_hostname=self.wave.host)
        except LATE:
            raise Failed("timeout_{}")
        except ConnectionResetError:
            raise Failed("reset_{}")
        except OSError:
            raise Failed("tls_failed_{}")
        self.took("tls")

    def took(self, step):
        now = time.monotonic()
        self.wave.steps[step].record(now - self.since)
        self.since = now

    def write(self, data):
        """Writes all of it; what the server said before it went is read first."""
        self.waits = True
        size, pause = self.wave.slow or (CHUNK, 0)
        try:
            for at in range(0, len(data), size):
                if at and pause:
                    gevent.sleep(pause)
                self.sock.sendall(data[at : at + size])
                if len(data) > CHUNK:
                    self.sign()
        except LATE:
            raise Failed("timeout_{}")
        except ssl.SSLError:
            raise Failed("tls_failed_{}")
        except OSError:
            self.last_words()

    def last_words(self):
        try:
            self.sock.settimeout(CLOSE)
            code, _ = self.receive()
        except Failed:
            raise Failed("reset_{}")
        if code < 400:
            raise Failed("reset_{}")
        self.refused(code)
        raise Hangup

    def sign(self):
        self.progress = self.wave.last_sign = time.monotonic()

    def receive(self):
        """The next whole reply: its code and its text."""
        code, text = None, b""
        while True:
            end = self.buffer.find(b"\n")
            if end < 0:
                if not re.match(rb"[2-5]?$|[2-5]\d?$|[2-5]\d\d", self.buffer):
                    raise Failed("protocol_{}")
                if len(self.buffer) > LINE_LIMIT or len(text) + len(self.buffer) > REPLY_LIMIT:
                    raise Failed("overlong_reply_{}")
                self.more()
                continue
            line, self.buffer = self.buffer[: end + 1], self.buffer[end + 1 :]
            if end > LINE_LIMIT or len(text) + end > REPLY_LIMIT:
                raise Failed("overlong_reply_{}")
            found = re.match(rb"([2-5]\d\d)([ -].*)?\r?\n$", line, re.S)
            if not found or (code is not None and code != found[1]):
                raise Failed("protocol_{}")
            code, text = found[1], text + line
            if not (found[2] or b"").startswith(b"-"):
                return int(code), text

    def more(self):
        if self.wave.slow:
            gevent.sleep(self.wave.slow[1])
        try:
            got = self.sock.recv(CHUNK)
        except LATE:
            raise Failed("timeout_{}")
        except ConnectionResetError:
            raise Failed("reset_{}")
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            got = b""
        except ssl.SSLError:
            raise Failed("tls_failed_{}")
        except OSError:
            raise Failed("io_{}")
        if not got:
            raise Failed("closed_{}")
        self.buffer += got

    # what is said

    def say(self, step, line=None):
        """Says a command, if there is one to be said, and takes its reply: whether it was accepted, and its text."""
        self.step, self.waits = step, True
        if line is not None:
            if self.buffer:
                raise Failed("early_reply_{}")
            self.since = time.monotonic()
            self.write(line)
        return self.reply()

    def reply(self):
        code, text = self.receive()
        self.took(self.step)
        self.sign()
        wanted = {"data": (3,), "auth": (2, 3)}.get(self.step, (2,))
        if code == 421:
            self.refused(code)
            raise Hangup
        accepted = code // 100 in wanted
        if not accepted and code < 400:
            raise Failed("protocol_{}")
        if not accepted:
            self.refused(code)
        return accepted, code, text

    def refused(self, code):
        self.wave.errors[f"{self.step}_{code}"] += 1
        is_rcpt = self.step == "rcpt"
        self.wave.n["recipients_refused"] += is_rcpt
        if is_rcpt and code != 421 and self.wave.expect == "refused":
            self.met_refusal = True
        elif self.trouble is None:
            self.trouble = "refused"

    def point(self, at):
        """Here a client may leave that is meant to."""
        if self.leave and self.leave[0] == at:
            if self.leave[1]:
                self.reset_on_close()
            raise Left

    def reset_on_close(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def hold(self):
        """Holds the whole conversation and counts how it ended."""
        try:
            try:
                self.connect()
                self.converse()
                self.bye()
            except Hangup:
                pass
            except Left:
                self.left = True
                self.counted()
                return
            self.counted()
            self.wait_for_close()
        except Failed as error:
            self.broken(str(error))
        except Stopped:
            if self in self.wave.sessions:
                kinds = {"stalled": "timeout_{}" if self.waits else "unfinished_{}"}
                self.broken(kinds.get(self.wave.stopped, "interrupted_{}"))
            raise
        except Exception:
            traceback.print_exc()
            self.broken("io_{}")
        finally:
            if self.sock is not None:
                self.sock.close()

    def broken(self, kind):
        self.wave.errors[kind.format(self.step)] += 1
        if self.trouble is None:
            self.trouble = "failed"
        if self.has_unit:
            self.has_unit = False
            self.wave.asked["failed"] += 1
        self.counted()

    def counted(self):
        """The session has ended, whatever way; its place in flight is free."""
        if self not in self.wave.sessions:
            return
        self.wave.sessions.discard(self)
        self.shook_hands()
        self.give_body()
        wave = self.wave
        if self.trouble is None:
            if wave.unit == "sessions":
                self.unit_finished()
            wave.ends["finished"] += 1
            meant = {"accepted": True, "refused": self.met_refusal, "gone": self.left}[wave.expect]
            wave.n["as_meant"] += meant
        else:
            wave.ends[self.trouble] += 1
        self.unit_refused()
        wave.in_flight -= 1

    def unit_finished(self):
        if self.has_unit:
            self.has_unit = False
            now = time.monotonic()
            self.wave.asked["finished"] += 1
            self.wave.whole.record(now - self.whole_since)
            self.wave.per_second[int(now - self.wave.begun)] += 1

    def unit_refused(self):
        if self.has_unit:
            self.has_unit = False
            self.wave.asked["refused"] += 1

    def shook_hands(self):
        if self.handshaking:
            self.handshaking = False
            self.wave.handshaking.release()

    def converse(self):
        if self.wave.tls == "implicit":
            self.secure()
        self.waits, self.step = True, "banner"
        accepted = self.reply()[0]
        self.shook_hands()
        if not accepted:
            return
        self.point("banner")
        if self.wave.until == "connect":
            return self.end()
        if not self.greet():
            return
        if self.wave.until == "helo":
            return self.end()
        while True:
            done = self.message()
            self.give_body()
            if done == "end":
                return self.end()
            if done == "refused":
                self.unit_refused()
            whole = self.wave.unit == "messages" and self.messages < (self.wave.per_connection or self.messages + 1)
            if not whole or self.wave.is_over():
                return self.end()
            wait = self.wave.delay(self.wave.message_delay)
            self.wave.take()
            self.has_unit, self.whole_since = True, time.monotonic() + wait
            if wait:
                self.waits = False
                gevent.sleep(wait)
            if self.open_transaction and not self.say("rset", b"RSET\r\n")[0]:
                return

    def greet(self):
        """HELO or EHLO, STARTTLS, AUTH; whether the conversation can go on."""
        wave = self.wave
        hello = f"{'EHLO' if wave.ehlo else 'HELO'} {wave.helo}\r\n".encode()
        accepted, _, text = self.say("helo", hello)
        if not accepted:
            return False
        if wave.tls == "starttls":
            if not offered(text, "STARTTLS"):
                return self.not_offered("starttls")
            if not self.say("starttls", b"STARTTLS\r\n")[0]:
                return False
            self.secure()
            accepted, _, text = self.say("helo", hello)
            if not accepted:
                return False
        self.point("helo")
        self.pipelines = wave.pipelining and self.leave is None and bool(offered(text, "PIPELINING"))
        return self.log_in(text) if wave.auth else True

    def not_offered(self, what):
        self.wave.errors[f"{what}_not_offered"] += 1
        self.trouble = "refused"
        return False

    def log_in(self, text):
        auth = self.wave.auth
        words = [word.upper() for line in offered(text, "AUTH") for word in re.split("[ =]", line)[1:]]
        spoken = [name for name in ("PLAIN", "LOGIN", "CRAM-MD5") if name in words]
        mechanism = auth["mechanism"] or (spoken[0] if spoken else None)
        if mechanism is None:
            return self.not_offered("auth")
        user, password = auth["user"].encode(), auth["password"].encode()
        code = lambda data: base64.b64encode(data) + b"\r\n"
        lines = {"PLAIN": [b"AUTH PLAIN " + code(b"\0" + user + b"\0" + password)]}.get(mechanism)
        lines = lines or [f"AUTH {mechanism}\r\n".encode()]
        answers = {"LOGIN": [code(user), code(password)]}.get(mechanism, [])
        while True:
            accepted, status, text = self.say("auth", lines.pop(0))
            if not accepted:
                return False
            if status < 300:
                return True
            if mechanism == "CRAM-MD5":
                try:
                    challenge = base64.b64decode(text[4:].strip(), validate=True)
                except ValueError:
                    raise Failed("protocol_{}")
                answers = [code(user + b" " + hmac.new(password, challenge, hashlib.md5).hexdigest().encode())]
            if not answers:
                raise Failed("protocol_{}")
            lines.append(answers.pop(0))

    def message(self):
        """One transaction: `accepted`, `refused`, or `end` where the scenario goes no further."""
        wave = self.wave
        self.messages += 1
        self.open_transaction = False
        mail = f"MAIL FROM:<{wave.sender}>\r\n".encode()
        rcpt = f"RCPT TO:<{wave.to}>\r\n".encode()
        ahead = self.pipelines and wave.until in ("rcpt", "data")
        if ahead:
            data = b"DATA\r\n" if wave.until == "data" else b""
            if data:
                self.take_body()
            mail_said, rcpt_said, data_said = mail + rcpt * wave.recipients + data, None, None
        else:
            mail_said, rcpt_said, data_said = mail, rcpt, b"DATA\r\n"
        sender_taken = self.open_transaction = self.say("mail", mail_said)[0]
        if not sender_taken and not ahead:
            return "refused"
        if sender_taken:
            self.point("mail")
        if wave.until == "mail":
            return "end"
        taken = 0
        for number in range(wave.recipients):
            if number and not ahead:
                wait = wave.delay(wave.recipient_delay)
                if wait:
                    self.waits = False
                    gevent.sleep(wait)
            taken += self.say("rcpt", rcpt_said)[0]
        if taken:
            self.point("rcpt")
        if wave.until == "rcpt":
            return "end" if taken or wave.expect != "accepted" else "refused"
        if not taken and not ahead:
            return "end" if wave.expect == "refused" else "refused"
        self.take_body()
        accepted = self.say("data", data_said)[0]
        if not accepted:
            return "refused"
        if not (taken and sender_taken):
            # The server waits for a message that nobody is to have (RFC 2920, 3.1).
            self.say("message", b".\r\n")
            self.open_transaction = False
            return "refused"
        self.point("data")
        return self.body()

    def body(self):
        wave = self.wave
        head = b""
        wave.written += 1
        if wave.with_headers:
            head = f"{wave.headers}Message-Id: <{wave.id}.{wave.written}@{wave.helo}>\r\n\r\n".encode()
        body = wave.body(wave.written - 1)
        self.step = "message"
        if self.leave and self.leave[0] == "half_data":
            half = body[: len(body) // 2]
            self.write(head + half)
            wave.n["bytes"] += len(head) + len(half)
            self.point("half_data")
        self.since = time.monotonic()
        if self.buffer:
            raise Failed("early_reply_{}")
        self.write(head + body + b"\r\n.\r\n")
        wave.n["bytes"] += len(head) + len(body)
        wave.n["sent"] += 1
        self.point("before_message")
        accepted = self.reply()[0]
        self.open_transaction = False
        if not accepted:
            return "refused"
        self.give_body()
        wave.n["accepted"] += 1
        self.point("message")
        if wave.unit == "messages":
            self.unit_finished()
        return "accepted"

    def take_body(self):
        if self.wave.sending is not None and not self.holds_body:
            self.waits = False
            self.wave.sending.acquire()
            self.waits = self.holds_body = True

    def give_body(self):
        if self.holds_body:
            self.holds_body = False
            self.wave.sending.release()

    def end(self):
        """How the scenario ends a session; QUIT comes of itself."""
        if self.wave.stay and not self.stayed:
            self.stayed = True
            self.waits = False
            gevent.sleep(self.wave.stay)
        self.point("end")

    def bye(self):
        self.step = "quit"
        if self.buffer:
            raise Failed("early_reply_{}")
        self.since, self.waits = time.monotonic(), True
        self.write(b"QUIT\r\n")
        self.point("quit")
        self.reply()

    def wait_for_close(self):
        """The server closes first; its place in flight is free meanwhile."""
        self.step, self.since, self.waits = "close", time.monotonic(), False
        sock, self.sock = self.sock, None
        self.wave.closing.acquire()
        closer = gevent.spawn(self.close, sock)
        self.wave.closers.add(closer)
        closer.link(lambda _: (self.wave.closers.discard(closer), self.wave.closing.release()))

    def close(self, sock):
        try:
            sock.settimeout(CLOSE)
            if self.buffer or sock.recv(1):
                self.wave.errors["bytes_after_close"] += 1
            else:
                self.took("close")
        except LATE:
            self.wave.n["left_open"] += 1
        except ConnectionResetError:
            self.wave.errors["reset_close"] += 1
        except (OSError, Stopped):
            pass
        finally:
            sock.close()


def vanish(number):
    points = ["connected", "banner", "helo", "mail", "rcpt", "data", "half_data", "before_message", "message", "quit"]
    return points[number % len(points)], number // len(points) % 2 == 1


# Where a session leaves, and whether by RST.
LEAVES = {
    "quit": lambda number: None,
    "close": lambda number: ("end", False),
    "reset": lambda number: ("end", True),
    "half-data": lambda number: ("half_data", False),
    "vanish": vanish,
}


def offered(text, keyword):
    """The lines of a reply to EHLO that offer it."""
    lines = [line[4:].strip() for line in text.decode(errors="replace").splitlines()[1:]]
    return [line for line in lines if re.split("[ =]", line)[0].upper() == keyword]


def source(number):
    """127.1.0.1 to 127.254.255.254 in turn, as src/load/job.rs has it."""
    at = number % (254 * 256 * 254)
    high, rest = divmod(at, 256 * 254)
    return f"127.{high + 1}.{rest // 254}.{rest % 254 + 1}"


gc.freeze()
