"""Every rule of safety of the page's server has a request that must fail, and does."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.serve.conftest import CLASSES, HOST, TOKEN, Page, opened, photographs

from underpaint.core.errors import ConfigError
from underpaint.serve import server
from underpaint.serve.guard import BODY, HEADERS, WRITES
from underpaint.serve.people import FAILURES
from underpaint.serve.server import paint
from underpaint.serve.site import MAX_OPS, MAX_POINTS

CAT = {"kind": "click", "class": "cat", "x": 3.5, "y": 4.0}


def add(identifier: str, image: int, hint: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"id": identifier, "image": image, "op": "add", "hint": hint or CAT}


def test_other_machines_are_let_in_only_by_name(tmp_path: Path) -> None:
    data = photographs(tmp_path / "data")
    with pytest.raises(ConfigError, match="--allow-host NAME"):
        paint(data, host="0.0.0.0", browser=False)
    with opened(data, hosts=["lab.example"]) as page:
        assert page.client.get("/api/v1/project", headers={"host": "lab.example"}).status_code == 200


def test_who_lets_other_machines_in_is_warned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_serve", lambda *whatever: None)
    said: list[str] = []
    data = photographs(tmp_path / "data")
    paint(data, host="0.0.0.0", port=0, allow_hosts=["lab.example"], browser=False, say=said.append)
    assert any(line.startswith("warning: ") and "https" in line for line in said)
    said.clear()
    paint(data, port=0, browser=False, say=said.append)
    assert not any("warning" in line for line in said)
    token = said[1].rpartition("#")[2]
    assert len(token) >= 43, "256 bits"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8765",
        "192.168.0.7",
        "",
        "127.0.0.1@evil",
        "[::2]",
    ],
)
def test_a_host_that_is_not_named_gets_nothing(page: Page, host: str) -> None:
    for path in ("/", "/main.js", "/api/v1/project"):
        assert page.client.get(path, headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9999", "LOCALHOST", "[::1]:8765"])
def test_this_machine_has_several_names_and_any_port(page: Page, host: str) -> None:
    assert page.client.get("/api/v1/project", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "null"},
        {"origin": "http://[broken"},
        {"origin": HOST.replace("127.0.0.1", "localhost")},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_page_gets_nothing(page: Page, headers: dict[str, str]) -> None:
    assert page.client.get("/api/v1/project", headers=headers).status_code == 403
    refused = page.client.post("/api/v1/ops", json={"ops": []}, headers=headers)
    assert refused.status_code == 403
    assert not any(name.startswith("access-control") for name in refused.headers)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer \xe9"]
)
def test_without_the_token_there_is_nothing(page: Page, header: str) -> None:
    paths = ["project", "images", "events", "next", "runs", "jobs/x/file", f"images/{page.ids[0]}/thumb"]
    del page.client.headers["authorization"]
    for path in paths:
        answer = page.client.get(f"/api/v1/{path}", headers=[(b"authorization", header.encode("latin-1"))])
        assert answer.status_code == (401 if paths.index(path) < FAILURES or len(header.split()) < 2 else 429)
        assert answer.headers["content-security-policy"]
    assert page.client.get(f"/api/v1/project?token={TOKEN}").status_code in (401, 429), "the address holds no token"
    with_cookie = page.client.get("/api/v1/project", headers={"cookie": f"token={TOKEN}"})
    assert with_cookie.status_code in (401, 429), "nor does a cookie"


def test_wrong_tokens_lead_to_a_pause_that_shuts_nobody_out(page: Page) -> None:
    wrong = {"authorization": "Bearer wrong"}
    said = [page.client.get("/api/v1/project", headers=wrong).status_code for _ in range(FAILURES + 2)]
    assert said == [401] * FAILURES + [429] * 2
    assert page.client.get("/api/v1/project").status_code == 200


def test_no_cookie_is_ever_set(page: Page) -> None:
    for path in ("/", "/api/v1/project", "/api/v1/images"):
        assert "set-cookie" not in page.client.get(path).headers


def test_people_are_kept_as_digests_alone(page: Page) -> None:
    token = page.post("people", {"name": "Ben"})["token"]
    assert len(token) >= 43, "256 bits"
    held = "".join(path.read_text() for path in page.services.site.folder.glob("*.json"))
    assert "Ben" in held
    assert token not in held
    assert (
        page.client.get("/api/v1/project", headers={"authorization": f"Bearer {token}"}).json()["me"]["name"] == "Ben"
    )
    with opened(page.services.site.data) as later:
        assert later.client.get("/api/v1/project", headers={"authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize("name", ["", " ", "x" * 61, "a\nb", "\x1b[31m", "a\u202eb"])
def test_names_of_people_are_plain(page: Page, name: str) -> None:
    assert page.client.post("/api/v1/people", json={"name": name}).status_code == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_form_is_no_request(page: Page, kind: str) -> None:
    body = json.dumps({"ops": [add("x", page.ids[0])]})
    assert page.client.post("/api/v1/ops", content=body, headers={"content-type": kind}).status_code == 415
    assert page.services.site.revision == 0


def test_behind_a_proxy_with_a_prefix(tmp_path: Path) -> None:
    with opened(photographs(tmp_path / "data"), prefix="/paint") as page:
        headers = {"x-forwarded-host": "evil.example", "x-forwarded-for": "1.2.3.4", "forwarded": "host=evil"}
        assert page.client.get("/paint/api/v1/project", headers=headers).status_code == 200
        assert page.client.get("/paint/main.js").status_code == 200
        assert page.client.get("/paint/api/v1/project", headers={"authorization": ""}).status_code == 401
        assert page.client.get("/painted/api/v1/project").status_code == 404
        forwarded = {"host": "evil.example", "x-forwarded-host": "localhost"}
        assert page.client.get("/paint/api/v1/project", headers=forwarded).status_code == 421


TRAVERSALS = [
    "/../project.json", "/..%2fproject.json", "/%2e%2e/people.json", "/..\\people.json", "/....//people.json",
    "/main.js%00.html", "//etc/passwd", "/static/../../etc/passwd", "/page/main.js", "/__init__.py", "/site.py",
    "/server.json", "/.lock", "/%252e%252e/people.json", "/tsconfig.json",
]  # fmt: skip


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_client_names_a_file(page: Page, path: str) -> None:
    for before in ("", "/api/v1", "/api/v1/images", "/api/v1/jobs", "/api/v1/runs"):
        answer = page.client.get(before + path)
        assert answer.status_code in (400, 404, 405), before + path


@pytest.mark.parametrize(
    "path",
    ["images/x/thumb", "images/-1", "images/1/thumb", "images/ID/tiles/0/-1_0", "images/ID/tiles/99/0_0",
     "images/ID/tiles/6/5_5", "images/ID/mask?source=../../x", "images/ID/mask?source=..%2f..", "jobs/../x/file",
     "runs/..", "runs/%2e%2e", "images/ID/tiles/6/0_0?lo=9&hi=1", "images/ID/tiles/6/0_0?lo=x&hi=1",
     "images?limit=--5", "images?limit=1e9", "images?after=\u0663", "images?order=../x", "images?filter=x",
     "events?after=x", "images/99999999999999999999999999/thumb", "next?count=999999999999999999999"],
)  # fmt: skip
def test_addresses_that_make_no_sense(page: Page, path: str) -> None:
    answer = page.client.get("/api/v1/" + path.replace("ID", str(page.ids[0])))
    assert answer.status_code in (400, 404), (path, answer.status_code)


def test_links_that_leave_the_folder_are_not_followed(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9), "red").save(tmp_path / "secret.png")
    data = photographs(tmp_path / "data")
    (data / "d.png").symlink_to(tmp_path / "secret.png")
    with opened(data) as page:
        assert [row["name"] for row in page.get("images")["items"]] == ["a", "b", "c"]


def test_there_are_no_uploads_and_no_other_methods(page: Page) -> None:
    image = page.ids[0]
    for path in ("/", "/main.js", "/api/v1/images", f"/api/v1/images/{image}/thumb", "/api/v1/ops"):
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            assert page.client.request(method, path, json={}).status_code == 405
    assert page.client.post("/api/v1/images", json={}).status_code == 405


def test_photographs_are_encoded_anew(tmp_path: Path) -> None:
    data = photographs(tmp_path / "data")
    clean = (data / "a.png").read_bytes()
    (data / "a.png").write_bytes(clean + b"<script>alert(1)</script>")
    (data / "b.svg").write_text("<svg onload='alert(1)'/>")
    (data / "b.png").write_text("<html><script>alert(1)</script>")
    with opened(data) as page:
        rows = {row["name"]: row for row in page.get("images")["items"]}
        for path in ("thumb", "tiles/6/0_0", "tiles/0/0_0"):
            answer = page.client.get(f"/api/v1/images/{rows['a']['id']}/{path}")
            assert answer.status_code == 200
            assert answer.headers["content-type"] in ("image/webp", "image/png", "image/jpeg")
            assert b"script" not in answer.content
        assert rows["b"]["state"] == "unreadable"
        assert page.client.get(f"/api/v1/images/{rows['b']['id']}/thumb").status_code == 422
    assert (data / "a.png").read_bytes() == clean + b"<script>alert(1)</script>"


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    data = photographs(tmp_path / "data")
    header = bytearray((data / "a.png").read_bytes())
    header[16:24] = (200_000).to_bytes(4, "big") * 2
    (data / "a.png").write_bytes(bytes(header))
    with opened(data) as page:
        image = next(row["id"] for row in page.get("images")["items"] if row["name"] == "a")
        assert page.client.get(f"/api/v1/images/{image}/thumb").status_code == 422


def test_every_answer_has_the_headers(page: Page) -> None:
    answers = [page.client.get(path) for path in ("/", "/main.js", "/api/v1/project", "/nothing", "/api/v1/nothing")]
    answers.append(page.client.get("/", headers={"host": "evil.example"}))
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
    policy = HEADERS["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy


def test_a_body_that_is_too_large(page: Page) -> None:
    kind = {"content-type": "application/json"}
    assert page.client.post("/api/v1/ops", content=b" " * (BODY + 1), headers=kind).status_code == 413

    def pieces() -> Any:
        for _ in range(BODY // 2**20 + 1):
            yield b" " * 2**20

    assert page.client.post("/api/v1/ops", content=pieces(), headers=kind).status_code == 413
    for stated in ("-1", "x", "\xb2"):
        head = [(b"content-type", b"application/json"), (b"content-length", stated.encode("latin-1"))]
        assert page.client.post("/api/v1/ops", content=b"{}", headers=head).status_code in (400, 413)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'{"ops": 3}', b'{"ops": [3]}', b'{"ops": [], "more": 1}', b"\xff", b"NaN",
        b'{"ops": [{}]}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_body_that_makes_no_sense(page: Page, body: bytes) -> None:
    for path in ("ops", "project", "train", "train/plan", "jobs", "people"):
        answer = page.client.post(f"/api/v1/{path}", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400, (path, answer.text)
        assert set(answer.json()) == {"what", "where", "fix"}


LONG = {"kind": "scribble", "class": "cat", "width": 3, "points": [[1, 1]] * (MAX_POINTS + 1)}


@pytest.mark.parametrize(
    "change",
    [
        {"hint": LONG}, {"hint": {**CAT, "class": "unicorn"}}, {"hint": {**CAT, "x": 1e300}},
        {"hint": {**CAT, "x": "1"}},
        {"hint": {**CAT, "kind": "__class__"}}, {"id": "../../x"}, {"id": ""}, {"id": "x" * 65}, {"image": 7},
        {"image": "a"}, {"op": "drop"}, {"n": 1}, {"at": 5}, {"op": "state", "state": "gone"},
        {"place": {"x": "a", "y": 1, "random": True}},
    ],
)  # fmt: skip
def test_an_operation_that_makes_no_sense_keeps_none_of_its_request(page: Page, change: dict[str, Any]) -> None:
    one = page.ids[0]
    answer = page.client.post("/api/v1/ops", json={"ops": [add("good", one), {**add("x", one), **change}]})
    assert answer.status_code == 400, answer.text
    assert page.services.site.revision == 0
    assert not list((page.services.site.folder / "strokes").iterdir())


def test_sizes_and_rates(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    one = page.ids[0]
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now)  # a busy machine may answer fewer in a second
    many = [add(f"m{n}", one) for n in range(MAX_OPS + 1)]
    assert page.client.post("/api/v1/ops", json={"ops": many}).status_code == 400
    said = [page.client.post("/api/v1/ops", json={"ops": []}).status_code for _ in range(WRITES + 1)]
    assert said[-2:] == [429, 429]
    assert page.client.get("/api/v1/project").status_code == 200, "reading is no writing"


@pytest.mark.parametrize(
    "body",
    [
        {"method": "partial --resume", "minutes": None}, {"method": "../x", "minutes": 1}, {"method": "", "minutes": 1},
        {"method": "https://models.example/x", "minutes": 1},
        {"method": "auto", "minutes": -1}, {"method": "auto", "minutes": 1e9}, {"method": "auto", "minutes": "1; ls"},
        {"method": "auto", "minutes": None, "set": ["train.batch=1"]}, {"method": ["auto"], "minutes": None},
    ],
)  # fmt: skip
def test_trainings_are_chosen_from_lists(page: Page, body: dict[str, Any]) -> None:
    for path in ("train", "train/plan"):
        assert page.client.post(f"/api/v1/{path}", json=body).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "export", "source": "quick", "format": "../../x"},
        {"kind": "export", "source": "..", "format": "masks"},
        {"kind": "rm", "source": "quick", "format": "masks"}, {"kind": "export", "source": "quick", "format": "onnx"},
        {"kind": "export", "source": "quick", "format": "masks", "out": "elsewhere/x"},
    ],
)  # fmt: skip
def test_exports_are_chosen_from_lists(page: Page, body: dict[str, Any]) -> None:
    assert page.client.post("/api/v1/jobs", json=body).status_code == 400


def test_a_report_is_a_file_without_scripts_in_a_sandbox(page: Page) -> None:
    evil = "<script>alert(1)</script>"
    page.post("project", {"classes": [*CLASSES, {"name": evil, "color": "#000000", "key": None}]})
    job = page.post("jobs", {"kind": "report", "source": "quick", "format": ""})["job"]
    end = time.monotonic() + 20
    while page.get(f"jobs/{job}")["state"] == "running" and time.monotonic() < end:
        time.sleep(0.01)
    answer = page.client.get(f"/api/v1/jobs/{job}/file")
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "&lt;script&gt;" in answer.text
    assert "<script" not in answer.text


def test_the_server_imports_no_torch() -> None:
    code = "import sys; import underpaint.serve.server, underpaint.serve.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_unpickles() -> None:
    import underpaint.serve

    for path in Path(underpaint.serve.__file__).parent.glob("*.py"):
        source = path.read_text()
        for word in ("pickle", "torch.load", " eval(", " exec(", "shell=True", "os.system", "urlopen"):
            assert word not in source, (path.name, word)
