"Who may ask the server of the explorer, and what it keeps."

import http.client
import json
import threading

import pytest

from plurality_nb.data.sample import load_sample
from plurality_nb.reports.exploration import Exploration
from plurality_nb.reports.serving import ExplorerServer

JSON = {"Content-Type": "application/json"}
ASK = json.dumps(dict(n=1, view=dict(text="what"), at=1)).encode()


@pytest.fixture(scope="module")
def server():
    opened = ExplorerServer(Exploration(load_sample().select(range(30))))
    threading.Thread(target=opened.serve_forever, daemon=True).start()
    yield opened
    opened.shutdown()
    opened.finish()


def answer(server, method, path, body=None, headers=None, host=None):
    "Status, headers and text."
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    named = {"Host": host or server.hosts[0], **(headers or {})}
    if body is not None:
        named.setdefault("Content-Length", str(len(body)))
    for name, value in named.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, dict(response.getheaders()), text


def test_the_page_and_its_files(server):
    for name in ("", "page.js", "page.css", "panel.js", "panel.css", "state"):
        status, headers, text = answer(server, "GET", f"/{server.token}/{name}")
        assert status == 200 and text
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    "path", ["/", "/state", "//state", "/{half}/state", "/{token}x/state", "/%C3%A9/state", "/%00/"]
)
def test_nothing_without_the_token(server, path):
    path = path.format(half=server.token[:16], token=server.token)
    status, _, text = answer(server, "GET", path)
    assert (status, text) == (404, "nothing here\n")


@pytest.mark.parametrize(
    "name", ["../state", "explore.js", "page.js/", "/etc/passwd", "..%2fstate", "state?x=1"]
)
def test_no_other_file(server, name):
    assert answer(server, "GET", f"/{server.token}/{name}")[0] == 404


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "example.org:{port}",
        "127.0.0.1",
        "127.0.0.1.example.org:{port}",
        "[::1]:{port}",
    ],
)
def test_no_other_host(server, host):
    host = host.format(port=server.server_port)
    for method, body in [("GET", None), ("POST", ASK)]:
        status, _, text = answer(server, method, f"/{server.token}/", body, JSON, host)
        assert (status, text) == (403, "another host\n")
    assert (
        answer(server, "GET", f"/{server.token}/", host=f"localhost:{server.server_port}")[0] == 200
    )


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Origin": "http://example.org"} | JSON, 403),
        ({"Origin": "null"} | JSON, 403),
        ({"Origin": "https://127.0.0.1"} | JSON, 403),
        ({"Content-Type": "text/plain"}, 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 400),
        ({}, 400),
        ({"Content-Length": "99999999"} | JSON, 413),
        ({"Content-Length": "-1"} | JSON, 413),
    ],
)
def test_requests_of_others_change_nothing(server, headers, status):
    before = server.state()["view"]
    assert answer(server, "POST", f"/{server.token}/ask", ASK, headers)[0] == status
    assert server.state()["view"] == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b"\xff"])
def test_what_is_no_message_is_refused(server, body):
    assert answer(server, "POST", f"/{server.token}/ask", body, JSON)[0] == 400


def test_answers_come_line_by_line_and_errors_as_a_status(server):
    own = {"Origin": f"http://{server.hosts[0]}"} | JSON
    status, _, text = answer(server, "POST", f"/{server.token}/ask", ASK, own)
    changes = [json.loads(line) for line in text.splitlines()]
    assert status == 200 and changes[0]["page"]["at"] == 1
    wrong = json.dumps(dict(n=2, view=dict(sort="mood"))).encode()
    _, _, text = answer(server, "POST", f"/{server.token}/ask", wrong, own)
    assert [*json.loads(text)] == ["status"] and "mood" in text


def test_two_pages_keep_their_own_pair(server):
    "Each says which one it shows, since the command has one view for all."
    for row in (3, 7, 3):
        body = json.dumps(dict(n=1, view=dict(text=""), row=row, at=None)).encode()
        _, _, text = answer(server, "POST", f"/{server.token}/ask", body, JSON)
        assert json.loads(text.splitlines()[0])["pair"]["row"] == row
