"""`hml elicit serve` and `hml elicit simulate`: the verbs that need a study's images."""

import threading
import webbrowser
from pathlib import Path

from hml.data.download import find_data_dir
from hml.elicit.command import Serve, Simulate
from hml.elicit.refresh import Refresher, relabel_commands
from hml.elicit.research.privacy import check_cell
from hml.elicit.simulated import simulate_people
from hml.elicit.stimuli import Stimuli, load_stimuli
from hml.elicit.store.database import make_folder
from hml.elicit.store.people import read_people
from hml.elicit.store.store import Store
from hml.elicit.study import Study, demo_study, read_study
from hml.elicit.web.addresses import host_of, is_loopback, read_origin
from hml.errors import InputError, StorageError
from hml.files.locks import claim

PORT = 8000
"""The default port of `hml elicit serve`."""

_LARGEST_PORT = 65_535
LOCK = ".serving.lock"


def main(options: Serve | Simulate) -> int:
    """Serve a study until interrupted, or run it with simulated people; return the exit code, 0.

    Raises:
        InputError: the study is invalid, or must not be served with these options.
        FolderInUseError: another server uses its folder, or the folder contains another study.
    """
    study = demo_study() if options.study is None else read_study(options.study)
    beside = Path() if options.study is None else options.study.parent
    folder = options.folder or Path("studies") / study.name
    if isinstance(options, Serve):
        _check_reach(study, options)
        _require_web()
    data_dir = find_data_dir(options.data_dir).absolute()
    stimuli = load_stimuli(study, data_dir, beside)
    for name in stimuli.classes:  # at the start, not only when answers are exported
        check_cell("label1", name, f"The class {name!r}", stimuli.classes)
    make_folder(folder)
    in_use = f"{folder} is being served by another process: use that server, or another --folder."
    with claim(folder / LOCK, in_use):
        store = Store(folder, study, stimuli.all, stimuli.classes, stimuli.bank.canonical_pixels)
        refresher = Refresher(store, stimuli.bank, relabel_commands(study, data_dir), beside)
        try:
            if isinstance(options, Simulate):
                if options.people < 1 or options.seed < 0:
                    raise InputError(
                        f"--people {options.people} must be 1 or more, and --seed {options.seed} 0 or more."
                    )
                before = len(read_people(store.folder))
                count = simulate_people(store, options.people, options.seed, refresher.refresh)
                people = read_people(store.folder)
                answers, who = sum(person.answered for person in people), "person" if len(people) == 1 else "people"
                print(
                    f"{folder} now has {answers:,} answers ({count:,} new) by {len(people):,} {who} "
                    f"({len(people) - before:,} new)."
                )
            else:
                _serve(study, store, stimuli, refresher, options)
        finally:
            store.close()
    return 0


def _serve(study: Study, store: Store, stimuli: Stimuli, refresher: Refresher, options: Serve) -> None:
    from hml.elicit.web.app import create_app
    from hml.elicit.web.server import listen, make_server

    token = store.folder.key.derive("researcher").hex()[:32]
    app = create_app(store, stimuli, token=token, base_url=options.base_url, refresher=refresher)
    try:
        listener = listen(options.host, PORT if options.port is None else options.port)
    except StorageError:
        if options.port is not None or options.base_url is not None:  # a proxy knows only one port
            raise
        listener = listen(options.host, 0)
    port = listener.getsockname()[1]
    address = f"http://{_url_host(options.host)}:{port}" if options.base_url is None else read_origin(options.base_url)
    print(f"{study.title} ({'a demo, ' if study.is_demo else ''}{len(store.stimuli)} images) is served at")
    print(f"  {address}/")
    print("The researcher's page, for you only, is at")
    print(f"  {address}/researcher?token={token}")
    print(f"Answers are stored in {store.folder.path}. Press Ctrl-C to stop.", flush=True)
    if not options.no_browser:
        # In a thread, because some browsers, such as a terminal's, block until closed. The socket is listening already.
        threading.Thread(target=webbrowser.open, args=(f"{address}/",), daemon=True).start()
    refreshing = threading.Thread(target=refresher.run)
    refreshing.start()
    try:
        make_server(app).run(sockets=[listener])
    finally:
        refresher.stop()
        refreshing.join()


def _check_reach(study: Study, options: Serve) -> None:
    """Raise an InputError if a demo would be reachable by others, or an address is missing or invalid."""
    if options.port is not None and not 0 <= options.port <= _LARGEST_PORT:
        raise InputError(f"--port {options.port} must be 0 to {_LARGEST_PORT}.")
    public = None if options.base_url is None else host_of(read_origin(options.base_url))
    listens_here = is_loopback(_url_host(options.host))
    is_local = listens_here and (public is None or is_loopback(public))
    if study.is_demo and not is_local:
        raise InputError(
            f"{study.name} has no {'ethics_reference' if study.ethics_reference is None else 'contact'}, so it is a "
            "demo and is served on this computer only. Set ethics_reference and contact, or leave out --host and "
            "--base_url."
        )
    if not listens_here and options.base_url is None:
        raise InputError(f"--host {options.host} is reachable by others: give the public address with --base_url.")


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _require_web() -> None:
    try:
        import itsdangerous  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(f"hml elicit serve needs {error.name}: pip install -e '.[elicit]'") from error
