from hml import memory
from hml.memory import available_memory


def test_available_memory_is_the_machines_or_the_containers(tmp_path, monkeypatch):
    files = {"/proc/meminfo": tmp_path / "meminfo", "/sys/fs/cgroup/memory.max": tmp_path / "max"}
    monkeypatch.setattr(memory, "Path", lambda path: files[path])
    assert available_memory() is None
    files["/proc/meminfo"].write_text("MemTotal:  8000000 kB\nMemAvailable:    3000000 kB\n")
    assert available_memory() == 3_072_000_000
    files["/sys/fs/cgroup/memory.max"].write_text("max\n")
    assert available_memory() == 3_072_000_000
    files["/sys/fs/cgroup/memory.max"].write_text("1048576\n")
    assert available_memory() == 2**20
