"A chat server on loopback that says and does what a test wants."

import hashlib
import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def reply(*texts, **choice):
    "A chat completion with these answers."
    choices = [
        dict(index=i, message=dict(role="assistant", content=t), finish_reason="stop", **choice)
        for i, t in enumerate(texts)
    ]
    return dict(
        object="chat.completion",
        choices=choices,
        usage=dict(prompt_tokens=100, completion_tokens=len(texts)),
    )


def name_of(body):
    "What was asked, whoever asks it: a hash of the messages and the seed."
    return hashlib.sha256(json.dumps([body["messages"], body.get("seed")]).encode()).hexdigest()


def letter(body):
    "A or B, by the question alone."
    return "AB"[int(name_of(body), 16) % 2]


class ChatServer:
    "`answer(body, handler)` returns what is sent as JSON, or None where it has dealt with the request itself."

    def __init__(
        self, answer=lambda body, handler: reply(*[letter(body)] * body.get("n", 1)), delay=0.0
    ):
        self.bodies, self.keys, self.times, self.answered, self.started = (
            [],
            set(),
            [],
            Counter(),
            threading.Event(),
        )
        outer, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    outer.bodies.append(body)
                    outer.keys.add(self.headers["Authorization"])
                    outer.times.append((name_of(body), time.monotonic()))
                outer.started.set()
                time.sleep(delay)
                said = answer(body, self)
                if said is not None:
                    self.send(200, said)
                    with lock:
                        outer.answered[name_of(body)] += 1

            def send(self, status, said, **headers):
                data = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(headers.pop("length", len(data))))
                for k, v in headers.items():
                    self.send_header(k.replace("_", "-"), str(v))
                self.end_headers()
                self.wfile.write(data)
                self.wfile.flush()

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *args):
                pass  # clients of these tests die in the middle of things

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs=dict(poll_interval=0.02), daemon=True
        )

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *e):
        self.server.shutdown()
        self.server.server_close()
