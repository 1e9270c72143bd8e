"""Carries out runs as jobs on a cluster."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hml.errors import InputError
from hml.experiments.runs import Ended, Run, read_outcome, write_failure
from hml.experiments.worker import Worker

_MINUTES_A_JOB = 720  # submitit's default is 5
_SECONDS_BETWEEN_LOOKS = {"slurm": 10.0, "local": 1.0}


class _Job:
    """Carries out runs in a job that the cluster may interrupt and restart.

    submitit calls `checkpoint` when a job is preempted or its time is up. SLURM may also requeue a job by itself. In
    both cases the runs that have ended are kept, and the interrupted run resumes from its last checkpoint.
    """

    def __call__(self, runs: Sequence[Run]) -> list[Ended]:
        worker = Worker()
        return [(run, None if _has_ended(run) else worker.carry_out(run)) for run in runs]

    def checkpoint(self, runs: Sequence[Run]) -> Any:
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, runs)


def _has_ended(run: Run) -> bool:
    return read_outcome(run.folder, run.scheme, run.seed) is not None


def carry_out_on_cluster(
    runs: Sequence[Run], cluster: str, chunk: int, folder: Path, parameters: dict[str, Any]
) -> Iterator[Ended]:
    """Carry out runs as jobs on a cluster, by submitit.

    Args:
        runs: The runs.
        cluster: "slurm", or "local" for processes on this machine.
        chunk: Number of runs per job.
        folder: The folder for submitit's jobs and logs. Every machine must have access to it.
        parameters: Parameters of submitit, such as `timeout_min` or `slurm_partition`.

    Yields:
        Each run when its job is done.

    Raises:
        InputError: submitit is not installed, or rejects the cluster or a parameter.
    """
    try:
        import submitit
    except ImportError as error:
        raise InputError("Jobs on a cluster need submitit: pip install submitit.") from error
    chunks = [runs[start : start + chunk] for start in range(0, len(runs), chunk)]
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
        executor.update_parameters(**({"timeout_min": _MINUTES_A_JOB} | parameters))
        jobs = dict(zip(executor.map_array(_Job(), chunks), chunks, strict=True))
    except (NameError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"submitit rejects --cluster {cluster} with {parameters}: {error}") from error
    try:
        for job in submitit.helpers.as_completed(list(jobs), poll_frequency=_SECONDS_BETWEEN_LOOKS[cluster]):
            broke = job.exception() is not None
            for run in jobs[job] if broke else ():
                if not _has_ended(run):
                    write_failure(run, f"Job {job.job_id} ended early (see {job.paths.stderr}).", 1)
            yield from [(run, None) for run in jobs[job]] if broke else job.result()
    finally:
        for job in jobs:
            if not job.done():
                job.cancel(check=False)
