"""Make a dataset on a Ray cluster, in parts: `python ray_job.py http://HEAD:8265` submits the run.

It goes on when the same job is submitted again, after whatever stopped it. Stop it with
`ray job stop ID`.
"""

import shlex
import sys

COMMAND = [
    "dafre-fast",
    "full",
    "--executor=ray",
    "--parts=100",
    "--faces=/data/faces.tsv",
    "--tag-ids=/data/tagIds.tsv",
    "--source=https://host.example/{bucket}/{id}.{ext}",
    "--output=/data/dafre",
]


def main(address: str) -> None:
    """Submit the command to the cluster at an address, and print the number of the job."""
    from ray.job_submission import JobSubmissionClient  # of ray[default]

    # The job works in a folder that all nodes have.
    entrypoint = f"cd /data && exec {shlex.join(COMMAND)}"
    print(JobSubmissionClient(address).submit_job(entrypoint=entrypoint))


if __name__ == "__main__":
    main(sys.argv[1])
