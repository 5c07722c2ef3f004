"""Several processes, one store."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from dlpipe.pipeline.store import Store
from tests.pipeline.store.making import write

REPOSITORY = Path(__file__).resolve().parents[3]
CODE = """
import json, sys
from pathlib import Path
from dlpipe.pipeline.store import Store
from tests.pipeline.store.making import record, write

root, number, folder = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
store = Store(root)
sys.stdin.readline()  # all start together
won = []
for stage in range(20):
    tree = store.ingest(write(folder / str(stage), {"same": b"same", "own": bytes([number])}))
    stored = store.put(record(tree, number, stage=stage))
    assert store.get(stored.key) == stored
    won.append(stored.value)
print(json.dumps(won))
"""


def test_the_first_of_four_processes_to_finish_a_stage_wins_for_all(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CODE, str(tmp_path / "store"), str(number), str(tmp_path / f"in-{number}")],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert all(answer == answers[0] for answer in answers)
    store = Store(tmp_path / "store")
    assert store.verify() == []
    assert sorted(stored.value for stored in store.records()) == sorted(answers[0])


def test_a_hit_needs_no_database(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from dlpipe.pipeline.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "with store.pin('run'): store.ingest(Path(sys.argv[2])); store.get('0' * 64)\n"
        "assert 'sqlalchemy' not in sys.modules and 'numpy' not in sys.modules"
    )
    write(tmp_path / "in", {"a": b"1"})
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "store"), str(tmp_path / "in")], check=True, timeout=60)
