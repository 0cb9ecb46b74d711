"A chat server on loopback that says and does what a test wants."

import hashlib
import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def reply(*texts, to=None):
    "A chat completion with these answers, to a request whose tokens are counted, or to a short one."
    choices = [
        dict(index=i, message=dict(role="assistant", content=text), finish_reason="stop")
        for i, text in enumerate(texts)
    ]
    characters = sum(len(message["content"]) for message in to["messages"]) if to else 0
    usage = dict(prompt_tokens=max(100, characters // 4), completion_tokens=len(texts))
    return dict(object="chat.completion", choices=choices, usage=usage)


def name_of(body):
    "What was asked, whoever asks it: a hash of the messages and the seed."
    asked = json.dumps([body["messages"], body.get("seed")])
    return hashlib.sha256(asked.encode()).hexdigest()


def letter(body):
    "A or B, by the question alone."
    return "AB"[int(name_of(body), 16) % 2]


def letters(body, handler):
    "As many letters as were asked for."
    return reply(*[letter(body)] * body.get("n", 1))


class Handler(BaseHTTPRequestHandler):
    "Answers as its server's `chat` wants, and notes what came."

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        chat = self.server.chat
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        chat.note(body, self.headers["Authorization"])
        time.sleep(chat.delay)
        answer = chat.answer(body, self)
        if answer is not None:
            self.send(200, answer)
            chat.note_answered(body)

    def send(self, status, answer, **headers):
        "Sends JSON, or bytes as they are; `length` is what the header claims."
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(headers.pop("length", len(data))))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *args):
        pass  # clients of these tests die in the middle of things


class ChatServer:
    """A chat server for the length of a `with`.

    `answer(body, handler)` returns what is sent as JSON, or None where it has dealt with the
    request itself, as by `handler.send`."""

    def __init__(self, answer=letters, delay=0.0):
        self.answer = answer
        self.delay = delay  # seconds before an answer
        self.bodies = []  # of the requests
        self.keys = set()  # that came with them
        self.times = []  # name of what was asked, and when
        self.answered = Counter()  # by the name of what was asked
        self.started = threading.Event()  # set by every request
        self.lock = threading.Lock()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.chat = self
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        serve = self.server.serve_forever
        self.thread = threading.Thread(target=serve, kwargs=dict(poll_interval=0.02), daemon=True)

    def note(self, body, key):
        with self.lock:
            self.bodies.append(body)
            self.keys.add(key)
            self.times.append((name_of(body), time.monotonic()))
        self.started.set()

    def note_answered(self, body):
        with self.lock:
            self.answered[name_of(body)] += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
