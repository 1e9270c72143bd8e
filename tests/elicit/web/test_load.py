"""Many people at once while the server is killed: what was acknowledged is there, and there once.

`pytest -m chaos -n 0 -s tests/elicit/web/test_load.py` prints the counts.
"""

import asyncio
import contextlib
import json
import random
import socket
import sqlite3
import time
from collections import Counter

import httpx
import pytest
import yaml

from hml.elicit.web.quiz import make_quiz
from hml.judgements import CIFAR10
from tests.elicit.people import out_of_turn
from tests.elicit.web.client import find_token, find_trial
from tests.processes import start

ANSWERED_TWICE, DROPPED, CONTRADICTED = 0.05, 0.05, 0.02  # of all answers


class Server:
    """`hml elicit serve`, killed and started again at one address."""

    def __init__(self, folder, people, trials):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self.folder = folder / "study"
        study = {
            "name": "load",
            "title": "Load",
            "task": "rate_mixture",
            "images": "tests.elicit.sources.Textures",
            "stimuli": {"per_class_pair": 8},
            "people_per_image": people,
            "trials": trials - 2,
            "repeats": 2,
            "consent": {"version": "1", "text": "Yes?"},
            "instructions": "Answer.",
        }
        (folder / "study.yaml").write_text(yaml.safe_dump(study))
        self.command = ["elicit", "serve", "--no-browser", "--port", str(self.port)]
        self.command += ["--study", str(folder / "study.yaml"), "--folder", str(self.folder)]
        self.start()

    def start(self):
        self.process = start(self.folder.parent, *self.command)
        for _ in range(6000):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.is_alive(), "the server doesn't start"
            time.sleep(0.1)
        raise TimeoutError

    def kill(self):
        self.process.kill()
        self.process.join()


class Person:
    """A browser: keeps each answer, and sends it until there is a receipt."""

    def __init__(self, number, server, counts, receipts):
        self.rng = random.Random(number)
        self.number, self.counts, self.receipts = number, counts, receipts
        limits = httpx.Limits(max_connections=4, max_keepalive_connections=1)
        self.client = httpx.AsyncClient(base_url=server.base, timeout=30, limits=limits, trust_env=False, verify=False)
        self.client.headers["origin"] = server.base

    async def request(self, method, path, **content):
        while True:
            try:
                response = await self.client.request(method, path, **content)
            except httpx.TransportError:
                self.counts["lost connections, sent again"] += 1
                await asyncio.sleep(0.3)
                continue
            if response.status_code not in (429, 503):
                assert response.status_code < 500, response.text
                return response
            self.counts[f"{response.status_code}, sent again"] += 1
            await asyncio.sleep(float(response.headers["retry-after"]) * self.rng.uniform(0.2, 1))

    async def take_part(self):
        token = find_token((await self.request("GET", "/")).text)
        form = {"csrf": token, "version": "1", "agree": "yes", "outside_id": f"load-{self.number}"}
        quiz = {question.id: str(question.right) for question in make_quiz("rate_mixture", CIFAR10)}
        for path, fields in (("/", form), ("/instructions", {"csrf": token}), ("/quiz", {"csrf": token} | quiz)):
            await self.request("POST", path, data=fields)
        self.token, count = token, 0
        while (page := await self.request("GET", "/trial")).status_code == 200:
            count += 1
            await self.answer(find_trial(page.text), count)
        assert page.headers["location"] == "/comment"
        sent = await self.request("POST", "/comment", data={"csrf": token, "claimed": count, "comment": ""})
        assert sent.headers["location"] == "/done", sent.text
        page = await self.request("GET", "/done")
        self.counts["completion codes"] += "completion-code" in page.text
        await self.client.aclose()

    async def answer(self, trial, count):
        said = {name: self.rng.randrange(101) for name in ("mixingcoeff", "confidence")}
        content = {
            "trial_id": trial,
            "client_id": self.rng.randbytes(16).hex(),
            "answer": said | {"moved": list(said)},
            "reaction_ms": self.rng.randrange(9_000),
        }
        headers = {"x-csrf-token": self.token}
        if self.rng.random() < DROPPED:  # it is sent, and nobody waits long enough for what comes back
            patience = httpx.Timeout(30, read=self.rng.uniform(0.001, 0.2))
            self.counts["responses dropped"] += 1
            with contextlib.suppress(httpx.TransportError):
                await self.client.post("/answer", json=content, headers=headers, timeout=patience)
        copies = 1 + (self.rng.random() < ANSWERED_TWICE)
        self.counts["sent twice at once"] += copies - 1
        sent = [self.request("POST", "/answer", json=content, headers=headers) for _ in range(copies)]
        for response in await asyncio.gather(*sent):
            assert response.status_code == 200, response.text
            assert response.json() == {"client_id": content["client_id"], "trial_id": trial, "count": count}
        self.receipts[int(trial)] = (content["client_id"], said)
        self.counts["answers acknowledged"] += 1
        if self.rng.random() < CONTRADICTED:
            other = content | {"answer": content["answer"] | {"confidence": (said["confidence"] + 1) % 101}}
            refused = await self.request("POST", "/answer", json=other, headers=headers)
            assert refused.status_code == 409
            self.counts["other answers under one id refused"] += 1


async def run(server, people, trials, kills):
    counts, receipts = Counter(), {}
    tasks = [asyncio.create_task(Person(number, server, counts, receipts).take_part()) for number in range(people)]
    for kill in range(kills):
        while len(receipts) < people * trials * (kill + 1) // (kills + 1):
            assert not any(task.done() and task.exception() for task in tasks), [t for t in tasks if t.done()]
            await asyncio.sleep(0.01)
        server.kill()
        counts["kills"] += 1
        await asyncio.to_thread(server.start)
    await asyncio.gather(*tasks)
    return counts, receipts


@pytest.mark.parametrize(
    ("people", "trials", "kills"), [(8, 12, 1), pytest.param(50, 200, 10, marks=pytest.mark.chaos)]
)
def test_no_acknowledged_answer_is_lost_and_none_doubled(tmp_path, run_coroutine, people, trials, kills):
    server = Server(tmp_path, people, trials)
    started = time.monotonic()
    try:
        counts, receipts = run_coroutine(run(server, people, trials, kills))
    finally:
        server.kill()
    seconds = time.monotonic() - started
    with sqlite3.connect(server.folder / "study.sqlite3") as database:
        rows = database.execute(
            "SELECT trial, client_id, answer, swapped FROM answer JOIN trial ON trial.id = answer.trial"
        ).fetchall()
        images = database.execute(
            "SELECT image.filename, count(trial.id) FROM image LEFT JOIN trial ON trial.filename = image.filename "
            "AND is_repeat = 0 GROUP BY image.filename"
        ).fetchall()
        twice = database.execute(
            "SELECT count(*) FROM (SELECT 1 FROM trial GROUP BY person, filename, is_repeat HAVING count(*) > 1)"
        ).fetchone()[0]
        unevenly_given = out_of_turn(database)
        (enrolled,) = database.execute("SELECT count(*) FROM person").fetchone()
        (health,) = database.execute("PRAGMA integrity_check").fetchone()
    database.close()
    kept = {}
    for trial, client_id, text, swapped in rows:
        answer = json.loads(text)
        answer["mixingcoeff"] = 100 - answer["mixingcoeff"] if swapped else answer["mixingcoeff"]  # as it was sent
        kept[trial] = (client_id, answer)
    lost = {trial for trial, receipt in receipts.items() if kept.get(trial) != receipt}
    found = {"answers kept": len(rows), "acknowledged and lost": len(lost), "doubled": len(rows) - len(receipts)}
    print(f"\n{people} people, {trials} answers each, in {seconds:.0f} s:")
    for name, count in {**counts, **found}.items():
        print(f"  {name}: {count:,}")
    shown = [count for _, count in images]
    print(f"  people per image: {min(shown)} to {max(shown)}; the database: {health}")
    assert lost == set()
    assert len(rows) == len(receipts) == counts["answers acknowledged"] == people * trials
    assert counts["completion codes"] == enrolled == people
    assert counts["kills"] == kills
    assert twice == 0
    assert unevenly_given == []
    assert health == "ok"
