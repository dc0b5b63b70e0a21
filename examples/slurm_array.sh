#!/bin/bash
#SBATCH --job-name=dafre
#SBATCH --array=1-100%10
#SBATCH --cpus-per-task=16
#SBATCH --mem=24G
#SBATCH --requeue
# 100 parts, ten at a time. A part that fails or is requeued goes on where it was.
# When all have ended:  dafre-fast merge --output /data/dafre
set -euo pipefail

exec dafre-fast full \
    --part "${SLURM_ARRAY_TASK_ID}/${SLURM_ARRAY_TASK_COUNT}" \
    --runs-at-once 10 \
    --faces /data/faces.tsv --tag-ids /data/tagIds.tsv \
    --source 'https://host.example/{bucket}/{id}.{ext}' \
    --output /data/dafre
